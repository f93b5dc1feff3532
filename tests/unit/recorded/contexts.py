"""GL strings that drivers gave: renderer (None where the line names none), version, vendor."""

from __future__ import annotations

from typing import NamedTuple

from envcheck.model import Says
from tests.unit.recorded import FILES, ISSUES, PULLS


class Context(NamedTuple):
    """The strings, what they are to be taken for, and where they stand."""

    renderer: str | None
    version: str
    vendor: str
    says: Says
    source: str


NVIDIA, MEDIAPIPE = "NVIDIA Corporation", "google-ai-edge/mediapipe"

CONTEXTS = (
    Context("Quadro M2000M/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 390.30", NVIDIA, Says.HARDWARE,
            ISSUES("OpenSimulationInterface/osi-visualizer", 15)),
    Context("GeForce GTX TITAN X/PCIe/SSE2", "4.6.0 NVIDIA 410.73", NVIDIA, Says.HARDWARE,
            ISSUES("StanfordVL/GibsonEnv", 52)),
    Context("GeForce RTX 2060/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 460.39", NVIDIA, Says.HARDWARE,
            ISSUES(MEDIAPIPE, 3258)),
    Context(None, "OpenGL ES 3.2 NVIDIA 470.129.06", "", Says.HARDWARE, ISSUES(MEDIAPIPE, 3266)),
    Context("NVIDIA GeForce GTX 1660 Ti/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 555.42.06", "", Says.HARDWARE,
            FILES("yKesamaru/FACE01_SAMPLE", "example/detect_eye_blink.py")),
    Context("NVIDIA GeForce RTX 3090/PCIe/SSE2", "4.6.0 NVIDIA 565.57.01", NVIDIA, Says.HARDWARE,
            ISSUES("elFarto/nvidia-vaapi-driver", 351)),
    Context("NVIDIA GeForce GTX 1050 Ti/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 570.144", NVIDIA, Says.HARDWARE,
            ISSUES("TheTumultuousUnicornOfDarkness/CPU-X", 388)),
    Context("NVIDIA GeForce RTX 5090", "OpenGL ES 3.2 NVIDIA 570.144", "", Says.HARDWARE,
            PULLS("livepeer/comfystream", 205)),
    Context("NVIDIA A800-SXM4-80GB/PCIe/SSE2", "4.6.0 NVIDIA 590.48.01", NVIDIA, Says.HARDWARE,
            FILES("guan720/RL_Robot", "docs/e_egl_feasibility_20260929.md")),
    Context("NVIDIA GeForce RTX 3090/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 595.58.03", NVIDIA, Says.HARDWARE,
            PULLS("X11Libre/xserver", 2143)),
    # a Jetson Nano, whose driver bears the version of its system
    Context(None, "OpenGL ES 3.2 NVIDIA 32.4.4", "", Says.HARDWARE, ISSUES("dhewm/dhewm3", 335)),
    Context("D3D12 (NVIDIA RTX A4000)", "OpenGL ES 3.1 Mesa 22.3.6", "Microsoft Corporation", Says.OTHER_GPU,
            ISSUES("microsoft/WSL", 11086)),
    Context("D3D12 (Intel(R) UHD Graphics)", "OpenGL ES 3.0 Mesa 23.2.1-1ubuntu3.1~22.04.2", "", Says.OTHER_GPU,
            ISSUES(MEDIAPIPE, 5467)),
    Context("Mesa Intel(R) HD Graphics 630 (KBL GT2)", "4.6 (Core Profile) Mesa 25.0.4", "Intel", Says.OTHER_GPU,
            ISSUES("TheTumultuousUnicornOfDarkness/CPU-X", 388)),
    Context("zink (AMD RADV NAVI10)", "4.6 (Core Profile) Mesa 21.3.7", "Collabora Ltd", Says.OTHER_GPU,
            ISSUES("sonic2kk/steamtinkerlaunch", 432)),
    Context("llvmpipe (LLVM 12.0.0, 256 bits)", "OpenGL ES 3.2 Mesa 21.2.6", "Mesa/X.org", Says.SOFTWARE,
            ISSUES("microsoft/WSL", 8145)),
    Context("llvmpipe (LLVM 15.0.7, 256 bits)", "4.5 (Compatibility Profile) Mesa 23.2.1", "Mesa", Says.SOFTWARE,
            FILES("guan720/RL_Robot", "docs/e_egl_feasibility_20260929.md")),
    Context("llvmpipe (LLVM 19.1.6, 256 bits)", "OpenGL ES 3.2 Mesa 24.3.3-1", "Mesa", Says.SOFTWARE,
            ISSUES("elFarto/nvidia-vaapi-driver", 351)),
    # no renderer is named: Mesa may have been anything
    Context(None, "OpenGL ES 3.2 Mesa 22.0.5", "", Says.CANNOT_KNOW, ISSUES(MEDIAPIPE, 3353)),
)  # fmt: skip
