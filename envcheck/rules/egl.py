"""EGL2xx: OpenGL ES through EGL, the only road from MediaPipe to a GPU on Linux."""

from __future__ import annotations

import re

from envcheck.model import GlContext, Unread, Verdict
from envcheck.probes import nativelog
from envcheck.rules.egl_steering import NO_DRIVER_FOUND
from envcheck.rules.rule import DISABLED_IN_BUILD, FOREIGN_OPERATIONS, Case, Rule, on_verdict, refused_with
from envcheck.rules.world import (
    driver_version,
    facts_of,
    gpus_of,
    looked_only,
    reached_by_default,
    reached_by_device,
    usual_driver,
)

EMULATION = "GPU emulation detected"
STEERED = ("EGL213", "EGL214", "EGL216", "EGL217", "EGL218", "EGL220")
ENDED = re.compile(r"gl probe (did not answer|ended without an answer)")
ES_VERSION = re.compile(r"OpenGL ES (\d+)\.(\d+)")
COMPUTE_SHADERS = (3, 1)
"""The first OpenGL ES that has them."""
NO_CONFIGURATION = "found no RGBA8888 D16 pbuffer configuration"
"""What our own request says of such a display."""
WINDOW_BUILD = """\
pip install --force-reinstall mediapipe    # the wheels ask for no window
# A MediaPipe that you build: --copt=-DMEDIAPIPE_OMIT_EGL_WINDOW_BIT, or it asks for a window's surface"""
NO_PBUFFER = """\
eglinfo -B    # which driver answers? NVIDIA's has such surfaces, on its own platform
export __EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json
# Is it NVIDIA's that answers? Reinstall the driver with its graphics half: libnvidia-gl-BRANCH"""
NVIDIA_VENDOR = """\
# Is NVIDIA's EGL driver here, of the same version as the kernel module?
cat /proc/driver/nvidia/version; ls /usr/lib/*/libEGL_nvidia.so.* /usr/share/glvnd/egl_vendor.d/
# Debian, Ubuntu (570 stands for your driver's branch): apt-get install libnvidia-gl-570
# Docker: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …"""


def no_vendor(case: Case) -> str | None:
    """No EGL vendor library could be loaded: eglGetDisplay itself fails, or no EGL device is found."""
    seen = refused_with("eglGetDisplay() returned error 0x300c", "Devices tried: 0")(case)
    return f"{seen}{context_words(case)}" if seen else None


def no_default_display(case: Case) -> str | None:
    """A vendor library loads, but its default display cannot be initialised."""
    if case.judgement.verdict is not Verdict.REFUSED or no_vendor(case):
        return None
    failures = nativelog.egl_failures(case.evidence.gpu.log) + nativelog.egl_failures((case.evidence.gpu.error,))
    if "Unable to initialize EGL" not in failures:
        return None
    named = ", ".join(f"{name}={value}" for name, value in displays_set(case).items())
    return f"{named or 'no DISPLAY, WAYLAND_DISPLAY or EGL_PLATFORM is set'}{context_words(case)}"


def displays_set(case: Case) -> dict[str, str]:
    """The variables that name a display, where they are set."""
    steering = case.evidence.host.steering
    return {name: steering[name] for name in ("DISPLAY", "WAYLAND_DISPLAY", "EGL_PLATFORM") if name in steering}


def reach_the_driver(case: Case) -> str:
    """Unset what names a foreign display; then give EGL the GPU's own driver."""
    named = displays_set(case)
    return (f"unset {' '.join(named)}\n" if named else "") + NVIDIA_VENDOR


def context_words(case: Case) -> str:
    """What our own EGL request met, in half a sentence."""
    gl = case.evidence.gl
    if not isinstance(gl, GlContext):
        return ""
    if gl.path == "device":
        return f"; EGL device enumeration then finds only {gl.renderer}"
    return f"; {gl.error}" if gl.error else ""


