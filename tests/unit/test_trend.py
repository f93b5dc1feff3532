"""Steps are found where they are, and noise alone makes none: drawn with fixed seeds."""

from __future__ import annotations

import math
import random

import pytest

from envcheck.trend import LEAST_SIZE, Value, steps, together, value_of

LEVEL = math.log(5)


def gauss(chance: random.Random, spread: float) -> float:
    return chance.gauss(0, spread)


def heavy(chance: random.Random, spread: float) -> float:
    """Student's t with five degrees of freedom, of the same spread."""
    return spread * chance.gauss(0, 1) / math.sqrt(chance.gammavariate(2.5, 2) / 5) * math.sqrt(3 / 5)


def rows(count: int, nights: int, spread: float, draw: object = gauss, error: float = 0.005) -> list[list[Value]]:
    assert callable(draw)
    found = []
    for seed in range(count):
        chance = random.Random(seed)
        found.append([Value(LEVEL + draw(chance, spread), error) for _ in range(nights)])
    return found


def stepped(row: list[Value], at: int, ratio: float) -> list[Value]:
    return [one._replace(log=one.log + (math.log(ratio) if place >= at else 0)) for place, one in enumerate(row)]


@pytest.mark.parametrize("draw", [gauss, heavy], ids=["normal", "heavy tails"])
@pytest.mark.parametrize("spread", [0.01, 0.03, 0.06])
def test_noise_alone_raises_nothing_in_fifty_nights(draw: object, spread: float) -> None:
    assert sum(bool(steps(row)) for row in rows(200, 50, spread, draw)) == 0


def test_noise_within_wide_intervals_raises_nothing() -> None:
    assert sum(bool(steps(row)) for row in rows(200, 50, 0.1, error=0.1)) == 0


@pytest.mark.parametrize(("ratio", "spread"), [(0.8, 0.02), (1.3, 0.03), (0.7, 0.03), (0.5, 0.06)])
def test_a_step_is_found_within_ten_nights_where_it_is(ratio: float, spread: float) -> None:
    found = [steps(stepped(row, 20, ratio)) for row in rows(100, 30, spread)]
    assert all(len(one) == 1 for one in found)
    assert all((one[0].size > 0) == (ratio > 1) for one in found)
    assert sum(one[0].at == 20 for one in found) >= 95
    assert sum(one[0].low <= math.log(ratio) <= one[0].high for one in found) >= 95


def test_a_clear_step_is_found_on_its_second_night() -> None:
    found = [steps(stepped(row, 20, 0.7)[:22]) for row in rows(100, 30, 0.02)]
    assert all(len(one) == 1 for one in found)


def test_one_night_alone_is_no_step() -> None:
    assert not any(steps(stepped(row, 20, 0.5)[:21]) for row in rows(100, 30, 0.02))


def test_one_night_measured_twice_is_enough_for_a_large_step_only() -> None:
    def again(ratio: float) -> list[bool]:
        nights = (stepped(row, 20, ratio)[:21] for row in rows(50, 30, 0.02))
        return [bool(steps([*row[:20], together([row[20], row[20]])])) for row in nights]

    assert all(again(0.5))
    assert not any(again(0.75))


def test_what_is_certain_but_small_is_no_step() -> None:
    assert not any(steps(stepped(row, 20, 0.95)) for row in rows(50, 50, 0.001, error=0.001))


def test_a_slow_drift_of_less_than_the_least_size_is_no_step() -> None:
    drift = [Value(LEVEL + LEAST_SIZE * 0.9 * night / 50, 0.005) for night in range(50)]
    assert steps(drift) == ()


def test_there_and_back_are_two_steps() -> None:
    row = stepped(stepped(rows(1, 45, 0.02)[0], 15, 0.7), 30, 1 / 0.7)
    assert [step.at for step in steps(row)] == [15, 30]


def test_what_a_night_said_is_not_taken_back() -> None:
    for row in rows(20, 40, 0.03):
        whole = steps(stepped(row, 20, 0.7))
        for last in range(1, 41):
            early = steps(stepped(row, 20, 0.7)[:last])
            assert early == whole[: len(early)]


@pytest.mark.parametrize(
    ("estimate", "low", "high"),
    [(0.0, 0.0, 1.0), (2.0, 3.0, 4.0), (2.0, -1.0, 4.0), (2.0, 1.0, math.inf), (math.nan, 1.0, 2.0)],
)
def test_what_is_no_interval_is_no_value(estimate: float, low: float, high: float) -> None:
    assert value_of(estimate, low, high) is None


@pytest.mark.parametrize("count", range(6))
def test_few_nights_are_no_history(count: int) -> None:
    assert steps([Value(LEVEL, 0.01)] * count) == ()
