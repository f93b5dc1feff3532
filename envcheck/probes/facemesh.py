"""What payload/facemesh.py says: JSON lines of unknown origin -> one of the records below, or Unread."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from envcheck.model import Landmarks, Record, Unread

QUOTE = 200
"""Characters of a line that is no answer that are quoted."""

Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]
FrameMs = Annotated[float, Meta(ge=1e-6, le=86_400_000)]
"""A time that is no more than a day; a frame's is never zero, because ratios are taken of it."""


class Importing(Record, frozen=True, tag_field="say", tag="importing"):
    """MediaPipe is about to be imported."""

    token: str


class Creating(Record, frozen=True, tag_field="say", tag="creating"):
    """MediaPipe is imported, a FaceLandmarker is about to be created."""

    token: str
    import_s: Annotated[float, Meta(ge=0, le=86_400)]
    inner_pid: int
    members: dict[str, int]
    python: str
    numpy: str
    mediapipe: str | None = None
    delegate_value: int | None = None
    solutions: bool = False
    """The legacy API, `mediapipe.solutions`, is there."""


class FirstFrame(Record, frozen=True, tag_field="say", tag="first-frame"):
    """The FaceLandmarker exists, the first frame is about to be given to it."""

    token: str
    create_ms: Milliseconds


class Loaded(Record, frozen=True, tag_field="say", tag="loaded"):
    """The first frame is done."""

    token: str
    first_ms: FrameMs


class Ran(Record, frozen=True, tag_field="say", tag="ran"):
    """A block of frames is done. `libraries` and `devices` where the request asked to look."""

    token: str
    times_ms: tuple[FrameMs, ...]
    faces: Annotated[int, Meta(ge=0)]
    landmarks: tuple[Landmarks, ...]
    libraries: tuple[str, ...] | dict[str, str] | None = None
    devices: tuple[str, ...] | dict[str, str] | None = None
    device_numbers: dict[str, str] | None = None


class Failed(Record, frozen=True, tag_field="say", tag="failed"):
    """A Python exception came out of MediaPipe."""

    token: str
    type: str
    error: str


class Stopped(Record, frozen=True, tag_field="say", tag="stopped"):
    """The worker is about to leave."""

    token: str


Answer = Importing | Creating | FirstFrame | Loaded | Ran | Failed | Stopped
_DECODER = msgspec.json.Decoder(Answer)


def parse(line: bytes, token: str) -> Answer | Unread:
    """The answer in one line, or Unread: it is no JSON, no answer, or carries another token than ours."""
    try:
        answer = _DECODER.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        text = line[:QUOTE].decode("utf-8", "replace").strip()
        return Unread(reason=f"{text!r} is no answer ({error})")
    if answer.token != token:
        return Unread(reason="an answer with a token that is not ours")
    return Unread(reason=amiss) if isinstance(answer, Ran) and (amiss := implausible(answer)) else answer


def implausible(ran: Ran) -> str:
    """What cannot be in a block of frames, or an empty text."""
    if ran.faces > len(ran.times_ms):
        return f"{ran.faces} faces in {len(ran.times_ms)} frames"
    if len(ran.landmarks) not in (0, len(ran.times_ms)):
        return f"landmarks of {len(ran.landmarks)} frames among {len(ran.times_ms)}"
    if not all(math.isfinite(value) for one in ran.landmarks for point in one.points for value in point):
        return "landmarks that are no numbers"
    return ""


def account(ran: Ran) -> dict[str, object]:
    """What the worker says of its own libraries and device files, as fields of a WorkerRun."""
    numbers = ran.device_numbers
    return {
        "libraries": looked(ran.libraries),
        "devices": looked(ran.devices),
        "device_numbers": None if numbers is None or "unread" in numbers else numbers,
        "looked_from": "inside",
    }


def looked(value: tuple[str, ...] | dict[str, str] | None) -> tuple[str, ...] | Unread:
    """Paths that the worker saw, or why it could not look."""
    if isinstance(value, tuple):
        return value
    return Unread(reason=(value or {}).get("unread", "the worker was not asked to look"))