def no_configuration(case: Case) -> str | None:
    """The display has no configuration that MediaPipe asks for; in a look without a run, that our own request asks for."""
    gl = case.evidence.gl
    error = gl.error if isinstance(gl, GlContext) else ""
    if looked_only(case):
        return error if NO_CONFIGURATION in error and gpus_of(case) else None
    seen = refused_with("no matching EGL configuration")(case)
    if seen is None:
        return None
    if isinstance(gl, GlContext) and gl.path == "default":
        return f"{seen}; without a window one is there, of {gl.renderer}"
    return f"{seen}{context_words(case)}"


def other_display(case: Case) -> str:
    """Unset what names a display; where nothing does, ask the driver, or MediaPipe's build."""
    named, gl = displays_set(case), case.evidence.gl
    if named:
        return f"unset {' '.join(named)}"
    if isinstance(gl, GlContext) and gl.path == "default":
        return WINDOW_BUILD
    return NO_PBUFFER


def emulation_refused(case: Case) -> str | None:
    """MediaPipe 1.0.1 and later refuse software renderers."""
    line = nativelog.gl_line(case.evidence.gpu.log)
    return ((line and line.renderer) or EMULATION) if refused_with(EMULATION)(case) else None


def too_old(case: Case) -> str | None:
    """MediaPipe asks for OpenGL ES 3.1 in words, or fails on calls that its context's version does not have."""
    line = nativelog.gl_line(case.evidence.gpu.log)
    version = ES_VERSION.search(line.version) if line else None
    if refused_with("[GL_INVALID_")(case) and version and (int(version[1]), int(version[2])) < COMPUTE_SHADERS:
        return version[0]
    return refused_with("OpenGL ES 3.1 or above is required", "OpenGL ES 3.1 is required")(case)


def probe_ended(case: Case) -> str | None:
    """Our own EGL request took its process down, while the interpreter answers other questions."""
    gl = case.evidence.gl
    ended = isinstance(gl, Unread) and ENDED.search(gl.reason)
    return gl.reason if isinstance(gl, Unread) and ended and facts_of(case) is not None else None


def not_reached(case: Case) -> str | None:
    """A driver with GPUs is here, and MediaPipe's own EGL request leads to something else."""
    gl = case.evidence.gl
    if not isinstance(gl, GlContext) or reached_by_default(case) or reached_by_device(case) or not gpus_of(case):
        return None
    where = f"EGL gives {gl.renderer} ({gl.version})" if gl.renderer else f"EGL gives nothing: {gl.error}"
    return f"driver {driver_version(case)} is here; {where}"


def everything_read(case: Case) -> bool:
    """No part of the facts in which another cause could hide is unread."""
    facts = facts_of(case)
    parts = facts and (facts.driver.libraries, facts.devices, facts.container, facts.gl.vendors, facts.packages)
    return bool(parts) and not any(isinstance(part, Unread) for part in parts or ())


def refused_otherwise(case: Case) -> str | None:
    """Refused, and no other rule of this family knows the cause."""
    known = any(rule.see(case) for rule in CAUSES) or refused_with(DISABLED_IN_BUILD, FOREIGN_OPERATIONS)(case)
    return case.judgement.because if case.judgement.verdict is Verdict.REFUSED and not known else None


