"""MediaPipe's native log of one worker: which calculators ran, which GL context was made, why none could be.

What each line proves and does not prove was read from real wheels; docs/proof.md lists it. Two popular lines prove
nothing: "Created TensorFlow Lite XNNPACK delegate for CPU" is printed on the GPU too (blendshapes always run on
XNNPACK), and "Created TensorFlow Lite delegate for GPU" is printed on software GL and never by 0.10.33 and later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from envcheck.model import Record

VMODULE = "inference_calculator=1,tflite_gpu_runner=2"
"""GLOG_vmodule value that makes 0.10.8 to 0.10.35 name the calculator of each model; 1.0.1 and later ignore it."""

SILENCERS = frozenset(
    {
        "GLOG_alsologtostderr",
        "GLOG_log_dir",
        "GLOG_logtostderr",
        "GLOG_logtostdout",
        "GLOG_minloglevel",
        "GLOG_stderrthreshold",
        "GLOG_v",
        "TF_CPP_MIN_LOG_LEVEL",
    }
)
"""Variables by which users keep the native log off their screen, or drown what the witnesses say there."""

CALCULATOR = re.compile(r"inference_calculator\.cc:\d+\] Using (\w+) for InferenceCalculator")
BLENDSHAPES = "blendshapes"
"""In the name of the stream of the one model that stays on the CPU whatever the delegate is."""
GL_MODELS = 2
"""FaceLandmarker runs detection and landmarks on the delegate; blendshapes stay on the CPU in every version."""

INTERPRETER = re.compile(
    r"inference_feedback_manager\.cc:\d+\] Feedback manager requires a model with a single signature"
)
"""Said by 0.10.14 and later when a model gets an interpreter on the CPU; never of blendshapes, never on GL."""

CONTEXT = re.compile(r"gl_context\.cc:\d+\] GL version: [\d.]+ \((?P<version>.*?)\)(, renderer: (?P<renderer>.*))?$")
"""MediaPipe 0.8 names no renderer: https://github.com/google-ai-edge/mediapipe/issues/3353"""
EGL_FAILURE = re.compile(
    r"(?P<what>eglGetDisplay\(\) returned error 0x\w+|Unable to initialize EGL|no matching EGL config\w*)"
)


class GlLine(Record, frozen=True):
    """The GL context that the native log speaks of: `version` such as "OpenGL ES 3.2 NVIDIA 570.144".

    `renderer` is None where the line names none.
    """

    version: str
    renderer: str | None


def calculators(log: Sequence[str]) -> tuple[str, ...]:
    """Inference calculators in the order they were made, such as ("Gl", "Gl", "Cpu"); empty where none was named."""
    return tuple(match[1] for line in log if (match := CALCULATOR.search(line)))


def delegated(log: Sequence[str]) -> tuple[str, ...]:
    """As `calculators`, only those of models that follow the delegate.

    They are named when a graph is set up, before EGL is reached: one that is refused then, or closed, is named too.
    """
    return calculators([line for line in log if BLENDSHAPES not in line])


def ran_on_gl(names: Sequence[str]) -> bool:
    """True where face detection and landmarks both ran on a GL calculator (Gl, GlAdvanced)."""
    return sum(name.startswith("Gl") for name in names) >= GL_MODELS


def interpreters(log: Sequence[str]) -> int:
    """How many models got an interpreter on the CPU, without the blendshapes."""
    return sum(bool(INTERPRETER.search(line)) for line in log)


def gl_lines(log: Sequence[str]) -> tuple[GlLine, ...]:
    """The GL contexts that were made, in order."""
    found = (match for line in log if (match := CONTEXT.search(line)))
    return tuple(GlLine(version=match["version"], renderer=stripped(match["renderer"])) for match in found)


def stripped(text: str | None) -> str | None:
    """The text without what surrounds it, where there is one."""
    return None if text is None else text.strip()


def gl_line(log: Sequence[str]) -> GlLine | None:
    """The last GL context that was made, or None where the log names none."""
    lines = gl_lines(log)
    return lines[-1] if lines else None


def egl_failures(log: Sequence[str]) -> tuple[str, ...]:
    """What EGL refused, each once, in order: such as "Unable to initialize EGL"."""
    return tuple(dict.fromkeys(match["what"] for line in log if (match := EGL_FAILURE.search(line))))
