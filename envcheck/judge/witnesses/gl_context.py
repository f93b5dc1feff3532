"""The context that MediaPipe's own EGL request gave to a process of envcheck's in the same environment.

Fooled by: a vendor library whose strings lie. Against that: as for the native log; both are one claim.
"""

from __future__ import annotations

from envcheck.judge.witnesses.common import WORDS, of_another_driver, spoken_version
from envcheck.model import Evidence, Says, Unread, Witness
from envcheck.probes import renderer

NAME = "gl-context"
NEEDS = "the same EGL request gives a context of NVIDIA's own driver, of the kernel module's version"


def testify(evidence: Evidence) -> Witness:
    """What vendor, renderer and version the request gave."""
    gl = evidence.gl
    if isinstance(gl, Unread):
        return Witness(NAME, Says.CANNOT_KNOW, gl.reason, NEEDS, WORDS)
    if gl.path == "none":
        return Witness(NAME, Says.NOTHING, f"no context: {gl.error}", NEEDS, WORDS)
    saw = f"{gl.renderer} ({gl.version}), vendor {gl.vendor}, EGL by {gl.egl_vendor or 'nobody'}"
    says = renderer.classify(gl.renderer, gl.version, f"{gl.vendor} {gl.egl_vendor}")
    amiss = of_another_driver(evidence, spoken_version(gl.version)) if says is Says.HARDWARE else ""
    if amiss:
        return Witness(NAME, Says.CONTRADICTS, f"{saw}; {amiss}", NEEDS, WORDS)
    return Witness(NAME, says, saw, NEEDS, WORDS)
