"""Cells -> tasks of array jobs: few submissions, cells of one environment together, within a partition's time limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envcheck.engines.engine import Needs, Work
from envcheck.engines.slurm.nodes import Node, Place, place_of
from envcheck.engines.slurm.options import Options
from envcheck.model import AXES

ROUNDS = 4
"""Tasks that each node gets, one after the other: more of them share the work more evenly, fewer cost less."""

Tasks = tuple[tuple[int, ...], ...]


def placed(
    cells: Sequence[int], works: Sequence[Work], nodes: Sequence[Node], options: Options
) -> tuple[dict[Place, list[int]], dict[int, str]]:
    """The cells by where they can run, and those that can run nowhere with the reason."""
    known: dict[Needs, Place | str] = {}
    groups: dict[Place, list[int]] = {}
    nowhere: dict[int, str] = {}
    for cell in cells:
        needs = works[cell].needs
        if needs not in known:
            known[needs] = place_of(needs, nodes, options)
        found = known[needs]
        if isinstance(found, str):
            nowhere[cell] = found
        else:
            groups.setdefault(found, []).append(cell)
    return groups, nowhere


def jobs_of(cells: Sequence[int], works: Sequence[Work], place: Place, most: int, options: Options) -> Iterator[Tasks]:
    """The tasks of each job for the cells of one place, at most `most` to a job."""
    together = sorted(cells, key=lambda cell: (environment_of(works[cell]), cell))
    size = size_of(len(cells), place, options)
    tasks = [tuple(together[at : at + size]) for at in range(0, len(together), size)]
    for at in range(0, len(tasks), most):
        yield tuple(tasks[at : at + most])


def size_of(count: int, place: Place, options: Options) -> int:
    """Cells in one task."""
    size = options.batch or -(-count // (place.slots * ROUNDS))
    if place.limit_s is not None:
        size = min(size, int(place.limit_s // (60 * (options.minutes + 1))))
    return max(1, size)


def environment_of(work: Work) -> str:
    """The axes that an environment is built from, as one text: all but the driver, which is the host's."""
    axes = work.plan.cell.axes
    return "|".join(str(getattr(axes, axis)) for axis in AXES if axis != "driver")
