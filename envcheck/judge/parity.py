"""Do the GPU's landmarks agree with the CPU's on the same frames?

Distances are given as the normalised mean error (NME) of face alignment: the mean distance between corresponding
points divided by the distance between the outer eye corners, so that the size of the face and of the frame drop out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from envcheck.model import Landmarks, Record

INDICES = (33, 263, *range(0, 468, 4))
"""FaceMesh points that workers report: the outer eye corners first, then every fourth of the 468."""

TOLERANCE = 0.03
"""Largest median NME that counts as agreement.

Half-precision arithmetic on the GPU is MediaPipe's default, so some difference is normal: CPU against OpenGL (software
rasteriser) measured 0.004 with the default bundle, MediaPipe 0.10.9 to 0.10.35. Wrong shaders are off by a face.
"""
MIN_FRAMES = 3
"""Fewer frames with a face on both sides prove nothing."""
MAX_MISSED = 0.25
"""Largest share of frames where only one side found a face; tracking may be lost a frame earlier on one side."""


class Parity(Record, frozen=True):
    """`nme` is the median NME over `compared` frames; `missed` frames had a face on one side only."""

    compared: int
    missed: int
    nme: float | None = None

    @property
    def agrees(self) -> bool | None:
        """True, False, or None where too few frames could be compared."""
        if self.missed > MAX_MISSED * (self.compared + self.missed) and self.missed >= MIN_FRAMES:
            return False
        if self.compared < MIN_FRAMES or self.nme is None:
            return None
        return self.nme <= TOLERANCE


def compare(cpu: Sequence[Landmarks], gpu: Sequence[Landmarks]) -> Parity:
    """Parity over the frames that both sides report, in order."""
    theirs = {landmarks.frame: landmarks.points for landmarks in gpu}
    pairs = [(landmarks.points, theirs[landmarks.frame]) for landmarks in cpu if landmarks.frame in theirs]
    errors = [nme(ours, other) for ours, other in pairs if ours and other and len(ours) == len(other)]
    missed = sum(bool(ours) != bool(other) for ours, other in pairs)
    finite = [error for error in errors if math.isfinite(error)]
    missed += len(errors) - len(finite)
    return Parity(compared=len(finite), missed=missed, nme=round(median(finite), 5) if finite else None)


def nme(ours: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """Mean point distance over the distance of the first two points (the outer eye corners) of `ours`."""
    scale = math.dist(ours[0], ours[1])
    if scale == 0.0:
        return math.inf
    return sum(math.dist(a, b) for a, b in zip(ours, other, strict=True)) / len(ours) / scale
