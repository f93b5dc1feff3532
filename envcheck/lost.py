"""Cells that were planned and did not come back: `unknown`, in the archive like every other, until one is delivered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from envcheck import store
from envcheck.archive import Archive
from envcheck.entries import entry_of
from envcheck.errors import UsageError
from envcheck.kept import NOT_DELIVERED, Lost, Missing
from envcheck.model import GATE, Axes, Cell, Evidence, Foresight, Host, Shard, Unread, Workload
from envcheck.pipelines import Fleet
from envcheck.record import Record

HOST = Host(platform="", machine="", nvml=Unread(reason="no worker delivered this cell"))
REMEDY = "Name what `envcheck plan --format fleet` or `--format json` wrote: --expected FILE"


class Head(Record, frozen=True):
    """What a plan says of itself; that of `plan --format json` says nothing."""

    schema: str = ""


class PlannedCell(Record, frozen=True):
    """A cell as `plan --format json` has it."""

    id: str
    axes: Axes
    state: str


class Planned(Record, frozen=True):
    """What `plan --format json` prints, as far as it matters here."""

    cells: tuple[PlannedCell, ...]


# --- what was planned -------------------------------------------------------------------------------------------


def expected_in(path: Path) -> dict[str, Lost]:
    """The cells of a plan by id, each as it is told where it does not come back. Raises UsageError."""
    data = store.read_limited(path, REMEDY)
    try:
        found = lost_of(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: it is no plan: {error}", remedy=REMEDY) from error
    if not found:
        raise UsageError(f"{path}: no cell is planned in it", remedy=REMEDY)
    return {one.cell: one for one in found}


def lost_of(data: bytes) -> list[Lost]:
    """Every cell that has to come: of a plan for this host all but the excluded, because others have the rest."""
    if msgspec.json.decode(data, type=Head).schema == Fleet.__struct_config__.tag:
        return [Lost(cell.id, cell.axes, cell.job) for cell in msgspec.json.decode(data, type=Fleet).cells]
    plan = msgspec.json.decode(data, type=Planned)
    return [Lost(cell.id, cell.axes) for cell in plan.cells if cell.state != "excluded"]


# --- shards -----------------------------------------------------------------------------------------------------


def missing_shards(delivered: Iterable[tuple[Shard, str]]) -> tuple[Missing, ...]:
    """Of each division that something came from: the shards of which nothing came, and those that came in part.

    Where there are more shards than groups of cells, the last ones are empty, and nothing has to come of them.
    """
    divisions: dict[tuple[str, int, str | None, int], dict[int, tuple[int, set[str]]]] = {}
    for shard, cell in delivered:
        which = (shard.division, shard.count, shard.driver, shard.of)
        _, cells = divisions.setdefault(which, {}).setdefault(shard.index, (shard.cells, set()))
        cells.add(cell)
    found = []
    for (division, count, driver, of), seen in sorted(divisions.items(), key=lambda item: str(item[0])):
        whole = sum(wanted for wanted, _ in seen.values()) >= of
        absent = () if whole else tuple(index for index in range(1, count + 1) if index not in seen)
        partial = tuple(sorted(index for index, (wanted, cells) in seen.items() if len(cells) < wanted))
        if absent or partial:
            found.append(Missing(count=count, of=of, division=division, driver=driver, absent=absent, partial=partial))
    return tuple(found)


# --- in the archive ---------------------------------------------------------------------------------------------


def note(archive: Archive, lost: Sequence[Lost], delivered: Collection[str]) -> Collection[str]:
    """Store what is lost, in the place of earlier marks of the same cells; take away marks of what was delivered.

    The cells that are marked then, whoever marked them.
    """
    marks = list(archive.entries(host=NOT_DELIVERED))
    newest = newest_seen(archive) if marks else {}
    gone = {one.cell for one in lost} | set(delivered)
    stale = [one.digest for one in marks if one.cell in gone or newest.get(one.cell, "") >= one.recorded_at]
    if stale:
        archive.remove(stale)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    for one in lost:
        evidence = evidence_of(one, now)
        archive.add(entry_of(evidence), evidence)
    return {one.cell for one in marks if one.digest not in stale} | {one.cell for one in lost}


def newest_seen(archive: Archive) -> Mapping[str, str]:
    """When each cell was last delivered by any host."""
    found: dict[str, str] = {}
    for entry in archive.latest():
        if entry.host != NOT_DELIVERED:
            found[entry.cell] = max(found.get(entry.cell, ""), entry.recorded_at)
    return found


def evidence_of(lost: Lost, now: str) -> Evidence:
    """That nothing is known of a cell, as evidence: no host, nothing run, and why."""
    return Evidence(
        cell=Cell(id=lost.cell, axes=lost.axes),
        host=HOST,
        foresight=Foresight(state="reachable"),
        gate=GATE,
        workload=Workload(),
        recorded_at=now,
        lost=because_of(lost),
    )


def because_of(lost: Lost) -> str:
    """Why it is unknown."""
    job = f" in the job {lost.job}" if lost.job else ""
    return f"it was planned{job}, and no worker delivered it"
