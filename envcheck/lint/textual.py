"""Text that is no Python: its lines, its places, and what keeps it from being read. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envcheck.lint.finding import Level
from envcheck.lint.ignores import COMMENT, Ignore
from envcheck.lint.source import UTF_16, Span, Unreadable

BEGINS_COMMENT = re.compile(r"(?:^|\s)(?=#)")
LINE = re.compile(r"[^\n]*\n|[^\n]+")


class Text(NamedTuple):
    """A decoded file. `starts`: the offset of each line."""

    path: str
    text: str
    starts: tuple[int, ...]

    def at(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset, from 1."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The place between two offsets."""
        return Span(*self.at(start), *self.at(max(end, start)))

    def place(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        """Lines and columns as they are."""
        return Span(line, column, end_line, end_column)

    def line(self, number: int) -> str:
        """One line, from 1; "" where there is none."""
        if not 0 < number <= len(self.starts):
            return ""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end]


class Spot(NamedTuple):
    """A fault in a text, between two offsets; `detail` and `level` as in a Hit."""

    code: str
    start: int
    end: int
    detail: str = ""
    level: Level | None = None
    first: int = 0
    """The first offset of what the fault is part of: an instruction, a command."""
    last: int = 0


def decoded(path: str, data: bytes) -> Text:
    """The text of a file. Raises Unreadable."""
    if data.startswith(UTF_16):
        raise Unreadable("is UTF-16; write it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"cannot be decoded: {error}", data.count(b"\n", 0, error.start) + 1) from None
    if "\0" in text:
        raise Unreadable("holds null bytes: it is no text", text.count("\n", 0, text.index("\0")) + 1)
    starts = [match.start() for match in LINE.finditer(text)] or [0]
    return Text(path, text, tuple(starts))


def ignores_of(text: Text) -> list[Ignore]:
    """The ignore comments: of a line of their own, or at the end of one."""
    if "envcheck" not in text.text.lower():
        return []
    return [found for number in range(1, len(text.starts) + 1) if (found := in_line(text.line(number), number))]


def in_line(line: str, number: int) -> Ignore | None:
    """The ignore comment of a line."""
    found = COMMENT.search(line.rstrip("\r\n"))
    if found is None or not BEGINS_COMMENT.match(line, max(found.start() - 1, 0)):
        return None
    codes = tuple(code.strip().upper() for code in (found["codes"] or "").split(",") if code.strip())
    return Ignore(number, found.start() + 1, found.end() + 1, codes, found["reason"].strip(" \t:-\\"))


def lines_of_spot(text: Text, spot: Spot) -> frozenset[int]:
    """The lines whose comment can ignore a fault: those of what it is part of, and the comments right above."""
    first, _ = text.at(min(spot.first or spot.start, spot.start))
    last, _ = text.at(max(spot.last, spot.end))
    return frozenset((*range(first, last + 1), *above(text, first)))


def above(text: Text, line: int) -> Iterator[int]:
    """The lines of comment right above a line."""
    while line > 1 and text.line(line - 1).lstrip().startswith("#"):
        line -= 1
        yield line


class Words(NamedTuple):
    """Text put together from pieces of a file. `pieces`: (offset in `text`, offset in the file), in order."""

    text: str
    pieces: tuple[tuple[int, int], ...]

    def offset(self, index: int) -> int:
        """Where in the file a character of `text` stands."""
        number = bisect_right(self.pieces, (index, 1 << 62)) - 1
        start, there = self.pieces[max(number, 0)]
        return there + index - start

    def part(self, start: int, end: int) -> Words:
        """The text between two of its indices."""
        kept = [(at - start, there) for at, there in self.pieces if start < at < end]
        return Words(self.text[start:end], ((0, self.offset(start)), *kept))


def joined(parts: Iterable[tuple[str, int]]) -> Words:
    """Pieces of text with their offsets as one text."""
    texts, pieces, length = [], [], 0
    for text, offset in parts:
        texts.append(text)
        pieces.append((length, offset))
        length += len(text)
    return Words("".join(texts), tuple(pieces) or ((0, 0),))
