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
FAR = 0.1
"""A frame whose NME is above this shows other landmarks, however good the rest: no rounding moves a face that far."""
MAX_MISSED = 0.25
"""Largest share of frames where only one side found the face, or found it elsewhere; tracking may be lost a frame
earlier on one side."""


class Parity(Record, frozen=True):
    """`nme` is the median NME over `compared` frames, of which `astray` are FAR apart.

    `missed` frames have a face on one side only, or nothing to compare it by; `absent` ones only one side reports.
    """

    compared: int
    missed: int
    nme: float | None = None
    astray: int = 0
    absent: int = 0

    @property
    def agrees(self) -> bool | None:
        """True, False, or None where too few frames could be compared."""
        unlike = self.missed + self.astray
        if unlike > MAX_MISSED * (self.compared + self.missed):
            return False if unlike >= MIN_FRAMES else None
        if self.compared < MIN_FRAMES or self.nme is None or (self.absent and self.nme <= TOLERANCE):
            return None
        return self.nme <= TOLERANCE


def untold(seen: Parity) -> str:
    """Why agreement cannot be told."""
    alone = f", and {seen.absent} frames that only one delegate reports" if seen.absent else ""
    return f"too few frames with a face to compare landmarks ({seen.compared}{alone})"


def difference(seen: Parity) -> str:
    """What differs where landmarks do not agree."""
    frames = seen.compared + seen.missed
    if seen.nme is not None and seen.nme > TOLERANCE:
        return f"landmarks differ by {seen.nme:.3f} of the eye distance, above {TOLERANCE}"
    if seen.astray > seen.missed:
        return f"in {seen.astray} of {frames} frames landmarks are more than {FAR} of the eye distance apart"
    return f"in {seen.missed} of {frames} frames only one delegate found the face"


def compare(cpu: Sequence[Landmarks], gpu: Sequence[Landmarks]) -> Parity:
    """Parity over the frames that both sides report."""
    ours, theirs = ({one.frame: one.points for one in side} for side in (cpu, gpu))
    pairs = [(ours[frame], theirs[frame]) for frame in sorted(ours.keys() & theirs.keys())]
    errors = [nme(*pair) for pair in pairs if any(pair)]
    finite = [error for error in errors if math.isfinite(error)]
    return Parity(
        compared=len(finite),
        missed=len(errors) - len(finite),
        nme=round(median(finite), 5) if finite else None,
        astray=sum(error > FAR for error in finite),
        absent=len(ours.keys() ^ theirs.keys()),
    )


def nme(ours: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """Mean point distance over the distance of the first two points (the outer eye corners) of `ours`.

    Infinite where the two have no points to compare.
    """
    scale = math.dist(ours[0], ours[1]) if len(ours) == len(other) > 1 else 0.0
    if scale == 0.0:
        return math.inf
    return sum(math.dist(a, b) for a, b in zip(ours, other, strict=True)) / len(ours) / scale
