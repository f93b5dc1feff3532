"""The motion: where a subject lies in each frame of a loop, as plain numbers.

One loop, by phase:

phase       subject                            what it makes FaceLandmarker do
0.00–0.35   place A, panning, zooming, turning  detect once, then track
0.35–0.42   out of the frame                    lose the face, look for it in vain
0.42–0.70   place B: elsewhere, smaller         detect again, then track
0.70–1.00   place A again, by a cut             lose it, detect again, track on into phase 0
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GAP = (0.35, 0.42)
"""Phases during which the subject is out of the frame."""
CUT = 0.70
"""Phase at which the subject jumps from place B to place A."""

_TURN = math.radians(12)
_AWAY = 4.0


@dataclass(frozen=True)
class Pose:
    """Where the subject's centre lies, as offset from the frame's centre in units of the frame's shorter side; the
    enlargement; and the rotation in radians, clockwise on the screen."""

    x: float
    y: float
    zoom: float
    turn: float


def pose_at(phase: float, swing: float = 1.0) -> Pose:
    """The pose at `phase` of the loop, 0 to below 1; `swing` scales every deviation from the upright middle.

    Phase 1 would be phase 0 again, so the loop has no seam.
    """
    if GAP[0] <= phase < GAP[1]:
        return Pose(_AWAY, 0.0, 1.0, 0.0)
    turn = 2 * math.pi * phase
    x, y = swing * 0.10 * math.sin(turn), swing * 0.05 * math.sin(2 * turn)
    zoom, angle = 1.0 + swing * 0.15 * math.cos(turn), swing * _TURN * math.sin(turn)
    if GAP[1] <= phase < CUT:
        return Pose(swing * 0.22 + x / 2, swing * -0.12 + y, (1.0 - swing * 0.25) * zoom, -angle)
    return Pose(x, y, zoom, angle)


def poses(count: int, swing: float = 1.0) -> tuple[Pose, ...]:
    """One loop in `count` frames."""
    return tuple(pose_at(index / count, swing) for index in range(count))
