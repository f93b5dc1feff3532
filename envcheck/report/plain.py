"""Text of unknown origin made harmless: shown as it is, never obeyed by a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that print nothing of their own: controls, direction marks, surrogates, line separators."""
TAB = "    "


def visible(text: str, *, keep_lines: bool = False) -> str:
    """`text` with every character that steers a terminal written as its escape, such as `\\x1b`.

    Line breaks become spaces, or stay with `keep_lines`; tabs become spaces.
    """
    if text.isprintable():  # most texts; without a look at each character
        return text.strip()
    lines = text.replace("\r\n", "\n").replace("\t", TAB).split("\n")
    return ("\n" if keep_lines else " ").join("".join(map(shown, line)) for line in lines).strip()


def shown(character: str) -> str:
    """The character, or its escape where it prints nothing of its own."""
    if unicodedata.category(character) not in UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def span(dates: Iterable[str]) -> str:
    """From the first to the last of some dates, which sort as texts; one where they are the same, empty for none."""
    known = sorted(filter(None, dates))
    return " to ".join(dict.fromkeys((known[0], known[-1]))) if known else ""
