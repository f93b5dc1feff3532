"""Waiting for what is to happen: no longer than it takes, and for as long as a busy machine may need."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psutil
import pytest

PATIENCE_S = 240.0
"""Many times what anything takes on an idle machine: who waits this long waits for something that does not come."""
HANG_S = 800.0
"""For a command that is to end by itself: less than pytest's own limit, and longer than a busy machine takes."""


def wait_until(met: Callable[[], object], what: str | Callable[[], str], every_s: float = 0.1) -> None:
    """Until `met`; the test fails where it does not come to that, with `what` was waited for."""
    until = time.monotonic() + PATIENCE_S
    while not met():
        if time.monotonic() > until:
            pytest.fail(f"waited {PATIENCE_S:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(every_s)


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after a long wait for their end; a zombie has ended."""
    until = time.monotonic() + PATIENCE_S
    while (left := [one for one in processes if runs(one)]) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def runs(process: psutil.Process) -> bool:
    """True for a process that is there, is still the same, and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
