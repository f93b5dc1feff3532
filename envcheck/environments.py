"""The store of built environments: each is made once, published whole, and found again in milliseconds.

    CACHE/interpreters/   which interpreter uv chose, believed while its file is as it was
    CACHE/locks/          what a cell's requirements resolved to, believed until it is to be resolved anew
    CACHE/environments/   one folder per lock and interpreter, with a manifest of its files
    CACHE/staging/        where they are made; each in a folder of its own
    CACHE/held/           locks, so that runs side by side make a thing once

What is used is marked with the time (`used`), which is how `envcheck prune` knows.

An environment is moved to its place by one rename, manifest included. So what lies there is whole; a build that was
killed leaves only a folder in staging, which the next build sweeps.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from envcheck import cache as files
from envcheck.boxes import EngineMissingError, silence
from envcheck.errors import UsageError
from envcheck.executor import Executor, PlanFailedError, Tools
from envcheck.interpreters import Interpreter, Missing, find
from envcheck.model import Build, Record
from envcheck.plan import HOME, PYTHON, ROOT, Diagnosis, Outside, conda, digest, docker, fill, venv
from envcheck.plan.indexes import Sources
from envcheck.redact import redact
from envcheck.sources import read_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envcheck.model import Axes, Cell
    from envcheck.plan import Backend, Plan

BACKENDS: Mapping[str, Backend] = {venv.name: venv, docker.NAME: docker.Docker(), conda.NAME: conda.Conda()}
"""Every backend by the value of the axis, not yet told of a matrix's settings (`envcheck.backends`)."""

MANIFEST = "manifest.json"
IN_USE = "use.lock"
"""In the cache: runs share it from first build to last measurement; who removes environments has it alone."""
_ASK_S = 60.0
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT)


class Prepared(NamedTuple):
    """How the environment came to be, and the argv that starts its interpreter; empty where there is none."""

    build: Build
    python: tuple[str, ...]


class Manifest(Record, frozen=True):
    """What a published environment holds: the size in bytes of each file, by path relative to its folder."""

    key: str
    files: dict[str, int]


def cache_folder(env: Mapping[str, str]) -> Path:
    """ENVCHECK_CACHE, or the user's cache folder."""
    if named := env.get("ENVCHECK_CACHE"):
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("envcheck"))


def prepare(
    cell: Cell,
    *,
    cache: Path,
    env: Mapping[str, str],
    relock: bool = False,
    progress: Callable[[str], None] = lambda _label: None,
    tools: Tools | None = None,
    backends: Mapping[str, Backend] = BACKENDS,
) -> Prepared:
    """The environment of a cell, found or made. Any number of threads and processes may ask at once.

    `env` is the user's environment, with the index settings of uv and pip. `relock` resolves anew, and asks uv anew for
    the interpreter. What cannot be had is an outcome with its reason: no-interpreter, no-wheel, unsolvable (no set of
    conda packages fits), unavailable (the index does not answer, refuses us, or has no MediaPipe),
    no-engine (no container engine answers), failed.

    Raises UsageError for an axis value that is no version and for a cache that cannot be used, PlaceError for a broken
    configuration file, and InterruptedRunError.
    """
    begun, cache = time.monotonic(), cache.absolute()
    try:
        backend = backends[cell.axes.backend]
    except KeyError:
        raise UsageError(f"backend {cell.axes.backend!r} is none of {', '.join(backends)}") from None
    tools = tools or Tools()
    sources = read_sources(env, Path.cwd())
    executor = Executor(backend, sources.env, tools, progress)
    try:
        build, python = _Making(cell.axes, cache, sources, executor, relock).make()
    except PlanFailedError as failure:
        diagnosis, log = or_engine_gone(failure.diagnosis, backend, sources.env), failure.log
    except EngineMissingError as error:
        diagnosis, log = Diagnosis("no-engine", f"{error.message}; {error.remedy}"), ""
    except OSError as error:
        diagnosis, log = _diagnose_cache(error, cache), ""
    else:
        return Prepared(msgspec.structs.replace(build, seconds=time.monotonic() - begun), python)
    because = redact(diagnosis.because, sources.env)
    return Prepared(Build(diagnosis.outcome, because, log=log, seconds=time.monotonic() - begun), ())


def or_engine_gone(diagnosis: Diagnosis, backend: Backend, env: Mapping[str, str]) -> Diagnosis:
    """The diagnosis; where a build failed because its engine went away, that."""
    if diagnosis.outcome != "failed" or not isinstance(backend, docker.Docker):
        return diagnosis
    gone = silence(backend.engine().words, env)
    return Diagnosis("no-engine", gone) if gone else diagnosis


def _diagnose_cache(error: OSError, cache: Path) -> Diagnosis:
    """A full disk is an outcome of one cell; a cache that cannot be used at all ends the run."""
    if error.errno in _NO_PLACE:
        return Diagnosis("failed", f"the disk is full: {error.filename or cache}")
    raise UsageError(
        f"the cache folder {cache} cannot be used: {error.strerror or error}: {error.filename}",
        remedy="Name another one with ENVCHECK_CACHE.",
    ) from error


