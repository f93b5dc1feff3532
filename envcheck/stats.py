"""The speed-up and its interval, from interleaved blocks.

CPU and GPU blocks come in pairs on the same frames, one after the other, so that drift (clocks, heat, other load)
falls on both. A pair gives one number, the logarithm of the ratio of its two block medians; within a block frames may
be as correlated as they like. The interval is a studentised bootstrap over pairs (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, section 12.5), which keeps its coverage with few pairs and skewed times.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

from envcheck.model import Bench, Block, Speedup, Timing

RESAMPLES = 4000
SEED = 20201
"""Fixed: the same evidence always gives the same interval."""
MIN_PAIRS = 5
"""Fewer pairs give no interval."""


def timing(blocks: Sequence[Block]) -> Timing | None:
    """Median and 95th percentile over all frames of `blocks`, or None where there is none."""
    times = sorted(time for block in blocks for time in block.times_ms)
    if not times:
        return None
    p95 = times[min(len(times) - 1, math.ceil(0.95 * len(times)) - 1)]
    return Timing(median_ms=round(median(times), 4), p95_ms=round(p95, 4), n=len(times))


def log_ratios(cpu: Sequence[Block], gpu: Sequence[Block]) -> list[float]:
    """One logarithm of CPU time over GPU time for each pair number that both sides have."""
    ours, theirs = block_medians(cpu), block_medians(gpu)
    return [math.log(ours[pair] / theirs[pair]) for pair in sorted(ours.keys() & theirs.keys())]


def block_medians(blocks: Sequence[Block]) -> dict[int, float]:
    """The median time of each pair's block; a number that stands twice is no pair, a time of zero is none."""
    counts = Counter(block.pair for block in blocks)
    found = {block.pair: median(block.times_ms) for block in blocks if block.times_ms and counts[block.pair] == 1}
    return {pair: time for pair, time in found.items() if time > 0}


def speedup(ratios: Sequence[float], confidence: float) -> Speedup | None:
    """Geometric mean of the ratios with an interval of the given confidence; None below MIN_PAIRS pairs."""
    if len(ratios) < MIN_PAIRS:
        return None
    import numpy as np

    values = np.asarray(ratios, dtype=float)
    centre, spread = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    if spread == 0.0:
        exact = math.exp(centre)
        return Speedup(estimate=exact, ci95=(exact, exact))
    drawn = values[np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))]
    errors = drawn.std(axis=1, ddof=1) / math.sqrt(len(values))
    usable = errors > 0
    studentised = (drawn.mean(axis=1)[usable] - centre) / errors[usable]
    tail = (1 - confidence) / 2
    low, high = np.quantile(studentised, [tail, 1 - tail])
    return Speedup(
        estimate=round(math.exp(centre), 4),
        ci95=(round(math.exp(centre - high * spread), 4), round(math.exp(centre - low * spread), 4)),
    )


def bench(cpu: Sequence[Block], gpu: Sequence[Block], confidence: float) -> Bench | None:
    """The comparison of two sets of blocks, or None where neither was timed."""
    ours, theirs = timing(cpu), timing(gpu)
    if ours is None and theirs is None:
        return None
    return Bench(cpu=ours, gpu=theirs, speedup=speedup(log_ratios(cpu, gpu), confidence))


def per_look(confidence: float, looks: int) -> float:
    """Confidence of each of `looks` looks so that all of them together keep `confidence` (Bonferroni)."""
    return 1 - (1 - confidence) / looks


def settled(value: Speedup | None, threshold: float) -> bool:
    """True where the interval lies wholly on one side of the threshold."""
    return value is not None and (value.ci95[0] > threshold or value.ci95[1] < threshold)
