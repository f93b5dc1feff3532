"""Matrix and knowledge -> what is foreseen for each cell, before anything is built."""

from __future__ import annotations

import functools
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from envcheck.matrix.finding import found, ground_of
from envcheck.matrix.judging import MOST_REMEMBERED
from envcheck.matrix.query import query
from envcheck.matrix.rules import PlanRule
from envcheck.matrix.space import Block, Boxes, Space, count, spread
from envcheck.matrix.walk import blocks
from envcheck.model import Axes, Foresight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envcheck.matrix.records import Matrix

STATES = ("reachable", "impossible", "unreachable", "excluded")
"""What can be foreseen for a cell, the best first."""

EXAMPLES = 3
"""Cells that a group remembers."""

_REACHABLE = Foresight(state="reachable")


class PlannedCell(msgspec.Struct, frozen=True):
    """One cell and what is foreseen for it. `because` and `code` are empty where there is nothing to say."""

    id: str
    axes: Axes
    state: str
    because: str = ""
    code: str = ""


class PlanGroup(msgspec.Struct, frozen=True):
    """Cells with one foresight: how many, and the ids of the first few."""

    foresight: Foresight
    count: int
    examples: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """A part of a matrix with the rules to judge it by. It holds no cells; they are made as they are read."""

    space: Space
    boxes: Boxes
    rules: tuple[PlanRule, ...]
    excluded: tuple[Foresight, ...]
    only: frozenset[str] | None = None
    """Ids of cells; None for every one."""


def classify(
    matrix: Matrix,
    rules: Sequence[PlanRule],
    *,
    tier: str | None = None,
    expr: str | None = None,
    backend: str | None = None,
) -> Plan:
    """The plan of the cells asked for, excluded ones too.

    An exclude decides before the rules; of those the first that answers decides; a cell nobody speaks of is reachable.
    A bad tier, expression or backend is a UsageError.
    """
    space, boxes = found(ground_of(matrix), query(matrix, tier=tier, expr=expr, backend=backend))
    excluded = tuple(Foresight(state="excluded", because=entry.because) for entry in matrix.exclude)
    return Plan(space, boxes, tuple(_judged_once(rule) for rule in rules), excluded)


def planned_cells(plan: Plan) -> Iterator[PlannedCell]:
    """Every cell of the plan, in order, made one at a time."""
    points = spread(plan.space)
    for block, foresight in _foreseen(plan):
        state, because, code = foresight.state, foresight.because, foresight.code
        for cell_id, axes in points(block):
            if plan.only is None or cell_id in plan.only:
                yield PlannedCell(cell_id, axes, state, because, code)


def plan_groups(plan: Plan) -> tuple[PlanGroup, ...]:
    """The cells of the plan by what is foreseen, the best state first, without making them."""
    counts: dict[Foresight, int] = {}
    examples: dict[Foresight, list[str]] = {}
    for foresight, number, inside in _counted(plan):
        counts[foresight] = counts.get(foresight, 0) + number
        ids = examples.setdefault(foresight, [])
        if len(ids) < EXAMPLES:
            ids.extend(islice(inside, EXAMPLES - len(ids)))
    groups = [PlanGroup(foresight, counts[foresight], tuple(ids)) for foresight, ids in examples.items()]
    return tuple(sorted(groups, key=lambda group: (_place(group.foresight.state), -group.count)))


def summary(groups: Sequence[PlanGroup]) -> dict[str, int]:
    """Cells per state; every state is named, also where it has none."""
    states = dict.fromkeys((*STATES, *(group.foresight.state for group in groups)), 0)
    return {state: sum(group.count for group in groups if group.foresight.state == state) for state in states}


def _judged_once(rule: PlanRule) -> PlanRule:
    """The rule with a memory, so that a plan may be read several times."""
    return PlanRule(rule.axes, functools.lru_cache(maxsize=MOST_REMEMBERED)(rule.judge))


def _foreseen(plan: Plan) -> Iterator[tuple[Block, Foresight]]:
    for block in blocks(plan.space, plan.boxes, plan.rules):
        excluded = plan.boxes.excluded_by(block.held)
        yield block, block.answer or _REACHABLE if excluded is None else plan.excluded[excluded]


def _counted(plan: Plan) -> Iterator[tuple[Foresight, int, Iterator[str]]]:
    """Of each block what is foreseen, how many cells it has, and their ids, which are made as they are read."""
    points = spread(plan.space)
    for block, foresight in _foreseen(plan):
        ids = (cell_id for cell_id, _ in points(block))
        if plan.only is None:
            yield foresight, count(plan.space, block), ids
        elif kept := [one for one in ids if one in plan.only]:
            yield foresight, len(kept), iter(kept)


def _place(state: str) -> int:
    return STATES.index(state) if state in STATES else len(STATES)
