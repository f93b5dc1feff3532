"""A user's own program, started so that it does not notice us; the opposite of `process`, whose children are ours.

It shares our terminal, process group, standard streams, folder and open descriptors. The terminal's Ctrl-C and Ctrl-Z
reach it directly; a signal that somebody sends to us is passed on; when it stops we stop, as it ends we end.
Linux only. Signals are taken with `sigtimedwait`, not by handlers, because only that tells who sent them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from envcheck.errors import EnvcheckError

PASSED_ON = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGTSTP,
        signal.SIGCONT,
        signal.SIGWINCH,
    }
)
"""Signals that are the program's business when somebody sends them to us."""
TERMINAL = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH, signal.SIGCONT})
"""Signals that the terminal gives to the whole foreground group: the program has them already."""
RESTORED = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""Python ignores these; a program that it starts must not inherit that."""
PR_SET_CHILD_SUBREAPER = 36
SHELL = "/bin/sh"


class NotFoundError(EnvcheckError):
    """There is no such command: the shell's 127."""

    exit_code = 127


class NotExecutableError(EnvcheckError):
    """The command is there and cannot be executed: the shell's 126."""

    exit_code = 126


@dataclass(frozen=True)
class Ended:
    """How the program ended: `status` as it exited, or the number of the signal."""

    status: int | None = None
    signal: int | None = None

    @property
    def shell_code(self) -> int:
        """The exit code that a shell would give it."""
        return 128 + self.signal if self.signal is not None else self.status or 0


@contextlib.contextmanager
def signals_blocked() -> Iterator[set[signal.Signals]]:
    """Within it our signals wait to be taken, in threads started within it too. Yields the mask before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON | {signal.SIGCHLD})
    try:
        yield {signal.Signals(number) for number in before}
    finally:
        while signal.sigtimedwait(PASSED_ON | {signal.SIGCHLD}, 0):
            pass  # what came too late must not end us before the report is written
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def adopt_orphans() -> bool:
    """Let processes whose parent ends become our children, not init's: a daemon can then be followed."""
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


def start(argv: Sequence[str], env: Mapping[str, str], mask: set[signal.Signals], *, stderr: int | None = None) -> int:
    """Start the program with `mask` as its signal mask; its process id. Our own standard input and output are let go.

    `stderr` replaces its standard error. Raises NotFoundError and NotExecutableError.
    """
    actions = [] if stderr is None else [(os.POSIX_SPAWN_DUP2, stderr, 2)]
    for command in (list(argv), [SHELL, shutil.which(argv[0]) or argv[0], *argv[1:]]):
        try:
            pid = os.posix_spawnp(
                command[0], command, dict(env), file_actions=actions, setsigmask=mask, setsigdef=RESTORED
            )
        except OSError as error:
            if error.errno == errno.ENOEXEC and command[0] != SHELL:
                continue  # a script without a first line: every shell gives it to sh
            raise refusal(argv[0], error) from None
        except ValueError as error:  # an empty name, or a zero byte
            raise NotFoundError(f"{argv[0]!r}: command not found ({error})") from None
        release((0, 1))
        return pid
    raise NotExecutableError(f"{argv[0]} is neither a program nor a script")


def refusal(name: str, error: OSError) -> EnvcheckError:
    """The shell's words and codes for a command that does not start."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        there = os.path.exists(name) if "/" in name else False  # noqa: PTH110 - a name of any kind
        if there:
            remedy = "Its first line names an interpreter that is not there, or its loader is missing."
            return NotFoundError(f"{name} is there, but what should run it is not", remedy=remedy)
        quoted = f"Without quotes around the whole: envcheck watch -- {name}" if " " in name.strip() else ""
        return NotFoundError(f"{name}: command not found", remedy=quoted or "After `--` comes a command as in a shell.")
    return NotExecutableError(f"{name} cannot be executed: {error.strerror}", remedy=f"ls -l {name}")


def release(descriptors: Sequence[int]) -> None:
    """Hold them no longer, so that whoever is at the other end of a pipe sees the program close it."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor, inheritable=True)
    os.close(null)


def attend(pid: int, seconds: float, ours: Callable[[int], bool]) -> bool:
    """Pass signals on for so long; True as soon as the program has ended. It stays a zombie until `reap`.

    `ours` tells whether a process belongs to the program, which may signal its whole group, us among it.
    """
    deadline = time.monotonic() + seconds
    while True:
        if has_ended(pid):
            return True
        came = signal.sigtimedwait(PASSED_ON | {signal.SIGCHLD}, max(0.0, deadline - time.monotonic()))
        if came is None:
            return has_ended(pid)
        if came.si_signo == signal.SIGCHLD:
            stop_with(pid)
        elif not had_it_already(came, ours):
            pass_on(pid, came.si_signo)


def had_it_already(came: signal.struct_siginfo, ours: Callable[[int], bool]) -> bool:
    """True for what the terminal sent to the whole group, and for what the program sends to its own group."""
    from_kernel = came.si_code > 0  # a sender outside our PID namespace has no number either, but no such code
    return (from_kernel and came.si_signo in TERMINAL) or (not from_kernel and came.si_pid > 0 and ours(came.si_pid))


def pass_on(pid: int, number: int) -> None:
    """Send the program a signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # a setuid program
        os.kill(pid, number)


def has_ended(pid: int) -> bool:
    """True where the program is a zombie."""
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return True


def stop_with(pid: int) -> None:
    """Where the program was stopped in a terminal, stop as well: the shell waits for us."""
    with contextlib.suppress(ChildProcessError):
        stopped = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
        if stopped is not None and in_terminal():
            os.kill(os.getpid(), signal.SIGSTOP)
            pass_on(pid, signal.SIGCONT)


def in_terminal() -> bool:
    """True where this process has a controlling terminal and a shell over it, which can continue us."""
    if os.getsid(0) == os.getpid():
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError:
        return False
    return True


def reap(pid: int) -> Ended:
    """Take the program's status; it is gone then."""
    with contextlib.suppress(ChildProcessError):
        seen = os.waitid(os.P_PID, pid, os.WEXITED)
        if seen is not None:
            return Ended(seen.si_status) if seen.si_code == os.CLD_EXITED else Ended(signal=seen.si_status)
    return Ended(status=1)


def reap_orphan(pid: int) -> None:
    """Let an adopted zombie go."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)


def end_like(ended: Ended) -> int:
    """End this process by the signal that ended the program, without a core of our own; else the exit code to use."""
    if ended.signal is None:
        return ended.shell_code
    if sys.stderr is not None:
        sys.stderr.flush()
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if ended.signal not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(ended.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {ended.signal})
        os.kill(os.getpid(), ended.signal)
    return ended.shell_code  # process 1 of a container does not die by a signal
