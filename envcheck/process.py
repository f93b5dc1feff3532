"""The only place that starts processes: each child leads a session of its own, has deadlines, and dies with its group.

What a child does is data, never an exception here: it may be missing, crash, hang, ignore SIGTERM, flood its output,
close its input, or leave a grandchild behind that holds the pipes. The terminal's Ctrl-C does not reach the children;
`kill_all` and `interruptible` end them instead. Linux and macOS; elsewhere the module imports, and starts nothing.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from envcheck.errors import EnvcheckError, InterruptedRunError
from envcheck.outcomes import Closed, Completed, Exit, TimedOut, TooLong, reason_of
from envcheck.pipes import Capture, Inbox, LineLog, Lines, Pump
from envcheck.waking import waking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType, TracebackType

__all__ = [
    "GRACE_S",
    "MESSAGE_LIMIT",
    "OUTPUT_LIMIT",
    "Closed",
    "Completed",
    "Conversation",
    "Exit",
    "TimedOut",
    "TooLong",
    "interruptible",
    "kill_all",
    "resume",
    "run",
    "stopped",
]

OUTPUT_LIMIT = 8 * 1024 * 1024
"""Bytes kept of each output stream of a command, head and tail."""
MESSAGE_LIMIT = 32 * 1024 * 1024
"""The longest message of a conversation, in bytes."""
GRACE_S = 2.0
"""Seconds between asking a group to end (SIGTERM) and ending it (SIGKILL)."""

_REAP_S = 5.0
_REFUSAL = "interrupted: no process is started any more"
_FAREWELL_S = 5.0  # a child whose pipe has closed may take a moment to close its other files, a driver's among them


class _Group:
    """A child that leads its own session and process group, and the means to end all of it.

    The leader stays a zombie until `finish`, so that its process id cannot pass to a stranger while it is signalled.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None, *, talk: bool) -> None:
        self.ended, self._ending = os.pipe()
        """The first descriptor becomes readable when the leader has ended, and stays so."""
        try:
            self.popen = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except BaseException:
            os.close(self.ended)
            os.close(self._ending)
            raise
        self.exit = Exit()
        self._event = threading.Event()
        self._lock = threading.RLock()
        self._reaped = False
        threading.Thread(target=self._watch, name=f"watch-{self.popen.pid}", daemon=True).start()

    def _watch(self) -> None:
        try:
            self.exit = _await_exit(self.popen)
        finally:
            self._event.set()
            os.close(self._ending)

    def signal(self, number: int) -> None:
        """Signal every process of the group."""
        with self._lock, suppress(ProcessLookupError, PermissionError):  # macOS: EPERM when only a zombie is left
            if not self._reaped:
                os.killpg(self.popen.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for the leader; True if it has ended."""
        return self._event.wait(max(seconds, 0.0))

    def finish(self) -> Exit:
        """Kill what is left of the group, reap the leader, close the pipes. A second time changes nothing."""
        self.signal(signal.SIGKILL)
        if self.wait(_REAP_S) and not self._reaped:
            with self._lock:
                self.popen.wait()
                self._reaped = True
            for stream in filter(None, (self.popen.stdin, self.popen.stdout, self.popen.stderr)):
                stream.close()
            os.close(self.ended)
        with _lock:
            _live.discard(self)
        return self.exit


def _await_exit(popen: subprocess.Popen[bytes]) -> Exit:
    """Block until the leader has ended, leaving it a zombie where the system can (macOS: from Python 3.13)."""
    if not hasattr(os, "waitid"):
        return Exit.of(popen.wait())
    seen = None
    with suppress(ChildProcessError):  # SIGCHLD is ignored in this process: the status is lost
        seen = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    if seen is None:
        return Exit()
    return Exit.of(seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status)


_lock = threading.RLock()  # the signal handler may come while its own thread holds it
_live: set[_Group] = set()
_refused = False
_starting = threading.local()  # has `now` in a thread that is just starting a child, which nobody knows of yet


def kill_all() -> int:
    """Kill the group of every child and refuse new ones, in all threads, until `resume`; returns how many there were.

    A thread that starts a child after it gets InterruptedRunError.
    """
    global _refused  # noqa: PLW0603 - signals and children are the process's own, so is this
    with _lock:
        _refused = True
        groups = tuple(_live)
    for group in groups:
        group.signal(signal.SIGKILL)
    return len(groups)


def resume() -> None:
    """Let children be started again after `kill_all`."""
    global _refused  # noqa: PLW0603 - see kill_all
    with _lock:
        _refused = False


atexit.register(kill_all)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it SIGINT, SIGTERM and SIGHUP kill every child and raise KeyboardInterrupt in the main thread.

    Not an Exception, which could be swallowed on its way up. Outside the main thread it changes nothing.
    """
    if not _in_main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    with waking(numbers, stopped):
        before = {number: signal.signal(number, _interrupt) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    kill_all()
    if not hasattr(_starting, "now"):  # otherwise `_start` raises it, once the child is known
        raise KeyboardInterrupt


def _start(argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None, *, talk: bool) -> _Group | str:
    """The started child, or why it could not be started."""
    if os.name != "posix":
        raise EnvcheckError("processes are started on Linux and macOS only", remedy="Use WSL 2 on Windows.")
    with _lock:
        if stopped():
            raise InterruptedRunError(_REFUSAL)
        _starting.now = True
        try:
            group = _Group(argv, env, cwd, talk=talk)
            _live.add(group)
        except (OSError, ValueError) as error:
            return reason_of(error)
        finally:
            del _starting.now
    if stopped():
        group.finish()
        raise KeyboardInterrupt if _in_main_thread() else InterruptedRunError(_REFUSAL)
    return group


def stopped() -> bool:
    """True after `kill_all`, until `resume`."""
    return _refused


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def run(
    argv: Sequence[str],
    *,
    deadline_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    limit: int = OUTPUT_LIMIT,
) -> Completed:
    """Run a command to its end, or to its deadline plus `GRACE_S`; returns what became of it, whatever that is.

    `env` replaces the environment. What the command leaves running in its process group is killed when it ends.
    Raises InterruptedRunError after `kill_all`.
    """
    begun = time.monotonic()
    group = _start(argv, env, cwd, talk=bool(stdin))
    if isinstance(group, str):
        return Completed(argv=tuple(argv), started=False, reason=group)
    out, err = Capture(limit), Capture(limit)
    try:
        timed_out = _attend(group, stdin, out, err, begun + deadline_s)
    finally:
        ended = group.finish()
    return Completed(
        argv=tuple(argv),
        returncode=ended.returncode,
        signal=ended.signal,
        timed_out=timed_out,
        stdout=out.value(),
        stderr=err.value(),
        stdout_dropped=out.dropped,
        stderr_dropped=err.dropped,
        seconds=time.monotonic() - begun,
    )


def _attend(group: _Group, stdin: bytes, out: Capture, err: Capture, deadline: float) -> bool:
    """Feed and read a child until it ends; True if it had to be told to at its deadline."""
    pump = Pump(group.ended, {_number(group.popen.stdout): out.feed, _number(group.popen.stderr): err.feed})
    try:
        if group.popen.stdin is not None:
            pump.send(_number(group.popen.stdin), stdin)
            pump.until_sent(deadline)
            pump.stop_sending()
            group.popen.stdin.close()
        if pump.until_ended(deadline):
            return False
        group.signal(signal.SIGTERM)
        pump.until_ended(time.monotonic() + GRACE_S)
        return True
    finally:
        pump.close()


def _number(stream: IO[bytes] | None) -> int:
    if stream is None:
        raise TypeError("the stream is not a pipe")
    return stream.fileno()


class Conversation:
    """A long-lived child: bytes go to its standard input, newline-terminated messages come from its standard output.

    Its standard error is read all the time, into bounded memory. One that could not be started answers every call with
    Closed and the reason. Used by one thread; `kill` may come from any. Leaving its `with` block kills it.
    """

    def __init__(self, group: _Group | str) -> None:
        self._group = group if isinstance(group, _Group) else None
        self._farewell = Closed(reason=group) if isinstance(group, str) else None
        self._too_long: TooLong | None = None
        self._used = threading.RLock()
        self._inbox = Inbox(MESSAGE_LIMIT)
        self._log = LineLog()
        self._reader = threading.Thread(target=self._follow_log, name="stderr", daemon=True)
        if self._group is not None:
            self._stdout = _number(self._group.popen.stdout)
            self._pump = Pump(self._group.ended, {self._stdout: self._inbox.feed})
            self._reader.start()

    @classmethod
    def start(
        cls, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Conversation:
        """Start the child; `env` replaces the environment. Raises InterruptedRunError after `kill_all`."""
        return cls(_start(argv, env, cwd, talk=True))

    @property
    def pid(self) -> int | None:
        """Process id of the child; None if it could not be started."""
        return None if self._group is None else self._group.popen.pid

    def send(self, data: bytes, deadline_s: float) -> TimedOut | Closed | None:
        """Send `data` whole; None if the child's pipe took it. What it said before Closed can still be received."""
        with self._used:
            if self._group is None or self._farewell is not None:
                return self._farewell
            self._pump.listen(self._stdout, on=len(self._inbox) < MESSAGE_LIMIT)
            self._pump.send(_number(self._group.popen.stdin), data)
            sent = self._pump.until_sent(time.monotonic() + deadline_s)
            unsent = self._pump.sending
            self._pump.stop_sending()
            if not sent:
                return TimedOut(deadline_s)
            return self._last_words() if unsent or self._pump.refused else None

    def receive_line(self, deadline_s: float, limit: int = MESSAGE_LIMIT) -> bytes | TimedOut | Closed | TooLong:
        """The next message without its newline, of at most `limit` bytes (and never more than MESSAGE_LIMIT)."""
        with self._used:
            limit, deadline, late = min(limit, MESSAGE_LIMIT - 1), time.monotonic() + deadline_s, False
            while self._too_long is None:
                line = self._inbox.take()
                if line is not None and len(line) <= limit:
                    return line
                if line is not None or len(self._inbox) > limit:
                    self._too_long = TooLong(limit, (line or self._inbox.start(200))[:200])
                elif self._group is None or self._farewell is not None or self._pump.ended or not self._pump.open:
                    return self._last_words()
                elif late:
                    return TimedOut(deadline_s)
                else:
                    left = deadline - time.monotonic()
                    self._pump.listen(self._stdout, on=True)
                    self._pump.step(left)
                    late = left <= 0  # what has come by then is heard, however late we look
            if self._farewell is None:
                self._pump.listen(self._stdout, on=False)
            return self._too_long

    def stderr_lines(self) -> Lines:
        """Standard error so far: the first and the last 400 lines, and how many were dropped between."""
        if self._group is not None and self._group.wait(0):
            self._reader.join(_FAREWELL_S)
        return self._log.value()

    def close(self, grace_s: float = GRACE_S) -> Exit:
        """Close the child's input and let it end by itself within `grace_s`, then by SIGTERM, then by SIGKILL."""
        if self._group is None or self._farewell is not None:
            return self.kill()
        try:
            if self._group.popen.stdin is not None:
                self._group.popen.stdin.close()
            self._pump.listen(self._stdout, on=True)
            if not self._pump.until_ended(time.monotonic() + grace_s):
                self._group.signal(signal.SIGTERM)
                self._pump.until_ended(time.monotonic() + GRACE_S)
        finally:
            self.kill()
        return self.kill()

    def kill(self) -> Exit:
        """Kill the child and its group now, if they still run; how it ended. A second time changes nothing."""
        if self._group is None:
            return Exit()
        if self._farewell is None:
            self._group.signal(signal.SIGKILL)
            self._group.wait(_REAP_S)
            self._reader.join(_FAREWELL_S)
            with self._used:  # another thread that waits for an answer hears of the end before its pipe is closed
                self._pump.close()
                self._farewell = Closed(self._group.finish(), rest=self._inbox.start(200))
        return self._farewell.exit

    def _last_words(self) -> Closed:
        """How it ended; one that only closed its end gets a moment to end altogether."""
        if self._group is None or self._farewell is not None:
            return self._farewell or Closed()
        self._group.wait(_FAREWELL_S)
        return Closed(self._group.exit, rest=self._inbox.start(200))

    def _follow_log(self) -> None:
        if self._group is not None:
            pump = Pump(self._group.ended, {_number(self._group.popen.stderr): self._log.feed})
            pump.until_ended(None)
            pump.close()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
