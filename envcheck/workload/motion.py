"""The frames that the workers get: a moving portrait by default, or the user's own pictures, scaled to one size."""

from __future__ import annotations

import hashlib
import importlib.resources
import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from envcheck.errors import UsageError
from envcheck.model import Frames
from envcheck.workload.pose import Pose, poses
from envcheck.workload.source import PORTRAIT, load_stills

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from envcheck.model import Workload

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

MAX_FACES = 6
"""Above this the short-range detector misses faces: it wants them as high as an eighth of the frame's longer side."""
MAX_BYTES = 2 << 30
MIN_SIDE, MAX_SIDE = 64, 8192

FACE_BOX: Box = (178.0, 72.0, 272.0, 176.0)
"""The face in portrait.png: left, top, right, bottom of FaceMesh's 468 points in pixels (0.10.35, CPU)."""

_ALONE = (0.40, 1.0)
_TILED = (0.60, 0.5)
"""Height of the face as a part of its tile's shorter side, and swing of the motion. In a tile the face has to be large
to be found, which leaves less room to move: there, only the gap makes the tracker lose it, the cut does not."""
_GREY = (96, 96, 96, 255)


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Frames, and the truth about them.

    `frames`: (n, height, width, 4) uint8, RGBA, contiguous, read-only.
    `transforms`: (n, 2, 3) float64; takes picture pixels (x, y, 1) to frame pixels, edges of pixels at integers. With
    several faces, those of the top left one.
    `present`: (n,) bool, whether the face lies wholly within the frame. Of the user's own pictures nobody knows: True,
    but for frames where the motion has moved the picture away.
    """

    frames: npt.NDArray[np.uint8]
    transforms: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]
    record: Frames
    one_face: bool = False
    """A picture in which there is one face: what is found in any frame is at the same place of the picture. Of the
    user's own pictures nobody knows it."""


def build_frames(workload: Workload, count: int = 60) -> FrameSet:
    """The frames of `workload`. Raises UsageError for a bad resolution, number of faces or input."""
    if workload.input == PORTRAIT:
        return portrait_sequence(workload.resolution, workload.faces, count)
    return sequence_from(load_stills(workload.input), workload.resolution, count, name=workload.input)


def parse_resolution(text: str, count: int = 1) -> tuple[int, int]:
    """Width and height of "WIDTHxHEIGHT". Raises UsageError where `count` such frames would be no sensible input."""
    matched = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
    if not matched:
        raise UsageError(f"resolution {text!r} is not WIDTHxHEIGHT in pixels", remedy="write for example 640x480")
    width, height = int(matched[1]), int(matched[2])
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise UsageError(f"resolution {text}: each side must have {MIN_SIDE} to {MAX_SIDE} pixels")
    if count < 1:
        raise UsageError(f"{count} frames were asked for; at least one is needed")
    if width * height * 4 * count > MAX_BYTES:
        size = width * height * 4 * count / (1 << 30)
        raise UsageError(
            f"{count} frames of {text} take {size:.1f} GiB; at most {MAX_BYTES >> 30} GiB are allowed",
            remedy="choose a smaller resolution",
        )
    return width, height


