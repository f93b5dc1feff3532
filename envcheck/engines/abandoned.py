"""Runs that an engine has begun and nobody follows any more: found in their folders, held against the lock, removed.

A run that is over removes its folder. One whose envcheck was killed keeps it, so that the same command can go on with
it; after a day nobody does, unless the user names the run. Slurm is asked whether jobs of it are still there; a cluster
of Kubernetes is not, because nothing in the folder is needed to find its Jobs.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from envcheck import process
from envcheck.cache import hold_if_free, read_text
from envcheck.engines.holding import FORGOTTEN_S, HELD
from envcheck.engines.kubernetes.kept import Begun
from envcheck.engines.slurm.commands import Slurm, said
from envcheck.engines.slurm.engine import name_of
from envcheck.engines.slurm.fate import ENDED
from envcheck.engines.slurm.folder import FOLDERS, SCRIPT, STATE, Sent, State

SLURM, KUBERNETES = "slurm", "kubernetes"
FOLLOWED = "a run goes on that follows it"
_RUN = re.compile(r"[0-9a-f]{16}")
_HOLDS = {SLURM: {*FOLDERS, SCRIPT, STATE, HELD}, KUBERNETES: {"deliveries", STATE, HELD}}
_PART = re.compile(rf"\.({re.escape(STATE)}|{re.escape(SCRIPT)})\.[0-9a-f]{{8}}")
"""What is left of a file that was about to be written whole."""


@dataclass(frozen=True)
class Abandoned:
    """The folder of a run. `begun` in seconds since 1970; `kept` says why it stays, empty where nobody follows it."""

    engine: str
    path: Path
    about: str = ""
    begun: float | None = None
    kept: str = ""


def abandoned_runs(
    out: Path, folders: Sequence[Path], env: Mapping[str, str], run: Callable[..., process.Completed] = process.run
) -> Iterator[Abandoned]:
    """The runs in a results folder, and in folders that nodes of Slurm share. Raises OSError."""
    places = [(KUBERNETES, out / KUBERNETES), (SLURM, out / SLURM), *((SLURM, one) for one in folders)]
    for engine, place in dict.fromkeys((engine, place.absolute()) for engine, place in places):
        for path in runs_in(place):
            found = looked_at(engine, path)
            yield found if found.kept or engine != SLURM else with_jobs(found, env, run)


def runs_in(place: Path) -> list[Path]:
    """Folders named as runs are; links are none. Raises OSError."""
    try:
        found = [Path(one.path) for one in os.scandir(place) if one.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(one for one in found if _RUN.fullmatch(one.name))


def looked_at(engine: str, path: Path) -> Abandoned:
    """One run, by what its folder says."""
    found = Abandoned(engine, path)
    try:
        strange = sorted(set(os.listdir(path)) - _HOLDS[engine])  # noqa: PTH208 - names are enough
        if strange := [name for name in strange if not _PART.fullmatch(name)]:
            return replace(found, kept=f"it holds {strange[0]!r}, which is not envcheck's")
        if path.stat().st_uid != os.getuid():  # whose jobs nobody else is told of
            return replace(found, kept="it is another user's")
        if is_followed(path):
            return replace(found, kept=FOLLOWED)
        text = read_text(path / STATE)
    except OSError as error:
        return replace(found, kept=f"it cannot be read: {error.strerror}")
    if text is None:
        return replace(found, about="a run that is over, or never began")
    state = state_of(engine, text)
    if state is None:
        unknown = (
            "its state is damaged, and which jobs it has is not known: remove it by hand" if engine == SLURM else ""
        )
        return replace(found, about="its state is damaged", kept=unknown)
    young = time.time() - state.begun_at < FORGOTTEN_S
    kept = "the same command goes on with it until a day after its beginning" if young else ""
    return replace(found, about="a run that was cut off", begun=state.begun_at, kept=kept)


def is_followed(path: Path) -> bool:
    """Whether some envcheck holds the run's lock; one that was never made nobody holds."""
    if not (path / HELD).exists():
        return False
    with hold_if_free(path / HELD) as free:
        return not free


def state_of(engine: str, text: str) -> State | Begun | None:
    """The state of a run; None where it is none."""
    kind: type[State] | type[Begun] = State if engine == SLURM else Begun
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        return None


# --- what Slurm still has ------------------------------------------------------------------------------------------


def with_jobs(found: Abandoned, env: Mapping[str, str], run: Callable[..., process.Completed]) -> Abandoned:
    """The run, kept where jobs of it are in Slurm's queue, or where nobody can tell."""
    state = state_of(SLURM, read_text(found.path / STATE) or "")
    names = [name_of(state, job.number) for job in jobs_of(state)] if isinstance(state, State) else []
    if not names:
        return found
    tasks = Slurm(env, patience_s=0, run=run).tasks(names)
    if not isinstance(tasks, dict):
        return replace(found, kept=f"whether its jobs have ended cannot be asked of Slurm: {said(tasks)}")
    live = sorted({task.job for task in tasks.values() if task.state.partition(" ")[0] not in ENDED})
    return replace(found, kept=f"its jobs are in Slurm's queue: scancel {' '.join(live)}") if live else found


def jobs_of(state: State) -> Iterable[Sent]:
    """The jobs that were sent and not cancelled."""
    return [job for job in state.jobs if not job.cancelled]


# --- removal -------------------------------------------------------------------------------------------------------


def remove(found: Abandoned) -> str:
    """Remove a run's folder, its state first; why it is still there, or an empty text."""
    try:
        with hold_if_free(found.path / HELD) as free:
            if not free:
                return FOLLOWED
            (found.path / STATE).unlink(missing_ok=True)
            shutil.rmtree(found.path, ignore_errors=True)
    except OSError as error:
        return error.strerror or str(error)
    return f"parts of it are left in {found.path}" if found.path.exists() else ""
