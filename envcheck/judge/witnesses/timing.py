"""The times themselves: the same work on the same device takes the same time; and two clocks must agree.

Speed alone proves no device. Equal times with equal landmarks are what a dropped delegate looks like. The worker times
itself; envcheck's own clock, around the whole block, must not tell the opposite.
"""

from __future__ import annotations

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
"""By envcheck's clock the GPU's blocks may not take longer than the CPU's, where the worker's clock says faster."""


def testify(evidence: Evidence) -> Witness:
    """CPU for equal times and landmarks, contradicts for two clocks that disagree, otherwise nothing."""
    says, saw = statement(evidence)
    return Witness(NAME, says, saw, NEEDS, RESULTS)


def statement(evidence: Evidence) -> tuple[Says, str]:
    """What the times say, and what they are."""
    cpu, gpu = evidence.cpu, evidence.gpu
    bench = stats.bench(cpu.blocks, gpu.blocks, evidence.confidence_used or evidence.gate.confidence)
    if bench is None or bench.speedup is None:
        return Says.CANNOT_KNOW, "too few pairs of blocks"
    low, high = bench.speedup.ci95
    saw = f"CPU time over GPU time {bench.speedup.estimate:.2f} ({low:.2f} to {high:.2f})"
    if impossible := beyond_the_wall(cpu.blocks + gpu.blocks):
        return Says.CONTRADICTS, f"{saw}; {impossible}"
    by_wall = wall_ratio(cpu.blocks, gpu.blocks)
    if low > 1 and by_wall is not None and by_wall < OPPOSITE:
        return Says.CONTRADICTS, f"{saw}, but {by_wall:.2f} by envcheck's own clock"
    if SAME[0] <= low and high <= SAME[1] and parity.compare(cpu.landmarks, gpu.landmarks).nme == 0.0:
        return Says.CPU, f"{saw}, with identical landmarks"
    return Says.NOTHING, saw


def beyond_the_wall(blocks: tuple[Block, ...]) -> str:
    """Why frames cannot have taken as long as the worker says, or an empty text."""
    for block in blocks:
        if block.wall_ms is not None and sum(block.times_ms) > block.wall_ms + 1:
            return f"frames of {sum(block.times_ms):.0f} ms within {block.wall_ms:.0f} ms by envcheck's own clock"
    return ""


def wall_ratio(cpu: tuple[Block, ...], gpu: tuple[Block, ...]) -> float | None:
    """Median over pairs of CPU over GPU by envcheck's clock; None where it was not kept for both."""
    theirs = {block.pair: block.wall_ms for block in gpu}
    pairs = ((block.wall_ms, theirs.get(block.pair)) for block in cpu)
    ratios = [ours / other for ours, other in pairs if ours and other]
    return median(ratios) if ratios else None
