"""The nightly run: every reachable cell, each stored the moment it is judged; what looks odd is measured again.

A run that was cut off is gone on with: the archive knows which cells it has finished. Nothing but the archive is
needed for that, so it does not matter how the run ended.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from envcheck import __version__, environments
from envcheck import cache as files
from envcheck.archive import Archive, Policy, going, open_archive
from envcheck.changes import REGRESSION
from envcheck.conclude import conclude_cell
from envcheck.division import portion_of
from envcheck.engines import local
from envcheck.entries import class_of, entry_of, has_come
from envcheck.errors import MET, UNMET, EnvcheckError, InfrastructureError, InterruptedRunError, NothingSelectedError
from envcheck.kept import Entry, Forgotten, Gone, Night
from envcheck.matrix import Backends
from envcheck.model import Cell, Evidence
from envcheck.publishing import Outcome, Target, check_target, publish
from envcheck.report.progress import Progress
from envcheck.request import Request, read_matrix, selected
from envcheck.suspicion import by_urgency, expected_s, fitting, is_suspect, news
from envcheck.validate import job_of
from envcheck.validate import run as run_here

TIER = "nightly"
HELD = Path("held") / "nightly.lock"
"""In the cache, beside the locks of cells."""
BUILD_S = 60.0
"""What is allowed for the environment of a cell of which nobody knows how long it takes."""
NOTHING_FITS = "the budget is shorter than any cell takes"

Engine = Callable[[local.Job, Progress], object]


@dataclass(frozen=True)
class NightlyRequest:
    """What the user asked for: the cells as for `validate`, the archive, and how long it may take."""

    request: Request
    archive: Path
    budget_s: float | None = None
    resume_s: float = 12 * 3600.0
    keep: tuple[int, float] | None = None
    """What the archive keeps in the end: so many newest entries of each cell and host, and so many days. None: all."""


@dataclass(frozen=True)
class Run:
    """A run that goes on: the archive that it writes, its name, and the clock by which it has to end."""

    archive: Archive
    name: str
    job: local.Job
    until: float | None
    engine: Engine


def nightly(asked: NightlyRequest, progress: Progress, engine: Engine | None = None) -> tuple[Night, Outcome]:
    """Run, store, measure again, publish. Raises EnvcheckError."""
    begun = time.monotonic()
    request = asked.request
    matrix = read_matrix(request.matrix)
    chosen = selected(matrix, request.choice, request.expect, TIER)
    cells, shard = portion_of(chosen, request.portion, request.env)
    target = Target(request.out, request.suites, request.env, shard=shard, sign_key=request.sign_key)
    check_target(target)
    with alone(environments.cache_folder(request.env)), open_archive(asked.archive) as archive:
        job = job_of(request, matrix, cells, progress)
        reachable = reachable_of(job, cells)
        name, resumed = begin(archive, key_of(job, reachable, matrix.backends), asked.resume_s)
        until = None if asked.budget_s is None else begun + asked.budget_s
        run = Run(archive, name, job, until, engine or run_here)
        with explained(run):
            left = work(run, reachable, progress)
            again = measure_again(run, reachable, progress)
            evidence = [archive.evidence(entry.digest) for entry in newest_of(archive, name)]
            outcome = publish(target, evidence, progress)
        night = night_of(run, outcome, resumed=resumed, again=again, left=left)
        archive.end_run(name, now().isoformat(timespec="seconds"))
        night = after_forgetting(night, archive, asked.keep)
    reached = {cell.id for cell in reachable}
    beyond = tuple(cell.id for cell in cells if cell.id not in reached)
    return msgspec.structs.replace(night, unreachable=beyond), outcome


def reachable_of(job: local.Job, cells: Sequence[Cell]) -> list[Cell]:
    """The cells that this host can reach. Raises NothingSelectedError where there is none, or none of them can work.

    A machine that has lost its driver reaches what is impossible everywhere, and that alone makes no night.
    """
    states = {cell.id: job.foresee(cell.axes).state for cell in cells}
    reachable = [cell for cell in cells if states[cell.id] != "unreachable"]
    if not reachable:
        raise NothingSelectedError("no cell can be reached from this host", remedy="See: envcheck plan")
    if len(reachable) < len(cells) and all(states[cell.id] == "impossible" for cell in reachable):
        raise NothingSelectedError(
            f"no cell can be run on this host: {len(reachable)} are impossible, the others out of reach",
            remedy="See: envcheck plan",
        )
    return reachable


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(timezone.utc)


# --- one at a time, and going on ----------------------------------------------------------------------------------


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Nobody else's nightly run on this machine; raises InfrastructureError that says whose there is."""
    lock = cache / HELD
    with files.hold_if_free(lock) as free:
        if not free:
            raise InfrastructureError(
                f"another nightly run holds the GPU of this machine: {files.read_text(lock) or 'it has just begun'}",
                remedy="Wait until it has ended, or end it; its cells are kept, and the next run goes on with them.",
            )
        lock.write_text(f"process {os.getpid()}, since {now():%Y-%m-%d %H:%M} UTC, in {Path.cwd()}", encoding="utf-8")
        yield


