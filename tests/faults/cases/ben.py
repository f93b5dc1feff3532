"""BEN: measurements that can say nothing."""

from __future__ import annotations

from tests.faults.case import CHECK, Case, Twin
from tests.faults.worlds import SURFACELESS, Link

GREY = "P2\n64 48\n255\n" + "128 " * 64 * 48 + "\n"

PICTURE = "/opt/mine.png"

CASES = (
    Case(
        id="ben-no-face",
        family="BEN",
        symptom="I measured with my own picture, and got no verdict",
        cause="there is no face in it, so the landmark model never runs",
        world=SURFACELESS.having(files={PICTURE: GREY}, mediapipe="0.10.31"),
        code="BEN505",
        twin=Twin(SURFACELESS.having(files={PICTURE: Link("{portrait}")}, mediapipe="0.10.31"), "MPP402", "silent-cpu"),
        command=(*CHECK, "--input", PICTURE),
        verdict="unknown",
    ),
)
