"""What a side's rounds come to: pure functions from raw times to figures, and the ratio of two sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from envcheck import stats
from envcheck.model import Block, Speedup
from envcheck.record import Unread
from envcheck.swept import Figures, Round, Row, Side

CONFIDENCE = 0.95


def figures(side: Side) -> Figures | None:
    """The figures of a side; None where nothing was timed."""
    times = np.array([time for one in side.rounds for stream in one.times_ms for time in stream], dtype=float)
    if not times.size:
        return None
    p50, p95, p99 = (round(float(value), 4) for value in np.quantile(times, (0.5, 0.95, 0.99), method="higher"))
    rates = [per_second(one) for one in side.rounds]
    count = int(times.size)
    return Figures(
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        frames=count,
        per_second=round(float(np.median(rates)), 3),
        faces=round(sum(one.faces for one in side.rounds) / count, 4),
        first_ms=first_of(side),
        cpu_ms=per_frame(side, count, lambda one: seconds_in_ms(one.cpu_s)),
        memory=mean_of(side.memory),
        gpu_memory=mean_of(side.gpu_memory),
        energy_mj=energy(side, count),
    )


def per_second(one: Round) -> float:
    """Frames per second of all streams of a round together: the sum of what each did while it worked."""
    return sum(len(times) / wall * 1e3 for times, wall in zip(one.times_ms, one.wall_ms, strict=True) if wall > 0)


def first_of(side: Side) -> float | None:
    """Creation and first frame of the slowest stream."""
    both = [created + first for created, first in zip(side.create_ms, side.first_ms, strict=False)]
    return round(max(both), 3) if both else None


def seconds_in_ms(value: float | Unread) -> float | Unread:
    """Seconds as milliseconds."""
    return value if isinstance(value, Unread) else value * 1e3


def per_frame(side: Side, count: int, read: Callable[[Round], float | Unread]) -> float | None:
    """The sum of a reading over all rounds, per frame; None where one of them could not be read."""
    readings = [read(one) for one in side.rounds]
    if any(isinstance(value, Unread) for value in readings):
        return None
    return round(sum(value for value in readings if not isinstance(value, Unread)) / count, 4)


def energy(side: Side, count: int) -> float | None:
    """Millijoules per frame of GPUs and CPU packages, as far as either tells; None where neither does."""
    told = [
        value
        for read in (lambda one: one.gpu_mj, lambda one: one.package_mj)
        if (value := per_frame(side, count, read)) is not None
    ]
    return round(sum(told), 3) if told else None


def mean_of(values: Sequence[int] | Unread) -> int | None:
    """The mean; None where nobody could look, or there is none."""
    return None if isinstance(values, Unread) or not values else round(sum(values) / len(values))


def ratio(row: Row) -> Speedup | None:
    """GPU throughput over CPU throughput with its 95% interval, from rounds in pairs; None without five pairs."""
    return stats.speedup(pace_of(row, "CPU"), pace_of(row, "GPU"), CONFIDENCE)


def pace_of(row: Row, delegate: str) -> tuple[Block, ...]:
    """Milliseconds per frame of all streams together, of each round of a delegate, as a block of one time."""
    rounds = (one for side in row.sides if side.delegate == delegate for one in side.rounds)
    return tuple(Block(one.pair, (1e3 / rate,), one.faces) for one in rounds if (rate := per_second(one)) > 0)
