"""Matrix and terms -> the part of its space that meets them; and which term leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from envcheck.matrix.conditions import accepted
from envcheck.matrix.query import Query, Term, few
from envcheck.matrix.space import Block, Box, Boxes, Layer, Space, narrowed
from envcheck.matrix.walk import blocks
from envcheck.model import AXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envcheck.matrix.records import Exclude, Matrix, When


class Ground(msgspec.Struct, frozen=True):
    """A matrix made ready for questions.

    `values` are, per axis that some cell has, all its values, single cells' included; `ranked` those that `latest` and
    `oldest` are sought among: the axis' own, and single cells' where it has none.
    """

    space: Space
    values: Mapping[str, tuple[str, ...]]
    ranked: Mapping[str, tuple[str, ...]]
    exclude: tuple[Exclude, ...]
    exclude_boxes: tuple[Box, ...]


def ground_of(matrix: Matrix) -> Ground:
    """The matrix made ready."""
    single = {axis: [value for axes in matrix.include if (value := getattr(axes, axis)) is not None] for axis in AXES}
    values = {axis: tuple(dict.fromkeys((*matrix.axes.get(axis, ()), *single[axis]))) for axis in AXES}
    ground = Ground(
        space=_space_of(matrix),
        values={axis: known for axis, known in values.items() if known},
        ranked={**values, **matrix.axes},
        exclude=matrix.exclude,
        exclude_boxes=(),
    )
    boxes = tuple(box_of(ground, entry.when) for entry in matrix.exclude)
    return msgspec.structs.replace(ground, exclude_boxes=boxes)


def box_of(ground: Ground, when: When) -> Box:
    """The points that meet conditions."""
    return {axis: _accepted(ground, axis, alternatives) for axis, alternatives in when.items()}


def found(ground: Ground, asked: Query) -> tuple[Space, Boxes]:
    """The part of the space that a query asks for, excluded points too, and the boxes that matter in it."""
    wanted = tuple(_box_of_terms(ground, terms) for terms in asked)
    return narrowed(ground.space, wanted), Boxes(wanted, ground.exclude_boxes)


def kept(space: Space, boxes: Boxes) -> Iterator[Block]:
    """The blocks that are not excluded."""
    return (block for block in blocks(space, boxes) if not block.held & boxes.exclude_bits)


def quick(space: Space, boxes: Boxes) -> Space:
    """The same points in an order that is quick to walk: layers that no box looks at come last, as one block."""
    looked_at = {AXES.index(axis) for box in boxes.all for axis in box}
    return Space(tuple(sorted(space.layers, key=lambda layer: looked_at.isdisjoint(layer.slots))), space.include)


def selects_any(ground: Ground, asked: Query) -> bool:
    """Whether a cell is left that is asked for and not excluded."""
    space, boxes = found(ground, asked)
    return any(True for _ in kept(quick(space, boxes), boxes))


def why_none(ground: Ground, terms: Sequence[Term]) -> str:
    """Which of these terms leaves no cell: one alone, several on an axis, a zip, the excludes, or all together."""
    return (
        _unmet_term(ground, terms)
        or _unmet_axis(ground, terms)
        or _unmet_zip(ground, terms)
        or _all_excluded(ground, terms)
        or f"no cell has all of {', '.join(str(term) for term in terms)}"
    )


def _unmet_term(ground: Ground, terms: Sequence[Term]) -> str:
    for term in terms:
        if not _holds(ground, [term]):
            known = ground.values.get(term.axis)
            has = f"the matrix has {few(known)}" if known else f"the matrix has no {term.axis} axis"
            return f"{term.origin} asks for {term}; {has}"
    return ""


def _unmet_axis(ground: Ground, terms: Sequence[Term]) -> str:
    for axis in dict.fromkeys(term.axis for term in terms):
        asking = [term for term in terms if term.axis == axis]
        if not _holds(ground, asking):
            return f"no {axis} is left: " + ", and ".join(f"{term.origin} asks for {term}" for term in asking)
    return ""


def _unmet_zip(ground: Ground, terms: Sequence[Term]) -> str:
    for layer in ground.space.layers:
        asking = [term for term in terms if AXES.index(term.axis) in layer.slots]
        if asking and not _holds(ground, asking):
            return f"zip never brings together {' and '.join(str(term) for term in asking)}"
    return ""


def _all_excluded(ground: Ground, terms: Sequence[Term]) -> str:
    space, boxes = found(ground, (tuple(terms),))
    entries = {
        excluded
        for block in blocks(quick(space, boxes), boxes)
        if (excluded := boxes.excluded_by(block.held)) is not None
    }
    reasons = dict.fromkeys(ground.exclude[entry].because for entry in sorted(entries))
    return f"every cell left is excluded: {few(reasons, '; ')}" if reasons else ""


def _holds(ground: Ground, terms: Sequence[Term]) -> bool:
    """Whether some point, excluded or not, meets all the terms."""
    space, boxes = found(msgspec.structs.replace(ground, exclude_boxes=()), (tuple(terms),))
    return any(True for _ in blocks(quick(space, boxes), boxes))


def _space_of(matrix: Matrix) -> Space:
    """The points of a matrix, excluded ones too. A group of zip stands at the place of its first axis."""
    groups = {axis: tuple(sorted(group, key=AXES.index)) for group in matrix.zip for axis in group}
    ordered = dict.fromkeys(groups.get(axis, (axis,)) for axis in AXES if axis in matrix.axes)
    layers = (
        Layer(tuple(map(AXES.index, group)), tuple(zip(*(matrix.axes[axis] for axis in group), strict=True)))
        for group in ordered
    )
    return Space(tuple(layers), matrix.include)


def _accepted(ground: Ground, axis: str, alternatives: tuple[str, ...]) -> frozenset[str | None]:
    return frozenset[str | None](accepted(axis, alternatives, ground.values.get(axis, ()), ground.ranked[axis]))


def _box_of_terms(ground: Ground, terms: Sequence[Term]) -> Box:
    """The points that meet all the terms."""
    box: dict[str, frozenset[str | None]] = {}
    for term in terms:
        values = frozenset([term.value]) if term.exact else _accepted(ground, term.axis, term.alternatives)
        box[term.axis] = box.get(term.axis, values) & values
    return box
