"""A cell as it is given to a machine: what it needs of its host, what it shares, how long it takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import astuple, replace

from envcheck.durations import seconds_of
from envcheck.model import ANY_DRIVER, Axes
from envcheck.shards import Piece


def need_of(axes: Axes) -> str:
    """What a cell needs of its host: a driver as the matrix names it, or any."""
    return axes.driver or ANY_DRIVER


def piece_of(cell: str, axes: Axes, known: Mapping[str, float]) -> Piece:
    """A cell to be given away. Its environment is told by every axis but the driver, which no environment brings."""
    group = "\0".join(value or "" for value in astuple(replace(axes, driver=None)))
    return Piece(cell, group, seconds_of(cell, axes, known))
