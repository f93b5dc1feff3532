"""Measure quietly: nothing is timed while anything of ours builds or another measurement runs, in any process.

A lock file that all runs of one user share: builders hold it together, a measurement holds it alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if (
    sys.platform == "win32"
):  # pragma: no cover - MediaPipe has no GPU code on Windows; runs there are for plan and replay

    @contextmanager
    def hold(cache: Path, *, alone: bool, waiting: Callable[[], None]) -> Iterator[None]:  # noqa: ARG001
        """No lock on Windows."""
        yield

else:
    import fcntl

    @contextmanager
    def hold(cache: Path, *, alone: bool, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock, alone or together with other builders. `waiting` is called once where it is not free."""
        cache.mkdir(parents=True, exist_ok=True)
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        descriptor = os.open(cache / "quiet.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)
