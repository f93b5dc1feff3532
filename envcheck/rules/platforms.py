"""GPU1xx: platforms on which the GPU is another story: Windows, macOS, WSL, Jetson."""

from __future__ import annotations

from envcheck.compat import wheel_facts, wheel_platform
from envcheck.model import Status
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import facts_of, looked_only, mediapipe_version, steering_missed


def platform_of(case: Case) -> str:
    """linux, darwin or windows."""
    facts = facts_of(case)
    return facts.system.platform if facts else case.evidence.host.platform


def another_platform(case: Case) -> str | None:
    """Windows, where no wheel has GPU code; macOS, where the GPU is reached through Metal."""
    words = {"windows": "Windows: MediaPipe's wheels hold no GPU code", "darwin": "macOS: MediaPipe uses Metal"}
    return words.get(platform_of(case))


def platform_status(case: Case) -> Status:
    """Windows cannot; what macOS can, envcheck has no witness for."""
    return Status.FAIL if platform_of(case) == "windows" else Status.UNKNOWN


def platform_way_out(case: Case) -> str:
    """What can be done there."""
    if platform_of(case) == "windows":
        return "Use Linux on this machine for the GPU, or delegate=CPU here."
    return "Give frames as SRGBA, and measure CPU and GPU on your own frames: envcheck bench"


def under_wsl(case: Case) -> str | None:
    """WSL has the compute half of NVIDIA's driver only."""
    facts = facts_of(case)
    if not facts or not facts.system.wsl:
        return None
    gl = getattr(case.evidence.gl, "renderer", "")
    return f"{facts.system.release or 'WSL'}, and EGL gives {gl}" if gl else facts.system.release or "WSL"


def jetson(case: Case) -> str | None:
    """A Jetson, whose driver and wheels differ."""
    facts = facts_of(case)
    if not facts or not facts.system.jetson:
        return None
    version = mediapipe_version(case)
    return f"{facts.system.jetson}, with MediaPipe {version}" if version else facts.system.jetson


def jetson_status(case: Case) -> Status:
    """FAIL where the table knows that this wheel has no GPU code; what the others do there was never seen."""
    known = wheel_facts(mediapipe_version(case) or "", wheel_platform("linux", "aarch64"))
    return Status.FAIL if known and known.gpu == "none" else Status.UNKNOWN


RULES = (
    Rule(
        code="GPU118",
        title="MediaPipe has no OpenGL ES on this platform",
        see=another_platform,
        scope=looked_only,
        because="Only the Linux wheels reach a GPU through EGL. The Windows wheels were built without GPU code; on macOS the "
        "delegate is Metal, for which envcheck has no witnesses: nothing there comes out as accelerated.",
        remedy="Windows: use Linux for the GPU. macOS: give frames as SRGBA, and measure on your own frames.",
        url="https://github.com/google-ai-edge/mediapipe/issues/5126",
        weigh=platform_status,
        fix=platform_way_out,
    ),
    Rule(
        code="GPU114",
        title="WSL has no EGL of NVIDIA's",
        see=under_wsl,
        scope=steering_missed,
        because="Windows hands libcuda and NVML into WSL, and no OpenGL: GL is Mesa's D3D12 or its software rasteriser. "
        "MediaPipe refuses the one or crawls on it, while nvidia-smi and CUDA work.",
        remedy="Use Linux on the machine itself for the GPU, or delegate=CPU under WSL.\n"
        "GALLIUM_DRIVER=d3d12 python app.py    # Mesa's D3D12: another GPU driver, not proven by envcheck",
        url="https://github.com/microsoft/wslg/issues/1312",
    ),
    Rule(
        code="GPU115",
        title="this is an NVIDIA Jetson",
        see=jetson,
        scope=steering_missed,
        because="Before 1.0.1 the aarch64 wheels have no GPU code at all. Those of 1.0.1 and later have; whether they run on "
        "Jetson's own EGL is not known to envcheck.",
        remedy="pip install 'mediapipe>=1.0.1'    # needs glibc 2.28: JetPack 5 or later\n"
        "# Wheels that the community builds for Jetson: https://github.com/lanzani/jetson-docs",
        url="https://github.com/lanzani/jetson-docs/pull/11",
        weigh=jetson_status,
    ),
)
