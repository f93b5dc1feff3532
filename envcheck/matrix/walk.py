"""A walk over the points of a matrix without building them: conditions are settled per axis value, not per cell.

Going down the layers, the walk keeps which boxes still hold the point and which rules have answered; as soon as
nothing below can change either, the whole rest of the subspace is one block.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from envcheck.matrix.judging import Check, Open, checks, judged
from envcheck.matrix.space import Block, Boxes, Layer, Space, held_by, masks, values_of
from envcheck.model import AXES, Foresight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envcheck.matrix.rules import PlanRule


def blocks(space: Space, boxes: Boxes, rules: Sequence[PlanRule] = ()) -> Iterator[Block]:
    """The points of a space in blocks, in order: the product, then the single points, which are never excluded."""
    if all(layer.rows for layer in space.layers):
        yield from _product_blocks(space.layers, boxes, rules)
    for axes in space.include:
        values = values_of(axes)
        held = held_by(values, boxes.all) & ~boxes.exclude_bits
        if held & boxes.wanted_bits:
            answers = (judged(rule, dict(zip(AXES, values, strict=True))) for rule in rules)
            answer = next((found for found in answers if found is not None), None)
            yield Block(values, len(space.layers), held, answer)


_Said = tuple[int, int, "Foresight | None"]
"""What the rules have said so far: the bits of those still open, the bit of the first that answered, its answer."""

_Due = list[tuple[int, Check]]
"""Rules to be asked at one depth: the bit of each, and how."""


def _product_blocks(layers: Sequence[Layer], boxes: Boxes, rules: Sequence[PlanRule]) -> Iterator[Block]:
    """Depth-first over the layers; stops going down where the boxes held and the rules' answer are settled."""
    wanted, excluded = boxes.wanted_bits, boxes.exclude_bits
    steps = [tuple(zip(layer.rows, masks(layer, boxes.all), strict=True)) for layer in layers]
    settled = _settled(steps)
    due = _due(layers, rules)
    values: list[str | None] = [None] * len(AXES)

    def visit(depth: int, held: int, said: _Said) -> Iterator[Block]:
        if due[depth]:
            said = _asked(due[depth], values, said)
        still_open, first, answer = said
        if not held & ~settled[depth] and (held & excluded or not still_open & (first - 1)):
            yield Block(tuple(values), depth, held, answer)
            return
        slots = layers[depth].slots
        for row, mask in steps[depth]:
            if held & mask & wanted:
                for slot, value in zip(slots, row, strict=True):
                    values[slot] = value
                yield from visit(depth + 1, held & mask, said)

    start = _started(layers, boxes)
    if start & wanted:
        yield from visit(0, start, ((1 << len(rules)) - 1, 1 << len(rules), None))


def _due(layers: Sequence[Layer], rules: Sequence[PlanRule]) -> list[_Due]:
    """The rules to be asked, by depth."""
    asked = [checks(rule, layers) for rule in rules]
    return [
        [(1 << rank, check[depth]) for rank, check in enumerate(asked) if depth in check]
        for depth in range(len(layers) + 1)
    ]


def _asked(due: _Due, values: Sequence[str | None], said: _Said) -> _Said:
    """What the rules have said once these are asked about the values known; those after the first are not asked."""
    still_open, first, answer = said
    for bit, (slots, ask) in due:
        if still_open & bit and bit < first:
            found = ask(tuple([values[slot] for slot in slots]))
            if found is None:
                still_open ^= bit
            elif not isinstance(found, Open):
                still_open, first, answer = still_open ^ bit, bit, found
    return still_open, first, answer


def _started(layers: Sequence[Layer], boxes: Boxes) -> int:
    """The boxes that may hold a point of the product: those that do not demand an axis the layers lack."""
    lacking = set(AXES) - {AXES[slot] for layer in layers for slot in layer.slots}
    return sum(1 << bit for bit, box in enumerate(boxes.all) if all(None in box.get(axis, {None}) for axis in lacking))


def _settled(steps: Sequence[Sequence[tuple[tuple[str, ...], int]]]) -> list[int]:
    """Per depth, the boxes that accept every row from there down: nothing below changes whether they hold a point."""
    settled = [-1]
    for step in reversed(steps):
        settled.insert(0, functools.reduce(int.__and__, (mask for _, mask in step), settled[0]))
    return settled
