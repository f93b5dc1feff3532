"""File -> Matrix. Whatever stands at the path, the answer is a matrix or one clear error."""

from __future__ import annotations

import errno
import stat
from importlib import resources
from typing import TYPE_CHECKING

from envcheck.errors import PlaceError
from envcheck.matrix.parser import parse

if TYPE_CHECKING:
    from pathlib import Path

    from envcheck.matrix.records import Matrix

MAX_BYTES = 1 << 20
"""The largest file read. A matrix of a million cells needs a few kilobytes."""

DEFAULT = "default.yaml"


def load(path: Path) -> Matrix:
    """The matrix of a file. PlaceError names the file where it cannot be read, and the places where it is wrong."""
    return parse(text_of(path), str(path))


def default() -> Matrix:
    """The small matrix that is shipped, for whoever has none yet."""
    return parse(text_of(None), f"envcheck's {DEFAULT}")


def text_of(path: Path | None) -> str:
    """The text of a matrix file, or of the one that is shipped. PlaceError names what cannot be read."""
    if path is None:
        return resources.files("envcheck.matrix").joinpath(DEFAULT).read_text(encoding="utf-8")
    return _text(_bytes(path), str(path))


_MISSING = ("there is no such file", "write one (docs/matrix.md shows how), or name another with --matrix FILE")
_FAULTS = {
    errno.ENOENT: _MISSING,
    errno.ENOTDIR: _MISSING,
    errno.EACCES: ("it may not be read", "give yourself the permission to read it"),
    errno.ELOOP: ("it is a symbolic link that leads back to itself", "let the link point to a file"),
    errno.ENAMETOOLONG: ("its name is too long for a file", "name another with --matrix FILE"),
}


def _bytes(path: Path) -> bytes:
    """What stands in a regular file of sensible size."""
    try:
        seen = path.stat()
        if stat.S_ISDIR(seen.st_mode):
            raise PlaceError(str(path), "it is a directory", remedy=f"name the file in it: {path / 'matrix.yaml'}")
        if not stat.S_ISREG(seen.st_mode):
            raise PlaceError(str(path), "it is no regular file", remedy="write the matrix to a file and name that")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        code = error.errno if isinstance(error, OSError) else None
        fault, remedy = _FAULTS.get(code or 0, (f"it cannot be read: {error}", "name another with --matrix FILE"))
        raise PlaceError(str(path), fault, remedy=remedy) from None
    if len(data) > MAX_BYTES:
        size = max(seen.st_size, len(data))
        raise PlaceError(
            str(path),
            f"it has {size:,} bytes; at most {MAX_BYTES:,} are read",
            remedy="check that this is the matrix file",
        )
    return data


def _text(data: bytes, name: str) -> str:
    if not data.strip():
        raise PlaceError(name, "it is empty", remedy="begin it with version: 1 and axes: (docs/matrix.md shows how)")
    text = data.partition(b"\0")[0]
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_text(data, name, error.start) from None
    if len(text) < len(data):
        raise _no_text(data, name, len(text))
    return decoded


def _no_text(data: bytes, name: str, at: int) -> PlaceError:
    line_start = data.rfind(b"\n", 0, at) + 1
    line = data.count(b"\n", 0, at) + 1
    place = f"{name}:{line}:{at - line_start + 1}"
    return PlaceError(place, f"byte 0x{data[at]:02x} is not UTF-8 text", remedy="save the file as UTF-8 text")
