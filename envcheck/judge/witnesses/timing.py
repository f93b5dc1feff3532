"""The times themselves: the same work on the same device takes the same time; and two clocks must agree.

Speed alone proves no device. Equal times with equal landmarks are what a dropped delegate looks like. The worker times
itself; envcheck's own clock, around the whole block, must not tell the opposite.
"""

from __future__ import annotations

import math
from statistics import median

from envcheck import stats
from envcheck.judge import parity
from envcheck.judge.witnesses.common import RESULTS
from envcheck.model import Block, Evidence, Says, Witness

NAME = "timing"
NEEDS = "times that differ from the CPU's, by the worker's clock and by envcheck's"
SAME = (0.97, 1.03)
"""An interval of the speed-up within these bounds tells no two devices apart."""
OPPOSITE = 0.9
"""Below this envcheck's clock says slower, where the worker's clock says faster."""
CLEAR, HALF = 1.25, 0.5
"""Of a gain that is clear by the worker's clock, at least half must be there by envcheck's: work that a library puts
off until after the frame is not hidden from it."""


def testify(evidence: Evidence) -> Witness:
    """CPU for equal times and landmarks, contradicts for two clocks that disagree, otherwise nothing."""
    says, saw = statement(evidence)
    return Witness(NAME, says, saw, NEEDS, RESULTS)


def statement(evidence: Evidence) -> tuple[Says, str]:
    """What the times say, and what they are."""
    cpu, gpu = evidence.cpu, evidence.gpu
    speedup = stats.speedup(cpu.blocks, gpu.blocks, evidence.confidence_used or evidence.gate.confidence)
    if speedup is None:
        return Says.CANNOT_KNOW, "too few pairs of blocks"
    low, high = speedup.ci95
    saw = f"CPU time over GPU time {speedup.estimate:.2f} ({low:.2f} to {high:.2f})"
    if impossible := beyond_the_wall(cpu.blocks + gpu.blocks):
        return Says.CONTRADICTS, f"{saw}; {impossible}"
    by_ours = confirmed(cpu.blocks, gpu.blocks)
    if low > 1 and by_ours is not None and by_ours < least(speedup.estimate):
        return Says.CONTRADICTS, f"{saw}, but {by_ours:.2f} by envcheck's own clock"
    if SAME[0] <= low and high <= SAME[1] and parity.compare(cpu.landmarks, gpu.landmarks).nme == 0.0:
        return Says.CPU, f"{saw}, with identical landmarks"
    return Says.NOTHING, saw


def beyond_the_wall(blocks: tuple[Block, ...]) -> str:
    """Why frames cannot have taken as long as the worker says, or an empty text."""
    for block in blocks:
        if block.wall_ms is not None and sum(block.times_ms) > block.wall_ms + 1:
            return f"frames of {sum(block.times_ms):.0f} ms within {block.wall_ms:.0f} ms by envcheck's own clock"
    return ""


def least(estimate: float) -> float:
    """What envcheck's clock must show of a speed-up that the worker's clock tells."""
    return 1 + HALF * (estimate - 1) if estimate > CLEAR else OPPOSITE


def confirmed(cpu: tuple[Block, ...], gpu: tuple[Block, ...]) -> float | None:
    """The speed-up where the GPU's frames saved what envcheck's clock saw saved; None where it was not kept for both.

    Both blocks hold the same frames, and what surrounds them (messages, images) is the same: what the GPU's take longer
    around its frames than the CPU's is time of the GPU's that its own clock left out.
    """
    theirs = {block.pair: block for block in gpu}
    pairs = [(ours, theirs[ours.pair]) for ours in cpu if ours.pair in theirs]
    if not pairs or any(block.wall_ms is None for pair in pairs for block in pair):
        return None
    return median(seen_ratio(*pair) for pair in pairs)


def seen_ratio(cpu: Block, gpu: Block) -> float:
    """CPU over GPU of one pair, by what envcheck's clock saw saved; infinite where it saw more than there was."""
    spent = sum(cpu.times_ms)
    left = spent - ((cpu.wall_ms or 0.0) - (gpu.wall_ms or 0.0))
    return spent / left if left > 0 else math.inf
