"""One-shot payload answers: JSON of unknown origin -> a record, or the reason why it is none."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from envcheck.facts import Packages
from envcheck.model import CudaDriver, CudaRuntime, GlContext, GpuSample, Nvml, Unread

Seen = TypeVar("Seen", GlContext, CudaRuntime, CudaDriver, Nvml, Packages)

GARBAGE = "garbage instead of an answer"
QUOTE = 200
"""Characters of an answer that is none that are quoted in the reason."""
LONGEST_REASON = 2000
"""Characters of a payload's own reason that are kept."""
MOST_LINES = 1000
"""Lines of an output that are looked at, from its end."""


def parse_answer(line: bytes, kind: type[Seen]) -> Seen | Unread:
    """The record of type `kind` that a payload printed, or Unread with its reason or with what was printed instead."""
    answer = decode_object(line)
    if isinstance(answer, Unread):
        return answer
    try:
        return msgspec.convert(as_tagged(answer), kind)
    except msgspec.ValidationError as error:
        return Unread(reason=f"the answer is not a {kind.__name__}: {error}")


def parse_last(output: bytes, kind: type[Seen]) -> Seen | Unread:
    """The last line that is a whole record; a payload that was cut short, or drowned in noise, has earlier ones.

    Where no line is one, what is wrong with the last.
    """
    lines = [line for line in output.splitlines() if line.strip()][-MOST_LINES:]
    answers = (parse_answer(line, kind) for line in reversed(lines))
    first = next(answers, Unread(reason="no answer"))
    return first if isinstance(first, kind) else next((one for one in answers if isinstance(one, kind)), first)


def parse_sample(line: bytes) -> tuple[GpuSample, ...] | Unread:
    """NVML's view of every GPU at one moment."""
    answer = decode_object(line)
    if isinstance(answer, Unread):
        return answer
    try:
        return msgspec.convert(as_tagged(answer.get("gpus")), tuple[GpuSample, ...])
    except msgspec.ValidationError as error:
        return Unread(reason=f"the answer is not a GPU sample: {error}")


def decode_object(line: bytes) -> dict[str, object] | Unread:
    """The JSON object in `line`; Unread with the payload's own reason, or quoting what stood there instead."""
    try:
        answer = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        answer = None
    if not isinstance(answer, dict):
        text = line[:QUOTE].decode("utf-8", "replace").strip()
        return Unread(reason=f"{GARBAGE}: {text!r}" if text else "no answer")
    return reason_in(answer["unread"]) if "unread" in answer else answer


def reason_in(value: object) -> Unread:
    """A payload's reason, of a length that people read."""
    return Unread(reason=value[:LONGEST_REASON] if isinstance(value, str) else "no reason given")


def as_tagged(value: object) -> object:
    """`value` with every `{"unread": reason}` turned into the tagged form that records use, at any depth."""
    if isinstance(value, dict):
        if set(value) == {"unread"}:
            return {"kind": "unread", "reason": reason_in(value["unread"]).reason}
        return {key: as_tagged(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_tagged(part) for part in value]
    return value
