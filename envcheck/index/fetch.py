"""A wheel's bytes: a local file, one fetched before, the parts that an audit reads, or all of it.

Fetching parts writes them to their own places in a file full of holes, which the archive reader then reads as if it
were whole: what was not fetched is zeros, and reading it fails.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from envcheck import cache as files
from envcheck.errors import InfrastructureError, UsageError
from envcheck.index.http import REMEDY, Client, MissingError, NoPartsError, Tick, shown
from envcheck.index.listing import Offered
from envcheck.index.places import local_path
from envcheck.record import Unread
from envcheck.wheel.record import Origin

WHEEL_BYTES = 2 << 30
DIRECTORY_BYTES = 32 << 20
_TAIL = 1 << 17
_GAP = 1 << 16
"""Parts closer together than this are fetched as one: a request costs more than these bytes."""
_WORTH = 0.8
"""Above this share of the file, all of it is fetched: then its hash can be checked, and the file kept."""
_LOCAL_HEADER = 30 + 1024
"""More than the fixed header of a member, its name and its extra fields take."""

Wanted = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A file to read the archive from, and where it came from."""

    file: IO[bytes]
    origin: Origin


@contextmanager
def opened(wheel: Offered, client: Client, wanted: Wanted, cache: Path, tick: Tick) -> Iterator[Opened]:
    """A wheel, open for reading what `wanted` picks of its members.

    Raises InfrastructureError where the bytes cannot be had, or are not those that the index promised.
    """
    if (path := local_path(wheel.url)) is not None:
        with open_local(path, wheel.sha256) as found:
            yield found
        return
    kept = cache / "wheels" / (wheel.sha256 or "unhashed") / wheel.name
    if wheel.sha256 and kept.is_file():
        with kept.open("rb") as file:
            if _sha256(file) == wheel.sha256:
                yield Opened(file, _origin(file, wheel, wheel.sha256, 0))
                return
    with _fetched(wheel, client, wanted, kept, tick) as found:
        yield found


@contextmanager
def open_local(path: Path, promised: str = "") -> Iterator[Opened]:
    """A wheel on this machine."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > WHEEL_BYTES:
            raise UsageError(f"{path}: {size} bytes; no wheel of MediaPipe is larger than {WHEEL_BYTES}")
        found = _sha256(file)
        if promised and found != promised:
            raise UsageError(f"{path}: sha256 is {found}, but its index says {promised}", remedy="Do not install it.")
        yield Opened(file, Origin(path.name, "wheel", size, found, checked=True))


@contextmanager
def _fetched(wheel: Offered, client: Client, wanted: Wanted, kept: Path, tick: Tick) -> Iterator[Opened]:
    before = client.fetched
    try:
        with tempfile.TemporaryFile(prefix="envcheck-") as file:
            if _parts_suffice(wheel, client, wanted, file, tick):
                yield Opened(file, _origin(file, wheel, wheel.sha256, client.fetched - before))
                return
            file.truncate(0)
            found = _fetch_whole(wheel, client, file, tick)
            _keep(file, kept, known=bool(wheel.sha256))
            yield Opened(file, _origin(file, wheel, found, client.fetched - before, checked=True))
    except MissingError as error:
        raise InfrastructureError(f"{error} is on the index's page, but not there", remedy=REMEDY) from error
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, struct.error) as error:
        raise UsageError(f"{wheel.name}: is no zip archive: {error}") from error


def _origin(file: IO[bytes], wheel: Offered, sha256: str, fetched: int, *, checked: bool | None = None) -> Origin:
    size = os.fstat(file.fileno()).st_size
    whole = fetched == 0 if checked is None else checked
    promise: str | Unread = sha256 or Unread(reason="the index gives no sha256, and only parts were fetched")
    return Origin(wheel.name, "wheel", size, promise, checked=whole, fetched=fetched)


# --- parts ---------------------------------------------------------------------------------------------------------


def _parts_suffice(wheel: Offered, client: Client, wanted: Wanted, file: IO[bytes], tick: Tick) -> bool:
    try:
        return _fetch_parts(wheel, client, wanted, file, tick)
    except NoPartsError:
        return False


def _fetch_parts(wheel: Offered, client: Client, wanted: Wanted, file: IO[bytes], tick: Tick) -> bool:
    """Fetch the directory and the wanted members to their places. False where the server does not give parts, or
    where they are nearly all of it."""
    tail = client.part(wheel.url, -_TAIL, 0)
    if tail is None:
        return False
    data, size = tail
    if size > WHEEL_BYTES or len(data) > size:
        raise UsageError(f"{wheel.name}: {size} bytes; no wheel of MediaPipe is larger than {WHEEL_BYTES}")
    file.truncate(size)
    _put(file, size - len(data), data)
    begin = _directory_start(data, size)
    if size - begin > DIRECTORY_BYTES:
        raise UsageError(f"{wheel.name}: its directory is {size - begin} bytes")
    if begin < size - len(data):
        rest = client.part(wheel.url, begin, size - len(data))
        if rest is None:
            return False
        _put(file, begin, rest[0])
    spans = spans_of(zipfile.ZipFile(file).infolist(), wanted, begin)
    total = sum(end - start for start, end in spans)
    if total > _WORTH * size:
        return False
    return all(_fetch_span(wheel, client, span, file, lambda n: tick(n, total)) for span in spans)


def spans_of(entries: Sequence[zipfile.ZipInfo], wanted: Wanted, end: int) -> tuple[tuple[int, int], ...]:
    """The parts of the file that hold the wanted members; neighbours are one part."""
    names = set(wanted([entry.filename for entry in entries]))
    found: list[tuple[int, int]] = []
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.filename not in names:
            continue
        start, stop = entry.header_offset, min(entry.header_offset + _LOCAL_HEADER + entry.compress_size, end)
        if found and start - found[-1][1] <= _GAP:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(span for span in found if span[0] < span[1])


def _directory_start(tail: bytes, size: int) -> int:
    """Where the archive's directory begins, by its end record; the tail's begin where the record is of no use."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile("it has no end record")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    return max(0, size - len(tail) + at - length)