CAUSES = (
    Rule(
        code="EGL201",
        title="no EGL driver could be loaded",
        see=no_vendor,
        because="libEGL is only a dispatcher: it finds the driver through a vendor file, and found none that loads. "
        "nvidia-smi and CUDA can work all the same.",
        remedy=NVIDIA_VENDOR,
        url="https://github.com/google-ai-edge/mediapipe/issues/5503",
    ),
    Rule(
        code="EGL202",
        title="EGL's default display cannot be initialised",
        see=no_default_display,
        because="MediaPipe asks for the default display. Without NVIDIA's driver the default goes to Mesa, which then "
        "wants an X or Wayland display that is not there; a foreign DISPLAY (ssh -X, VNC) has the same effect.",
        remedy="unset DISPLAY WAYLAND_DISPLAY EGL_PLATFORM\n" + NVIDIA_VENDOR,
        url="https://github.com/google-ai-edge/mediapipe/issues/4973",
        fix=reach_the_driver,
    ),
    Rule(
        code="EGL203",
        title="no pbuffer configuration on this display",
        see=no_configuration,
        scope=lambda case: no_configuration(case) is not None,
        after=("EGL214", "EGL220"),
        because="The display that EGL chose (GBM, X through ssh or VNC, Xvfb) offers no off-screen surface of the kind MediaPipe "
        "needs: RGBA with 8 bits each and 16 bits of depth. A MediaPipe that was built to ask for a window's surface finds none "
        "without a screen.",
        remedy="unset DISPLAY WAYLAND_DISPLAY EGL_PLATFORM\n" + NO_PBUFFER,
        url="https://github.com/google-ai-edge/mediapipe/issues/6323",
        fix=other_display,
    ),
    Rule(
        code="EGL204",
        title="software GL detected",
        see=emulation_refused,
        because="EGL works, but its renderer is a software rasteriser; MediaPipe 1.0.1 and later refuse that. The GPU's own driver is not reached.",
        remedy=NVIDIA_VENDOR,
        url="https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support",
    ),
    Rule(
        code="EGL205",
        title="OpenGL ES is older than 3.1",
        see=too_old,
        because="GPU inference needs compute shaders, which OpenGL ES has from 3.1 on.",
        remedy="Use a current driver of the GPU; a virtual machine's GL adapter is rarely enough.",
        url="https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support",
    ),
)

RULES = (
    *CAUSES,
    Rule(
        code="EGL223",
        title="a driver is here, and EGL does not reach it",
        see=not_reached,
        scope=lambda case: looked_only(case) and usual_driver(case) and everything_read(case),
        after=(*NO_DRIVER_FOUND, *STEERED, "GPU102", "GPU108", "GPU113", "GPU116", "GPU117", "EGL215", "EGL203"),
        because="Files, device files and variables show no reason, but the library that would reach the GPU gives no display: "
        "MediaPipe is refused, or runs on software GL.",
        remedy="EGL_LOG_LEVEL=debug eglinfo -B    # what does each driver say?\nsudo dmesg | grep -i -e xid -e nvrm",
        url="https://github.com/google-ai-edge/mediapipe/issues/5505",
    ),
    Rule(
        code="EGL222",
        title="EGL's driver takes down the program that asks it",
        see=probe_ended,
        scope=lambda case: looked_only(case) and probe_ended(case) is not None,
        after=("GPU106", "GPU113", "EGL209", "EGL210"),
        because="A vendor library that libEGL loads crashes, ends or stops the process. An application would go the same way "
        "at its first frame.",
        remedy="EGL_LOG_LEVEL=debug eglinfo -B    # which library is the last one?\n"
        "# Leave it out to be sure: name the others in __EGL_VENDOR_LIBRARY_FILENAMES; then reinstall its driver",
        url="https://github.com/NVIDIA/libglvnd/blob/master/src/EGL/icd_enumeration.md",
    ),
    Rule(
        code="EGL206",
        title="MediaPipe refused the GPU delegate for a cause envcheck does not know",
        see=refused_otherwise,
        because="The native error is kept in the evidence; nothing ran on the GPU.",
        remedy="Read the error and the native log in logs/, and report them so that a rule can be written.",
        url="https://github.com/google-ai-edge/mediapipe/issues",
    ),
    Rule(
        code="EGL207",
        title="the GPU delegate ran on the CPU, emulated",
        see=on_verdict(Verdict.EMULATED),
        because="Mesa's software rasteriser accepts the delegate, and everything looks fine but the speed: 10 to 25 times "
        "slower than the CPU delegate. The GPU's own driver was not reached.",
        remedy=NVIDIA_VENDOR,
        url="https://github.com/google-ai-edge/mediapipe/issues/6180",
    ),
)
