"""Where members are read from: an archive, a folder, or one file. Sizes are bounded before anything is read."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from envcheck.errors import UsageError

MEMBERS = 100_000
TEXT_BYTES = 8 << 20
NATIVE_BYTES = 1 << 30
"""Limits far above any MediaPipe wheel (760 members, 0.7 MB, 127 MB): beyond them the file is not what it claims."""

Bytes = mmap.mmap | bytes
"""A native library's bytes; mapped, so that they cost memory only while they are looked at."""


class Tree(Protocol):
    """Members by name."""

    @property
    def label(self) -> str:
        """What error messages call it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every file in it, with forward slashes."""

    def text(self, name: str) -> str:
        """A member as text. Raises UsageError where it cannot be read or is too large."""

    def size(self, name: str) -> int:
        """A member's size in bytes."""

    def native(self, name: str) -> AbstractContextManager[Bytes]:
        """A member's bytes, for as long as the context lasts."""


class Archive:
    """A wheel: a zip archive."""

    def __init__(self, label: str, file: zipfile.ZipFile) -> None:
        self.label = label
        self._file = file
        entries = file.infolist()
        _check_entries(label, entries)
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        self.names = tuple(sorted(self._entries))

    def size(self, name: str) -> int:
        """The size that the archive's directory promises, and that reading never exceeds."""
        return self._entries[name].file_size

    def text(self, name: str) -> str:
        """A member as UTF-8."""
        _check_size(self.label, name, self.size(name), TEXT_BYTES)
        with _reading(self.label, name), self._file.open(self._entries[name]) as member:
            return member.read().decode("utf-8")

    @contextmanager
    def native(self, name: str) -> Iterator[Bytes]:
        """A member's bytes, unpacked to a file without a name and mapped."""
        _check_size(self.label, name, self.size(name), NATIVE_BYTES)
        with tempfile.TemporaryFile(prefix="envcheck-") as file:
            with _reading(self.label, name), self._file.open(self._entries[name]) as member:
                shutil.copyfileobj(member, file, 1 << 20)
            file.flush()
            with mapped(file) as found:
                yield found


class Folder:
    """An installed package: the folder that holds `mediapipe`, such as site-packages."""

    def __init__(self, root: Path) -> None:
        self.label = str(root)
        self._root = root
        parts = _parts({path.name for path in root.iterdir() if path.is_dir()})
        names = sorted(name for part in parts for name in _files(root, root / part))
        self.names = tuple(names)

    def size(self, name: str) -> int:
        """The file's size."""
        return (self._root / name).stat().st_size

    def text(self, name: str) -> str:
        """A file as UTF-8."""
        _check_size(self.label, name, self.size(name), TEXT_BYTES)
        with _reading(self.label, name):
            return (self._root / name).read_text(encoding="utf-8")

    @contextmanager
    def native(self, name: str) -> Iterator[Bytes]:
        """A file, mapped."""
        _check_size(self.label, name, self.size(name), NATIVE_BYTES)
        with _opened(self._root / name) as file, mapped(file) as found:
            yield found


class Single:
    """One native library."""

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path
        self.names = (path.name,)

    def size(self, _name: str) -> int:
        """The file's size."""
        return self._path.stat().st_size

    def text(self, name: str) -> str:
        """A library is no text."""
        raise UsageError(f"{self.label}: {name} is no text")

    @contextmanager
    def native(self, name: str) -> Iterator[Bytes]:
        """The file, mapped."""
        _check_size(self.label, name, self.size(name), NATIVE_BYTES)
        with _opened(self._path) as file, mapped(file) as found:
            yield found


def read_archive(file: IO[bytes], label: str) -> Archive:
    """The archive in an open file. Raises UsageError where it is none, or one that nobody should open."""
    try:
        return Archive(label, zipfile.ZipFile(file))
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, OverflowError, NotImplementedError) as error:
        file.seek(0)
        raise UsageError(f"{label}: {_no_archive(file.read(4), error)}", remedy=_EXPECTED) from error


_EXPECTED = "Expected a .whl file, an installed mediapipe folder, or MediaPipe's native library."


def _no_archive(begin: bytes, error: Exception) -> str:
    if begin.startswith(b"\x1f\x8b"):
        return "is no wheel but a gzip archive, such as a source distribution; those hold no built library"
    if begin.startswith(b"PK"):
        return f"is a zip archive that is cut off or damaged ({error})"
    return "is no zip archive, so it is no wheel"


def _check_entries(label: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MEMBERS:
        raise UsageError(f"{label}: {len(entries)} members; a wheel of MediaPipe has fewer than {MEMBERS}")
    seen: set[str] = set()
    for entry in entries:
        if trouble := _trouble(entry, seen):
            raise UsageError(f"{label}: member {entry.filename!r} {trouble}", remedy="Do not install this file.")
        seen.add(entry.filename)


def _trouble(entry: zipfile.ZipInfo, seen: set[str]) -> str:
    name = entry.filename
    if entry.flag_bits & 1:
        return "is encrypted; wheels never are"
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[:1] or not name.strip("/"):
        return "has a path that leads out of the archive"
    return "is there twice" if name in seen else ""


def _check_size(label: str, name: str, size: int, limit: int) -> None:
    if size > limit:
        raise UsageError(f"{label}: {name} claims {size} bytes; more than {limit} are not read")


@contextmanager
def _reading(label: str, name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise UsageError(f"{label}: {name} is no UTF-8 text: {error.reason}") from error
    except Exception as error:  # each decompressor has errors of its own, zipfile adds RuntimeError and struct.error
        raise UsageError(f"{label}: {name} cannot be read: {str(error) or type(error).__name__}") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        yield file


@contextmanager
def mapped(file: IO[bytes]) -> Iterator[Bytes]:
    """An open file's bytes; an empty file cannot be mapped."""
    if os.fstat(file.fileno()).st_size == 0:
        yield b""
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as found:
        yield found


def _parts(folders: set[str]) -> list[str]:
    """The folders of MediaPipe among those of site-packages. Packages such as mediapipe_model_maker are others."""
    own = {"mediapipe", "mediapipe.libs"} & folders
    return sorted(own | {name for name in folders if re.fullmatch(r"mediapipe-[^-]+\.dist-info", name)})


def _files(root: Path, part: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(part):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(parent, name).relative_to(root).as_posix() for name in names)
