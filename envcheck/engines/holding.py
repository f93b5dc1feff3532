"""One run, one envcheck that follows it: the lock in the run's folder, and for how long a run is gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envcheck.cache import hold_if_free
from envcheck.errors import InfrastructureError

HELD = "run.lock"
FORGOTTEN_S = 24 * 3600.0
"""A run that was begun longer ago is gone on with only where the user names it."""


@contextmanager
def alone(folder: Path, parts: str) -> Iterator[None]:
    """Nobody else follows the run from here; `parts` are what the engine calls its share of it.

    Raises InfrastructureError where somebody does, and OSError.
    """
    with hold_if_free(folder / HELD) as free:
        if not free:
            raise InfrastructureError(
                f"another envcheck follows the run {folder.name}",
                remedy=f"Wait for it, or end it; the {parts} go on, and the next call goes on with them.",
            )
        yield
