"""Starting the interpreter of an environment: a process of this machine, or one in a container.

A container outlives the client that started it, so whoever ends the client ends the container too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from envcheck.boxes import Box, box_of, fresh, inner_of, marked
from envcheck.errors import InterruptedRunError
from envcheck.outcomes import Closed, Completed, Exit
from envcheck.payload import BOOTSTRAP, preamble
from envcheck.process import Conversation, run

REFUSALS = {
    125: "the container could not be started",
    126: "its program cannot be run",
    127: "its program is not there",
}
"""What the client's own exit statuses mean."""
QUOTE = 300


@dataclass(frozen=True)
class Started:
    """An interpreter that waits for a payload, and the container it is in, if any."""

    conversation: Conversation
    box: Box | None = None

    def pid(self) -> int | None:
        """The interpreter as this machine numbers it; None where that cannot be known."""
        return self.conversation.pid if self.box is None else self.box.host_pid()

    def kill(self) -> None:
        """End it, and its container."""
        self.conversation.kill()
        remove(self.box)

    def describe(self, closed: Closed) -> str:
        """A few words on how it ended."""
        return closed.describe() if self.box is None or closed.reason else inner(closed.exit).describe()


def start(python: Sequence[str], env: Mapping[str, str]) -> Started:
    """Start an isolated interpreter. `python` is the argv that starts it."""
    argv = marked(fresh(python))
    return Started(Conversation.start([*argv, "-I", "-c", BOOTSTRAP], env=env), any_box(argv, env))


def any_box(argv: Sequence[str], env: Mapping[str, str]) -> Box | None:
    """What a command starts: a program in a container that is there, a container, or a process of this machine."""
    return inner_of(argv, env) or box_of(argv, env)


def ask(payload: str, python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> Completed:
    """What became of a payload (or several, by name) that is sent, answers and ends."""
    argv = marked(fresh(python))
    box = any_box(argv, env)
    done = run([*argv, "-I", "-c", BOOTSTRAP], stdin=preamble(*payload.split()), env=env, deadline_s=deadline_s)
    if box is None:
        return done
    if not done.succeeded:
        remove(box)
    return seen_inside(done)


def remove(box: Box | None) -> None:
    """Remove a container. After an interruption nothing can be started: whoever was interrupted sweeps."""
    if box is not None:
        with suppress(InterruptedRunError):
            box.remove()


def seen_inside(done: Completed) -> Completed:
    """What became of the program in a container, where the client only tells an exit status."""
    if done.returncode in REFUSALS and not done.timed_out:
        words = " ".join(done.stderr.decode("utf-8", "replace").split())[:QUOTE]
        return replace(done, started=False, reason=f"{REFUSALS[done.returncode]}: {words}")
    ended = inner(Exit(done.returncode, done.signal))
    return replace(done, returncode=ended.returncode, signal=ended.signal)


def inner(ended: Exit) -> Exit:
    """The exit of the program in a container: its client exits with 128 and the number of the signal."""
    return Exit.of(128 - ended.returncode) if ended.returncode and 128 < ended.returncode <= 192 else ended
