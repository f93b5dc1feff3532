"""Findings at their places, and what is wrong with comments that ignore them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from envcheck.lint.catalogue import BY_CODE
from envcheck.lint.finding import Finding, Level
from envcheck.lint.ignores import Ignore
from envcheck.lint.source import Span


class Placed(Protocol):
    """A file in which there are places."""

    @property
    def path(self) -> str:
        """Its name."""
        ...

    def place(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        """Lines of the file, or of a part of it."""
        ...


def placed(path: str, code: str, message: str, span: Span, level: Level | None = None) -> Finding:
    """A finding at a place."""
    return Finding(
        path=path, code=code, level=level or BY_CODE[code].level, message=message, line=span.line, column=span.column,
        end_line=span.end_line, end_column=span.end_column, cell=span.cell,
    )  # fmt: skip


def worded(code: str, detail: str) -> str:
    """The title of a check, with what is special about this place."""
    return f"{BY_CODE[code].title}: {detail}" if detail else BY_CODE[code].title


def about(
    source: Placed, comments: Iterable[Ignore], used: set[tuple[Ignore, str]], codes: frozenset[str]
) -> Iterator[Finding]:
    """SRC898 and SRC899. A code that was not asked for cannot be told to be unused."""
    for comment in comments:
        span = source.place(comment.line, comment.column, comment.line, comment.end_column)
        if not comment.codes or not comment.reason:
            what = "no code in brackets" if not comment.codes else "no reason after the brackets"
            yield placed(source.path, "SRC898", f"{BY_CODE['SRC898'].title}: {what}", span)
        for code in comment.codes:
            if code not in BY_CODE:
                yield placed(source.path, "SRC899", f"{BY_CODE['SRC899'].title}: there is no check {code}", span)
            elif code in codes and (comment, code) not in used:
                yield placed(source.path, "SRC899", f"{BY_CODE['SRC899'].title}: no {code} here", span)
