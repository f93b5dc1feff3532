"""BEN5xx: what was measured, and what could not be concluded."""

from __future__ import annotations

from envcheck.model import Status, Verdict
from envcheck.rules.rule import Rule, on_verdict
from envcheck.rules.world import looked_only

MEASURED_BY_OTHERS = "https://github.com/google-ai-edge/mediapipe/issues/5742"

RULES = (
    Rule(
        code="BEN501",
        title="hardware GPU proven, landmarks agree, speed-up above the threshold",
        see=on_verdict(Verdict.ACCELERATED),
        because="Independent witnesses agree, and the whole interval of the speed-up lies above the threshold.",
        remedy="Nothing to do. Keep this check in front of your deployment: drivers and images change.",
        url="https://github.com/google-ai-edge/mediapipe/issues/4988",
        status=Status.PASS,
    ),
    Rule(
        code="BEN502",
        title="the GPU works, but is not faster",
        see=on_verdict(Verdict.SLOWER),
        because="The face models are tiny, each frame is uploaded and its result read back, and one frame is in flight at "
        "a time: a fast CPU can win. The GPU may still free CPU time.",
        remedy="envcheck validate --model official    # or more faces, a larger picture; else use the CPU delegate here",
        url=MEASURED_BY_OTHERS,
    ),
    Rule(
        code="BEN503",
        title="the GPU works; faster or not could not be told",
        see=on_verdict(Verdict.INCONCLUSIVE),
        because="The interval of the speed-up still straddled the threshold when the time budget ran out.",
        remedy="Give it more time (gate.max_seconds in matrix.yaml) on a quiet machine, or accept that the difference is small.",
        url=MEASURED_BY_OTHERS,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="BEN504",
        title="the GPU's landmarks are wrong",
        see=on_verdict(Verdict.WRONG),
        because="The GPU gives other landmarks than the CPU on the same frames, beyond what half precision explains.",
        remedy="Use the CPU delegate, another MediaPipe version or another driver, and report it with the evidence file.",
        url="https://github.com/google-ai-edge/mediapipe/issues/3545",
    ),
    Rule(
        code="BEN505",
        title="could not look",
        see=on_verdict(Verdict.UNKNOWN),
        scope=lambda case: not looked_only(case),
        because="Nothing was proven, and what is not proven is not a pass.",
        remedy="Read the reason; run the cell again where its missing witness can be had (NVML outside a container, an input with a face).",
        url="https://github.com/google-ai-edge/mediapipe/issues/4988",
        status=Status.UNKNOWN,
    ),
)
