"""The container in which an image is judged: started with the image's own Python, which keeps it up until it is left.

The first process is the payload that finds interpreters; it lives as long as its standard input is open. So the
container ends with envcheck, even where envcheck is killed, and what is judged is started inside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread

from envcheck import boxes, process
from envcheck.boxes import Box, Engine, RunOptions
from envcheck.boxes.lifecycle import decoded
from envcheck.errors import EnvcheckError, InterruptedRunError, UsageError
from envcheck.existing import IDENTIFY, Identity, identity_in
from envcheck.images.look import Config
from envcheck.images.pythons import Answer, parse
from envcheck.outcomes import Closed
from envcheck.payload import BOOTSTRAP, preamble
from envcheck.probes import nativelog

ANSWER_LIMIT = 1024 * 1024
CHATTER = 50
"""Lines that a start-up file of the image's may print before the answer."""
PASSED = ("GLOG_vmodule", "EGL_LOG_LEVEL")
"""Variables of ours that make native code speak; workers and probes set them."""
REFUSED = (125, 126, 127)
"""Exit statuses of the engine's own: no container, no such program, not to be run."""
WRONG_OPTION = re.compile(
    r"(?:Error: )?(?:unknown (?:shorthand )?flag|invalid argument .* for |flag needs an argument|bad flag)"
)
"""How Docker's and Podman's clients begin to tell of an option that they do not know, or not with this value."""
NO_PROGRAM = ("no such file", "not found", "cannot find")
QUOTE = 300


@dataclass(frozen=True)
class Wish:
    """What the user asks for: the interpreter's path inside, variables, GPUs, options of the engine's `run`."""

    python: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    gpus: str | None = None
    """None: as the engine can; none; or the value of `--gpus`."""
    unset: tuple[str, ...] = ()
    user: str | None = None
    extra: tuple[str, ...] = ()


class NoPythonError(EnvcheckError):
    """No candidate answered as a Python; the message says what each did."""


class NotStartedError(EnvcheckError):
    """The engine made no container of this image; the message is its own."""


@dataclass
class Holder:
    """A container on its way up, or up."""

    box: Box
    conversation: process.Conversation

    def remove(self) -> None:
        """Remove the container, whatever it does; the engine needs a moment for that."""
        self.conversation.kill()
        self.box.remove()


@dataclass(frozen=True)
class Room:
    """A container that is up: its identifier, and what its first process has told."""

    engine: Engine
    identifier: str
    env: Mapping[str, str]
    answer: Answer

    def argv(self, python: str) -> tuple[str, ...]:
        """The argv that starts an interpreter inside."""
        return boxes.entering(self.engine, self.identifier, python, PASSED)

    def identify(self, python: str, deadline_s: float) -> Identity:
        """Ask an interpreter inside who it is. Raises UsageError."""
        if python == self.answer.executable:
            return self.answer.identity
        argv = [*boxes.marked(self.argv(python)), "-E", "-s", "-c", IDENTIFY]
        return identity_in(process.run(argv, env=self.env, deadline_s=deadline_s), python)


def options_of(config: Config, engine: Engine, wish: Wish, python: str) -> RunOptions:
    """How its container is started: nothing is mounted, written or reached; the user is the image's own."""
    silenced = [name for name in nativelog.SILENCERS if name in config.variables]
    named = wish.gpus not in (None, "none")
    gpus = (("--device", f"nvidia.com/gpu={wish.gpus}") if engine.kind == "podman" else ("--gpus", str(wish.gpus)),)
    return RunOptions(
        image=config.id,
        command=(python, "-I", "-B", "-c", BOOTSTRAP),
        env=wish.variables,
        unset=(*sorted(silenced), *wish.unset),
        gpus=wish.gpus is None,
        user=wish.user,
        pids=most_processes(),
        extra=((*gpus[0],) if named else ()) + wish.extra,
    )


def most_processes() -> int:
    """Processes and threads that a container may have: MediaPipe and Mesa start some for each core."""
    return 512 + 32 * (os.cpu_count() or 1)


def start(config: Config, engine: Engine, wish: Wish, python: str, env: Mapping[str, str]) -> Holder:
    """Start the container with a candidate; `answered` waits for it."""
    argv = boxes.fresh(boxes.argv(engine, options_of(config, engine, wish, python)))
    box = boxes.box_of(argv, env)
    if box is None:
        raise EnvcheckError("a container that could not be found again was not started")
    return Holder(box, process.Conversation.start(argv, env=env))


@contextmanager
def entered(
    first: Holder, config: Config, engine: Engine, wish: Wish, tries: Sequence[str], deadline_s: float
) -> Iterator[Room]:
    """The container, up; its removal goes on beside what follows. `first` was started with the first of `tries`.

    Raises NoPythonError and NotStartedError.
    """
    said: list[str] = []
    holder = first
    for number, python in enumerate(tries):
        if number:
            holder = start(config, engine, wish, python, first.box.env)
        try:
            answer = answered(holder, deadline_s)
            if isinstance(answer, Answer):
                yield room_of(holder, engine, answer)
                return
            said.append(f"{python}: {answer}")
        finally:
            removed_beside(holder)
    raise NoPythonError("; ".join(said))


def answered(holder: Holder, deadline_s: float) -> Answer | str:
    """What the first process told of itself, or how it failed. Raises NotStartedError and UsageError."""
    holder.conversation.send(preamble("find_python"), deadline_s)
    strange = b""
    for _ in range(CHATTER):
        line = holder.conversation.receive_line(deadline_s, ANSWER_LIMIT)
        if not isinstance(line, bytes):
            break
        if (found := parse(line)) is not None:
            return found
        strange = strange or line[:80]
    else:
        return f"answers {strange!r} and so on, which no Python would"
    if not isinstance(line, Closed):
        return f"{line.describe()}{f'; it said {strange!r}' if strange else ''}"
    log = " ".join(" ".join(holder.conversation.stderr_lines().lines).split())[-QUOTE:]
    if line.exit.returncode in REFUSED:
        if any(words in log.lower() for words in NO_PROGRAM) and "device" not in log:
            return "no such program"
        if WRONG_OPTION.match(log):
            raise UsageError(f"the engine does not take an option: {log}", remedy="See --run-option and --gpus.")
        raise NotStartedError(log or line.describe())
    return f"{line.describe()}{'; ' + log if log else ''}"


def room_of(holder: Holder, engine: Engine, answer: Answer) -> Room:
    """The container by its identifier, which no other ever has."""
    box = holder.box
    told = decoded(process.run([*box.words, "container", "inspect", box.name], env=box.env, deadline_s=60.0).stdout)
    if not told or not told[0].get("Id"):
        raise NotStartedError(f"container {box.name} was gone as soon as it was up")
    return Room(engine, str(told[0]["Id"]), box.env, answer)


_removals: list[Thread] = []


def removed_beside(holder: Holder) -> None:
    """Remove a container while other work goes on; `await_removals` waits for all of them."""

    def remove() -> None:
        try:
            holder.remove()
        except InterruptedRunError:
            holder.conversation.kill()  # whoever was interrupted removes what the run has left

    thread = Thread(target=remove, name=f"remove-{holder.box.name}", daemon=True)
    _removals.append(thread)
    thread.start()


def await_removals(seconds: float = 60.0) -> None:
    """Wait until every container is gone."""
    while _removals:
        _removals.pop().join(seconds)


def with_variables(wish: Wish, variables: Sequence[tuple[str, str]]) -> Wish:
    """The wish with more variables; later ones win."""
    return replace(wish, variables=tuple((dict(wish.variables) | dict(variables)).items()))
