"""Evidence from other machines and other times into an archive: idempotent, read with distrust, conflicts named.

A source is a results folder, a folder of evidence files, one evidence file, another archive, or a folder of such. What
was concluded elsewhere is not believed: every cell is judged again, by the judge of today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from envcheck import store
from envcheck.archive import Archive, is_archive, open_archive
from envcheck.entries import entry_of
from envcheck.errors import EnvcheckError, NothingSelectedError, UsageError
from envcheck.kept import Conflict, Entry, Merged, Refused
from envcheck.model import CellResult, Evidence, Results

EMPTY = "Name folders that `envcheck validate --out` wrote, folders of evidence, or archives."


class Found(NamedTuple):
    """Evidence somewhere: `told` is what results.json says of it, `run` the run it belonged to in another archive."""

    source: str
    evidence: Evidence
    told: CellResult | None = None
    run: str = ""


@dataclass
class Tally:
    """What has come of an import so far."""

    added: int = 0
    known: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def merge(
    sources: Sequence[Path], target: Path, *, keep_both: bool = False, say: Callable[[str], None] = lambda _text: None
) -> Merged:
    """Import everything that is in `sources`. Each entry is a transaction of its own, so that it may be cut off."""
    tally = Tally()
    with open_archive(target) as archive:
        for source in sources:
            for found in read(source, tally.refused):
                say(f"reading {found.source}")
                take(archive, found, tally, keep_both=keep_both)
    if not (tally.added or tally.known or tally.conflicts or tally.refused):
        raise NothingSelectedError("there is no evidence in what was named", remedy=EMPTY)
    return Merged(str(target), tally.added, tally.known, tuple(tally.conflicts), tuple(tally.refused))


def take(archive: Archive, found: Found, tally: Tally, *, keep_both: bool) -> None:
    """Judge one cell again and store it, unless something else is there in its place."""
    try:
        entry = entry_of(found.evidence, found.run)
    except UsageError as error:
        tally.refused.append(Refused(found.source, error.message))
        return
    if what := disagreement(entry, found.told):
        tally.conflicts.append(Conflict(entry.cell, found.source, what))
    clash = None if archive.holds(entry.digest) else archive.clash(entry)
    if clash is not None:
        tally.conflicts.append(Conflict(entry.cell, found.source, clashing(entry, clash.kept, kept_too=keep_both)))
        if not keep_both:
            return
    if archive.add(entry, found.evidence):
        tally.added += 1
    else:
        tally.known += 1


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


# --- reading ----------------------------------------------------------------------------------------------------


def read(source: Path, refused: list[Refused]) -> Iterator[Found]:
    """All evidence of a source; what cannot be believed goes to `refused`, the rest is read."""
    if is_archive(source):
        yield from from_archive(source, refused)
        return
    inner = [source] if holds_evidence(source) else folders_in(source)
    for folder in inner:
        try:
            files = store.evidence_files(folder)
            told = results_of(folder)
        except UsageError as error:
            refused.append(Refused(str(folder), error.message))
            continue
        yield from from_files(files, told, refused)


def holds_evidence(source: Path) -> bool:
    """True for what is no folder of folders."""
    return (
        not source.is_dir()
        or (source / store.RESULTS).exists()
        or any(source.glob("*.json"))
        or (source / store.EVIDENCE).is_dir()
    )


def folders_in(source: Path) -> list[Path]:
    """The folders right inside that hold evidence, sorted; where there is none, the folder itself."""
    return sorted(one for one in source.iterdir() if one.is_dir() and holds_evidence(one)) or [source]


def results_of(folder: Path) -> dict[str, CellResult]:
    """What results.json says, by cell."""
    path = folder / store.RESULTS
    if not folder.is_dir() or not path.exists():
        return {}
    return {cell.id: cell for cell in store.read_document(path, Results).cells}


def from_files(
    files: Iterable[tuple[Path, str | None]], told: dict[str, CellResult], refused: list[Refused]
) -> Iterator[Found]:
    """The evidence in files, each read by itself: one that is damaged keeps no other out."""
    for path, cell in files:
        try:
            (evidence,) = store.load_evidence(path)
        except UsageError as error:
            refused.append(Refused(str(path), error.message))
            continue
        if cell not in (None, evidence.cell.id):
            why = f"evidence of the cell {evidence.cell.id}, named by {store.RESULTS} for {cell}"
            refused.append(Refused(str(path), why))
            continue
        yield Found(str(path), evidence, told.get(evidence.cell.id))


def from_archive(path: Path, refused: list[Refused]) -> Iterator[Found]:
    """The evidence of another archive."""
    with open_archive(path, readonly=True) as other:
        for entry in list(other.entries()):
            source = f"{path} {entry.digest[:12]}"
            try:
                evidence = other.evidence(entry.digest)
            except EnvcheckError as error:
                refused.append(Refused(source, error.message))
                continue
            if wrong := store.implausible(evidence):
                refused.append(Refused(source, wrong))
            else:
                yield Found(source, evidence, run=entry.run)
