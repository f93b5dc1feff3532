"""When a series of times has become steady: warm-up that is seen, not guessed.

What remains after a cut is steady where its beginning lies on the level of its second half, as far as the second half's
own unrest allows to tell (Geweke, Evaluating the accuracy of sampling-based approaches, 1992). The shortest such cut is
the warm-up. Levels are medians of a few frames, so that a single slow frame does not count, on a logarithmic scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

BATCH = 5
"""Frames of which one median is taken."""
FEWEST_BATCHES = 8
"""What remains after a cut has at least as many, or it tells nothing."""
FEWEST_FRAMES = BATCH * FEWEST_BATCHES
BEGINNING = 0.25
"""Share of the remainder that is its beginning."""
ALLOWED = 3.0
"""Standard errors by which the beginning may lie off."""
UNREST = 0.01
"""Levels that differ by no more than this, 1 percent, are the same, however quiet the second half is."""


def steady_after(times: Sequence[float]) -> int | None:
    """Frames of warm-up at the beginning of `times`; None where its end is not yet seen."""
    from statistics import median  # not at the top: doctor loads the rules, and measures nothing

    batches = (times[at : at + BATCH] for at in range(0, len(times) - BATCH + 1, BATCH))
    levels = [math.log(max(median(batch), 1e-6)) for batch in batches]
    cuts = range(min(len(levels) // 2, len(levels) - FEWEST_BATCHES) + 1)
    return next((cut * BATCH for cut in cuts if begins_steady(levels[cut:])), None)


def begins_steady(levels: Sequence[float]) -> bool:
    """True where the beginning of `levels` lies on the level of their second half."""
    from statistics import fmean, stdev

    beginning, rest = levels[: max(2, int(len(levels) * BEGINNING))], levels[len(levels) // 2 :]
    allowed = ALLOWED * stdev(rest) * math.sqrt(1 / len(beginning) + 1 / len(rest))
    return abs(fmean(beginning) - fmean(rest)) <= max(allowed, UNREST)
