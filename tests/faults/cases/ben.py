"""BEN: measurements that can say nothing."""

from __future__ import annotations

from tests.faults.case import CHECK, Case
from tests.faults.worlds import NVIDIA, SURFACELESS

GREY = "P2\n64 48\n255\n" + "128 " * 64 * 48 + "\n"

CASES = (
    Case(
        id="ben-no-face",
        family="BEN",
        symptom="I measured with my own picture, and got no verdict",
        cause="there is no face in it, so the landmark model never runs",
        world=SURFACELESS.having(files={"/opt/grey.pgm": GREY}, mediapipe="0.10.31"),
        code="BEN505",
        twin=NVIDIA.having(files={"/opt/grey.pgm": GREY}, env={"STANDIN_EGL": "segfault"}),
        command=(*CHECK, "--input", "/opt/grey.pgm"),
        verdict="unknown",
    ),
)
