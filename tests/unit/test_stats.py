"""Intervals, looks, and what they are worth: error rates and coverage in simulated runs, many at once."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pytest

from envcheck import stats
from envcheck.model import Block, Speedup

Times = npt.NDArray[np.float64]

RUNS = 400
MOST_PAIRS = 300
"""What the default budget of a minute affords."""


def blocks(medians: list[float], frames: int = 3) -> list[Block]:
    return [Block(pair=i, times_ms=(m,) * frames, faces=frames) for i, m in enumerate(medians)]


# --- which blocks make pairs ------------------------------------------------------------------------------------


def test_timing_of_no_blocks_is_none_not_zero() -> None:
    assert stats.timing([]) is None
    assert stats.timing([Block(pair=0, times_ms=(), faces=0)]) is None


def test_timing_gives_median_and_nearest_rank_p95() -> None:
    found = stats.timing([Block(pair=0, times_ms=tuple(float(n) for n in range(1, 101)), faces=100)])

    assert found is not None
    assert (found.median_ms, found.p95_ms, found.n) == (50.5, 95.0, 100)


def test_blocks_pair_by_number_and_unpaired_ones_are_left_out() -> None:
    cpu, gpu = blocks([4.0] * 8), blocks([2.0] * 7)
    found = stats.paired([*cpu[::-1]], [*gpu, Block(pair=99, times_ms=(1.0,) * 3, faces=3)])

    assert found is not None
    assert found[0].tolist() == [[4.0] * 3] * 7
    assert found[1].tolist() == [[2.0] * 3] * 7


@pytest.mark.parametrize(
    "odd",
    [
        Block(pair=3, times_ms=(2.0,) * 3, faces=3),
        Block(pair=7, times_ms=(2.0,), faces=1),
        Block(pair=7, times_ms=(), faces=0),
        Block(pair=7, times_ms=(0.0, 0.0, 2.0), faces=3),
    ],
    ids=["its number stands twice", "shorter than the others", "empty", "of no time"],
)
def test_a_block_that_makes_no_pair_is_left_out(odd: Block) -> None:
    found = stats.paired(blocks([4.0] * 8), [*blocks([2.0] * 7), odd])

    assert found is not None
    assert len(found[0]) == len(found[1]) == (6 if odd.pair == 3 else 7)


def test_too_few_pairs_give_no_interval() -> None:
    few = blocks([1.0, 1.1] * stats.MIN_PAIRS)[: stats.MIN_PAIRS - 1]

    assert stats.speedup(few, few, 0.95) is None


def test_bench_of_nothing_is_none_and_of_one_side_has_no_ratio() -> None:
    alone = stats.bench(blocks([1.0] * 8), [], 0.95)

    assert stats.bench([], [], 0.95) is None
    assert alone is not None
    assert (alone.gpu, alone.speedup, alone.speedup_p95) == (None, None, None)


# --- one interval -----------------------------------------------------------------------------------------------


def test_constant_times_give_a_point() -> None:
    found = stats.speedup(blocks([4.0] * 8), blocks([2.0] * 8), 0.95)

    assert found is not None
    assert [found.estimate, *found.ci95] == [2.0, 2.0, 2.0]


def test_higher_confidence_gives_a_wider_interval() -> None:
    cpu, gpu = noisy(1.5, runs=1, pairs=20)
    narrow, wide = stats.ratio(cpu, gpu, 0.9), stats.ratio(cpu, gpu, 0.99)

    assert wide[1] < narrow[1] < narrow[0] < narrow[2] < wide[2]


def test_drift_that_both_sides_share_changes_neither_estimate_nor_interval() -> None:
    cpu, gpu = noisy(1.5, runs=1, pairs=24)
    halfway = np.linspace(1, 3, 24)[:, None]

    assert np.allclose(stats.ratio(cpu, gpu, 0.95), stats.ratio(cpu * halfway, gpu * halfway, 0.95))


def test_exchanged_sides_give_the_reciprocal() -> None:
    cpu, gpu = noisy(1.5, runs=1, pairs=24)
    (estimate, low, high), other = stats.ratio(cpu, gpu, 0.95), stats.ratio(gpu, cpu, 0.95)

    assert np.allclose(other, (1 / estimate, 1 / high, 1 / low))


def test_sections_that_depend_on_their_neighbours_widen_the_interval() -> None:
    ramp, shuffled = np.arange(12.0), np.array([0, 11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6.0])

    assert stats.inflation(ramp) > 3
    assert stats.inflation(shuffled) == 1


def test_the_slow_frames_have_an_interval_of_their_own() -> None:
    cpu, gpu = blocks([4.0] * 12, frames=10), blocks([2.0] * 12, frames=10)
    hiccups = [Block(pair=one.pair, times_ms=(*one.times_ms[:8], 8.0, 8.0), faces=10) for one in gpu]
    found = stats.bench(cpu, hiccups, 0.95)

    assert found is not None
    assert found.speedup is not None
    assert found.speedup_p95 is not None
    assert (found.speedup.estimate, found.speedup_p95.estimate) == (2.0, 0.5)


# --- simulated runs ---------------------------------------------------------------------------------------------


def wandering(random: np.random.Generator, shape: tuple[int, ...], correlation: float) -> Times:
    """Normal numbers of variance 1, each correlated with the one before it along the last axis."""
    steps = random.standard_normal(shape)
    for i in range(1, shape[-1]):
        steps[..., i] = correlation * steps[..., i - 1] + np.sqrt(1 - correlation**2) * steps[..., i]
    return steps


@functools.cache
def noisy(
    truth: float,
    *,
    runs: int = RUNS,
    pairs: int = MOST_PAIRS,
    frames: int = 10,
    own: float = 0.04,
    lasting: float = 0.4,
    seed: int = 20201,
) -> tuple[Times, Times]:
    """Runs as a busy machine makes them; `truth` is the ratio of their quantiles.

    Slowness that both sides share for seconds, slowness of each side's own that lasts for some pairs, frames that
    resemble the frame before, and now and then one that takes several times as long.
    """
    random = np.random.default_rng(seed)
    shared = 0.1 * wandering(random, (runs, pairs), 0.8)

    def side(scale: float) -> Times:
        alone = own * wandering(random, (runs, pairs), lasting)
        frame = 0.06 * wandering(random, (runs, pairs, frames), 0.6)
        stalls = np.where(random.random(frame.shape) < 0.03, random.pareto(2.5, frame.shape), 0.0)
        return np.asarray(scale * np.exp((shared + alone)[..., None] + frame) * (1 + stalls))

    return side(truth), side(1.0)


def share(which: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(which))


def coverage(pairs: int, quantile: float) -> float:
    """Share of a thousand runs whose 95% interval holds the truth."""
    cpu, gpu = noisy(1.3, runs=1000, pairs=192)
    _, low, high = stats.ratio(cpu[:, :pairs], gpu[:, :pairs], 0.95, quantile)
    return share((low <= 1.3) & (high >= 1.3))


@pytest.mark.parametrize("pairs", [12, 24, 48, 96, 192])
def test_a_95_percent_interval_covers_the_truth_in_93_to_97_percent_of_runs(pairs: int) -> None:
    assert 0.93 <= coverage(pairs, 0.5) <= 0.97


@pytest.mark.parametrize("pairs", [12, 24, 48, 96, 192])
def test_so_does_the_interval_of_the_slow_frames(pairs: int) -> None:
    assert 0.93 <= coverage(pairs, stats.TAIL) <= 0.97


def verdicts(
    cpu: Times, gpu: Times, threshold: float = 1.0, first: int = stats.FIRST_LOOK
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """1 for faster, -1 for slower, 0 for inconclusive, and the pairs it took; with the looks of a real run."""
    most = cpu.shape[1]
    looks = stats.looks(most, first)
    said, used = np.zeros(len(cpu), int), np.full(len(cpu), most)
    for pairs in looks:
        _, low, high = stats.ratio(cpu[:, :pairs], gpu[:, :pairs], stats.per_look(0.95, len(looks)))
        now = np.where(said == 0, (low > threshold).astype(int) - (high < threshold), 0)
        used[now != 0], said[now != 0] = pairs, now[now != 0]
    return said, used


def test_equal_delegates_are_called_faster_in_at_most_5_percent_of_400_runs() -> None:
    said, _ = verdicts(*noisy(1.0))

    assert share(said > 0) <= 0.05
    assert share(said < 0) <= 0.05


def test_on_a_disturbed_machine_a_spell_of_seconds_is_not_taken_for_a_difference() -> None:
    cpu, gpu = noisy(1.0, frames=2, own=0.3, lasting=0.7)
    early, _ = verdicts(cpu, gpu)
    later, _ = verdicts(cpu, gpu, first=stats.FIRST_LOOK_DISTURBED)

    assert share(later > 0) <= 0.05
    assert share(later != 0) < share(early != 0)


def test_equal_delegates_on_a_machine_that_favours_one_for_seconds_are_still_seldom_called_faster() -> None:
    said, _ = verdicts(*noisy(1.0, own=0.3))

    assert share(said > 0) <= 0.05


@pytest.mark.parametrize("own", [0.04, 0.15], ids=["some load", "heavy load"])
def test_a_true_110_percent_is_found_in_at_least_90_percent_of_runs(own: float) -> None:
    said, _ = verdicts(*noisy(1.1, own=own))

    assert share(said > 0) >= 0.9


@pytest.mark.parametrize(("truth", "verdict"), [(2.0, 1), (0.5, -1)], ids=["twice as fast", "half as fast"])
def test_a_clear_case_is_settled_at_the_first_look_or_the_second(truth: float, verdict: int) -> None:
    said, used = verdicts(*noisy(truth))

    assert share(said == verdict) == 1.0
    assert share(used == stats.FIRST_LOOK) >= 0.95
    assert share(used <= 2 * stats.FIRST_LOOK) >= 0.99


# --- looking more than once -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "looks"),
    [
        (240, (12, 24, 48, 96, 240)),
        (200, (12, 24, 48, 96, 200)),
        (48, (12, 24, 48)),
        (16, (16,)),
        (12, (12,)),
        (8, (8,)),
        (1, (1,)),
    ],
)
def test_looks_double_and_end_with_all_pairs(most: int, looks: tuple[int, ...]) -> None:
    assert stats.looks(most) == looks


def test_a_disturbed_machine_is_looked_at_later() -> None:
    assert stats.looks(300, stats.FIRST_LOOK_DISTURBED) == (48, 96, 192, 300)


@pytest.mark.parametrize(
    ("interval", "settled"),
    [((1.1, 1.3), True), ((0.7, 0.9), True), ((0.9, 1.1), False), ((1.0, 1.2), False)],
    ids=["above", "below", "straddles", "touches"],
)
def test_settled_means_wholly_on_one_side(interval: tuple[float, float], settled: bool) -> None:
    assert stats.settled(Speedup(estimate=1.0, ci95=interval), 1.0) is settled


def test_no_interval_is_not_settled() -> None:
    assert stats.settled(None, 1.0) is False
    assert stats.close(None, 1.0) is False


@pytest.mark.parametrize(
    ("interval", "close"),
    [
        ((1.01, 1.3), True),
        ((1.3, 1.5), False),
        ((0.95, 0.99), True),
        ((0.5, 0.85), True),
        ((0.5, 0.79), False),
        ((0.9, 1.1), False),
    ],
    ids=["a little faster", "much faster", "a little slower", "perhaps a little slower", "much slower", "straddles"],
)
def test_what_lies_close_to_the_threshold_on_either_side_wants_a_second_run(
    interval: tuple[float, float], close: bool
) -> None:
    assert stats.close(Speedup(estimate=1.0, ci95=interval), 1.0) is close
    assert stats.close(Speedup(estimate=2.0, ci95=(2 * interval[0], 2 * interval[1])), 2.0) is close