def _fetch_span(
    wheel: Offered, client: Client, span: tuple[int, int], file: IO[bytes], tick: Callable[[int], None]
) -> bool:
    start, end = span
    with client.part_stream(wheel.url, start, end) as found:
        if found is None:
            return False
        file.seek(start)
        done = client.copy(found[0], file, end - start, end - start, lambda n, _total: tick(n))
    if done != end - start:
        raise InfrastructureError(f"{shown(wheel.url)} sent {done} of {end - start} bytes", remedy=REMEDY)
    return True


def _put(file: IO[bytes], at: int, data: bytes) -> None:
    file.seek(at)
    file.write(data)


# --- all of it -----------------------------------------------------------------------------------------------------


def _fetch_whole(wheel: Offered, client: Client, file: IO[bytes], tick: Tick) -> str:
    """Fetch the file and check it; its sha256."""
    with client.open(wheel.url, {"Accept-Encoding": "identity"}) as answer:
        length = answer.headers.get("Content-Length") or ""
        expected = int(length) if length.isdigit() else None
        file.seek(0)
        done = client.copy(answer, file, expected, WHEEL_BYTES, tick)
    if expected not in {None, done}:
        raise InfrastructureError(f"{shown(wheel.url)} sent {done} of {expected} bytes", remedy=REMEDY)
    found = _sha256(file)
    if wheel.sha256 and found != wheel.sha256:
        raise InfrastructureError(
            f"{shown(wheel.url)} gave another file: sha256 {found}; the index promised {wheel.sha256}", remedy=REMEDY
        )
    return found


def _keep(file: IO[bytes], kept: Path, *, known: bool) -> None:
    """Keep a checked file for the next time; a cache that cannot be written is no reason to fail."""
    if not known:
        return
    try:
        with files.workspace(kept.parent.parent / "staging") as work:
            part = work / kept.name
            file.seek(0)
            with part.open("wb") as target:
                while chunk := file.read(1 << 20):
                    target.write(chunk)
            kept.parent.mkdir(parents=True, exist_ok=True)
            part.replace(kept)
    except OSError:
        return


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
