"""Files that several runs share: locks, folders to work in, and publishing in one step.

A lock is held through an open file, so the system releases it when its process ends, however it ends. A folder to work
in has such a lock of its own; one whose lock is free belonged to a process that died, and is swept.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck import process
from envcheck.errors import InfrastructureError, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RETRY_S = 0.05
_PATIENCE_S = 3600.0
_NAME_BYTES = 8
_WORKSPACE = "[0-9a-f]" * 2 * _NAME_BYTES


@contextmanager
def hold(lock: Path, waiting: Callable[[], object], *, shared: bool = False) -> Iterator[None]:
    """Hold a lock alone, or shared with other sharers, among all threads and processes.

    `waiting` is called once if it is not free.

    Raises UsageError where its folder cannot be used, InterruptedRunError if the run is stopped while it waits,
    InfrastructureError after an hour.
    """
    descriptor = _made(lock)
    try:
        if not _lock(descriptor, shared=shared):
            waiting()
            _wait_for(descriptor, lock, shared=shared)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def hold_if_free(lock: Path) -> Iterator[bool]:
    """True, and the lock is held alone, if nobody has it; else False, without waiting."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open(lock)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, lock: Path, *, shared: bool) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not _lock(descriptor, shared=shared):  # not a blocking call: that could not be interrupted in a thread
        if process.stopped():
            raise InterruptedRunError("interrupted while waiting for another run")
        if time.monotonic() > until:
            raise InfrastructureError(
                f"{lock} is held by another run for more than an hour", remedy="End that run, or name another cache."
            )
        time.sleep(_RETRY_S)


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """A new folder to work in; what is left of it at the end is removed. First sweeps those of dead processes."""
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    descriptor, lock, folder = _reserve(parent)
    try:
        folder.mkdir()
        yield folder
    finally:
        _discard(folder, lock)
        os.close(descriptor)


def _reserve(parent: Path) -> tuple[int, Path, Path]:
    """A held lock and the folder it stands for; a sweeper may snatch a lock between its creation and its holding."""
    while True:
        lock = parent / f"{secrets.token_hex(_NAME_BYTES)}.lock"
        descriptor = _open(lock)
        if _lock(descriptor) and lock.exists():
            return descriptor, lock, lock.with_suffix("")
        os.close(descriptor)


def sweep(parent: Path) -> None:
    """Remove the workspaces of processes that are gone.

    One without its lock was removed already, and made again by an orphaned child of its process.
    """
    for folder in parent.glob(_WORKSPACE):
        if not folder.with_suffix(".lock").exists():
            shutil.rmtree(folder, ignore_errors=True)
    for lock in parent.glob("*.lock"):
        with suppress(FileNotFoundError):  # another sweeper was faster
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                if _lock(descriptor):
                    _discard(lock.with_suffix(""), lock)
            finally:
                os.close(descriptor)


def _discard(folder: Path, lock: Path) -> None:
    """Remove both; a folder that an orphaned child still writes to keeps its lock, and is swept another time."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        lock.unlink(missing_ok=True)


def publish(source: Path, target: Path, trash: Path) -> None:
    """Move a finished folder to its place in one step; what was there goes to `trash`. The caller holds its lock."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        target.rename(trash)
    source.rename(target)


def write_text(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_text(path: Path) -> str | None:
    """The text of a file, or None where there is no such file or it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        return None


def _made(lock: Path) -> int:
    """The lock, opened, in a folder that is made for it. A full disk is an OSError: that is no matter of usage."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return _open(lock)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UsageError(
            f"the cache folder {lock.parent} cannot be used: {error.strerror or error}",
            remedy="Name another one with ENVCHECK_CACHE.",
        ) from error


def _open(lock: Path) -> int:
    return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, *, shared: bool = False) -> bool:
    """True if the lock is now ours."""
    import fcntl  # not on Windows

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
