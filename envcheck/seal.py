"""Evidence that cannot be changed on its way without being found out: a list of digests, and a signature over it.

`evidence.sha256` is what `sha256sum --check` reads. With a key `evidence.sha256.hmac` stands beside it: HMAC-SHA256,
which the standard library has and which needs no more than one secret that the workers and whoever merges share. So
whoever can verify can sign too; it tells ours from foreign, and not one worker from another.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from envcheck.errors import UsageError

SUMS, SIGNATURE = "evidence.sha256", "evidence.sha256.hmac"
CONTEXT = b"envcheck.evidence.sha256/1\n"
"""Signed before the list, so that the key signs nothing that could be read as something else."""
SHORTEST_KEY, LONGEST_KEY = 32, 4096
LINE = re.compile(r"([0-9a-f]{64})  ([^\\\n]+)", re.ASCII)
HOW_TO_MAKE = "Make one: head -c 32 /dev/urandom | base64 > FILE"


def read_key(path: Path | None, option: str) -> bytes | None:
    """The key in a file, without blanks around it. Raises UsageError."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            key = file.read(LONGEST_KEY + 1).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{option} {path}: {reason}", remedy=HOW_TO_MAKE) from error
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise UsageError(f"{option} {path}: a key has {SHORTEST_KEY} to {LONGEST_KEY} bytes", remedy=HOW_TO_MAKE)
    return key


def sums_of(texts: Mapping[str, bytes]) -> str:
    """The list of digests of files, by relative name."""
    return "".join(f"{digest(data)}  {name}\n" for name, data in sorted(texts.items()))


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def signature(sums: bytes, key: bytes) -> str:
    """The signature over a list."""
    return hmac.new(key, CONTEXT + sums, hashlib.sha256).hexdigest() + "\n"


def parsed(sums: bytes) -> dict[str, str] | None:
    """The digests of a list by name; None where it is none, or names a file twice."""
    try:
        lines = [LINE.fullmatch(line) for line in sums.decode("utf-8").splitlines()]
    except UnicodeDecodeError:
        return None
    found = {line[2]: line[1] for line in lines if line}
    return found if len(found) == len(lines) else None


def broken(sums: bytes | None, signed: bytes | None, key: bytes | None) -> str:
    """Why a list is not to be believed, in a few words; empty where it is. Without a key an unsigned one is."""
    if key is None:
        return ""
    if sums is None or signed is None:
        return "it is not signed, and a key is demanded"
    if not hmac.compare_digest(signed.strip(), signature(sums, key).strip().encode()):
        return "its signature is not that of the key: it was made with another one, or the list was changed"
    return ""
