"""The user's own input, decoded: an image, a folder of images, a video or a camera, as RGB arrays.

Decoding is OpenCV's, on this side: the environment under test needs no OpenCV and gets the same pixels in every cell.
OpenCV turns pictures upright by their EXIF orientation, and makes three channels of 8 bits of grey pictures, of RGBA
(alpha is dropped) and of 16-bit ones.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from envcheck.errors import EnvcheckError, InfrastructureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

PORTRAIT = "portrait"
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What counts as an image within a folder."""

MAX_IMAGE_BYTES = 512 << 20

_IMAGE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")
_CHOICES = f"`--input` takes `{PORTRAIT}`, an image, a folder of images, a video or `camera:0`"


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used here."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether there is something to read from."""

    def read(self) -> tuple[bool, Any]:
        """Whether a frame came, and the frame: BGR, (height, width, 3) uint8."""

    def release(self) -> None:
        """Give the file or the device back."""


def load_stills(name: str) -> Iterator[npt.NDArray[np.uint8]]:
    """The pictures that `--input NAME` names, one after the other: RGB, (height, width, 3) uint8, of any size.

    Nothing is decoded before it is asked for; a camera gives live frames for ever. Raises UsageError, while iterating,
    where there is nothing to decode, InfrastructureError where a camera falls silent.
    """
    if name.startswith("camera:"):
        yield from _camera(name)
        return
    path = Path(name)
    if _is_folder(path):
        for image in images_in(path):
            yield _image(image)
    elif _head(path).startswith(_IMAGE_MAGIC) or _is_webp(_head(path)):
        yield _image(path)
    else:
        yield from _video(path)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder by name, hidden files left out. Raises UsageError where there is none."""
    try:
        found = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        )
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}", remedy=_CHOICES) from error
    if not found:
        raise UsageError(f"{folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})", remedy=_CHOICES)
    return found


def camera_index(name: str) -> int:
    """The number in `camera:NUMBER`. Raises UsageError where there is none."""
    matched = re.fullmatch(r"camera:([0-9]{1,3})", name)
    if not matched:
        raise UsageError(f"{name!r} is not camera:NUMBER", remedy="the first camera is camera:0 (/dev/video0)")
    return int(matched[1])


def frames_of(capture: Capture, unopened: EnvcheckError, silent: EnvcheckError) -> Iterator[npt.NDArray[np.uint8]]:
    """The frames of a capture, to its end, in RGB; the capture is released in every case.

    Raises `unopened` where it is not open, `silent` where it is and gives not even one frame.
    """
    try:
        if not capture.isOpened():
            raise unopened
        came, frame = capture.read()
        if not came:
            raise silent
        while came:
            yield _rgb(frame)
            came, frame = capture.read()
    finally:
        capture.release()


def _camera(name: str) -> Iterator[npt.NDArray[np.uint8]]:
    index = camera_index(name)
    remedy = "look for it with `ls -l /dev/video*`; reading it may need membership of the group video"
    absent = UsageError(f"{name} cannot be opened (/dev/video{index})", remedy=remedy)
    silent = InfrastructureError(f"{name} opens but gives no frame", remedy="does another program use it?")
    yield from frames_of(_cv2().VideoCapture(index), absent, silent)
    raise InfrastructureError(f"{name} stopped giving frames", remedy="was it unplugged?")


def _video(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    unreadable = UsageError(f"{path} is neither an image nor a video that OpenCV can read", remedy=_CHOICES)
    empty = UsageError(f"{path} opens as a video and holds no frame that can be decoded", remedy=_CHOICES)
    yield from frames_of(_cv2().VideoCapture(str(path)), unreadable, empty)


def _image(path: Path) -> npt.NDArray[np.uint8]:
    import numpy as np

    cv2 = _cv2()
    damaged = UsageError(f"{path} is a damaged image, or of a kind that OpenCV cannot read", remedy=_CHOICES)
    _head(path)
    if path.stat().st_size > MAX_IMAGE_BYTES:
        raise UsageError(f"{path} is larger than {MAX_IMAGE_BYTES >> 20} MiB", remedy="give a smaller image")
    try:
        # Not cv2.imread: it takes the path in the locale's encoding.
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise damaged from error
    if picture is None:
        raise damaged
    return _rgb(picture)


def _rgb(bgr: Any) -> npt.NDArray[np.uint8]:
    import numpy as np

    return np.ascontiguousarray(bgr[..., ::-1])


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # _head says why


def _head(path: Path) -> bytes:
    """The first bytes of a regular file. Raises UsageError where there is none, or nothing in it."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a regular file", remedy=_CHOICES)
        with path.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} cannot be read: {reason}", remedy=_CHOICES) from error
    if not head:
        raise UsageError(f"{path} is empty (0 bytes)", remedy=_CHOICES)
    return head


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        remedy = "install the extra: `pip install 'envcheck[video]'`, or `uvx --from 'envcheck[video]' envcheck …`"
        raise UsageError(f"`--input` needs OpenCV, which cannot be imported: {error}", remedy=remedy) from error
    return cv2
