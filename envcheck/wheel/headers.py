"""The heads of Mach-O and PE files: enough to tell for which processor a library was built, and what it loads.

Layouts as in Apple's <mach-o/loader.h> and <mach-o/fat.h>, and in Microsoft's PE format.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from envcheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envcheck.wheel.trees import Bytes

_FAT, _THIN = b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"
_CPUS = {0x0100000C: "arm64", 0x01000007: "x86_64"}
_LOAD = (0xC, 0x80000018, 0x8000001F)
_PE = {0x8664: "x86_64", 0xAA64: "arm64", 0x014C: "i686"}
_MOST_SLICES = 16
_MOST_COMMANDS = 4096
_MACH_HEADER = 32


def is_mach_o(data: Bytes) -> bool:
    """Whether it begins as a 64-bit Mach-O file, or as one for several processors."""
    return bytes(data[:4]) in {_FAT, _THIN}


def is_pe(data: Bytes) -> bool:
    """Whether it begins as a DLL does."""
    return bytes(data[:2]) == b"MZ"


def read_mach_o(data: Bytes, label: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The processors, and the libraries that the first slice loads. Raises UsageError for a damaged file."""
    try:
        slices = list(_slices(data))
        machines = tuple(_CPUS.get(struct.unpack_from("<I", data, at + 4)[0], "unknown") for at, _ in slices)
        return machines, tuple(_loaded(data, slices[0][0]))
    except (struct.error, ValueError, IndexError) as error:
        raise UsageError(f"{label}: the Mach-O file is cut off or damaged ({error})") from error


def _slices(data: Bytes) -> Iterator[tuple[int, int]]:
    """The offset and size of each processor's part."""
    if bytes(data[:4]) == _THIN:
        yield 0, len(data)
        return
    (count,) = struct.unpack_from(">I", data, 4)
    if not 0 < count <= _MOST_SLICES:
        raise ValueError(f"{count} processors")
    for number in range(count):
        offset, size = struct.unpack_from(">II", data, 8 + 20 * number + 8)
        if offset + size > len(data) or bytes(data[offset : offset + 4]) != _THIN:
            raise ValueError(f"part {number} ends at byte {offset + size} of {len(data)}")
        yield offset, size


def _loaded(data: Bytes, start: int) -> Iterator[str]:
    count, total = struct.unpack_from("<II", data, start + 16)
    if count > _MOST_COMMANDS or start + _MACH_HEADER + total > len(data):
        raise ValueError(f"{count} load commands of {total} bytes")
    at = start + _MACH_HEADER
    for _ in range(count):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 8:
            raise ValueError(f"a load command of {size} bytes")
        if kind in _LOAD:
            (name,) = struct.unpack_from("<I", data, at + 8)
            yield bytes(data[at + name : at + size]).split(b"\0")[0].decode("utf-8", "replace")
        at += size


def read_pe(data: Bytes, label: str) -> str:
    """The processor. Raises UsageError for a damaged file."""
    try:
        return _pe_machine(data)
    except (struct.error, ValueError) as error:
        raise UsageError(f"{label}: the DLL is cut off or damaged ({error})") from error


def _pe_machine(data: Bytes) -> str:
    (at,) = struct.unpack_from("<I", data, 0x3C)
    if bytes(data[at : at + 4]) != b"PE\0\0":
        raise ValueError("no PE header")
    (machine, sections) = struct.unpack_from("<HH", data, at + 4)
    (optional,) = struct.unpack_from("<H", data, at + 20)
    for number in range(sections):
        size, offset = struct.unpack_from("<II", data, at + 24 + optional + 40 * number + 16)
        if offset + size > len(data):
            raise ValueError(f"section {number} ends at byte {offset + size} of {len(data)}")
    return _PE.get(machine, f"unknown ({machine:#x})")
