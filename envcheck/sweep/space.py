"""Which points a sweep has, and in which order: pure functions over what the user named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from envcheck.errors import UsageError
from envcheck.swept import Point, Work

DELEGATES = ("CPU", "GPU")
MODES = ("video", "image")
SWITCHES = {"off": False, "on": True}
MOST_STREAMS = 64
MOST_POINTS = 512
SHOWN_BYTES = 64 << 20
"""Frames that one worker is given at most: the sweep may hold dozens of workers at once."""
FEWEST_FRAMES, MOST_FRAMES = 8, 60

Value = TypeVar("Value")


@dataclass(frozen=True)
class Space:
    """The values of each axis, in the order in which the user named them."""

    delegates: tuple[str, ...] = DELEGATES
    resolutions: tuple[str, ...] = ("640x480",)
    faces: tuple[int, ...] = (1,)
    modes: tuple[str, ...] = ("video",)
    blendshapes: tuple[bool, ...] = (False,)
    streams: tuple[int, ...] = (1,)

    def works(self) -> tuple[Work, ...]:
        """The kinds of work."""
        axes = product(self.resolutions, self.faces, self.modes, self.blendshapes)
        return tuple(Work(resolution, faces, mode, shapes) for resolution, faces, mode, shapes in axes)

    def points(self) -> tuple[Point, ...]:
        """Every point; the streams of one work lie beside each other, because they are compared with each other."""
        return tuple(Point(work, streams) for work in self.works() for streams in self.streams)


def default_streams(cores: int) -> tuple[int, ...]:
    """One process, and doubling up to the cores that may be used."""
    doubling = [count for count in (1, 2, 4, 8, 16, 32) if count < cores]
    return (*doubling, min(max(cores, 1), MOST_STREAMS))


def listed(option: str, text: str, read: Callable[[str], Value], expected: str, example: str) -> tuple[Value, ...]:
    """The values of an option such as `1,2,4`. Raises UsageError for one that is none, twice there, or for nothing."""
    words = [word.strip() for word in text.split(",")]
    found: list[Value] = []
    for word in words:
        try:
            value = read(word)
        except (KeyError, ValueError):
            raise UsageError(f"{option} {word!r} is not {expected}", remedy=f"Such as {option} {example}") from None
        if value in found:
            raise UsageError(f"{option} names {word!r} twice", remedy="Name each value once.")
        found.append(value)
    return tuple(found)


def one_of(names: Iterable[str], *, upper: bool = False) -> Callable[[str], str]:
    """Reads a name, in any case."""
    known = frozenset(names)

    def read(word: str) -> str:
        name = word.upper() if upper else word.lower()
        if name not in known:
            raise ValueError(word)
        return name

    return read


def count_up_to(most: int) -> Callable[[str], int]:
    """Reads a whole number from 1 to `most`."""

    def read(word: str) -> int:
        value = int(word) if word.isascii() and word.isdigit() else 0
        if not 1 <= value <= most:
            raise ValueError(word)
        return value

    return read


def check_size(points: Sequence[Point]) -> None:
    """Raise UsageError for a sweep that nobody would wait for."""
    if len(points) > MOST_POINTS:
        raise UsageError(f"these are {len(points)} points; at most {MOST_POINTS} are measured", remedy="Name fewer.")


def frame_count(width: int, height: int) -> int:
    """How many frames a worker is shown in turn: a whole period of the motion where they are small enough."""
    return max(FEWEST_FRAMES, min(MOST_FRAMES, SHOWN_BYTES // (width * height * 4)))
