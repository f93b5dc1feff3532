"""Which inference calculators ran, where this MediaPipe says so: 0.10.8 to 0.10.35.

Later ones do not name them, and still say which models got an interpreter on the CPU: none of those that follow the
delegate does where it is the GPU's.
Fooled by: a line that the program itself prints. Against that: it never speaks for hardware, only for GL or the CPU.
"""

from __future__ import annotations

from envcheck.judge.witnesses.common import WORDS
from envcheck.model import Evidence, Says, Witness
from envcheck.probes import nativelog

NAME = "calculators"
NEEDS = "face detection and landmarks run on a Gl calculator"
ON_CPU = frozenset({"Cpu", "Xnnpack"})


def testify(evidence: Evidence) -> Witness:
    """GL where both models ran on it, CPU where all did; contradicts where one did, and another model did not."""
    names, told = nativelog.calculators(evidence.gpu.log), by_interpreters(evidence)
    if told and not names:
        return Witness(NAME, *told, NEEDS, WORDS)
    says, saw = statement(names, cut=evidence.gpu.log_dropped > 0)
    if told and says is Says.GL:
        return Witness(NAME, Says.CONTRADICTS, f"{saw}, but {told[1]}", NEEDS, WORDS)
    return Witness(NAME, says, saw, NEEDS, WORDS)


def by_interpreters(evidence: Evidence) -> tuple[Says, str] | None:
    """CPU where as many models as with the CPU delegate got an interpreter there, contradicts where some did.

    None where none did, and where the CPU worker's log does not tell of its own.
    """
    known, found = (nativelog.interpreters(worker.log) for worker in (evidence.cpu, evidence.gpu))
    if known < nativelog.GL_MODELS or not found:
        return None
    return (Says.CPU if found >= known else Says.CONTRADICTS), f"{found} of {known} models in an interpreter on the CPU"


def statement(names: tuple[str, ...], *, cut: bool) -> tuple[Says, str]:
    """What the calculators say, and their names. In a log that was cut, those that are left tell less."""
    if not names:
        return Says.CANNOT_KNOW, "this MediaPipe does not name its calculators" if not cut else "the log was cut"
    saw = ", ".join(names)
    if nativelog.ran_on_gl(names):
        return Says.GL, saw
    if cut:
        return Says.CANNOT_KNOW, f"{saw}, in a log that was cut"
    if ON_CPU.issuperset(names):
        return Says.CPU, saw
    return (Says.CONTRADICTS if any(name.startswith("Gl") for name in names) else Says.NOTHING), saw