def portrait_sequence(resolution: str, faces: int = 1, count: int = 60) -> FrameSet:
    """The bundled portrait in motion: one loop, in which the face is tracked, lost and found again.

    `faces` portraits lie side by side and move alike. Deterministic; frame n - 1 flows into frame 0.
    """
    width, height = parse_resolution(resolution, count)
    if not 1 <= faces <= MAX_FACES:
        raise UsageError(f"faces is {faces}; the portrait can be shown 1 to {MAX_FACES} times", remedy="use --input")
    columns = math.ceil(math.sqrt(faces))
    rows = math.ceil(faces / columns)
    tile = (width // columns, height // rows)
    part, swing = _ALONE if faces == 1 else _TILED
    scale = part * min(tile) / (FACE_BOX[3] - FACE_BOX[1])
    portrait = _portrait()
    frames = _blank(count, (width, height))
    transforms = np.stack([place(FACE_BOX, scale, pose, tile) for pose in poses(count, swing)])
    for index, transform in enumerate(transforms):
        view = np.asarray(render(portrait, transform, tile))
        for face in range(faces):
            left, top = face % columns * tile[0], face // columns * tile[1]
            frames[index, top : top + tile[1], left : left + tile[0]] = view
    return _frame_set(frames, transforms, visible(FACE_BOX, transforms, tile), PORTRAIT, one_face=faces == 1)


def sequence_from(
    stills: Iterable[npt.NDArray[np.uint8]], resolution: str, count: int = 60, *, name: str = ""
) -> FrameSet:
    """The user's own pictures at `resolution`, aspect kept, grey around; `name` goes into the record.

    One picture alone gets the motion of the portrait. Of several, the first `count` are used as they come, so there may
    be fewer frames than `count`. `stills` are RGB arrays (height, width, 3). Raises UsageError where there is none.
    """
    size = parse_resolution(resolution, count)
    pictures = iter(stills)
    first = list(itertools.islice(pictures, 2))
    if not first:
        raise UsageError(f"{name} holds no picture")
    if len(first) == 1:
        return _moving_still(first[0], size, count, name)
    frames = _blank(count, size)
    transforms: list[npt.NDArray[np.float64]] = []
    for picture in itertools.islice(itertools.chain(first, pictures), count):
        fitted, transform = letterbox(picture, size)
        left, top = int(transform[0, 2]), int(transform[1, 2])
        frames[len(transforms), top : top + fitted.height, left : left + fitted.width] = np.asarray(fitted)
        transforms.append(transform)
    used = len(transforms)
    return _frame_set(frames[:used], np.stack(transforms), np.ones(used, np.bool_), name)


def place(box: Box, scale: float, pose: Pose, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The (2, 3) transform from picture to frame that shows the middle of `box` at `pose`; zoom 1 means `scale`."""
    width, height = size
    cosine, sine = scale * pose.zoom * math.cos(pose.turn), scale * pose.zoom * math.sin(pose.turn)
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    target = np.array([width / 2 + pose.x * min(size), height / 2 + pose.y * min(size)])
    return np.column_stack([linear, target - linear @ np.array(centre)])


def visible(box: Box, transforms: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Whether `box` of the picture lies wholly within the frame, for each transform."""
    left, top, right, bottom = box
    corners = np.array([[left, right, left, right], [top, top, bottom, bottom], [1.0, 1.0, 1.0, 1.0]])
    places = transforms @ corners
    inside = (places >= 0) & (places <= np.array(size)[:, None])
    return np.asarray(inside.all(axis=(1, 2)), np.bool_)


def render(picture: Image.Image, transform: npt.NDArray[np.float64], size: tuple[int, int]) -> Image.Image:
    """`picture` (RGBX) as `transform` shows it in a frame of `size`, grey around."""
    inverse = np.linalg.inv(np.vstack([transform, [0.0, 0.0, 1.0]]))[:2]
    coefficients = tuple(float(value) for value in inverse.ravel())
    return picture.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=_GREY)


def letterbox(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> tuple[Image.Image, npt.NDArray[np.float64]]:
    """The picture (RGBX) as large as fits `size`, and the (2, 3) transform that puts it into the middle."""
    height, width = picture.shape[:2]
    fit = min(size[0] / width, size[1] / height)
    fitted = (max(1, round(width * fit)), max(1, round(height * fit)))
    image = Image.fromarray(picture).resize(fitted, Image.Resampling.BILINEAR, reducing_gap=3.0).convert("RGBX")
    left, top = ((size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2)
    return image, np.array([[fitted[0] / width, 0.0, left], [0.0, fitted[1] / height, top]])


def _moving_still(picture: npt.NDArray[np.uint8], size: tuple[int, int], count: int, name: str) -> FrameSet:
    """One picture in motion about its middle; nobody knows where its face is, so its inner half counts."""
    fitted, fit = letterbox(picture, size)
    width, height = fitted.size
    box = (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
    moves = np.stack([place(box, 1.0, pose, size) for pose in poses(count)])
    frames = _blank(count, size)
    for index, move in enumerate(moves):
        frames[index] = np.asarray(render(fitted, move, size))
    reduction = np.diag([fit[0, 0], fit[1, 1], 1.0])
    return _frame_set(frames, moves @ reduction, visible(box, moves, size), name)


def _blank(count: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    shape = (count, size[1], size[0])
    pixel = np.array(_GREY, np.uint8).view(np.uint32)[0]  # whole pixels: eight times as fast as four bytes each
    return np.full(shape, pixel, np.uint32).view(np.uint8).reshape(*shape, 4)


def _portrait() -> Image.Image:
    with (importlib.resources.files("envcheck") / "data" / "portrait.png").open("rb") as file:
        return Image.open(file).convert("RGBX")


def _frame_set(
    frames: npt.NDArray[np.uint8],
    transforms: npt.NDArray[np.float64],
    present: npt.NDArray[np.bool_],
    name: str,
    *,
    one_face: bool = False,
) -> FrameSet:
    count, height, width, _ = frames.shape
    for array in (frames, transforms, present):
        array.setflags(write=False)
    digest = hashlib.sha256(frames.data).hexdigest()
    return FrameSet(frames, transforms, present, Frames(name, f"{width}x{height}", count, digest), one_face)
