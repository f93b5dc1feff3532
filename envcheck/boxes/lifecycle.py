"""Containers from start to end: each has a name of its own, the host's process id, and is gone when its run is.

The engine removes a container that ends (`--rm`). One that does not end when its client is killed is removed by name;
what a killed envcheck leaves carries the label of its run, and the next run removes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from envcheck import process
from envcheck.boxes.engine import Engine, EngineMissingError
from envcheck.boxes.engine import Run as Runner
from envcheck.boxes.options import LABEL, RUN, START

DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Box:
    """A container that was started: the words of the client, and its name."""

    words: tuple[str, ...]
    name: str
    env: Mapping[str, str]
    """The client's environment."""

    def host_pid(self, proc: Path = Path("/proc"), run: Runner = process.run) -> int | None:
        """The process inside as this machine numbers it.

        None where the container does not run, or runs elsewhere: the kernel here must place the process in it.
        """
        done = run([*self.words, "container", "inspect", self.name], deadline_s=DEADLINE_S, env=self.env)
        told = decoded(done.stdout)
        if not told:
            return None
        pid, identifier = pid_of(told[0]), str(told[0].get("Id") or "")
        return pid if pid and identifier and belongs(pid, identifier, proc) else None

    def remove(self, run: Runner = process.run) -> None:
        """End and remove it, with its anonymous volumes. One that is gone already is no error."""
        run([*self.words, "rm", "--force", "--volumes", self.name], deadline_s=DEADLINE_S, env=self.env)


def fresh(command: Sequence[str]) -> tuple[str, ...]:
    """The command with a name that no other start has; a command that starts no container stays as it is."""
    token = os.urandom(6).hex()
    ours = {f"{LABEL}={RUN}": f"{LABEL}={run_label()}"}
    return tuple(
        ours.get(word, word.replace(START, token) if word.startswith("envcheck-") else word) for word in command
    )


def box_of(command: Sequence[str], env: Mapping[str, str]) -> Box | None:
    """The container that a command starts, known by our label; None for any other command."""
    words = list(command)
    if "run" not in words or not any(word.startswith(f"{LABEL}=") for word in words):
        return None
    return Box(tuple(words[: words.index("run")]), words[words.index("--name") + 1], env)


def pid_of(told: Mapping[str, Any]) -> int | None:
    """`State.Pid` of an inspected container; None where it does not run."""
    state = told.get("State")
    pid = state.get("Pid") if isinstance(state, dict) else None
    return pid if isinstance(pid, int) and pid > 0 else None


def belongs(pid: int, identifier: str, proc: Path) -> bool:
    """True where the kernel shows that process in a control group of that container."""
    try:
        return identifier in (proc / str(pid) / "cgroup").read_text("utf-8", "replace")
    except OSError:
        return False


def decoded(answer: bytes) -> list[dict[str, Any]]:
    """The objects of an answer to `inspect`; none where it is no such answer."""
    try:
        told = msgspec.json.decode(answer.strip() or b"[]")
    except msgspec.MsgspecError:
        return []
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


# --- runs and what they leave ----------------------------------------------------------------------------------------


@cache
def run_label() -> str:
    """Names this process for ever: the boot, the PID namespace, its number there, and the tick it started at."""
    return f"{here()}-{os.getpid()}-{started_at(os.getpid())}"


@cache
def here(proc: Path = Path("/proc")) -> str:
    """The boot and the PID namespace in which process ids mean something."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")[:12]
        return f"{boot}-{(proc / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return "elsewhere-0"


def started_at(pid: int, proc: Path = Path("/proc")) -> str:
    """The tick a process started at; "gone" where there is none."""
    try:
        stat = (proc / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]


def is_gone(label: str, place: str | None = None, proc: Path = Path("/proc")) -> bool:
    """True where a label's run was one of this machine and namespace, and is over. Of others nothing can be said."""
    where, _, rest = label.rpartition("-")[0].rpartition("-")
    tick = label.rpartition("-")[2]
    if where != (here() if place is None else place) or not rest.isdigit():
        return False
    return started_at(int(rest), proc) != tick


def sweep(engine: Engine, env: Mapping[str, str], run: Runner = process.run) -> tuple[str, ...]:
    """Remove the containers of runs that are gone; their names."""
    return _remove(engine, env, run, [one for one in _ours(engine, env, run, LABEL) if is_gone(_label(one))])


def remove_of_this_run(engine: Engine, env: Mapping[str, str], run: Runner = process.run) -> tuple[str, ...]:
    """Remove the containers that this run has left, as after an interruption; their names."""
    return _remove(engine, env, run, _ours(engine, env, run, f"{LABEL}={run_label()}"))


@contextmanager
def tidied(engine: Callable[[], Engine], env: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """Within it containers may be started: those of runs that are gone are removed before, and said; ours after."""
    try:
        found = engine()
    except EngineMissingError:  # the cells say so
        yield
        return
    if removed := sweep(found, env):
        say(f"removed what an earlier run has left: {', '.join(removed)}")
    try:
        yield
    finally:
        remove_of_this_run(found, env)


def _ours(engine: Engine, env: Mapping[str, str], run: Runner, label: str) -> list[dict[str, Any]]:
    listing = engine.command("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
    found = run(listing, deadline_s=DEADLINE_S, env=env).stdout.decode("ascii", "replace").split()
    if not found:
        return []
    return decoded(run(engine.command("container", "inspect", *found), deadline_s=DEADLINE_S, env=env).stdout)


def _label(told: Mapping[str, Any]) -> str:
    config = told.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    return str(labels.get(LABEL) or "") if isinstance(labels, dict) else ""


def _remove(engine: Engine, env: Mapping[str, str], run: Runner, told: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    told = [one for one in told if one.get("Id")]
    names = tuple(str(one.get("Name") or one["Id"]).lstrip("/") for one in told)
    if told:
        run(engine.command("rm", "--force", "--volumes", *(str(one["Id"]) for one in told)), deadline_s=60.0, env=env)
    return names
