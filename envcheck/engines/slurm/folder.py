"""The shared folder of a run: plans and batches for the nodes, what they leave, and what was sent to Slurm.

Every name in it is a number that was given out here. What a node leaves is data: bytes of limited length, never a path.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import msgspec

from envcheck.cache import read_text, write_text
from envcheck.engines.engine import Work
from envcheck.engines.holding import alone
from envcheck.engines.plans import DELIVERY_LIMIT, encode, printable
from envcheck.errors import EnvcheckError, UsageError
from envcheck.model import Record

STATE = "run.json"
SCRIPT = "batch.sh"
FOLDERS = ("plans", "batches", "deliveries", "started", "ended", "logs")
MARK_LIMIT = 300
"""Bytes that are read of a mark: a node's name and a number."""
LAST_WORDS = 400
"""Bytes that are read of the end of a worker's log."""

_NONCE, _RUN, _NUMBER = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9A-Za-z_-]{1,64}"), re.compile(r"[0-9]{1,9}")
_DELIVERY = re.compile(r"([0-9]{1,9})\.json")


class Sent(Record, frozen=True):
    """A job as it was handed to Slurm: the numbers of the cells in each of its tasks.

    It is written down before it is sent, without an id; one that never got any is looked for by its name.
    """

    number: int
    tasks: tuple[tuple[int, ...], ...]
    sent_at: float
    id: str = ""
    cancelled: bool = False
    """By us: its cells are to be sent again by whoever goes on with the run."""


class State(Record, frozen=True, kw_only=True, tag_field="schema", tag="envcheck.slurm/1"):
    """What has to survive this process. `cells` are ids; a cell's number is its place here."""

    run: str
    nonce: str
    begun_at: float
    cells: tuple[str, ...] = ()
    jobs: tuple[Sent, ...] = ()


class Folder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else follows this run. Raises InfrastructureError where somebody does, UsageError for the folder."""
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            check_ours(self.path)
            with alone(self.path, "jobs"):
                yield

    def read(self) -> State | None:
        """What was sent so far; None where the run has not begun."""
        text = read_text(self.path / STATE)
        if text is None:
            return None
        try:
            state = msgspec.json.decode(text, type=State)
            wrong = fault_of(state)
        except (msgspec.MsgspecError, RecursionError) as error:
            state, wrong = None, str(error)
        if wrong:
            remedy = f"Remove the folder {self.path}; what runs of it in Slurm is cancelled with scancel."
            raise UsageError(f"{self.path / STATE}: not the state of a run: {wrong}", remedy=remedy)
        return state

    def begin(self, run: str) -> State:
        """An empty folder, and a new nonce. What an earlier run of this name has left is removed."""
        for name in (*FOLDERS, STATE):
            remove(self.path / name)
        for name in FOLDERS:
            (self.path / name).mkdir()
        script = resources.files("envcheck.engines.slurm").joinpath(SCRIPT).read_text(encoding="utf-8")
        write_text(self.path / SCRIPT, script)
        state = State(run=run, nonce=secrets.token_hex(16), begun_at=time.time())
        self.write(state)
        return state

    def write(self, state: State) -> None:
        """Keep what was sent, whole or not at all."""
        write_text(self.path / STATE, msgspec.json.encode(state).decode())

    def put_plans(self, works: Sequence[Work]) -> None:
        """The plan of each cell, under its number."""
        for number, work in enumerate(works):
            (self.path / "plans" / f"{number}.json").write_bytes(encode(work.plan))

    def put_batches(self, job: Sent) -> None:
        """The numbers of the cells of each task of a job."""
        for task, cells in enumerate(job.tasks):
            text = "".join(f"{cell}\n" for cell in cells)
            (self.path / "batches" / f"{job.number}-{task}").write_text(text, encoding="ascii")

    def delivered(self) -> set[int]:
        """The numbers of cells that something was delivered for. Raises OSError: not to see them is not to see none."""
        found = (_DELIVERY.fullmatch(name) for name in listed(self.path / "deliveries"))
        return {int(one[1]) for one in found if one}

    def started(self) -> set[int]:
        """The numbers of cells that a worker was started for."""
        return {int(name) for name in names_in(self.path / "started") if name.isdecimal()}

    def delivery(self, number: int) -> bytes:
        """What was delivered for a cell. Raises EnvcheckError where it is no file, or is not to be read."""
        return read_file(self.path / "deliveries" / f"{number}.json", DELIVERY_LIMIT + 1)

    def mark(self, kind: str, number: int, job: int) -> str:
        """What a job noted of a cell, as `started` its node and as `ended` the exit status; empty where it did not."""
        try:
            words = read_file(self.path / kind / str(number), MARK_LIMIT).decode("ascii", "replace").split(maxsplit=1)
        except EnvcheckError:
            return ""
        return printable(words[1]) if len(words) == 2 and words[0] == str(job) else ""

    def last_words(self, number: int) -> str:
        """The end of what a cell's worker has printed, for people."""
        try:
            data = read_file(self.path / "logs" / f"{number}.log", LAST_WORDS, from_end=True)
        except EnvcheckError:
            return ""
        lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
        return printable(" ".join(lines[-2:]))

    def remove(self) -> None:
        """The run is over. Its state goes first: what may be left of the rest is no run to go on with."""
        remove(self.path / STATE)
        remove(self.path)


def check_ours(path: Path) -> None:
    """Raise UsageError for a folder of somebody else's: its owner could change what runs on the nodes as us."""
    seen = path.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise UsageError(
            f"the shared folder {path} is a link or belongs to another user, who could change what runs on the nodes",
            remedy="Name a folder of your own: --engine-option folder=DIR",
        )
    if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        path.chmod(stat.S_IMODE(seen.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))


def fault_of(state: State) -> str:
    """What no run has written, in a state of the right form; an empty text where all is well."""
    if not _NONCE.fullmatch(state.nonce) or not _RUN.fullmatch(state.run):
        return "its run or its nonce is none"
    if any(job.number != place or not _NUMBER.fullmatch(job.id or "0") for place, job in enumerate(state.jobs)):
        return "a job has a number that it cannot have"
    sent = {cell for job in state.jobs for task in job.tasks for cell in task}
    return "" if sent <= set(range(len(state.cells))) else "a cell was sent that it has not"


def listed(folder: Path) -> list[str]:
    """What is in a folder. Raises OSError."""
    return os.listdir(folder)  # noqa: PTH208 - thousands of names, twice a second


def names_in(folder: Path) -> list[str]:
    """What is in a folder; nothing where a network file system does not answer just now."""
    try:
        return listed(folder)
    except OSError:
        return []


def read_file(path: Path, limit: int, *, from_end: bool = False) -> bytes:
    """The first or last bytes of a regular file; links, pipes and devices are not opened. Raises EnvcheckError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            seen = os.fstat(descriptor)
            if not stat.S_ISREG(seen.st_mode):
                raise EnvcheckError(f"{path.name} is no regular file")
            if from_end:
                file.seek(max(0, seen.st_size - limit))
            return file.read(limit)
    except OSError as error:
        raise EnvcheckError(f"{path.name} cannot be read: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove a file or a folder; nodes that are still at work may hold on to some of it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """An error of the file system as ours, with what to do."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the shared folder {path} cannot be used: {error.strerror or error}",
            remedy="Name one that this host and the nodes share, with room: --engine-option folder=DIR",
        ) from error
