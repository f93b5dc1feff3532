"""Stored results -> what a report shows: from a results folder, from an archive, or from both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from envcheck import store
from envcheck.archive import Archive, digest_of, open_archive
from envcheck.changes import changes
from envcheck.conclude import conclude, conclude_cell
from envcheck.entries import entry_of
from envcheck.errors import UsageError
from envcheck.kept import Change, Entry
from envcheck.model import CellResult, Evidence, Finding, Results, Shard, Status
from envcheck.pages import PAGES
from envcheck.report import part
from envcheck.report.dossier import Dossier, dossier_of
from envcheck.report.html import Contents
from envcheck.report.table import STALE_DAYS, Slot, newest, seconds_of, tabulate

DETAILED = 50
"""Cells of an archive whose evidence is judged again for their page, which takes up to 60 ms for each."""
EPOCH = datetime.fromtimestamp(0, timezone.utc)


@dataclass(frozen=True)
class Material:
    """What is known: every entry, and by the digest of an entry its dossier and where its evidence lies."""

    entries: Sequence[Entry] = ()
    changes: Sequence[Change] = ()
    dossiers: Mapping[str, Dossier] = field(default_factory=dict)
    links: Mapping[str, Path] = field(default_factory=dict)
    shard: Shard | None = None
    """The part that a results folder holds, where it is not the whole."""


# --- a results folder -------------------------------------------------------------------------------------------


def of_folder(out: Path) -> Material:
    """What a results folder holds. Raises UsageError where it holds none."""
    evidence = store.load_evidence(out)
    return of_results(conclude(evidence, store.shard_in(out)), evidence, out)


def of_results(results: Results, evidence: Sequence[Evidence], out: Path = Path()) -> Material:
    """What one run has found; `out` is where its evidence lies."""
    entries, dossiers, links = [], {}, {}
    for result, one in zip(results.cells, evidence, strict=True):
        entry = dated(one, result)
        entries.append(entry)
        dossiers[entry.digest] = dossier_of(result, one)
        links[entry.digest] = out / store.evidence_path(one.cell.id)
    return Material(tuple(entries), (), dossiers, links, results.shard)


def dated(evidence: Evidence, result: CellResult) -> Entry:
    """The entry of a cell; one whose evidence names no date keeps what it names, and is shown as undated."""
    try:
        return entry_of(evidence, result=result)
    except UsageError:
        known = entry_of(replace(evidence, recorded_at=EPOCH.isoformat()), result=result)
        return replace(known, digest=digest_of(evidence), recorded_at=evidence.recorded_at)


# --- an archive -------------------------------------------------------------------------------------------------


def of_archive(path: Path, detailed: int = DETAILED, *, with_changes: bool = True) -> Material:
    """What an archive holds; pages of at most `detailed` cells get their witnesses and findings from the evidence."""
    with open_archive(path, readonly=True) as archive:
        entries = tuple(archive.entries())
        dossiers = dossiers_of(archive, entries, detailed)
    return Material(entries, changes(entries) if with_changes else (), dossiers)


def dossiers_of(archive: Archive, entries: Iterable[Entry], most: int) -> dict[str, Dossier]:
    """The dossiers of the newest entries, those that are not as expected first."""
    if not most:
        return {}
    wanted = sorted(newest(entries), key=lambda entry: (entry.met, entry.cell, entry.host))[:most]
    found = {}
    for entry in wanted:
        evidence = archive.evidence(entry.digest)
        found[entry.digest] = dossier_of(conclude_cell(evidence), evidence)
    return found


def together(archived: Material, folder: Material) -> Material:
    """An archive and the results of a run, which it may hold already."""
    known = {entry.digest for entry in archived.entries}
    more = {entry.cell for entry in archived.entries} - {entry.cell for entry in folder.entries}
    fresh = tuple(entry for entry in folder.entries if entry.digest not in known)
    return Material(
        (*archived.entries, *fresh),
        archived.changes,
        {**archived.dossiers, **folder.dossiers},
        {**archived.links, **folder.links},
        None if more else folder.shard,
    )


# --- what is shown ----------------------------------------------------------------------------------------------


def contents_of(
    material: Material,
    slots: Sequence[Slot] = (),
    *,
    at: datetime | None = None,
    stale_days: float = STALE_DAYS,
    links: Mapping[str, str] | None = None,
) -> Contents:
    """The contents of every format. Without a moment the newest entry's holds."""
    moment = at or max((moment_of(entry) for entry in material.entries), default=EPOCH)
    where = {digest: path.as_posix() for digest, path in material.links.items()} if links is None else links
    table = tabulate(material.entries, slots, at=moment, stale_days=stale_days, links=where)
    shown = Contents(table, material.entries, material.changes, material.dossiers, causes())
    return shown if material.shard is None else dataclasses.replace(shown, part=part.told(material.shard))


def moment_of(entry: Entry) -> datetime:
    """When an entry was recorded; 1970 where it names no date."""
    return datetime.fromtimestamp(seconds_of(entry.recorded_at) or 0.0, timezone.utc)


def causes() -> dict[str, Finding]:
    """What each code means, for cells whose evidence is not at hand."""
    return {
        code: Finding(code, Status.FAIL, page.title, page.because, page.remedy, page.url)
        for code, page in PAGES.items()
    }