@dataclass(frozen=True, slots=True)
class _Making:
    """One environment on its way: what is asked for, and where it goes."""

    axes: Axes
    cache: Path
    sources: Sources
    executor: Executor
    relock: bool

    def make(self) -> tuple[Build, tuple[str, ...]]:
        """The record of the environment, and the argv of its interpreter. Raises PlanFailedError and OSError."""
        interpreter = self._interpreter()
        lock, resolved_at = self._lock(interpreter)
        plan = self.executor.backend.build(self.axes, lock)
        key = digest([plan.key, interpreter.identity if interpreter else ""])
        target = self.cache / "environments" / key[:32]
        known = self._seen(plan) if is_whole(target, key) else None
        outcome, log = ("reused", "") if known is not None else self._build(plan, interpreter, target, key)
        seen = self._seen(plan) if known is None else known
        if seen is None:
            raise PlanFailedError(Diagnosis("failed", "it was built, and is not there"), log)
        build = Build(
            outcome=outcome,
            because=f"lock resolved {age(self.executor.tools.now() - resolved_at)}",
            key=key,
            lock_sha256=hashlib.sha256(lock.encode()).hexdigest(),
            lock=lock,
            python=interpreter.version if interpreter else None,
            log=log,
        )
        build = msgspec.structs.replace(build, **seen)
        used(target / MANIFEST)
        return build, fill(plan.python, {ROOT: str(target)})

    def _seen(self, plan: Plan) -> Mapping[str, str] | None:
        """Fields of `Build` that tell of what lies outside the folder; None where it is gone."""
        backend = self.executor.backend
        if not plan.outside or not isinstance(backend, Outside):
            return {}
        answer = self.executor.call(plan.outside, self.cache, _ASK_S)
        return backend.account(answer.stdout)

    def _interpreter(self) -> Interpreter | None:
        wanted = self.executor.backend.python(self.axes)
        if wanted is None:
            return None
        found = find(wanted, self.executor, self.cache, again=self.relock)
        if isinstance(found, Missing):
            raise PlanFailedError(Diagnosis("no-interpreter", found.reason))
        return found

    def _lock(self, interpreter: Interpreter | None) -> tuple[str, float]:
        """The lock of the cell's requirements, and when it was resolved (seconds since 1970)."""
        plan = self.executor.backend.resolve(self.axes)
        key = digest([plan.key, interpreter.kind if interpreter else "", self.sources.key])
        path = self.cache / "locks" / f"{key[:32]}.txt"
        if not self.relock and (known := files.read_text(path)):
            used(path)
            return known, path.stat().st_mtime
        with files.hold(self._held(key), self._waiting):
            if not self.relock and (known := files.read_text(path)):
                return known, path.stat().st_mtime
            with files.workspace(self.cache / "staging") as work:
                self._execute(plan, work, interpreter)
                lock = (work / plan.result).read_text(encoding="utf-8")
            files.write_text(path, lock)
            return lock, path.stat().st_mtime

    def _build(self, plan: Plan, interpreter: Interpreter | None, target: Path, key: str) -> tuple[str, str]:
        """Build and publish; ("built", log), or ("reused", "") if another run was faster."""
        with files.hold(self._held(key), self._waiting):
            if is_whole(target, key) and self._seen(plan) is not None:
                return "reused", ""
            with files.workspace(self.cache / "staging") as work:
                new = work / "new"
                new.mkdir()
                log = self._execute(plan, new, interpreter, target)
                manifest = Manifest(key=key, files=sizes(new))
                (new / MANIFEST).write_bytes(msgspec.json.encode(manifest))
                files.publish(new, target, trash=work / "old")
            return "built", log

    def _execute(self, plan: Plan, root: Path, interpreter: Interpreter | None, home: Path | None = None) -> str:
        # a uv.toml here also ends uv's search for the settings of a project around the cache
        files.write_text(root / "uv.toml", self.sources.config)
        known = {PYTHON: interpreter.path} if interpreter else {}
        return self.executor.execute(plan, root, {**known, HOME: str(home)} if home else known)

    def _held(self, key: str) -> Path:
        return self.cache / "held" / f"{key[:32]}.lock"

    def _waiting(self) -> None:
        self.executor.progress("waiting for another run that makes the same")


def used(path: Path) -> None:
    """Mark a file as used now, in its access time: the time of its change tells when it was made."""
    with suppress(OSError):  # a cache that is read only
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def is_whole(folder: Path, key: str) -> bool:
    """True if a published environment is the one of `key`, with every file of it there in its size, and no other.

    A file that is younger than the manifest was written since; what an environment has gained or changed is in no lock.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        finished = (folder / MANIFEST).stat().st_mtime_ns
    except (OSError, msgspec.MsgspecError):
        return False
    if manifest.key != key:
        return False
    try:
        found = dict(sized(folder, finished))
    except OSError:
        return False
    found.pop(MANIFEST, None)
    return found == manifest.files


def sizes(folder: Path) -> dict[str, int]:
    """The size in bytes of every file under a folder, by relative path; without compiled Python, which comes later."""
    return dict(sized(folder))


def sized(folder: Path, finished: int | None = None) -> Iterator[tuple[str, int]]:
    """Relative path and size of every file, without compiled Python; of one that was written after `finished`, in
    nanoseconds, -1."""
    waiting = [("", str(folder))]
    stat = os.stat  # thousands of files: half the time of Path.stat
    while waiting:
        inside, path = waiting.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.is_dir():
                    seen = stat(entry.path)
                    late = finished is not None and seen.st_mtime_ns > finished
                    yield inside + entry.name, -1 if late else seen.st_size
                elif entry.name != "__pycache__" and not entry.is_symlink():
                    waiting.append((f"{inside}{entry.name}/", entry.path))


def age(seconds: float) -> str:
    """How long ago, in words."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if (count := int(seconds // length)) >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
