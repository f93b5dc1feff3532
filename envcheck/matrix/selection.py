"""Matrix and demands -> cells, lazily; and why demands leave none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envcheck.matrix.finding import box_of, found, ground_of, kept, quick, selects_any, why_none
from envcheck.matrix.query import Query, query
from envcheck.matrix.space import Boxes, count, spread
from envcheck.matrix.walk import blocks
from envcheck.model import Axes, Cell, Expectation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envcheck.matrix.records import Matrix


def expand(matrix: Matrix) -> Iterator[tuple[Axes, str | None]]:
    """Every point of a matrix, with the reason where it is excluded. Nothing is built ahead of the reader."""
    ground = ground_of(matrix)
    boxes = Boxes(exclude=ground.exclude_boxes)
    points = spread(ground.space)
    for block in blocks(ground.space, boxes):
        excluded = boxes.excluded_by(block.held)
        because = None if excluded is None else matrix.exclude[excluded].because
        for _, axes in points(block):
            yield axes, because


def select(
    matrix: Matrix, *, tier: str | None = None, expr: str | None = None, backend: str | None = None
) -> Iterator[Cell]:
    """The cells asked for, without excluded ones, each with what it is expected to come out as.

    The last entry of `expect` that matches holds. A bad tier, expression or backend is a UsageError at once; that no
    cell is left is for the caller to refuse, with `why_nothing` as the reason.
    """
    return _cells(matrix, query(matrix, tier=tier, expr=expr, backend=backend))


def count_selected(
    matrix: Matrix, *, tier: str | None = None, expr: str | None = None, backend: str | None = None
) -> int:
    """How many cells `select` yields, without building them."""
    space, boxes = found(ground_of(matrix), query(matrix, tier=tier, expr=expr, backend=backend))
    space = quick(space, boxes)
    return sum(count(space, block) for block in kept(space, boxes))


def why_nothing(matrix: Matrix, *, tier: str | None = None, expr: str | None = None, backend: str | None = None) -> str:
    """Which demand leaves no cell of the matrix. Empty where some cell is left."""
    asked, ground = query(matrix, tier=tier, expr=expr, backend=backend), ground_of(matrix)
    if selects_any(ground, asked):
        return ""
    return "; ".join(dict.fromkeys(why_none(ground, terms) for terms in asked))


def _cells(matrix: Matrix, asked: Query) -> Iterator[Cell]:
    ground = ground_of(matrix)
    space, boxes = found(ground, asked)
    boxes = Boxes(boxes.wanted, boxes.exclude, tuple(box_of(ground, entry.when) for entry in matrix.expect))
    points = spread(space)
    expectations = [Expectation(entry.verdict, entry.because) for entry in matrix.expect]
    for block in kept(space, boxes):
        last = boxes.expected_by(block.held)
        expected = Expectation() if last is None else expectations[last]
        for cell_id, axes in points(block):
            yield Cell(cell_id, axes, expected)
