"""Bytes to a syntax tree, with a way back from nodes to places. Nothing that a file holds ends in a traceback."""

from __future__ import annotations

import ast
import codecs
import io
import json
import re
import sys
import threading
import tokenize
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from envcheck.lint.finding import Finding, Level

NEWLINE = re.compile("\r\n|\r|\n")
MAGIC = re.compile(r"\s*([%!?]|[\w.,\s]+=\s*[%!]\s*\w)|\s*[\w.]+\?{1,2}\s*$")
CELL_MAGICS_OF_PYTHON = ("%%time", "%%timeit", "%%capture", "%%prun")
BYTES_PER_LINK = 256
LEAST_STACK = 16 << 20
MOST_STACK = 1 << 30
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Span(NamedTuple):
    """A place: lines and columns from 1, columns in characters; the cell of a notebook."""

    line: int
    column: int
    end_line: int
    end_column: int
    cell: int | None = None


class Source(NamedTuple):
    """A parsed file. `cells` gives the cell, and the line in it, of each line of `text`; empty for a plain file."""

    path: str
    text: str
    lines: tuple[str, ...]
    tree: ast.Module
    cells: tuple[tuple[int, int], ...] = ()

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        line: int = getattr(node, "lineno", 1)
        end_line: int = getattr(node, "end_lineno", None) or line
        column = self.column(line, getattr(node, "col_offset", 0))
        end_column = self.column(end_line, getattr(node, "end_col_offset", None) or 0)
        return self.place(line, column, end_line, end_column)

    def place(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        """Lines of the file, or of the cell that they stand in."""
        if not self.cells:
            return Span(line, column, end_line, end_column)
        cell, first = self.cells[min(line, len(self.cells)) - 1]
        _, last = self.cells[min(end_line, len(self.cells)) - 1]
        return Span(first, column, last, end_column, cell)

    def column(self, line: int, offset: int) -> int:
        """The column, from 1 and in characters, of an offset in UTF-8 bytes."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if text.isascii():
            return offset + 1
        return len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "replace")) + 1


class Unreadable(Exception):  # noqa: N818 (it becomes a finding, not an error)
    """Why a text is no Python, and where."""

    def __init__(self, why: str, line: int = 1, column: int = 1) -> None:
        super().__init__(why)
        self.line = line
        self.column = column


def read(path: str, data: bytes) -> tuple[Source | None, list[Finding]]:
    """A parsed file, or what keeps it from being parsed. A notebook can have both."""
    try:
        if path.endswith(".ipynb"):
            return read_notebook(path, data)
        text = decode(data)
        return Source(path, text, split(text), parse(text)), []
    except Unreadable as error:
        return None, [unreadable(path, error)]


def unreadable(path: str, error: Unreadable, cell: int | None = None) -> Finding:
    """SRC800."""
    span = {"line": error.line, "column": error.column, "end_line": error.line, "end_column": error.column}
    return Finding(path=path, code="SRC800", level=Level.ERROR, message=str(error), cell=cell, **span)


def split(text: str) -> tuple[str, ...]:
    """Lines as Python counts them: a form feed ends none."""
    return tuple(NEWLINE.split(text))


def decode(data: bytes) -> str:
    """The text of a source file by its mark or its coding line."""
    if data.startswith(UTF_16):
        raise Unreadable("is UTF-16; Python source is UTF-8 unless its first lines name another encoding")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except SyntaxError as error:
        raise Unreadable(f"has no encoding that Python knows: {error.msg}") from None
    except (UnicodeDecodeError, LookupError) as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data.count(b"\n", 0, start) + 1
        raise Unreadable(f"cannot be decoded: {error}", line) from None


def parse(text: str) -> ast.Module:
    """The syntax tree of a text."""
    grammar = f"by the grammar of Python {sys.version_info.major}.{sys.version_info.minor}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text) if sys.version_info >= (3, 11) else parse_on_a_deep_stack(text)
    except SyntaxError as error:
        raise Unreadable(f"{error.msg} ({grammar})", error.lineno or 1, max(error.offset or 1, 1)) from None
    except (RecursionError, MemoryError):
        raise Unreadable("is nested too deeply to be parsed") from None
    except ValueError as error:
        raise Unreadable(f"{error} ({grammar})") from None


def parse_on_a_deep_stack(text: str) -> ast.Module:
    """The syntax tree, from a thread whose stack grows with the text.

    CPython 3.10 dies of a long chain (`a.b.c…`, 100 000 links) where later versions raise RecursionError.
    """
    from concurrent.futures import ThreadPoolExecutor

    before = threading.stack_size(min(max(BYTES_PER_LINK * len(text), LEAST_STACK), MOST_STACK))
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(ast.parse, text).result()
    finally:
        threading.stack_size(before)


def read_notebook(path: str, data: bytes) -> tuple[Source | None, list[Finding]]:
    """The code cells of a notebook as one module; a cell that does not parse is reported and left out."""
    findings: list[Finding] = []
    lines: list[str] = []
    places: list[tuple[int, int]] = []
    for number, text in code_cells(data):
        own = plain_python(text)
        try:
            parse("\n".join(own))
        except Unreadable as error:
            findings.append(unreadable(path, error, number))
            own = [""] * len(own)
        lines += own
        places += [(number, line) for line in range(1, len(own) + 1)]
    if not lines:
        return None, findings
    text = "\n".join(lines)
    return Source(path, text, tuple(lines), parse(text), tuple(places)), findings


def code_cells(data: bytes) -> Iterator[tuple[int, str]]:
    """The number (from 1, all kinds counted) and text of each code cell."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
        cells = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "code":
                text = cell.get("source", cell.get("input", ""))
                yield number, "".join(text) if isinstance(text, list) else str(text)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"is no Jupyter notebook: {type(error).__name__}: {error}") from None


def plain_python(cell: str) -> list[str]:
    """The lines of a cell with magics and shell commands taken out, each line in its place."""
    lines = list(split(cell))
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and not first.startswith(CELL_MAGICS_OF_PYTHON):
        return [""] * len(lines)
    plain, continued = [], False
    for line in lines:
        starts = not continued and is_magic(line)
        indent = line[: len(line) - len(line.lstrip())]
        plain.append(f"{indent}pass" if starts else "" if continued else line)
        continued = (starts or continued) and line.rstrip().endswith("\\")
    return plain


def is_magic(line: str) -> bool:
    """Whether a line is for IPython, not for Python. `%` and `!` never begin a Python line, but may go on with one."""
    stripped = line.lstrip()
    if stripped.startswith(("!", "?")):
        return not stripped.startswith("!=")
    if stripped.startswith("%"):
        return stripped[1:2].isalpha() or stripped.startswith("%%")
    return MAGIC.match(line) is not None
