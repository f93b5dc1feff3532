"""Which inference calculators ran, where this MediaPipe says so: 0.10.8 to 0.10.35.

Fooled by: a line that the program itself prints. Against that: it never speaks for hardware, only for GL or the CPU.
"""

from __future__ import annotations

from envcheck.judge.witnesses.common import WORDS
from envcheck.model import Evidence, Says, Witness
from envcheck.probes import nativelog

NAME = "calculators"
NEEDS = "face detection and landmarks run on a Gl calculator"


def testify(evidence: Evidence) -> Witness:
    """GL where both models ran on it, CPU where none did."""
    names = nativelog.calculators(evidence.gpu.log)
    if not names:
        return Witness(NAME, Says.CANNOT_KNOW, "this MediaPipe does not name its calculators", NEEDS, WORDS)
    partly = Says.NOTHING if any(name.startswith("Gl") for name in names) else Says.CPU
    says = Says.GL if nativelog.ran_on_gl(names) else partly
    return Witness(NAME, says, ", ".join(names), NEEDS, WORDS)
