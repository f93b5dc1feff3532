"""The program's standard error on its way through us, unchanged, read for MediaPipe's native log."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time

from envcheck.probes import nativelog
from envcheck.watch.proc import printable
from envcheck.watched import NativeLog

LINE = 4000
"""Bytes of one line that are read; the rest passes unread."""
TELLING = ("InferenceCalculator", "GL version", "Feedback manager")
KEPT = 200
LEFTOVER_S = 0.3


class Telling:
    """The lines that say something, out of bytes as they come; what is said again stands once, at its last place.

    So a program that makes a landmarker for each frame has as many as one that makes one, and none is crowded out.
    """

    def __init__(self) -> None:
        self._partial = b""
        self._lines: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, rest = (self._partial + data).split(b"\n")
        self._partial = rest[:LINE]
        for line in lines:
            text = line[:LINE].decode(errors="replace")
            if any(word in text for word in TELLING):
                self._keep(text)

    def _keep(self, text: str) -> None:
        said = text.rpartition("] ")[2]
        self._lines.pop(said, None)
        if len(self._lines) < KEPT:
            self._lines[said] = text

    @property
    def lines(self) -> list[str]:
        """Those that were kept."""
        return list(self._lines.values())


class Tap:
    """A pipe for the program's standard error. What comes goes to ours at once; telling lines are kept."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        self._telling = Telling()
        self._until = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="stderr", daemon=True)

    def begin(self) -> None:
        """The program holds its end now: let go of ours, and read."""
        os.close(self.writer)
        self._thread.start()

    def _follow(self) -> None:
        try:
            while data := self._next():
                write_all(2, data)
                self._telling.feed(data)
        except OSError:  # nobody reads our standard error any more: the program is to notice that as well
            pass
        finally:
            os.close(self._reader)

    def _next(self) -> bytes:
        """What comes next; nothing once the program has ended and its pipe is empty, whoever else holds it."""
        while not select.select([self._reader], [], [], LEFTOVER_S)[0]:
            if self._ended.is_set():
                return b""
        if self._ended.is_set() and time.monotonic() > self._until:
            return b""
        return os.read(self._reader, 1 << 16)

    @property
    def lines(self) -> list[str]:
        """The telling lines so far."""
        return self._telling.lines

    def end(self) -> None:
        """The program has ended: pass on what it left in the pipe. One that it left behind may write for ever."""
        self._until = time.monotonic() + LEFTOVER_S
        self._ended.set()
        self._thread.join()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting where the reader is slow."""
    view = memoryview(data)
    while view:
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(descriptor, view) :]
            continue
        select.select([], [descriptor], [])


def with_vmodule(env: dict[str, str]) -> dict[str, str]:
    """The environment in which MediaPipe names its calculators; a setting of the user's own stays beside ours."""
    own = env.get("GLOG_vmodule", "")
    return env | {"GLOG_vmodule": f"{own},{nativelog.VMODULE}" if own else nativelog.VMODULE}


def read_log(lines: list[str], env: dict[str, str]) -> NativeLog:
    """What the telling lines say."""
    context = nativelog.gl_line(lines)
    silencers = tuple(printable(f"{name}={env[name]}") for name in sorted(nativelog.SILENCERS) if name in env)
    return NativeLog(
        calculators=nativelog.calculators(lines),
        delegated=nativelog.delegated(lines),
        renderer=(context and context.renderer) or "",
        version=context.version if context else "",
        silencers=silencers,
        on_cpu=nativelog.interpreters(lines) > 0,
    )
