"""Versions compared component by component, as integers: "570.26" is older than "570.124.06".

Never as floats (570.26 > 570.124) and never by the first component alone (525.60.13 and 525.105.17 differ).
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache

Version = tuple[int, ...]

NEWEST = (sys.maxsize,)
"""Appended to a prefix it gives the newest conceivable version that starts with that prefix."""

_DOTTED = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", re.ASCII)


@lru_cache(maxsize=4096)
def components(text: str) -> Version | None:
    """The integers of a dotted version, or None where the text is no such version."""
    return tuple(int(part) for part in text.split(".")) if _DOTTED.fullmatch(text) else None


def known_components(text: str) -> Version:
    """The integers of a version out of a table, whose form the loader has checked."""
    found = components(text)
    if found is None:
        raise ValueError(f"{text!r} is no dotted version")
    return found


def starts_with(version: Version, prefix: Version) -> bool:
    """Whether `version` is `prefix` or a part of it: 12.8.1 starts with 12.8; 12.10 does not start with 12.1."""
    return version[: len(prefix)] == prefix


def is_branch(version: Version) -> bool:
    """Whether this names a whole driver branch ("570") rather than one driver ("570.124.06")."""
    return len(version) == 1