def begin(archive: Archive, key: str, resume_s: float) -> tuple[str, bool]:
    """The name of the run, and whether it goes on with one that was cut off."""
    since = (now() - timedelta(seconds=resume_s)).isoformat(timespec="seconds")
    known = archive.unended_run(key, since)
    if known is not None:
        return known, True
    began = now().isoformat(timespec="seconds")
    name = f"{began[:19].replace(':', '')}-{secrets.token_hex(3)}"
    archive.begin_run(name, key, began)
    return name, False


def key_of(job: local.Job, cells: Sequence[Cell], backends: Backends) -> str:
    """What has to be the same for a run to be gone on with: cells, how they are built, gate, work, model, host, what
    steers GL on it, envcheck."""
    setting = job.setting
    parts = (
        cells, setting.gate, setting.material.workload, setting.model, setting.material.frames.record,
        class_of(setting.host), setting.host.steering, job.preflight, job.relock, backends, __version__,
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


# --- running ------------------------------------------------------------------------------------------------------


def work(run: Run, cells: Sequence[Cell], progress: Progress) -> tuple[str, ...]:
    """Run what is not finished, the most urgent first; the ids of cells for which there was no time."""
    known = histories(run.archive, cells)
    pending = [cell for cell in cells if all(entry.run != run.name for entry in known[cell.id])]
    pending = by_urgency(pending, known, now())
    seconds = {cell.id: expected_s(known[cell.id], run.job.setting.gate.max_seconds + BUILD_S) for cell in pending}
    total = len(pending)
    while pending:
        batch = fitting(pending, seconds, remaining(run), max(1, run.job.jobs))
        if not batch:
            break
        progress.tell(f"{total - len(pending)} of {total} cells done, about {told(sum(seconds.values()))} to go")
        measure(run, batch, progress)
        pending = [cell for cell in pending if cell not in batch]
        seconds = {cell.id: seconds[cell.id] for cell in pending}
    if pending and not any(True for _ in run.archive.entries(run=run.name)):
        raise NothingSelectedError(f"nothing was run: {NOTHING_FITS}", remedy="Name a longer --budget.")
    return tuple(cell.id for cell in pending)


def histories(archive: Archive, cells: Sequence[Cell]) -> dict[str, list[Entry]]:
    """All entries of each cell that can be believed to be older than tonight's, the oldest first."""
    return {cell.id: sorted(past(archive, cell.id), key=lambda one: one.recorded_at) for cell in cells}


def past(archive: Archive, cell: str) -> list[Entry]:
    """Entries of a cell, without those of a clock that was ahead, which would be the newest for years."""
    at = now()
    return [one for one in archive.entries(cell=cell) if has_come(one.recorded_at, at)]


def remaining(run: Run) -> float:
    """Seconds that are left of the budget."""
    return float("inf") if run.until is None else run.until - time.monotonic()


def told(seconds: float) -> str:
    """A time in words."""
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def measure(run: Run, cells: Sequence[Cell], progress: Progress) -> None:
    """Run some cells; each is stored the moment it is finished."""
    last = time.monotonic()

    def observed(evidence: Evidence) -> None:
        nonlocal last
        entry = entry_of(evidence, run.name, conclude_cell(evidence), round(time.monotonic() - last, 1))
        run.archive.add(entry, evidence)
        last = time.monotonic()
        progress.tell(f"{evidence.cell.id}: {entry.verdict.value}")

    run.engine(replace(run.job, cells=cells, observed=observed), progress)


@contextmanager
def explained(run: Run) -> Iterator[None]:
    """An interrupt says what is stored."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedRunError):
        count = len(newest_of(run.archive, run.name))
        remedy = f"Cells of this run that are stored: {count}. The next `envcheck nightly` goes on with the rest."
        raise InterruptedRunError("interrupted", remedy=remedy) from None


def measure_again(run: Run, cells: Sequence[Cell], progress: Progress) -> tuple[str, ...]:
    """Run once more what does not look as it used to, while there is time; the ids of all that were run twice."""
    known = histories(run.archive, cells)
    doubted = [cell for cell in cells if is_suspect(known[cell.id], run.name)]
    for cell in doubted:
        if remaining(run) > 0:
            progress.tell(f"{cell.id} does not look as it used to: measured again before it is reported")
            measure(run, [cell], progress)
    counts = {cell.id: sum(1 for _ in run.archive.entries(cell=cell.id, run=run.name)) for cell in cells}
    return tuple(name for name, count in counts.items() if count > 1)


# --- what came of it ----------------------------------------------------------------------------------------------


def newest_of(archive: Archive, run: str) -> list[Entry]:
    """The last entry of each cell of a run, in the order in which they were measured first."""
    return list({entry.cell: entry for entry in archive.of_run(run)}.values())


def after_forgetting(night: Night, archive: Archive, keep: tuple[int, float] | None) -> Night:
    """The night, with what the policy has let go; everything that this run has stored stays.

    A failure to remove takes nothing of the night back: it is told, and is the exit code where all else is well.
    """
    if keep is None:
        return night
    newest, days = keep
    since = (now() - timedelta(days=days)).isoformat(timespec="seconds")
    try:
        gone = [one for one in going(archive.entries(), Policy(newest, since)) if one.run != night.run]
        archive.remove(one.digest for one in gone)
    except EnvcheckError as error:
        said = Forgotten(keep=newest, keep_days=days, failed=f"{error.message} {error.remedy}".strip())
        code = night.exit_code or error.exit_code
        return msgspec.structs.replace(night, forgotten=said, exit_code=code)
    removed = tuple(Gone(one.digest, one.cell, one.host, one.recorded_at, one.verdict) for one in gone)
    return msgspec.structs.replace(night, forgotten=Forgotten(keep=newest, keep_days=days, removed=removed))


def night_of(run: Run, outcome: Outcome, *, resumed: bool, again: Sequence[str], left: Sequence[str]) -> Night:
    """What the run came to."""
    cells = [cell.id for cell in outcome.results.cells]
    known: Mapping[str, list[Entry]] = {cell: past(run.archive, cell) for cell in cells}
    changed = tuple(change for cell in cells for change in news(known[cell], run.name))
    last = newest_of(run.archive, run.name)
    worse = any(change.kind == REGRESSION and change.confirmed for change in changed)
    code = UNMET if outcome.exit_code == MET and worse else outcome.exit_code
    return Night(
        archive=str(run.archive.path),
        run=run.name,
        resumed=resumed,
        entries=tuple(last),
        changes=changed,
        again=tuple(again),
        left=tuple(left),
        unreachable=(),
        exit_code=code,
    )
