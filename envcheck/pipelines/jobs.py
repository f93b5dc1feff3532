"""Cells -> jobs: each runs a shard of the cells of one kind of host, so that its labels say all that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from envcheck.errors import NothingSelectedError
from envcheck.model import Axes, Cell
from envcheck.pieces import need_of, piece_of
from envcheck.record import Record
from envcheck.shards import Piece, divide, ms_of, portions


class Job(Record, frozen=True, kw_only=True):
    """One call of `envcheck validate --driver DRIVER --shard SHARD`, and of `--backend` too where one is named.

    `id` is the cell's where there is one, so that a list of jobs reads as a list of cells.
    """

    id: str
    driver: str
    shard: str
    cells: tuple[str, ...]
    seconds: float
    backend: str | None = None


class FleetCell(Record, frozen=True):
    """A cell that has to be delivered, and the job that does."""

    id: str
    axes: Axes
    job: str


class Fleet(Record, frozen=True, tag_field="schema", tag="envcheck.fleet/1", omit_defaults=False):
    """What is placed on other machines: `envcheck merge --expected` says which of these cells did not come back."""

    jobs: tuple[Job, ...]
    cells: tuple[FleetCell, ...]


def fleet_of(cells: Sequence[Cell], known: Mapping[str, float], most: int, *, by_backend: bool = False) -> Fleet:
    """At most `most` jobs that run these cells, kinds of hosts in the order of the matrix. `known` are seconds."""
    kinds = kinds_of(cells, by_backend=by_backend)
    if not kinds:
        raise NothingSelectedError("no cell is left for a job", remedy="Look at the cells with: envcheck plan")
    pieces = {kind: [piece_of(cell.id, cell.axes, known) for cell in inside] for kind, inside in kinds.items()}
    counts = portions([weight(some) for some in pieces.values()], most)
    jobs = [job for kind, count in zip(pieces, counts, strict=True) for job in jobs_of(kind, pieces[kind], count)]
    whose = {one: job.id for job in jobs for one in job.cells}
    return Fleet(tuple(jobs), tuple(FleetCell(cell.id, cell.axes, whose[cell.id]) for cell in cells))


def kinds_of(cells: Iterable[Cell], *, by_backend: bool) -> dict[tuple[str, str | None], list[Cell]]:
    """The cells by what they need of a host, and by backend where that decides the image."""
    kinds: dict[tuple[str, str | None], list[Cell]] = {}
    for cell in cells:
        kinds.setdefault((need_of(cell.axes), cell.axes.backend if by_backend else None), []).append(cell)
    return kinds


def weight(pieces: Sequence[Piece]) -> tuple[int, int]:
    """How many environments, and how much time."""
    return len({piece.group for piece in pieces}), sum(map(ms_of, pieces))


def jobs_of(kind: tuple[str, str | None], pieces: Sequence[Piece], count: int) -> list[Job]:
    """The jobs of one kind of host; a shard that has nothing to do is none."""
    driver, backend = kind
    seconds = {piece.id: piece.seconds for piece in pieces}
    between = f"-{backend}" if backend else ""
    return [
        Job(
            id=ids[0] if len(ids) == 1 else f"r{driver}{between}-{index}of{count}",
            driver=driver,
            backend=backend,
            shard=f"{index}/{count}",
            cells=ids,
            seconds=round(sum(seconds[one] for one in ids), 1),
        )
        for index, ids in enumerate(divide(pieces, count), 1)
        if ids
    ]
