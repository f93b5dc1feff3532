"""Where warm-up ends, on simulated series and on one recorded on a machine with too much to do."""

from __future__ import annotations

import math
import random

import pytest

from envcheck.steady import steady_after

BUSY = (
    90.9, 75.9, 70.9, 74.4, 57.2, 67.6, 65.5, 67.5, 61.1, 65.8, 82.3, 83.1, 79.5, 71.3, 68.6,
    75.1, 67.3, 78.5, 90.0, 104.8, 123.0, 96.7, 38.6, 26.9, 37.0, 26.0, 121.1, 85.8, 91.2, 91.4,
    91.0, 83.4, 116.6, 39.6, 75.2, 78.6, 78.6, 71.0, 79.1, 87.5, 122.0, 107.5, 111.6, 154.6, 95.5,
    95.0, 119.3, 79.5, 75.5, 75.4, 96.6, 79.4, 83.7, 67.1, 67.4, 67.7, 79.4, 69.8, 68.3, 76.2,
)  # fmt: skip
"""MediaPipe 0.10.35 on the CPU delegate, official bundle, two cores shared by eight busy programs. Frames 22 to 25 hold
no face."""


def series(frames: int, *, slower: float, lasting: float, noise: float, seed: int = 1) -> list[float]:
    """Times that begin `slower` (1 is twice as slow) and lose that over `lasting` frames; 3 in 100 take three times."""
    drawn = random.Random(seed)
    return [
        10
        * (1 + slower * math.exp(-i / lasting))
        * math.exp(drawn.gauss(0, noise))
        * (3 if drawn.random() < 0.03 else 1)
        for i in range(frames)
    ]


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05, 0.15])
@pytest.mark.parametrize("frames", [60, 200])
def test_a_series_that_needs_no_warm_up_has_none(frames: int, noise: float) -> None:
    found = [steady_after(series(frames, slower=0, lasting=1, noise=noise, seed=seed)) for seed in range(100)]

    assert found.count(0) >= 99


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_warm_up_that_is_over_is_cut_off(noise: float) -> None:
    found = [steady_after(series(200, slower=1, lasting=20, noise=noise, seed=seed)) for seed in range(100)]

    assert sum(cut is not None and 20 <= cut <= 100 for cut in found) >= 95


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_warm_up_that_goes_on_is_not_called_over(noise: float) -> None:
    found = [steady_after(series(60, slower=1, lasting=20, noise=noise, seed=seed)) for seed in range(100)]

    assert found.count(None) >= 90


def test_a_single_slow_frame_is_no_warm_up() -> None:
    assert steady_after([400.0] + [10.0] * 59) == 0


def test_a_step_is_found_where_it_is() -> None:
    assert steady_after([20.0] * 15 + [10.0] * 60) == 15


def test_a_busy_machine_is_restless_not_warming_up() -> None:
    assert steady_after(BUSY) == 0


@pytest.mark.parametrize("times", [[], [10.0] * 39, [30.0, 25.0, 20.0, 15.0]], ids=["none", "too few", "falling"])
def test_too_few_times_tell_nothing(times: list[float]) -> None:
    assert steady_after(times) is None


def test_times_of_zero_are_borne() -> None:
    assert steady_after([0.0] * 60) == 0
