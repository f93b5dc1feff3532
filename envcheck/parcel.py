"""A results folder in lines of a log, for workers that share no disk with whoever merges.

A line is `envcheck-parcel ID NAME I/N DATA`: piece I of N of a file, deflated, in base64; ID is the same for all files
of one run. Whatever a log collector writes before it is passed over. What comes out is held to its list of digests and
to its signature like any other folder.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from envcheck import seal, store
from envcheck.errors import UsageError

MARK = "envcheck-parcel"
LONGEST = 8000
"""Characters of data in a line: container runtimes cut lines at 16 KiB."""
NAMES = rb"results\.json|evidence\.sha256(?:\.hmac)?|evidence/[A-Za-z0-9][A-Za-z0-9._+-]{0,154}"
"""What a parcel holds; nothing else is ever written, wherever its name may lead."""
LINE = re.compile(rb"envcheck-parcel ([0-9a-f]{16}) (" + NAMES + rb") ([0-9]{1,6})/([0-9]{1,6}) ([A-Za-z0-9+/=]+)")
LARGEST_LOG = 1 << 30
"""Bytes of a log, and of what is unpacked of it."""
Pieces = dict[int, bytes]


# --- out --------------------------------------------------------------------------------------------------------


def lines_of(out: Path) -> Iterator[str]:
    """The lines for what is believed of a results folder: results, evidence, digests, signature."""
    sums = store.read_limited(out / seal.SUMS)
    names = [
        *sorted(seal.parsed(sums) or ()),
        seal.SUMS,
        *([seal.SIGNATURE] if (out / seal.SIGNATURE).exists() else []),
    ]
    label = seal.digest(sums)[:16]
    for name in names:
        data = base64.b64encode(zlib.compress(store.read_limited(out / name))).decode("ascii")
        pieces = [data[start : start + LONGEST] for start in range(0, len(data), LONGEST)]
        for number, piece in enumerate(pieces, 1):
            yield f"{MARK} {label} {name} {number}/{len(pieces)} {piece}"


# --- in ---------------------------------------------------------------------------------------------------------


def is_log(path: Path) -> bool:
    """True for a file that has a line of a parcel in it."""
    if not path.is_file() or path.stat().st_size > LARGEST_LOG:
        return False
    with path.open("rb") as file:
        return any(LINE.search(line) for line in file)


def unpack(path: Path, into: Path) -> tuple[list[Path], list[str]]:
    """The results folders in a log, each made whole in `into`; and what is not, in words."""
    folders, faults = [], []
    room = LARGEST_LOG
    for label, files in sorted(gathered(path).items()):
        folder = into / label
        said = []
        for name, (total, pieces) in sorted(files.items()):
            fault, size = written(folder / name, total, pieces, room)
            said.append(f"{name}: {fault}" if fault else "")
            room -= size
        listed = optional(folder / seal.SUMS)
        if listed is None or seal.digest(listed)[: len(label)] != label:
            said.append("its list of digests is not there")
        else:
            folders.append(folder)
        faults += [f"parcel {label}: {one}" for one in said if one]
    return folders, faults


def written(path: Path, total: int, pieces: Pieces, room: int) -> tuple[str, int]:
    """Make one file; why not, where that cannot be done, and its size."""
    try:
        data = joined(total, pieces)
    except UsageError as error:
        return error.message, 0
    if len(data) > room:
        return f"with it more than {LARGEST_LOG >> 20} MiB would be unpacked", 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return "", len(data)


def optional(path: Path) -> bytes | None:
    """The content of a file; None where there is none."""
    return path.read_bytes() if path.is_file() else None


def gathered(path: Path) -> Mapping[str, Mapping[str, tuple[int, Pieces]]]:
    """The pieces in a log, by parcel and name."""
    found: dict[str, dict[str, tuple[int, Pieces]]] = {}
    with path.open("rb") as file:
        for label, name, number, total, data in matched(file):
            _, pieces = found.setdefault(label, {}).setdefault(name, (total, {}))
            pieces[number] = data
    return found


def matched(lines: Iterable[bytes]) -> Iterator[tuple[str, str, int, int, bytes]]:
    """What the lines of parcels say."""
    for line in lines:
        if one := LINE.search(line):
            yield one[1].decode(), one[2].decode(), int(one[3]), int(one[4]), one[5]


def joined(total: int, pieces: Pieces) -> bytes:
    """The content of a file. Raises UsageError where a piece is missing or damaged."""
    wanted = range(1, total + 1)
    if absent := total - sum(number in wanted for number in pieces):  # what is there is counted, not what is claimed
        raise UsageError(f"{absent} of {total} pieces are missing")
    unpacker = zlib.decompressobj()
    try:
        packed = base64.b64decode(b"".join(pieces[one] for one in wanted), validate=True)
        data = unpacker.decompress(packed, store.MAX_BYTES)
    except (binascii.Error, zlib.error):
        raise UsageError("it is damaged") from None
    if not unpacker.eof:
        raise UsageError("it is damaged, or larger than any evidence is")
    return data
