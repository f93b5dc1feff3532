"""What asks the engine of a name for its hosts: ours by a table, others by entry points."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from envcheck.engines import loading
from envcheck.engines.offers.offer import Asked, Look, Offers
from envcheck.errors import EnvcheckError, UsageError

GROUP = "envcheck.engines.offers"
OURS = {name: f"envcheck.engines.offers.{name}:look" for name in ("local", "slurm", "kubernetes")}
MEMBERS = ("sites", "serving")


def offers_of(engine: str, asked: Asked) -> Offers:
    """What the engine offers. Raises UsageError where it is none or cannot tell, and what it raises on purpose."""
    if engine not in loading.known():
        loading.maker_of(engine)
    entry = entry_of(engine)
    try:
        look: Look = getattr(import_module(entry.module), entry.attr or "look")
        found = look(asked)
    except (EnvcheckError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise loading.broken(entry, f"cannot be asked: {type(error).__name__}: {error}") from error
    if lacking := [member for member in MEMBERS if not hasattr(found, member)]:
        raise loading.broken(entry, f"answered something that has no {', '.join(lacking)}")
    return found


def entry_of(engine: str) -> EntryPoint:
    """What asks this engine. Raises UsageError where nothing does: then nothing is known, which is no good news."""
    others = {entry.name: entry for entry in entry_points(group=GROUP)}
    known = others | {name: EntryPoint(name, value, GROUP) for name, value in OURS.items()}
    if engine not in known:
        raise UsageError(
            f"the engine {engine} does not tell what it offers", remedy=f"Those that do: {', '.join(sorted(known))}"
        )
    return known[engine]
