"""What an archive tells of a cell, of two entries, and of what may go. Reads; only `forget` removes, and says what."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from msgspec.structs import replace

from envcheck import store
from envcheck.archive import Archive, Policy, going, open_archive
from envcheck.attribution import moves
from envcheck.changes import changes
from envcheck.entries import entry_of
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.kept import Difference, Entry, History, Ratios
from envcheck.likeness import Change as Measured
from envcheck.likeness import Unlike, compare
from envcheck.model import Evidence

SHORTEST_DIGEST = 6
WHAT_TO_NAME = "Name a cell, the beginning of a digest (`envcheck history` lists both), or an evidence file."


def history(path: Path, cell: str | None = None, *, host: str | None = None, since: str | None = None) -> History:
    """The entries of a cell, or the newest of every cell, with all changes. Raises NothingSelectedError."""
    with open_archive(path, readonly=True) as archive:
        every = list(archive.entries(cell=cell, host=host))
        shown = every if cell else [one for one in archive.latest() if host in (None, one.host)]
    if not every:
        what = f"of {cell}" if cell else "of any cell"
        raise NothingSelectedError(f"{path} holds no entry {what}", remedy="`envcheck history` lists the cells.")
    after = since or ""
    kept = [one for one in shown if one.recorded_at >= after]
    return History(
        archive=str(path),
        cell=cell,
        entries=tuple(sorted(kept, key=lambda one: (one.cell, "" if cell else one.host, one.recorded_at))),
        changes=tuple(change for change in changes(every) if change.after.recorded_at >= after),
    )


def forget(
    path: Path,
    newest: int,
    days: float,
    *,
    cell: str | None = None,
    host: str | None = None,
    yes: bool,
    now: datetime,
) -> History:
    """What a policy lets go, of a cell or of all, on one class of hosts or on all; removed with `yes` alone."""
    since = (now.astimezone(timezone.utc) - timedelta(days=days)).isoformat(timespec="seconds")
    with open_archive(path, readonly=not yes) as archive:
        gone = list(going(archive.entries(cell=cell, host=host), Policy(newest, since)))
        removed = archive.remove([one.digest for one in gone]) if yes else 0
    digests = tuple(one.digest for one in gone)
    return History(archive=str(path), cell=cell, entries=tuple(gone), changes=(), going=digests, removed=removed)


def evidence_named(path: Path, digest: str) -> Evidence:
    """The evidence whose digest begins so. Raises UsageError where not exactly one does."""
    with open_archive(path, readonly=True) as archive:
        entry = archive.entry(digest) if len(digest) >= SHORTEST_DIGEST else None
        if entry is None:
            raise UsageError(
                f"{digest!r} is not the beginning of exactly one digest in {path}",
                remedy=f"At least {SHORTEST_DIGEST} of its characters; `envcheck history CELL` lists digests.",
            )
        return archive.evidence(entry.digest)


# --- two entries ------------------------------------------------------------------------------------------------


def difference(path: Path, first: str, second: str) -> Difference:
    """What differs between two entries, each named by a cell, a digest or an evidence file."""
    before, after = (named(path, text) for text in (first, second))
    found = Difference(before=before, after=after, moved=moves(before.facts, after.facts))
    if before.bench is None or after.bench is None:
        return replace(found, unlike=(unmeasured(before, after),))
    measured = compare(before.bench, after.bench)
    if isinstance(measured, Unlike):
        return replace(found, unlike=measured.differences)
    return replace(found, measured=ratios(measured))


def ratios(measured: Measured) -> Ratios:
    """The comparison as it is told."""
    return Ratios(measured.cpu, measured.gpu, measured.speedup, measured.certain)


def unmeasured(before: Entry, after: Entry) -> str:
    """Which of two entries has no times."""
    without = [one for one in (before, after) if one.bench is None]
    return "nothing was timed in " + " and ".join(f"{one.cell} of {one.recorded_at}" for one in without)


def named(path: Path, text: str) -> Entry:
    """The entry that a word names: an evidence file, else a cell's newest, else a digest's. Raises UsageError."""
    if Path(text).is_file():
        (evidence,) = store.load_evidence(Path(text))
        return entry_of(evidence)
    with open_archive(path, readonly=True) as archive:
        found = newest(archive, text) or (archive.entry(text) if len(text) >= SHORTEST_DIGEST else None)
    if found is None:
        raise UsageError(f"{text!r} is no file, no cell in {path} and no digest in it", remedy=WHAT_TO_NAME)
    return found


def newest(archive: Archive, cell: str) -> Entry | None:
    """The newest entry of a cell on any host."""
    return max(archive.entries(cell=cell), key=lambda one: one.recorded_at, default=None)
