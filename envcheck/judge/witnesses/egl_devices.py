"""EGL device enumeration: which of the devices is NVIDIA's, and whether the default display's context is on it.

Fooled by: a vendor library that enumerates a device of its own. Against that: it is words, like the strings.
"""

from __future__ import annotations

from envcheck.judge.witnesses.common import WORDS, of_another_driver, spoken_version
from envcheck.model import EglDevice, Evidence, GlContext, Says, Unread, Witness
from envcheck.probes import renderer

NAME = "egl-devices"
NEEDS = "a device of NVIDIA's driver whose context has the renderer of the default display's"


def testify(evidence: Evidence) -> Witness:
    """What the enumeration tells of the default display."""
    says, saw = statement(evidence.gl)
    spoken = spoken_version(evidence.gl.version) if isinstance(evidence.gl, GlContext) else ()
    if says is Says.HARDWARE and (amiss := of_another_driver(evidence, spoken)):
        return Witness(NAME, Says.CONTRADICTS, f"{saw}; {amiss}", NEEDS, WORDS)
    return Witness(NAME, says, saw, NEEDS, WORDS)


def statement(gl: GlContext | Unread) -> tuple[Says, str]:
    """What the enumeration says, and what it saw."""
    if isinstance(gl, Unread):
        return Says.CANNOT_KNOW, gl.reason
    if isinstance(gl.egl_devices, Unread):
        return Says.CANNOT_KNOW, gl.egl_devices.reason
    saw = "; ".join(map(described, gl.egl_devices)) or "EGL enumerates no device"
    claimed = renderer.classify(gl.renderer, gl.version, gl.vendor)
    if claimed is not Says.HARDWARE:
        return Says.NOTHING, saw
    mine = [device for device in gl.egl_devices if is_nvidia(device)]
    if any((device.renderer, device.version) == (gl.renderer, gl.version) for device in mine):
        return Says.HARDWARE, saw
    if gl.egl_devices and not mine and all(device.renderer for device in gl.egl_devices):
        return Says.CONTRADICTS, f"the default display says {gl.renderer}, and no device is NVIDIA's: {saw}"
    return Says.CANNOT_KNOW, f"no device of NVIDIA's driver with this renderer: {saw}"


def is_nvidia(device: EglDevice) -> bool:
    """True where CUDA's number or the driver's own strings say so."""
    return device.cuda is not None or renderer.classify(device.renderer, device.version, device.vendor) is Says.HARDWARE


def described(device: EglDevice) -> str:
    """One device in a few words."""
    files = [file for file in (device.drm, device.render_node) if file]
    cuda = [] if device.cuda is None else [f"CUDA device {device.cuda}"]
    return f"device {device.index}: " + ", ".join([device.renderer or device.error or "nothing told", *files, *cuda])
