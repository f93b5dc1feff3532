"""The points of a matrix as a space of few layers, and sets of points as boxes in it.

A box is a set of points: axis -> the values accepted there. Every `when`, tier and selection is a box. Which boxes
hold a point is kept as the bits of one number.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

import msgspec

from envcheck.model import AXES, Axes, Foresight

Box = Mapping[str, frozenset["str | None"]]
"""Axis -> values accepted; an axis that is not named accepts all. None stands for "the point has no such axis"."""

Values = tuple["str | None", ...]
"""The values of one point, in the order of `model.AXES`."""

ID_PREFIXES = ("", "py", "mp", "cu", "r", "cv")
"""What stands before the value of each of `model.AXES` in a cell's id; a test compares with `model.cell_id`."""


class Layer(msgspec.Struct, frozen=True):
    """An axis, or a group of axes that move together: their places in `model.AXES`, and the rows of values."""

    slots: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


class Space(msgspec.Struct, frozen=True):
    """The product of the layers, and single points beside it."""

    layers: tuple[Layer, ...]
    include: tuple[Axes, ...]


class Boxes(msgspec.Struct, frozen=True):
    """The boxes that matter on a walk. A point that none of `wanted` holds is left out."""

    wanted: tuple[Box, ...] = ({},)
    exclude: tuple[Box, ...] = ()
    expect: tuple[Box, ...] = ()

    @property
    def all(self) -> tuple[Box, ...]:
        """All of them, in the order of the bits of `Block.held`."""
        return (*self.wanted, *self.exclude, *self.expect)

    @property
    def wanted_bits(self) -> int:
        """The bits of the wanted boxes."""
        return (1 << len(self.wanted)) - 1

    @property
    def exclude_bits(self) -> int:
        """The bits of the excluded boxes."""
        return ((1 << len(self.exclude)) - 1) << len(self.wanted)

    def excluded_by(self, held: int) -> int | None:
        """The first exclude among the boxes held."""
        excluded = (held & self.exclude_bits) >> len(self.wanted)
        return (excluded & -excluded).bit_length() - 1 if excluded else None

    def expected_by(self, held: int) -> int | None:
        """The last expectation among the boxes held."""
        expected = held >> len(self.wanted) + len(self.exclude)
        return expected.bit_length() - 1 if expected else None


class Block(msgspec.Struct, frozen=True):
    """Points that are alike: those with these values on the first `depth` layers, and any below.

    Bit n of `held` is set where box n of `Boxes.all` holds them all; the other boxes hold none of them. `answer` is
    that of the first rule that answers, where no exclude holds them.
    """

    values: Values
    depth: int
    held: int
    answer: Foresight | None = None


def values_of(axes: Axes) -> Values:
    """The values of a point."""
    return (axes.backend, axes.python, axes.mediapipe, axes.cuda, axes.driver, axes.opencv)


def narrowed(space: Space, wanted: Sequence[Box]) -> Space:
    """The space without the rows and single points that none of the boxes holds."""
    layers = (Layer(layer.slots, tuple(itertools.compress(layer.rows, masks(layer, wanted)))) for layer in space.layers)
    return Space(tuple(layers), tuple(axes for axes in space.include if held_by(values_of(axes), wanted)))


def count(space: Space, block: Block) -> int:
    """How many points a block has."""
    return prod(len(layer.rows) for layer in space.layers[block.depth :])


def spread(space: Space) -> Callable[[Block], Iterator[tuple[str, Axes]]]:
    """A function from a block to its points, each with its id."""
    layers = [
        [
            [(slot, value, _id_piece(slot, value)) for slot, value in zip(layer.slots, row, strict=True)]
            for row in layer.rows
        ]
        for layer in space.layers
    ]

    def points(block: Block) -> Iterator[tuple[str, Axes]]:
        values = list(block.values)
        pieces = [_id_piece(slot, value) for slot, value in enumerate(values)]
        for rows in itertools.product(*layers[block.depth :]):
            for row in rows:
                for slot, value, piece in row:
                    values[slot], pieces[slot] = value, piece
            yield "".join(pieces), Axes(*values)  # type: ignore[arg-type]  # the backend is never None

    return points


def _id_piece(slot: int, value: str | None) -> str:
    if value is None:
        return ""
    return f"-{ID_PREFIXES[slot]}{value}" if slot else value


def masks(layer: Layer, boxes: Sequence[Box]) -> list[int]:
    """Per row of a layer, the boxes that accept it."""
    columns = [_masks_by_value(AXES[slot], boxes) for slot in layer.slots]
    return [
        functools.reduce(
            int.__and__, (by_value.get(value, rest) for value, (by_value, rest) in zip(row, columns, strict=True))
        )
        for row in layer.rows
    ]


def _masks_by_value(axis: str, boxes: Sequence[Box]) -> tuple[dict[str | None, int], int]:
    """The boxes that accept a value of an axis: by value, and for every other value."""
    anything = sum(1 << bit for bit, box in enumerate(boxes) if axis not in box)
    by_value: dict[str | None, int] = {}
    for bit, box in enumerate(boxes):
        for value in box.get(axis, ()):
            by_value[value] = by_value.get(value, anything) | 1 << bit
    return by_value, anything


def held_by(values: Values, boxes: Sequence[Box]) -> int:
    """The boxes that hold a point."""
    point = dict(zip(AXES, values, strict=True))
    return sum(1 << bit for bit, box in enumerate(boxes) if all(point[axis] in ok for axis, ok in box.items()))
