"""Steps in a row of nights: where the level moved, by more than chance and by enough to matter. Pure.

A value is what one night has measured: the logarithm of a ratio, with the error of its own interval. Nights differ by
more than the interval of one run says, so the scatter about the level is taken from the nights themselves, and never
below what the intervals say. The level before is compared with that of the last few nights, every night, because that
is how often a nightly run looks: the chance of a false alarm is shared out over all looks of all nights to come (night
t gets 1/t(t+1) of it, whose sum is 1), so that it stays below ALPHA however long the history grows. One measurement
alone is never a step: it takes two nights, or a large step in one that was measured again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

ALPHA = 0.001
"""The chance that noise alone, on all nights together, is called a step."""
LEAST_SIZE = math.log(1.1)
"""A tenth: what is smaller is not worth a person's morning."""
LEAST_SCATTER = 0.01
"""Nights that agree by chance to less than this are not believed to."""
AT_ONCE = math.log(1.5)
"""What one night alone has to show, measured twice: now and then a night is slow as a whole."""
FEWEST_BEFORE = 3
RECENT = (1, 2, 3, 4, 6, 8, 12)
"""How many of the last nights are taken together; one alone only where it was measured again."""
NORMAL_95 = 1.96


class Value(NamedTuple):
    """A logarithm with its standard error, measured so many times in one night."""

    log: float
    error: float
    times: int = 1


class Step(NamedTuple):
    """The level moved at value number `at`: by `size` (a logarithm), of which `low` and `high` are the limits."""

    at: int
    size: float
    low: float
    high: float


def value_of(estimate: float, low: float, high: float) -> Value | None:
    """A ratio with its 95 percent interval; None where it is none."""
    if not (0 < low <= estimate <= high < math.inf):
        return None
    return Value(math.log(estimate), (math.log(high) - math.log(low)) / (2 * NORMAL_95))


def together(values: Sequence[Value]) -> Value:
    """Several measurements of one night as one value: what a night does to all of them does not average out."""
    return Value(mean(values)[0], min(value.error for value in values), sum(value.times for value in values))


def steps(values: Sequence[Value]) -> tuple[Step, ...]:
    """All steps, in order. What a night has said is not taken back when later nights come."""
    if is_level(values):
        return ()
    found: list[Step] = []
    begin = 0
    for last in range(1, len(values) + 1):
        step = step_in(values[begin:last])
        if step is not None:
            begin += step.at
            found.append(step._replace(at=begin))
    return tuple(found)


def is_level(values: Sequence[Value]) -> bool:
    """Quickly: True where no two values differ enough."""
    logs = [value.log for value in values]
    return not logs or max(logs) - min(logs) < LEAST_SIZE


def step_in(values: Sequence[Value]) -> Step | None:
    """The step that the last values of a row show, at the place that shows it best."""
    first = 1 if values[-1].times > 1 else 2
    counts = [count for count in RECENT if first <= count <= len(values) - FEWEST_BEFORE]
    if not counts or not is_moving(values, first):
        return None
    chance = ALPHA / (len(values) * (len(values) + 1) * len(counts))
    seen = [(count, compared(values, count)) for count in counts]
    found = [
        (abs(size) / error, step_of(len(values) - count, size, error, reach(chance, len(values) - 2)))
        for count, (size, error) in seen
        if is_step(values, count, size, error, chance)
    ]
    return max(found)[1] if found else None


def is_moving(values: Sequence[Value], count: int) -> bool:
    """Quickly: False where not all of the last `count` values lie off the mean of the rest, on one side."""
    before = values[:-count]
    level = sum(value.log for value in before) / len(before)
    return is_beyond([value.log - level for value in values[-count:]])


def is_beyond(differences: Sequence[float]) -> bool:
    """True where all lie on one side, each by at least half the least size."""
    return min(differences) > LEAST_SIZE / 2 or max(differences) < -LEAST_SIZE / 2


def is_step(values: Sequence[Value], count: int, size: float, error: float, chance: float) -> bool:
    """Large enough, not by chance, and shown by each of the last values."""
    least = AT_ONCE if count == 1 else LEAST_SIZE
    if abs(size) < least or abs(size) <= reach(chance, len(values) - 2) * error:
        return False
    level = mean(values[:-count])[0]
    return is_beyond([value.log - level for value in values[-count:]])


def compared(values: Sequence[Value], count: int) -> tuple[float, float]:
    """By how much the last `count` values lie above the others, and the standard error of that."""
    before, after = values[:-count], values[-count:]
    (low, light), (high, heavy) = mean(before), mean(after)
    scatter = sum(weight(one) * (one.log - low) ** 2 for one in before)
    scatter += sum(weight(one) * (one.log - high) ** 2 for one in after)
    spread = max(1.0, scatter / (len(values) - 2))
    return high - low, math.sqrt(spread * (1 / light + 1 / heavy))


def weight(value: Value) -> float:
    """What a value counts: less where its interval is wide."""
    return 1 / (LEAST_SCATTER**2 + value.error**2)


def mean(values: Sequence[Value]) -> tuple[float, float]:
    """The weighted mean, and the sum of the weights."""
    total = sum(weight(value) for value in values)
    return sum(weight(value) * value.log for value in values) / total, total


def step_of(at: int, size: float, error: float, reach_of: float) -> Step:
    """A step with the limits of its size, corrected for all looks as well."""
    return Step(at, size, size - reach_of * error, size + reach_of * error)


@lru_cache(maxsize=4096)
def reach(chance: float, free: int) -> float:
    """Standard errors beyond which a difference lies with this chance on either side together."""
    from scipy.special import stdtrit  # a tenth of a second, for those who look at histories only

    return float(stdtrit(max(free, 1), 1 - chance / 2))
