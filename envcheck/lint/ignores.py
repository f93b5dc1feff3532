"""`# envcheck: ignore[CODE] reason`: which findings it takes away, and whether it still has a reason to be there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from envcheck.lint.source import Source

COMMENT = re.compile(r"#\s*envcheck:\s*ignore(?![\w-])\s*(?:\[(?P<codes>[^\]]*)\])?(?P<reason>.*)", re.IGNORECASE)


class Ignore(NamedTuple):
    """One comment."""

    line: int
    column: int
    end_column: int
    codes: tuple[str, ...]
    reason: str


def ignores(source: Source) -> list[Ignore]:
    """All ignore comments of a file, in order. Only comments count: a text that reads like one does not."""
    if "envcheck" not in source.text.lower():
        return []
    return [ignore for token in comments(source.text) if (ignore := of_comment(token)) is not None]


def comments(text: str) -> Iterator[tokenize.TokenInfo]:
    """The comments of a text that has been parsed."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token
    except (tokenize.TokenError, SyntaxError):
        return  # the parser took it, the tokenizer does not: no comment beyond this point is known


def of_comment(token: tokenize.TokenInfo) -> Ignore | None:
    """The ignore that a comment holds."""
    found = COMMENT.search(token.string)
    if found is None:
        return None
    codes = tuple(code.strip().upper() for code in (found["codes"] or "").split(",") if code.strip())
    line, column = token.start
    start = column + found.start() + 1
    return Ignore(line, start, column + len(token.string) + 1, codes, found["reason"].strip(" \t:-"))


def lines_of(statement: ast.AST) -> tuple[int, int]:
    """The first and last line of a statement; of a compound one, of what stands before its block."""
    first = getattr(statement, "lineno", 0)
    body = getattr(statement, "body", None)
    if isinstance(body, list):
        header = [child for child in ast.iter_child_nodes(statement) if child not in body and not is_block(child)]
        ends = [getattr(inner, "end_lineno", first) or first for child in header for inner in ast.walk(child)]
        return first, max((first, *ends))
    return first, getattr(statement, "end_lineno", first) or first


def is_block(node: ast.AST) -> bool:
    """Whether a child of a statement is one of its later blocks."""
    return isinstance(node, (ast.stmt, ast.excepthandler))
