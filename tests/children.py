"""Processes that a test starts and looks at while they run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def child(argv: Sequence[Any], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that is gone at the end, its pipes closed, however the test ends: one left would fail another test."""
    with subprocess.Popen(argv, **options) as popen:
        try:
            yield popen
        finally:
            popen.kill()
