"""Slurm's own programs: the argv of each question, and the answer as data. Nothing goes through a shell."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envcheck import process
from envcheck.engines.engine import SilentEngineError
from envcheck.engines.plans import printable
from envcheck.engines.slurm.nodes import FORMAT, Place
from envcheck.engines.slurm.options import Options
from envcheck.errors import EnvcheckError, UsageError

ASK_S = 60.0
"""A busy controller takes its time."""
SHORTEST_S, LONGEST_S = 0.5, 20.0
"""Between two questions where nothing changes, and after one that was not answered."""
QUEUE = "%j|%F|%K|%T|%N|%r"
"""Of squeue: name, number of the array, of the task, state, node, and why it waits."""
USUAL_MAX_ARRAY = 1001
SILENT = (
    *("unable to contact slurm controller", "connection refused", "socket timed out", "zero bytes", "slurm_load"),
    *("connection timed out", "unexpected message", "in standby mode", "resource temporarily unavailable"),
    *("communication connection failure", "job violates accounting/qos policy (job submit limit"),
)
"""What Slurm's programs say where the controller does not answer, or not now, in lower case."""


@dataclass(frozen=True)
class Task:
    """A task of one of our jobs, as Slurm shows it."""

    job: str
    state: str
    node: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Slurm:
    """Asks Slurm. `sleep` and `run` are seams of tests."""

    env: Mapping[str, str]
    patience_s: float
    run: Callable[..., process.Completed] = process.run
    sleep: Callable[[float], None] = time.sleep

    def ask(self, argv: Sequence[str]) -> process.Completed:
        """What became of one of Slurm's programs. Raises UsageError where it is not there."""
        done = self.run(argv, deadline_s=ASK_S, env=self.env)
        if not done.started:
            raise UsageError(
                f"Slurm's {argv[0]} {done.describe()}",
                remedy="Run this on a host with Slurm's client programs, or choose another engine: --engine local",
            )
        return done

    def insist(self, argv: Sequence[str], instead: Callable[[], str] = lambda: "") -> str:
        """The answer, asked for until there is one; a second time only where `instead` has none.

        Raises EnvcheckError where Slurm refuses, SilentEngineError.
        """
        until, pause = time.monotonic() + self.patience_s, SHORTEST_S
        while True:
            done = self.ask(argv)
            if done.succeeded:
                return text_of(done)
            if not is_silence(done):
                raise EnvcheckError(f"{argv[0]} refused: {said(done)}")
            if time.monotonic() >= until:
                raise silent(self.patience_s, done)
            self.sleep(pause)
            pause = min(LONGEST_S, pause * 2)
            if answer := instead():
                return answer

    def know(self, argv: Sequence[str]) -> str:
        """What the cluster says of itself. Raises UsageError where there is none, SilentEngineError."""
        try:
            return self.insist(argv)
        except SilentEngineError:
            raise
        except EnvcheckError as error:
            remedy = "Run this on a host of the cluster; `sinfo` has to work there."
            raise UsageError(f"Slurm does not say what there is: {error.message}", remedy=remedy) from None

    def nodes(self) -> str:
        """The nodes of the cluster."""
        return self.know(["sinfo", "--noheader", "--Node", f"--format={FORMAT}"])

    def most_tasks(self) -> int:
        """How many tasks an array job may have."""
        for line in self.know(["scontrol", "show", "config"]).splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "MaxArraySize" and value.strip().isdecimal():
                return max(1, int(value) - 1)
        return USUAL_MAX_ARRAY - 1

    def submit(self, name: str, argv: Sequence[str]) -> str:
        """The number that a job has got. Raises EnvcheckError where Slurm refuses it, SilentEngineError.

        One that was not answered may have been taken all the same: before it is sent again it is looked for.
        """
        number = self.insist(argv, lambda: self.number_of(name)).strip().partition(";")[0]
        if not number.isdecimal():
            raise EnvcheckError(f"sbatch answered {printable(number)!r}, which is no job's number")
        return number

    def number_of(self, name: str) -> str:
        """The number of the job of that name, or an empty text."""
        found = self.tasks([name])
        return "" if isinstance(found, process.Completed) else next((task.job for task in found.values()), "")

    def tasks(self, names: Sequence[str]) -> dict[tuple[str, int], Task] | process.Completed:
        """Our tasks by the job's name and their place in it, ended ones too; or how the question failed."""
        asked = [
            "squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", f"--name={','.join(names)}",
            f"--format={QUEUE}",
        ]  # fmt: skip
        done = self.run(asked, deadline_s=ASK_S, env=self.env)
        return parse_tasks(text_of(done)) if done.succeeded else done

    def recorded(self, job: str, task: int) -> str:
        """The state in which accounting remembers a task that the controller has forgotten; empty without any."""
        which = ["--allocations", f"--jobs={job}_{task}", "--format=State"]
        done = self.run(["sacct", "--noheader", "--parsable2", *which], deadline_s=ASK_S, env=self.env)
        words = text_of(done).split() if done.succeeded else []
        return words[0].upper() if words else ""

    def cancel(self, name: str, numbers: Sequence[str]) -> None:
        """End a job of that name, or tasks of it. A controller that lost its state gives numbers away a second time."""
        if numbers:
            self.ask(["scancel", "--quiet", f"--name={name}", *numbers])


