"""The speed-up and its interval, from interleaved blocks; docs/measurement.md says it in words.

CPU and GPU blocks come in pairs on the same frames, one after the other, so that drift (clocks, heat, other load) falls
on both and is divided out. The estimate is the ratio of the two quantiles (median, 95th percentile) over all frames
then. Its interval comes from sections: the run is cut into consecutive pieces, each gives a ratio of its own, and their
spread says how far the whole may be off (Asmussen and Glynn, Stochastic Simulation, 2007, section III.5). Sections of
short runs have too few slow frames for a 95th percentile of their own, so there the spread is that of the ratio without
each section (the jackknife; that quantiles want whole groups left out: Shao and Wu, Annals of Statistics 17, 1989).
Within a section frames and blocks may depend on each other as they like; what dependence is left between neighbouring
sections widens the interval. Arrays may have axes in front, for many runs at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from envcheck.model import Bench, Block, Speedup, Timing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Times = npt.NDArray[np.float64]
    """(…, pairs, frames), milliseconds."""

MIN_PAIRS = 5
"""Fewer pairs give no interval."""
FEWEST_SECTIONS, MOST_SECTIONS = 6, 24
"""Sections of a run: six of a short one, and at least eight pairs in each of more than six. The 95th percentile always
has the fewest, because a section needs slow frames enough to tell."""
SECTION_PAIRS = 8
TAIL = 0.95
MOST_CORRELATED = 0.9
"""A correlation of neighbouring sections above this is taken for this one: the interval is very wide by then."""
FEWEST_FREE = 2.0
"""Degrees of freedom that are left however much sections depend on each other."""
FIRST_LOOK = 12
"""Pairs before the first look: six sections in which each delegate came first as often as second."""
FIRST_LOOK_DISTURBED = 48
"""The same on a machine that others use: slow spells that hit one side alone last for seconds there, and in twelve
pairs they look like a difference."""
CLEAR = 1.25
"""An interval this many times away from the threshold needs no second run: what lies in a process for as long as
it lives, such as where its memory came to lie, moves times by some percent."""
LAST_STEP = 0.75
"""A look that comes after this share of all pairs is left out, because the last one follows soon."""


def timing(blocks: Sequence[Block]) -> Timing | None:
    """Median and 95th percentile over all frames of `blocks`, or None where there is none."""
    times = sorted(time for block in blocks for time in block.times_ms)
    if not times:
        return None
    p95 = times[min(len(times) - 1, math.ceil(0.95 * len(times)) - 1)]
    return Timing(median_ms=round(median(times), 4), p95_ms=round(p95, 4), n=len(times))


# --- which blocks make pairs ------------------------------------------------------------------------------------


def paired(cpu: Sequence[Block], gpu: Sequence[Block]) -> tuple[Times, Times] | None:
    """The times of both sides for each pair number that both have, in order; None below MIN_PAIRS pairs.

    A number that stands twice on one side is no pair; nor is a block of no time, or of another length than most.
    """
    import numpy as np

    ours, theirs = usable(cpu), usable(gpu)
    frames = Counter(len(times) for side in (ours, theirs) for times in side.values()).most_common(1)
    pairs = [
        pair for pair in sorted(ours.keys() & theirs.keys()) if len(ours[pair]) == len(theirs[pair]) == frames[0][0]
    ]
    if len(pairs) < MIN_PAIRS:
        return None
    return np.array([ours[pair] for pair in pairs], float), np.array([theirs[pair] for pair in pairs], float)


def usable(blocks: Sequence[Block]) -> dict[int, tuple[float, ...]]:
    """The times of each block that can be divided by, by its pair's number."""
    counts = Counter(block.pair for block in blocks)
    return {
        block.pair: block.times_ms
        for block in blocks
        if counts[block.pair] == 1 and block.times_ms and median(block.times_ms) > 0
    }


# --- the interval -----------------------------------------------------------------------------------------------


def ratio(cpu: Times, gpu: Times, confidence: float, quantile: float = 0.5) -> tuple[Times, Times, Times]:
    """Quantile of `cpu` over that of `gpu`, and the low and high end of its interval: one each per run."""
    import numpy as np
    from scipy.special import stdtrit

    cpu, gpu = without_common_drift(cpu, gpu)
    centre = log_ratio(cpu, gpu, quantile)
    parts = without_each if quantile >= TAIL else sections
    seen = parts(cpu, gpu, quantile, section_count(cpu.shape[-2], quantile))
    count = seen.shape[-1]
    worth = count / inflation(seen)
    spread = np.sqrt(seen.var(axis=-1, ddof=1) / worth)
    reach = stdtrit(np.maximum(worth - 1, FEWEST_FREE), (1 + confidence) / 2) * spread
    return np.exp(centre), np.exp(centre - reach), np.exp(centre + reach)


def without_common_drift(cpu: Times, gpu: Times) -> tuple[Times, Times]:
    """Both sides of each pair divided by how slow the machine was for that pair; their ratio stays."""
    import numpy as np

    level = (np.log(np.median(cpu, axis=-1)) + np.log(np.median(gpu, axis=-1))) / 2
    slowness = np.exp(level - np.median(level, axis=-1, keepdims=True))[..., None]
    return cpu / slowness, gpu / slowness


