"""The engine of a name: ours by a table, others by entry points. One that does not load is an error with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from envcheck.engines.engine import Engine, Maker, Run
from envcheck.errors import EnvcheckError, UsageError

GROUP = "envcheck.engines"
LOCAL = "local"
OURS = {
    LOCAL: "envcheck.engines.local:make",
    "slurm": "envcheck.engines.slurm.engine:make",
    "kubernetes": "envcheck.engines.kubernetes.engine:make",
}
"""Imported when one is asked for."""
MEMBERS = ("nonce", "submit", "follow", "collect", "cancel", "forget")


def known() -> dict[str, EntryPoint]:
    """Every engine there is, by name. A third party's cannot take the place of one of ours."""
    others = {entry.name: entry for entry in entry_points(group=GROUP)}
    return others | {name: EntryPoint(name, value, GROUP) for name, value in OURS.items()}


def maker_of(name: str) -> Maker:
    """What makes the engine of that name. Raises UsageError where there is none, or where it does not load."""
    found = known()
    if name not in found:
        raise UsageError(f"--engine {name!r} is none of {', '.join(sorted(found))}", remedy="Name a known engine.")
    entry = found[name]
    try:
        made: Maker = getattr(import_module(entry.module), entry.attr or "make")
    except Exception as error:
        raise broken(entry, f"does not load: {type(error).__name__}: {error}") from error
    if not callable(made):
        raise broken(entry, "is nothing that makes an engine: it cannot be called")
    return made


def make(name: str, run: Run) -> Engine:
    """The engine of that name for a run. Raises UsageError where it is none, and what it raises on purpose."""
    maker = maker_of(name)
    try:
        engine = maker(run)
    except (EnvcheckError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise broken(known()[name], f"could not be made: {type(error).__name__}: {error}") from error
    if missing := [member for member in MEMBERS if not hasattr(engine, member)]:
        raise broken(known()[name], f"made something that has no {', '.join(missing)}")
    return engine


@contextmanager
def named(name: str) -> Iterator[None]:
    """What an engine of another package fails with is told as its fault. Raises UsageError."""
    try:
        yield
    except EnvcheckError:
        raise
    except Exception as error:
        if name in OURS:
            raise
        raise broken(known()[name], f"failed: {type(error).__name__}: {error}") from error


def broken(entry: EntryPoint, what: str) -> UsageError:
    """The error of an engine that is at fault itself."""
    remedy = "Mend or remove the package that brings it, or choose another: --engine local"
    return UsageError(f"engine {entry.name} ({entry.value}) {what}", remedy=remedy)
