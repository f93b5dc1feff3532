"""Slurm's own programs: the argv of each question, and the answer as data. Nothing goes through a shell."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

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
READING_S = 3.0
"""That a controller may take for what it was sent while it did not answer."""
QUEUE = "%j|%F|%K|%T|%N|%r"
"""Of squeue: name, number of the array, of the task, state, node, and why it waits."""
USUAL_MAX_ARRAY = 1001
AGAIN = "Its jobs may go on; the same command again goes on with them."
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
"""Of a job, of a task, or of how many there may be: whatever else is answered is none."""
SILENT = (
    *("unable to contact slurm controller", "connection refused", "socket timed out", "zero bytes", "slurm_load"),
    *("connection timed out", "unexpected message", "in standby mode", "resource temporarily unavailable"),
    *(
        "communication connection failure",
        "protocol authentication error",
        "job violates accounting/qos policy (job submit limit",
    ),
)
"""What Slurm's programs say where the controller does not answer, or not now, in lower case."""


@dataclass(frozen=True)
class Task:
    """A task of one of our jobs, as Slurm shows it."""

    job: str
    state: str
    node: str = ""
    reason: str = ""

    @property
    def taken(self) -> bool:
        """False for one that was refused: Slurm shows it too, as a job that has failed on no node."""
        return self.state != "FAILED" or bool(self.node)


@dataclass(frozen=True)
class Slurm:
    """Asks Slurm. `tell` is for people who wait; `sleep` and `run` are seams of tests."""

    env: Mapping[str, str]
    patience_s: float
    tell: Callable[[str], None] = lambda _text: None
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

    def insist(self, argv: Sequence[str], instead: Callable[[], str | None] = lambda: "") -> str:
        """The answer, asked for until there is one. `instead` is what a question may have led to that was not answered.

        Where that is something it is the answer; where nobody tells (None) the question is not put a second time.
        Raises EnvcheckError where Slurm refuses, SilentEngineError.
        """
        until, pause = time.monotonic() + self.patience_s, SHORTEST_S
        while True:
            done = self.ask(argv)
            if done.succeeded:
                return text_of(done)
            if not is_silence(done):
                return instead() or refused(argv, done)
            if pause == SHORTEST_S:
                self.tell(waited_for(self.patience_s, done))
            answer: str | None = None
            while answer is None:
                if time.monotonic() >= until:
                    raise silent(self.patience_s, done)
                self.sleep(pause)
                pause = min(LONGEST_S, pause * 2)
                answer = instead()
            if answer:
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
            if key.strip() == "MaxArraySize" and NUMBER.fullmatch(value.strip()):
                return max(1, int(value) - 1)
        return USUAL_MAX_ARRAY - 1

    def submit(self, name: str, argv: Sequence[str]) -> str:
        """The number that a job has got. Raises EnvcheckError where Slurm refuses it, SilentEngineError.

        Whatever went wrong, the job may have been taken all the same: it is looked for by its name, which no other
        job ever had, and only sent again where Slurm says that there is none.
        """
        answer = self.insist(argv, lambda: self.looked_for(name)).strip().partition(";")[0]
        number = answer if NUMBER.fullmatch(answer) else self.number_of(name)
        if not number:
            raise EnvcheckError(f"sbatch answered {printable(answer)!r}, which is no job's number")
        return number

    def looked_for(self, name: str) -> str | None:
        """The same as `number_of`, and where there is none looked for once more, a little later.

        A controller that comes back answers a question before it has read everything that was sent to it before.
        """
        if (found := self.number_of(name)) == "":
            self.sleep(READING_S)
            found = self.number_of(name)
        return found

    def number_of(self, name: str) -> str | None:
        """The number of the job of that name, an empty text where there is none; None where nobody tells."""
        found = self.tasks([name])
        if isinstance(found, process.Completed):
            return None
        return next((task.job for task in found.values() if task.taken), "")

    def tasks(self, names: Sequence[str]) -> dict[tuple[str, int], Task] | process.Completed:
        """Our tasks by the job's name and their place in it, ended ones too; or how the question failed.

        An answer that was cut short, or of which no line is one of squeue's, is none: whose tasks would be gone by it?
        """
        asked = [
            "squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", f"--name={','.join(names)}",
            f"--format={QUEUE}",
        ]  # fmt: skip
        done = self.run(asked, deadline_s=ASK_S, env=self.env)
        text = text_of(done)
        whole = done.succeeded and not done.stdout_dropped and (not text.strip() or QUEUE.count("|") <= text.count("|"))
        return parse_tasks(text) if whole else done

    def recorded(self, job: str, task: int) -> str:
        """The state in which accounting remembers a task that the controller has forgotten; empty without any."""
        which = ["--allocations", f"--jobs={job}_{task}", "--format=State"]
        done = self.run(["sacct", "--noheader", "--parsable2", *which], deadline_s=ASK_S, env=self.env)
        words = text_of(done).split() if done.succeeded else []
        return words[0].upper() if words else ""

    def cancel(self, name: str, tasks: Sequence[str] = ()) -> bool:
        """End our job of that name, or only tasks of it; False where Slurm does not say that it was done.

        With --quiet it fails without a word where there was nothing left to end.
        """
        done = self.run(
            ["scancel", "--quiet", f"--user={os.getuid()}", f"--name={name}", *tasks], deadline_s=ASK_S, env=self.env
        )
        return done.succeeded or (done.returncode is not None and not done.timed_out and not done.stderr.strip())


def parse_tasks(text: str) -> dict[tuple[str, int], Task]:
    """Tasks in the output of squeue; lines of another form, and what is no array, are left out."""
    rows = (line.split("|", 5) for line in text.splitlines())
    return {
        (name, int(task)): Task(job, state, node, reason)
        for name, job, task, state, node, reason in (row for row in rows if len(row) == 6)
        if NUMBER.fullmatch(job) and NUMBER.fullmatch(task)
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


def refused(argv: Sequence[str], done: process.Completed) -> NoReturn:
    """Raise EnvcheckError for what Slurm says no to."""
    raise EnvcheckError(f"{argv[0]} refused: {said(done)}")


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


def waited_for(patience_s: float, done: process.Completed) -> str:
    """What is told to who waits, once."""
    return f"Slurm does not answer: {said(done)}; it is asked again for {patience_s / 60:g} min"


def silent(patience_s: float, done: process.Completed) -> SilentEngineError:
    """Slurm has not answered for too long."""
    return SilentEngineError(
        f"Slurm has not answered for {patience_s / 60:g} min: {said(done)}",
        remedy=AGAIN,
    )