def log_ratio(cpu: Times, gpu: Times, quantile: float) -> Times:
    """Logarithm of the ratio of the quantiles over all frames of all pairs."""
    import numpy as np

    ours, theirs = (np.quantile(times.reshape(*times.shape[:-2], -1), quantile, axis=-1) for times in (cpu, gpu))
    return np.asarray(np.log(ours / theirs))


def sections(cpu: Times, gpu: Times, quantile: float, count: int) -> Times:
    """`log_ratio` of each of `count` consecutive pieces of the run, along the last axis."""
    import numpy as np

    pieces = zip(np.array_split(cpu, count, axis=-2), np.array_split(gpu, count, axis=-2), strict=True)
    return np.stack([log_ratio(ours, theirs, quantile) for ours, theirs in pieces], axis=-1)


def without_each(cpu: Times, gpu: Times, quantile: float, count: int) -> Times:
    """What each of `count` consecutive pieces adds to `log_ratio` of the run, by leaving it out: its pseudo-value."""
    import numpy as np

    of_all, pieces = log_ratio(cpu, gpu, quantile), np.array_split(np.arange(cpu.shape[-2]), count)
    left = [log_ratio(np.delete(cpu, piece, -2), np.delete(gpu, piece, -2), quantile) for piece in pieces]
    return np.asarray(count * of_all[..., None] - (count - 1) * np.stack(left, axis=-1))


def section_count(pairs: int, quantile: float) -> int:
    """How many sections a run of so many pairs is cut into."""
    fewest = min(pairs, FEWEST_SECTIONS)
    return fewest if quantile >= TAIL else min(MOST_SECTIONS, max(fewest, pairs // SECTION_PAIRS))


def inflation(seen: Times) -> Times:
    """By how much dependence between neighbouring sections inflates the variance of their mean: 1 where there is none.

    That of a first-order autoregression, its correlation corrected for the bias that few values give it (Marriott and
    Pope, 1954).
    """
    import numpy as np

    count = seen.shape[-1]
    off = seen - seen.mean(axis=-1, keepdims=True)
    total = (off**2).sum(axis=-1)
    raw = (off[..., 1:] * off[..., :-1]).sum(axis=-1) / np.where(total > 0, total, 1.0)
    correlation = np.clip(raw + (1 + 3 * raw) / count, 0.0, MOST_CORRELATED)
    return np.asarray((1 + correlation) / (1 - correlation))


# --- conclusions ------------------------------------------------------------------------------------------------


def speedup(cpu: Sequence[Block], gpu: Sequence[Block], confidence: float, quantile: float = 0.5) -> Speedup | None:
    """CPU time over GPU time with an interval of the given confidence; None below MIN_PAIRS pairs."""
    pairs = paired(cpu, gpu)
    if pairs is None:
        return None
    estimate, low, high = (float(value) for value in ratio(*pairs, confidence, quantile))
    if not all(math.isfinite(value) for value in (estimate, low, high)):
        return None
    return Speedup(estimate=round(estimate, 4), ci95=(round(low, 4), round(high, 4)))


def bench(cpu: Sequence[Block], gpu: Sequence[Block], confidence: float) -> Bench | None:
    """The comparison of two sets of blocks, or None where neither was timed."""
    ours, theirs = timing(cpu), timing(gpu)
    if ours is None and theirs is None:
        return None
    return Bench(
        cpu=ours,
        gpu=theirs,
        speedup=speedup(cpu, gpu, confidence) if ours and theirs else None,
        speedup_p95=speedup(cpu, gpu, confidence, TAIL) if ours and theirs else None,
    )


def spanning(runs: Sequence[Speedup | None]) -> Speedup | None:
    """One speed-up for several runs: the geometric mean, in an interval that contains all of theirs; None where one of
    them gave none. It is wider than each, and so holds what differs between runs as well as what differs within."""
    known = [one for one in runs if one is not None]
    if not known or len(known) < len(runs):
        return None
    mean = math.exp(sum(math.log(one.estimate) for one in known) / len(known))
    low, high = min(one.ci95[0] for one in known), max(one.ci95[1] for one in known)
    return Speedup(estimate=round(mean, 4), ci95=(low, high))


# --- looking more than once -------------------------------------------------------------------------------------


def looks(most: int, first: int = FIRST_LOOK) -> tuple[int, ...]:
    """Numbers of pairs at which to look: `first`, twice as many each time, and at last `most`."""
    doubled = (first << step for step in range(max(most, 1).bit_length()))
    return (*(pairs for pairs in doubled if pairs < LAST_STEP * most), most)


def per_look(confidence: float, looks: int) -> float:
    """Confidence of each of `looks` looks so that all of them together keep `confidence` (Bonferroni).

    It holds however the looks depend on each other, and it is the same at every look, so that recorded evidence tells
    how it was looked at with one number.
    """
    return 1 - (1 - confidence) / looks


def side(value: Speedup | None, threshold: float) -> int:
    """1 where the interval lies wholly above the threshold, -1 where it lies wholly below, 0 where neither is known."""
    if value is None:
        return 0
    low, high = value.ci95
    return (low > threshold) - (high < threshold)


def settled(value: Speedup | None, threshold: float) -> bool:
    """True where the interval lies wholly on one side of the threshold."""
    return side(value, threshold) != 0


def close(value: Speedup | None, threshold: float) -> bool:
    """True where it does, but not by so much that one run of processes is enough to tell."""
    if value is None or not settled(value, threshold):
        return False
    low, high = value.ci95
    return threshold / CLEAR <= high and low <= CLEAR * threshold
