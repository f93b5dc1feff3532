"""What can become of a child process: frozen records, each with a few words for people in `describe`."""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: by a status or by a signal. Neither is set while it runs."""

    returncode: int | None = None
    signal: str | None = None
    """Such as SIGSEGV."""

    @classmethod
    def of(cls, returncode: int) -> Exit:
        """From the convention of `subprocess`, where a negative number is a signal."""
        if returncode >= 0:
            return cls(returncode)
        try:
            return cls(signal=signals.Signals(-returncode).name)
        except ValueError:
            return cls(signal=f"signal {-returncode}")

    def describe(self) -> str:
        """A few words."""
        if self.signal is not None:
            return f"killed by {self.signal}"
        return "still running" if self.returncode is None else f"exit status {self.returncode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What became of one command. Where `started` is False, `reason` says why, and nothing else was seen.

    `stdout` and `stderr` hold at most the limit, head and tail; `stdout_dropped` and `stderr_dropped` count the bytes
    left out between. A command that was ended at its deadline is `timed_out`, whatever its exit.
    """

    argv: tuple[str, ...]
    started: bool = True
    reason: str = ""
    returncode: int | None = None
    """None where it did not start or was ended by a signal."""
    signal: str | None = None
    timed_out: bool = False
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_dropped: int = 0
    stderr_dropped: int = 0
    seconds: float = 0.0
    """Wall time."""

    @property
    def succeeded(self) -> bool:
        """True if it ran to its end within its deadline and exited with 0."""
        return self.started and not self.timed_out and self.returncode == 0

    def describe(self) -> str:
        """A few words on how it ended."""
        if not self.started:
            return f"could not start: {self.reason}"
        if self.timed_out:
            return f"ended at its deadline, after {self.seconds:.0f} s"
        return Exit(self.returncode, self.signal).describe()


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The deadline came first. A message that was being sent may be half sent."""

    deadline_s: float

    def describe(self) -> str:
        """A few words."""
        return f"nothing within {self.deadline_s:g} s"


@dataclass(frozen=True, slots=True)
class Closed:
    """The other side is gone, or no longer listens or speaks."""

    exit: Exit = Exit()
    reason: str = ""
    """Why it could not be started; empty if it was."""
    rest: bytes = b""
    """Beginning of a line it never finished."""

    def describe(self) -> str:
        """A few words."""
        return f"could not start: {self.reason}" if self.reason else self.exit.describe()


@dataclass(frozen=True, slots=True)
class TooLong:
    """More than `limit` bytes came without a newline: no message. Every later call says the same."""

    limit: int
    start: bytes

    def describe(self) -> str:
        """A few words."""
        return f"a line of more than {self.limit} bytes"


def reason_of(error: OSError | ValueError) -> str:
    """Why a process could not be started: the system's words, with the file they are about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
