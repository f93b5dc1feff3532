"""What payload/facemesh.py says: JSON lines of unknown origin -> one of the records below, or Unread."""

from __future__ import annotations

import msgspec

from envcheck.model import Landmarks, Record, Unread

QUOTE = 200
"""Characters of a line that is no answer that are quoted."""


class Importing(Record, frozen=True, tag_field="say", tag="importing"):
    """MediaPipe is about to be imported."""

    token: str


class Creating(Record, frozen=True, tag_field="say", tag="creating"):
    """MediaPipe is imported, a FaceLandmarker is about to be created."""

    token: str
    import_s: float
    inner_pid: int
    members: dict[str, int]
    python: str
    numpy: str
    mediapipe: str | None = None
    delegate_value: int | None = None


class FirstFrame(Record, frozen=True, tag_field="say", tag="first-frame"):
    """The FaceLandmarker exists, the first frame is about to be given to it."""

    token: str
    create_ms: float


class Loaded(Record, frozen=True, tag_field="say", tag="loaded"):
    """The first frame is done."""

    token: str
    first_ms: float


class Ran(Record, frozen=True, tag_field="say", tag="ran"):
    """A block of frames is done. `libraries` and `devices` where the request asked to look."""

    token: str
    times_ms: tuple[float, ...]
    faces: int
    landmarks: tuple[Landmarks, ...]
    libraries: tuple[str, ...] | dict[str, str] | None = None
    devices: tuple[str, ...] | dict[str, str] | None = None


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
    return answer if answer.token == token else Unread(reason="an answer with a token that is not ours")


def looked(value: tuple[str, ...] | dict[str, str] | None) -> tuple[str, ...] | Unread:
    """Paths that the worker saw, or why it could not look."""
    if isinstance(value, tuple):
        return value
    return Unread(reason=(value or {}).get("unread", "the worker was not asked to look"))
