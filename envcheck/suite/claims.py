"""What must be true of a cell that is accelerated, claim by claim, and which of them a cell fails.

The claims follow from the verdict and the evidence; nothing is judged a second time. A cell fails one claim at most.
Those before it hold, those after it were not looked at:

the environment was not built, or is not the cell's       -> BUILT
the CPU worker was not run, or did not come to its end    -> CPU_RUNS
the GPU worker ended before its first frame was done      -> INITIALISES
the GPU worker ended later; silent-cpu; no face to find   -> ON_GPU
emulated, other-gpu, contradictory, too few witnesses     -> HARDWARE
wrong, too few faces to compare                           -> AGREE
slower, inconclusive, not timed                           -> FASTER
"""

from __future__ import annotations

from enum import Enum
from textwrap import indent
from typing import TYPE_CHECKING

from envcheck.judge.verdict import from_cell, from_device, from_landmarks, from_workers
from envcheck.model import Verdict
from envcheck.report.causes import answered, not_looked_at
from envcheck.report.plain import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envcheck.model import Evidence, Finding, Judgement


class Claim(Enum):
    """One claim, in words. The order is the order of looking."""

    BUILT = "the environment was built"
    CPU_RUNS = "FaceLandmarker runs on the CPU"
    INITIALISES = "the GPU delegate initialises"
    HARDWARE = "the GPU is hardware"
    ON_GPU = "inference ran on the GPU"
    AGREE = "the landmarks of GPU and CPU agree"
    FASTER = "the GPU is faster than the CPU by as much as was asked for"


ORDER = tuple(Claim)
GOOD_BUILDS = frozenset({"built", "reused", "existing"})
WORKED = frozenset({"frames", "done"})
"""Stages of a worker whose delegate was initialised and had given its first answer."""

FAILED_BY = {
    Verdict.SILENT_CPU: Claim.ON_GPU,
    Verdict.EMULATED: Claim.HARDWARE,
    Verdict.OTHER_GPU: Claim.HARDWARE,
    Verdict.CONTRADICTORY: Claim.HARDWARE,
    Verdict.WRONG: Claim.AGREE,
    Verdict.SLOWER: Claim.FASTER,
    Verdict.INCONCLUSIVE: Claim.FASTER,
}
"""Verdicts of cells where both workers ran to their end, and the claim that each contradicts."""

FIRST_CONTRADICTED = FAILED_BY | {
    Verdict.SILENT_CPU: Claim.HARDWARE,
    Verdict.REFUSED: Claim.INITIALISES,
    Verdict.CRASHED: Claim.CPU_RUNS,
    Verdict.BROKEN: Claim.BUILT,
    Verdict.IMPOSSIBLE: Claim.BUILT,
    Verdict.UNREACHABLE: Claim.BUILT,
    Verdict.UNKNOWN: Claim.BUILT,
}


def failed_claim(evidence: Evidence, judgement: Judgement) -> Claim | None:
    """The claim that this cell fails; None where it is accelerated."""
    if judgement.verdict is Verdict.ACCELERATED:
        return None
    return before_working(evidence, judgement) or FAILED_BY.get(judgement.verdict) or not_shown(evidence, judgement)


def before_working(evidence: Evidence, judgement: Judgement) -> Claim | None:
    """The claim at which the cell ended before both workers had done the work that it names, or None."""
    build, cpu, gpu = evidence.build, evidence.cpu, evidence.gpu
    built = cpu.outcome != "not-run" if build is None else build.outcome in GOOD_BUILDS
    if not built:
        return Claim.BUILT
    if cpu.outcome != "ran":
        return Claim.CPU_RUNS
    if judgement.verdict is Verdict.BROKEN and gpu.outcome != "import-failed":
        return Claim.BUILT
    if gpu.outcome == "ran":
        return None
    return Claim.ON_GPU if gpu.stage in WORKED else Claim.INITIALISES


def not_shown(evidence: Evidence, judgement: Judgement) -> Claim:
    """The first claim that the judge could not see, where both workers ran: steps 6, 10, 11 and 12 of the verdict."""
    if from_workers(evidence) is not None:
        return Claim.ON_GPU
    if from_device(judgement.witnesses) is not None:
        return Claim.HARDWARE
    if from_cell(evidence) is not None:
        return Claim.BUILT
    return Claim.AGREE if from_landmarks(evidence) is not None else Claim.FASTER


def holds(claim: Claim, failed: Claim | None) -> bool:
    """The claim comes before the failed one. Where nothing ran on a GPU, there is none to call hardware."""
    if failed is None:
        return True
    return ORDER.index(claim) < ORDER.index(failed) and not (claim is Claim.HARDWARE and failed is Claim.ON_GPU)


def contradicted_by(expected: Verdict) -> tuple[Claim, ...]:
    """The claims that cannot all hold in a cell that comes out as `expected`."""
    first = FIRST_CONTRADICTED.get(expected)
    return () if first is None else ORDER[ORDER.index(first) :]


def explain(judgement: Judgement, findings: Sequence[Finding]) -> str:
    """What a person needs to read when a claim fails: the judge's reason and the root finding."""
    if not findings:
        return visible(judgement.because)
    root = findings[0]
    reason = "" if judgement.because in root.summary else f"{visible(judgement.because)}\n"
    lines = [
        f"{reason}{root.code} {visible(root.summary)}",
        f"  why: {visible(root.because)}",
        "  do:",
        indent(visible(root.remedy, keep_lines=True), "    "),
        f"  source: {visible(root.url)}",
        *(f"  also: {other.code} {visible(other.summary)}" for other in answered(findings[1:])),
    ]
    if waiting := not_looked_at(findings):
        lines.append(f"  not looked at: {waiting}")
    return "\n".join(lines)
