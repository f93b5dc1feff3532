"""Landmarks of both workers on the same frames: a GPU's arithmetic never repeats the CPU's to the last digit.

Fooled by: other CPU arithmetic, such as another version of a library. Against that: it never speaks for hardware.
"""

from __future__ import annotations

from envcheck.judge import parity
from envcheck.judge.witnesses.common import RESULTS
from envcheck.model import Evidence, Says, Witness

NAME = "landmarks"
NEEDS = "landmarks close to the CPU's, but not identical with them"


def testify(evidence: Evidence) -> Witness:
    """CPU where they are identical, otherwise nothing."""
    seen = parity.compare(evidence.cpu.landmarks, evidence.gpu.landmarks)
    if seen.nme is None or seen.compared < parity.MIN_FRAMES:
        return Witness(NAME, Says.CANNOT_KNOW, f"{seen.compared} frames with a face on both sides", NEEDS, RESULTS)
    if seen.nme == 0.0:
        return Witness(NAME, Says.CPU, f"identical with the CPU's in {seen.compared} frames", NEEDS, RESULTS)
    saw = f"median distance {seen.nme:.4f} of the eye distance in {seen.compared} frames"
    return Witness(NAME, Says.NOTHING, saw, NEEDS, RESULTS)
