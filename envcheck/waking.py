"""Wakes the main thread for a signal that the kernel gave to another thread.

Python runs signal handlers in the main thread alone, while a signal sent to the process may be delivered to any thread
that does not block it (signal(7)). A main thread that waits for a lock or a pipe at that moment goes on waiting, and
Ctrl-C does nothing. So it is, too, where the signal comes in the instant before it begins to wait.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

NUDGE = getattr(signal, "SIGURG", None)
"""Ends a system call of the thread that it is sent to. Ignored by default, so one that comes late harms nobody."""
EVERY_S = 0.05


@contextmanager
def waking(numbers: Collection[int], handled: Callable[[], bool]) -> Iterator[None]:
    """Within it the main thread is woken until `handled`, whichever thread received one of the signals `numbers`.

    To be used in the main thread. Changes nothing where there is no SIGURG.
    """
    if NUDGE is None:
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    over = threading.Event()
    waker = threading.Thread(target=_wake, args=(reading, frozenset(numbers), handled, over), name="waker", daemon=True)
    nudged = signal.signal(NUDGE, lambda _number, _frame: None)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    waker.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(NUDGE, nudged)
        over.set()
        os.close(writing)  # ends the waker's reading
        waker.join()
        os.close(reading)


def _wake(reading: int, numbers: frozenset[int], handled: Callable[[], bool], over: threading.Event) -> None:
    main = threading.main_thread().ident
    while came := os.read(reading, 512):
        while numbers & set(came) and main is not None and not handled():
            signal.pthread_kill(main, signal.SIGURG)
            if over.wait(EVERY_S):
                return
