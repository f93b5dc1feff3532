"""Programs that are started in a container that is there: cheaper than a container each, and told apart by a mark.

The mark is an argument that Python takes without a meaning (`-X NAME`). The kernel shows it to whoever asks for the
process by number, and nothing inside knows it before it is started.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from envcheck import process
from envcheck.boxes.engine import Engine, Run
from envcheck.boxes.lifecycle import DEADLINE_S, Box, belongs, started_at
from envcheck.boxes.options import START

MARK = "envcheck-start="


@dataclass(frozen=True, slots=True)
class InnerBox(Box):
    """A program in the container of identifier `name`, with its mark."""

    mark: str = ""

    def host_pid(self, proc: Path = Path("/proc"), run: Run = process.run) -> int | None:  # noqa: ARG002 - as Box
        """The oldest process of the container that bears the mark: the one that was started, not what copied it."""
        return next(iter(sorted(self.processes(proc), key=lambda pid: tick(pid, proc))), None)

    def remove(self, run: Run = process.run) -> None:
        """End the program. Where this machine may not, the whole container goes."""
        try:
            for pid in self.processes(Path("/proc")):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        except PermissionError:
            run([*self.words, "rm", "--force", "--volumes", self.name], deadline_s=DEADLINE_S, env=self.env)

    def processes(self, proc: Path) -> Iterator[int]:
        """Processes of the container that bear the mark, as this machine numbers them."""
        for folder in proc.iterdir():
            if folder.name.isdigit() and bears(folder, self.mark) and belongs(int(folder.name), self.name, proc):
                yield int(folder.name)


def entering(engine: Engine, identifier: str, python: str, passed: Sequence[str]) -> tuple[str, ...]:
    """The argv that starts an interpreter in the container; `passed` are variables of the client's environment.

    `marked` completes it before every start.
    """
    variables = [word for name in passed for word in ("--env", name)]
    mark = ("-X", f"{MARK}{START}")
    return tuple(engine.command("exec", "--interactive", *variables, identifier, python, "-B", *mark))


def marked(command: Sequence[str]) -> tuple[str, ...]:
    """The command with a mark that no other start has; one without a place for it stays as it is."""
    place = f"{MARK}{START}"
    return tuple(f"{MARK}{os.urandom(8).hex()}" if word == place else word for word in command)


def inner_of(command: Sequence[str], env: Mapping[str, str]) -> InnerBox | None:
    """The program that a command of `entering` starts; None for any other command."""
    words = list(command)
    at = next((index for index, word in enumerate(words) if word.startswith(MARK)), 0)
    if not at or "exec" not in words[: at - 4]:
        return None
    return InnerBox(tuple(words[: words.index("exec")]), words[at - 4], env, words[at])


def bears(folder: Path, mark: str) -> bool:
    """True where the kernel shows the mark among a process' arguments."""
    try:
        return mark.encode() in (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def tick(pid: int, proc: Path) -> int:
    """When a process started."""
    seen = started_at(pid, proc)
    return int(seen) if seen.isdigit() else 1 << 62