def parse_tasks(text: str) -> dict[tuple[str, int], Task]:
    """Tasks in the output of squeue; lines of another form, and what is no array, are left out."""
    rows = (line.split("|", 5) for line in text.splitlines())
    return {
        (name, int(task)): Task(job, state, node, reason)
        for name, job, task, state, node, reason in (row for row in rows if len(row) == 6)
        if job.isdecimal() and task.isdecimal()
    }


def argv_of(name: str, tasks: int, cells: int, place: Place, options: Options, run: Path) -> list[str]:
    """The command line of sbatch for a job of so many tasks, each of at most so many cells; its script follows."""
    minutes = min(options.time or cells * (options.minutes + 1) + 1, (place.limit_s or float("inf")) / 60)
    wanted = {
        "--job-name": name,
        "--array": f"0-{tasks - 1}" + (f"%{options.throttle}" if options.throttle else ""),
        "--partition": ",".join(place.partitions),
        "--constraint": place.constraint,
        "--gres": place.gres,
        "--account": options.account,
        "--qos": options.qos,
        "--time": str(max(1, math.ceil(minutes))),
        "--cpus-per-task": str(options.cpus or ""),
        "--chdir": str(Path.cwd()),
        "--output": os.devnull,
        "--error": os.devnull,
        "--export": "ALL",
    }
    settings = [f"{key}={value}" for key, value in wanted.items() if value]
    flags = ["--exclusive"] if options.exclusive else []
    seconds = f"{options.minutes * 60:.1f}"
    number = name.rpartition("-")[2]
    script = [str(run / "batch.sh"), str(run), number, seconds, *options.command]
    return ["sbatch", "--parsable", "--no-requeue", "--ntasks=1", *flags, *settings, *script]


def text_of(done: process.Completed) -> str:
    """What a program printed."""
    return done.stdout.decode("utf-8", "replace")


def said(done: process.Completed) -> str:
    """What a program said of its failure."""
    return printable(done.stderr.decode("utf-8", "replace")) or done.describe()


def is_silence(done: process.Completed) -> bool:
    """The controller did not answer, or not now; asking again may help."""
    words = done.stderr.decode("utf-8", "replace").lower()
    return done.timed_out or any(one in words for one in SILENT)


def silent(patience_s: float, done: process.Completed) -> SilentEngineError:
    """Slurm has not answered for too long."""
    return SilentEngineError(
        f"Slurm has not answered for {patience_s / 60:g} min: {said(done)}",
        remedy="Its jobs may go on; the same command again goes on with them.",
    )
