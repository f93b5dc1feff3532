"""Lines of MediaPipe's native log from hosts of others, and what they say."""

from __future__ import annotations

from typing import NamedTuple

from envcheck.probes.nativelog import GlLine
from tests.unit.recorded import FILES, ISSUES


class Line(NamedTuple):
    """A line, the GL context that it names, what EGL refused by it, and where it stands."""

    text: str
    context: GlLine | None
    refused: tuple[str, ...]
    source: str


MEDIAPIPE = "google-ai-edge/mediapipe"
NO_DISPLAY = "eglGetDisplay() returned error 0x300c"

LINES = (
    Line(
        "I20220523 19:14:59.332114 556636 gl_context.cc:334] GL version: 3.2 (OpenGL ES 3.2 NVIDIA 470.129.06)",
        GlLine("OpenGL ES 3.2 NVIDIA 470.129.06", None), (), ISSUES(MEDIAPIPE, 3266),
    ),
    Line(
        "I20221207 10:57:13.705412 77575 gl_context.cc:335] GL version: 3.2 (OpenGL ES 3.2 Mesa 22.0.5)",
        GlLine("OpenGL ES 3.2 Mesa 22.0.5", None), (), ISSUES(MEDIAPIPE, 3353),
    ),
    Line(
        "I0000 00:00:1723262233.148223   21035 gl_context.cc:357] GL version: 3.2 (OpenGL ES 3.2 NVIDIA 555.42.06), "
        "renderer: NVIDIA GeForce GTX 1660 Ti/PCIe/SSE2",
        GlLine("OpenGL ES 3.2 NVIDIA 555.42.06", "NVIDIA GeForce GTX 1660 Ti/PCIe/SSE2"), (),
        FILES("yKesamaru/FACE01_SAMPLE", "example/detect_eye_blink.py"),
    ),
    Line(
        "I0000 00:00:1717738546.923366   23583 gl_context.cc:357] GL version: 3.0 (OpenGL ES 3.0 Mesa "
        "23.2.1-1ubuntu3.1~22.04.2), renderer: D3D12 (Intel(R) UHD Graphics)",
        GlLine("OpenGL ES 3.0 Mesa 23.2.1-1ubuntu3.1~22.04.2", "D3D12 (Intel(R) UHD Graphics)"), (),
        ISSUES(MEDIAPIPE, 5467),
    ),
    Line(
        "I0000 00:00:1725610296.819521 3211394 task_runner.cc:85] GPU suport is not available: INTERNAL: ; RET_CHECK "
        "failure (mediapipe/gpu/gl_context_egl.cc:77) display != EGL_NO_DISPLAYeglGetDisplay() returned error 0x300c",
        None, (NO_DISPLAY,), ISSUES("Zejun-Yang/AniPortrait", 128),
    ),
    Line(
        "was not provided and cannot be created: ; RET_CHECK failure (mediapipe/gpu/gl_context_egl.cc:84) "
        "egl_initializedUnable to initialize EGL",
        None, ("Unable to initialize EGL",), ISSUES("google-ai-edge/mediapipe-samples", 289),
    ),
    Line(
        "E1212 16:27:44.518735 11397 demo_run_graph_main_gpu.cc:186] Failed to run the graph: ; eglChooseConfig() "
        "returned no matching EGL configuration for RGBA8888 D16 ES2 request.",
        None, ("no matching EGL configuration",), ISSUES(MEDIAPIPE, 305),
    ),
    Line(
        "E0000 00:00:1706553029.842027 1607 gl_context.cc:408] INTERNAL: ; RET_CHECK failure "
        "(mediapipe/gpu/gl_context_egl.cc:303) successeglMakeCurrent() returned error 0x3008; (entering GL context)",
        None, (), ISSUES("Bing-su/adetailer", 492),
    ),
    Line(
        "I0000 00:00:1723262233.064390   20773 gl_context_egl.cc:85] Successfully initialized EGL. Major : 1 Minor: 5",
        None, (), FILES("yKesamaru/FACE01_SAMPLE", "example/detect_eye_blink.py"),
    ),
)  # fmt: skip
