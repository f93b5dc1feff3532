"""The interpreters of this host, found by uv and remembered: asking uv costs a process, looking at a file does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from envcheck import cache
from envcheck.model import Record
from envcheck.plan import digest

if TYPE_CHECKING:
    from envcheck.executor import Executor
    from envcheck.process import Completed

FORGET_MISSING_S = 60.0
"""How long an interpreter that could not be found is not looked for again."""

_DEADLINE_S = 600.0
_STEERING = ("PATH", "PYENV_VERSION", "PYENV_ROOT", "HOME")
_IDENTIFY = """
import json, os, platform, sys, sysconfig
seen = os.stat(sys.executable)
print(json.dumps({
    "path": sys.executable, "version": platform.python_version(), "implementation": sys.implementation.name,
    "build": " ".join([*platform.python_build(), platform.python_compiler()]), "platform": sysconfig.get_platform(),
    "libc": "-".join(platform.libc_ver()), "size": seen.st_size, "modified_ns": seen.st_mtime_ns}))
"""


class Interpreter(Record, frozen=True):
    """An interpreter of this host: what it says of itself, and its file's size and time."""

    path: str
    version: str
    implementation: str
    build: str
    platform: str
    libc: str
    size: int
    modified_ns: int

    @property
    def identity(self) -> str:
        """SHA-256 of path, version and build: environments are made for one interpreter."""
        return digest([self.path, self.version, self.implementation, self.build])

    @property
    def kind(self) -> str:
        """SHA-256 of what a lock depends on: which wheels fit."""
        return digest([self.version, self.implementation, self.platform, self.libc])

    def is_a(self, wanted: str) -> bool:
        """Whether it is a CPython of a version such as 3.11 or 3.11.7."""
        return self.implementation == "cpython" and f"{self.version}.".startswith(f"{wanted}.")


class Missing(Record, frozen=True):
    """No such interpreter here, and why."""

    reason: str
    seen_at: float


class _Answer(Record, frozen=True):
    found: Interpreter | None = None
    missing: Missing | None = None


def running_version() -> str:
    """Major and minor version of the interpreter that runs envcheck."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def find(wanted: str, executor: Executor, folder: Path, *, again: bool = False) -> Interpreter | Missing:
    """The interpreter that uv chooses for a version, by uv's own rules; else the one that runs envcheck, where it is of
    that version; else uv downloads it, if its settings allow that. For no version envcheck's own comes first.

    The answer is kept under `folder` and believed while the interpreter's file is as it was. `again` asks anyway.
    """
    steering = {name: value for name, value in executor.env.items() if name in _STEERING or "PYTHON" in name}
    note = folder / "interpreters" / f"{digest([wanted, steering, executor.tools.python()])}.json"
    if not again and (known := _recall(note, executor.tools.now())) is not None:
        return known
    with cache.hold(folder / "held" / f"{note.stem}.lock", lambda: None):
        if not again and (known := _recall(note, executor.tools.now())) is not None:
            return known
        executor.progress(f"looking for Python {wanted or running_version()}")
        answer = _ask(wanted, executor, folder)
        kept = _Answer(missing=answer) if isinstance(answer, Missing) else _Answer(found=answer)
        cache.write_text(note, msgspec.json.encode(kept).decode())
        return answer


def _recall(note: Path, now: float) -> Interpreter | Missing | None:
    text = cache.read_text(note)
    try:
        answer = msgspec.json.decode(text or "{}", type=_Answer)
    except msgspec.MsgspecError:
        return None
    if answer.missing is not None:
        return answer.missing if 0 <= now - answer.missing.seen_at < FORGET_MISSING_S else None
    return answer.found if answer.found is not None and _is_as_it_was(answer.found) else None


def _is_as_it_was(interpreter: Interpreter) -> bool:
    try:
        seen = Path(interpreter.path).stat()
    except OSError:
        return False
    return (seen.st_size, seen.st_mtime_ns) == (interpreter.size, interpreter.modified_ns)


def _ask(wanted: str, executor: Executor, folder: Path) -> Interpreter | Missing:
    """Look for one in turn, and ask what was found for its identity."""
    with cache.workspace(folder / "staging") as work:
        cache.write_text(work / "uv.toml", "")  # ends uv's search for a project's settings
        if not wanted and (own := _own(running_version(), executor, work)):
            return own
        wanted, uv = wanted or running_version(), executor.tools.uv()
        find_it = [uv, "python", "find", "--system", "--no-project", "--color", "never", wanted]
        found = executor.call(find_it, work, _DEADLINE_S)
        if not found.succeeded:
            if own := _own(wanted, executor, work):
                return own
            # `uv python find` never downloads; `uv venv` does, if python-downloads allows it
            fetch = [uv, "venv", "--no-project", "--color", "never", "--python", wanted, "fetched"]
            fetched = executor.call(fetch, work, _DEADLINE_S)
            if not fetched.succeeded:
                return Missing(_why_missing(wanted, found, fetched), executor.tools.now())
            found = executor.call(find_it, work, _DEADLINE_S)
        return _identity(found.stdout.decode(errors="replace").strip(), executor, work)


def _own(wanted: str, executor: Executor, folder: Path) -> Interpreter | None:
    """The interpreter that runs envcheck, where it is a CPython of that version."""
    own = _identity(executor.tools.python(), executor, folder)
    return own if isinstance(own, Interpreter) and own.is_a(wanted) else None


def _identity(path: str, executor: Executor, folder: Path) -> Interpreter | Missing:
    """What an interpreter says of itself."""
    said = executor.call([path, "-I", "-c", _IDENTIFY], folder, _DEADLINE_S)
    try:
        return msgspec.json.decode(said.stdout, type=Interpreter)
    except msgspec.MsgspecError:
        return Missing(f"{path} is no working interpreter ({said.describe()})", executor.tools.now())


def _why_missing(wanted: str, found: Completed, fetched: Completed) -> str:
    """One sentence: that it is not here, and why it could not be fetched, if uv tried."""
    reason = f"Python {wanted} is not installed here"
    errors = [line.partition(": ")[2] for line in fetched.stderr.decode(errors="replace").splitlines() if ": " in line]
    causes = [error for error in errors if "download" in error.lower() or "request" in error.lower()]
    if not fetched.started or not found.started:
        return f"{reason}, as far as can be told: uv {found.describe()}"
    return f"{reason}, and uv could not download it ({errors[-1].strip()})" if causes else reason
