"""One point: all delegates up at once, timed in turn, so that what disturbs one disturbs the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from msgspec.structs import replace

from envcheck.cell.observe import NvmlSampler
from envcheck.cell.worker import Material
from envcheck.sweep import figures, streams
from envcheck.sweep.streams import Means, Streams
from envcheck.swept import Point, Row, Side

PAIRS = 8
"""Rounds of each delegate at a point; the interval of the ratio needs five."""


def measure(point: Point, material: Material, means: Means, say: Callable[[str], None]) -> Row:
    """The row of a point; a delegate that fails is a datum, and leaves the other to be timed alone."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=point.streams, thread_name_prefix="stream"))
        sampler = stack.enter_context(NvmlSampler.start(means.env))
        sides = []
        for delegate in means.delegates:
            one = streams.start(means, delegate, pool, point.streams)
            stack.callback(one.kill)
            sides.append(one)
        drive(sides, material, means, sampler, say)
        seen = tuple(side.stop() for side in sides)
    return row_of(point, material, seen)


def drive(
    sides: Sequence[Streams], material: Material, means: Means, sampler: NvmlSampler, say: Callable[[str], None]
) -> None:
    """Load and warm up one delegate after the other, then time rounds in turn, the order changing with each pair."""
    period = len(material.frames.frames)
    ready = []
    for side in sides:
        say(f"starting on the {side.delegate}")
        if side.load(material) and side.warm_up(period):
            ready.append(side)
    round_ms = means.seconds * 1e3 / PAIRS
    for pair in range(PAIRS):
        say(f"round {pair + 1} of {PAIRS}")
        for side in ready if pair % 2 == 0 else ready[::-1]:
            if side.alive:
                side.time_round(pair, round_ms, sampler.sample)
    for side in ready:
        if side.alive:
            side.weigh(sampler.sample)


def row_of(point: Point, material: Material, sides: tuple[Side, ...]) -> Row:
    """The record of a point with what it comes to."""
    found = {side.delegate: made for side in sides if (made := figures.figures(side)) is not None}
    row = Row(point=point, sides=sides, figures=found, frames=material.frames.record)
    return replace(row, ratio=figures.ratio(row))
