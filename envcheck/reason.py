"""Why a worker did not do its work, in one line, from the error that it told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envcheck.model import WorkerRun

BEFORE_THE_CAUSE = "cannot be created: "
"""MediaPipe's graph names every calculator it could not create before it says why."""


def reason_of(run: WorkerRun, most: int = 400) -> str:
    """The type of the error and its cause. Of a longer text the end, where native code puts causes.

    Empty where the worker told no error.
    """
    cause = ended(" ".join(run.error.split()).rsplit(BEFORE_THE_CAUSE, 1)[-1], most)
    return ": ".join(part for part in (run.error_type, cause) if part)


def ended(text: str, most: int) -> str:
    """The last `most` characters at most, without a part of a word in front."""
    if len(text) <= most:
        return text
    tail = text[-most:]
    return f"… {tail.split(' ', 1)[1] if ' ' in tail else tail}"
