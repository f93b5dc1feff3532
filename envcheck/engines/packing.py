"""A delivery in lines of a log, for workers that share no disk with whoever follows them.

A line is `envcheck-delivery ID I/N DATA`: piece I of N, deflated, in base64; ID is the beginning of its hash.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64encode
from collections.abc import Iterator

from envcheck.engines.plans import DELIVERY_LIMIT
from envcheck.errors import UsageError
from envcheck.parcel import LONGEST, joined

LINE = re.compile(
    rb"envcheck-delivery ([0-9a-f]{16}) ([0-9]{1,6})/([0-9]{1,6}) ([A-Za-z0-9+/=]{1,8000})$", re.MULTILINE
)
LOG_LIMIT = DELIVERY_LIMIT * 2
"""Bytes of a log: a delivery that nothing could deflate takes four thirds of its size."""


def packed(delivery: bytes) -> Iterator[str]:
    """The lines for a delivery."""
    data = b64encode(zlib.compress(delivery)).decode("ascii")
    pieces = [data[start : start + LONGEST] for start in range(0, len(data), LONGEST)]
    for number, piece in enumerate(pieces, 1):
        yield f"envcheck-delivery {label_of(delivery)} {number}/{len(pieces)} {piece}"


def label_of(delivery: bytes) -> str:
    """What the lines of a delivery have in common."""
    return hashlib.sha256(delivery).hexdigest()[:16]


def unpacked(log: bytes) -> bytes | str:
    """The last whole delivery in a log, or why there is none."""
    if len(log) > LOG_LIMIT:
        return f"its log is larger than {LOG_LIMIT >> 20} MiB"
    found: dict[str, tuple[int, dict[int, bytes]]] = {}
    for one in LINE.finditer(log):
        _, pieces = found.setdefault(one[1].decode(), (int(one[3]), {}))
        pieces[int(one[2])] = one[4]
    why = "its log has no delivery in it"
    for label, (total, pieces) in reversed(found.items()):
        delivery = whole(label, total, pieces)
        if isinstance(delivery, bytes):
            return delivery
        why = f"the delivery in its log is not whole: {delivery}"
    return why


def whole(label: str, total: int, pieces: dict[int, bytes]) -> bytes | str:
    """A delivery, or what is wrong with its pieces. They are counted before anything is done with each."""
    if len(pieces) != total:
        return f"{len(pieces)} of {total} pieces are there"
    try:
        delivery = joined(total, pieces)
    except UsageError as error:
        return error.message
    return delivery if label_of(delivery) == label else "it is damaged"
