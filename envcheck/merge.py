"""Evidence from other machines and other times into an archive: idempotent, read with distrust, conflicts named.

What was concluded elsewhere is not believed: every cell is judged again, by the judge of today. What was planned and
did not come is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from envcheck import lost, seal, store
from envcheck.archive import Archive, open_archive
from envcheck.conclude import unjudgeable
from envcheck.entries import entry_of, has_come
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.incoming import Found, exists, read
from envcheck.kept import Conflict, Entry, Lost, Merged, Refused
from envcheck.model import CellResult, Shard, Verdict

EMPTY = "Name folders that `envcheck validate --out` wrote, folders of evidence, evidence files, archives, or logs."
VERIFY_KEY = "--verify-key"


@dataclass(frozen=True)
class Terms:
    """What is asked of an import: a plan that names what has to come, how young it has to be to count as having come,
    in UTC as `Entry.recorded_at`, and the key that it has to be signed with."""

    keep_both: bool = False
    expected: Path | None = None
    verify_key: Path | None = None
    since: str = ""


@dataclass
class Tally:
    """What has come of an import so far. `delivered` has, of cells of which a host has said something, the
    newest entry of each class of hosts."""

    added: int = 0
    known: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    delivered: dict[str, dict[str, Entry]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    shards: list[tuple[Shard, str]] = field(default_factory=list)
    given_up: dict[str, Lost] = field(default_factory=dict)
    """Cells of which an engine says itself that nothing came back; their evidence says why."""

    def absent(self, expected: Mapping[str, Lost]) -> Iterator[Lost]:
        """What was planned, or given up, and did not come."""
        return (one for cell, one in (self.given_up | dict(expected)).items() if cell not in self.delivered)


def merge(
    sources: Sequence[Path], target: Path, terms: Terms = Terms(), say: Callable[[str], None] = lambda _text: None
) -> Merged:
    """Import everything that is in `sources`. Each entry is a transaction of its own, so that it may be cut off.

    Raises UsageError for a source that is not there, before anything is imported. Where a plan is named it is refused
    like any other: the plan tells what has not come of it.
    """
    if terms.expected is None and (absent := [str(one) for one in sources if not exists(one)]):
        raise UsageError(f"{', '.join(absent)}: no such file or folder", remedy=EMPTY)
    tally = Tally()
    key = seal.read_key(terms.verify_key, VERIFY_KEY)
    expected = {} if terms.expected is None else lost.expected_in(terms.expected)
    with open_archive(target) as archive:
        for source in sources:
            for found in read(source, tally.refused, key):
                say(f"reading {found.source}")
                take(archive, found, tally, terms)
        missed = tuple(tally.absent(expected))
        marked = lost.note(archive, [one for one in missed if one.cell not in tally.given_up], tally.fresh)
        missed = tuple(one for one in missed if one.cell in expected or one.cell in marked)
    if not (tally.added or tally.known or tally.conflicts or tally.refused or missed):
        raise NothingSelectedError("there is no evidence in what was named", remedy=EMPTY)
    return merged(target, tally, missed)


def merged(target: Path, tally: Tally, absent: tuple[Lost, ...]) -> Merged:
    """What came of it, as it is told."""
    missing = lost.missing_shards(tally.shards)
    last = (one for _, by_host in sorted(tally.delivered.items()) for _, one in sorted(by_host.items()))
    return Merged(
        archive=str(target),
        added=tally.added,
        known=tally.known,
        conflicts=tuple(tally.conflicts),
        refused=tuple(tally.refused),
        missing=missing,
        lost=absent,
        came=len(tally.delivered),
        unmet={one.cell: one.verdict.value for one in last if not one.met},
    )


def judged(found: Found) -> Entry | str:
    """The entry that a cell's evidence makes, or why it makes none."""
    try:
        entry = entry_of(found.evidence, found.run)
    except UsageError as error:
        return error.message
    except Exception:
        if not (wrong := unjudgeable(found.evidence)):
            raise
        return wrong
    if has_come(entry.recorded_at, datetime.now(timezone.utc)):
        return entry
    return f"it was recorded at {entry.recorded_at}, which is yet to come here: one of the two clocks is wrong"


def take(archive: Archive, found: Found, tally: Tally, terms: Terms) -> None:
    """Judge one cell again and store it, unless something else is there in its place."""
    entry = judged(found)
    if isinstance(entry, str):
        tally.refused.append(Refused(found.source, entry))
        return
    if found.evidence.lost:
        tally.given_up[entry.cell] = Lost(entry.cell, entry.axes)
    elif entry.recorded_at >= terms.since:
        arrived(entry, found, tally)
    if what := disagreement(entry, found.told):
        tally.conflicts.append(Conflict(entry.cell, found.source, what))
    clash = None if archive.holds(entry.digest) else archive.clash(entry)
    if clash is not None:
        tally.conflicts.append(
            Conflict(entry.cell, found.source, clashing(entry, clash.kept, kept_too=terms.keep_both))
        )
        if not terms.keep_both:
            return
    if archive.add(entry, found.evidence):
        tally.added += 1
        tally.fresh |= {entry.cell} & tally.delivered.keys()
    else:
        tally.known += 1


def arrived(entry: Entry, found: Found, tally: Tally) -> None:
    """Note what came: of a shard any cell, of the plan those that some host could reach."""
    if found.shard is not None:
        tally.shards.append((found.shard, entry.cell))
    if entry.verdict is not Verdict.UNREACHABLE:
        last = tally.delivered.setdefault(entry.cell, {})
        if entry.host not in last or last[entry.host].recorded_at <= entry.recorded_at:
            last[entry.host] = entry


def disagreement(entry: Entry, told: CellResult | None) -> str:
    """How results.json contradicts its own evidence, or an empty text."""
    if told is None or told.verdict is entry.verdict:
        return ""
    return (
        f"{store.RESULTS} says {told.verdict.value}, its evidence judged again says {entry.verdict.value}, which is "
        "kept: the rules have changed since, or one of the files"
    )


def clashing(entry: Entry, kept: str, *, kept_too: bool) -> str:
    """Two contents for one cell, host and time, in words."""
    what = f"other evidence of the same host and second ({entry.recorded_at}) is there already: {kept[:12]}"
    outcome = "both are kept" if kept_too else "this one was left out; --keep-both takes it"
    return f"{what}, and this is {entry.digest[:12]}; {outcome}"
