"""Intervals and looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from envcheck import stats
from envcheck.model import Block, Speedup


def blocks(medians: list[float]) -> list[Block]:
    return [Block(pair=i, times_ms=(m, m, m), faces=3) for i, m in enumerate(medians)]


def test_timing_of_no_blocks_is_none_not_zero() -> None:
    assert stats.timing([]) is None
    assert stats.timing([Block(pair=0, times_ms=(), faces=0)]) is None


def test_timing_gives_median_and_nearest_rank_p95() -> None:
    found = stats.timing([Block(pair=0, times_ms=tuple(float(n) for n in range(1, 101)), faces=100)])

    assert found is not None
    assert (found.median_ms, found.p95_ms, found.n) == (50.5, 95.0, 100)


def test_log_ratios_pair_blocks_by_number_and_leave_unpaired_ones_out() -> None:
    cpu = blocks([4.0, 4.0])
    gpu = [Block(pair=1, times_ms=(2.0,), faces=1), Block(pair=7, times_ms=(1.0,), faces=1)]

    assert stats.log_ratios(cpu, gpu) == [pytest.approx(math.log(2))]


def test_too_few_pairs_give_no_interval() -> None:
    assert stats.speedup([0.1] * (stats.MIN_PAIRS - 1), 0.95) is None


def test_identical_ratios_give_a_point() -> None:
    found = stats.speedup([math.log(2)] * 8, 0.95)

    assert found is not None
    assert list(found.ci95) == pytest.approx([2, 2])


def test_the_same_ratios_always_give_the_same_interval() -> None:
    ratios = [0.1, 0.3, 0.2, 0.25, 0.15, 0.4]

    assert stats.speedup(ratios, 0.95) == stats.speedup(ratios, 0.95)


def test_higher_confidence_gives_a_wider_interval() -> None:
    ratios = list(np.random.default_rng(1).normal(0.5, 0.2, 20))
    narrow, wide = stats.speedup(ratios, 0.9), stats.speedup(ratios, 0.99)

    assert narrow is not None
    assert wide is not None
    assert wide.ci95[0] < narrow.ci95[0] < narrow.ci95[1] < wide.ci95[1]


@pytest.mark.parametrize("pairs", [16, 32], ids=["first look", "second look"])
def test_a_95_percent_interval_covers_the_truth_about_95_percent_of_the_time(pairs: int) -> None:
    random = np.random.default_rng(42)
    truth = 1.3
    covered = 0
    for _ in range(400):
        # Heavy right tail, as other load makes it: block medians of a few frames each.
        noise = random.lognormal(0, 0.05, (2, pairs, 5)) + random.exponential(0.02, (2, pairs, 5))
        cpu, gpu = np.median(truth * noise[0], axis=1), np.median(noise[1], axis=1)
        found = stats.speedup(list(np.log(cpu / gpu)), 0.95)
        assert found is not None
        covered += found.ci95[0] <= truth <= found.ci95[1]

    assert 0.92 <= covered / 400 <= 0.98


def test_equal_delegates_are_called_faster_in_at_most_5_percent_over_all_looks() -> None:
    random = np.random.default_rng(7)
    confidence = stats.per_look(0.95, 3)
    faster = 0
    for _ in range(400):
        ratios = list(random.normal(0, 0.1, 64))
        faster += any(
            found is not None and found.ci95[0] > 1
            for found in (stats.speedup(ratios[:look], confidence) for look in (16, 32, 64))
        )

    assert faster / 400 <= 0.05


@pytest.mark.parametrize(
    ("interval", "settled"),
    [((1.1, 1.3), True), ((0.7, 0.9), True), ((0.9, 1.1), False), ((1.0, 1.2), False)],
    ids=["above", "below", "straddles", "touches"],
)
def test_settled_means_wholly_on_one_side(interval: tuple[float, float], settled: bool) -> None:
    assert stats.settled(Speedup(estimate=1.0, ci95=interval), 1.0) is settled


def test_no_interval_is_not_settled() -> None:
    assert stats.settled(None, 1.0) is False


def test_bench_of_nothing_is_none() -> None:
    assert stats.bench([], [], 0.95) is None
