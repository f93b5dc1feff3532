"""The GL context that the native log of the very run names.

Fooled by: a library that calls itself NVIDIA's; a line that the program itself prints. Against that: the version must
be the kernel module's, and words count as one claim, however many there are.
"""

from __future__ import annotations

from envcheck.judge.witnesses.common import WORDS, of_another_driver, spoken_version
from envcheck.model import Evidence, Says, Witness
from envcheck.probes import nativelog, renderer

NAME = "native-log"
NEEDS = "a \"GL version\" line that names NVIDIA's own driver, of the kernel module's version"


def testify(evidence: Evidence) -> Witness:
    """What the GPU worker's log says of its GL context."""
    lines = nativelog.gl_lines(evidence.gpu.log)
    if not lines:
        lost = evidence.gpu.log_dropped > 0
        says = Says.CANNOT_KNOW if lost else Says.NOTHING
        return Witness(NAME, says, "no GL context is named" + (" (log was cut)" if lost else ""), NEEDS, WORDS)
    saw = "; ".join(dict.fromkeys(f"{line.renderer or 'no renderer'} ({line.version})" for line in lines))
    said = {renderer.classify(line.renderer, line.version) for line in lines}
    if Says.HARDWARE in said and len(said) > 1:
        return Witness(NAME, Says.CONTRADICTS, f"contexts of several drivers: {saw}", NEEDS, WORDS)
    last = lines[-1]
    says = renderer.classify(last.renderer, last.version)
    amiss = of_another_driver(evidence, spoken_version(last.version)) if says is Says.HARDWARE else ""
    if amiss:
        return Witness(NAME, Says.CONTRADICTS, f"{saw}; {amiss}", NEEDS, WORDS)
    return Witness(NAME, says, saw, NEEDS, WORDS)
