"""Do landmarks follow the motion that the frames are known to have?

Points are taken back from the frame into the picture that was moved; there a face that is followed stands still, at
the median over the frames. This needs no other delegate: two that are wrong alike agree with each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from envcheck.judge.parity import MIN_FRAMES, nme
from envcheck.model import Landmarks, Shown

Points = tuple[tuple[float, float], ...]

TOLERANCE = 0.1
"""Largest median distance from where the face should be, as a share of the distance of the outer eye corners.

Measured on the CPU, MediaPipe 0.10.21 and 0.10.35, default and official bundle: 0.009 to 0.010. Landmarks of the
portrait that stay where they were in the first frame are off by 0.34, five frames late by 0.17.
"""


def strays(landmarks: Sequence[Landmarks], shown: Sequence[Shown]) -> float | None:
    """The median distance over frames, as in TOLERANCE; None where too few frames have a face and a known place."""
    known = {one.frame: one for one in shown if one.present}
    back = [taken_back(one.points, known[one.frame]) for one in landmarks if one.points and one.frame in known]
    back = [points for points in back if points and len(points) == len(back[0])]
    if len(back) < MIN_FRAMES or len(back[0]) < 2:
        return None
    still = tuple(
        (median(points[i][0] for points in back), median(points[i][1] for points in back)) for i in range(len(back[0]))
    )
    errors = [error for points in back if math.isfinite(error := nme(still, points))]
    return round(median(errors), 4) if errors else None


def taken_back(points: Points, shown: Shown) -> Points:
    """Points of the frame in the picture; none where the transform cannot be undone."""
    a, b, c, d, e, f = shown.transform
    scale = a * e - b * d
    if not math.isfinite(scale) or scale == 0:
        return ()
    return tuple(((e * (x - c) - b * (y - f)) / scale, (a * (y - f) - d * (x - c)) / scale) for x, y in points)
