"""Bytes to a tree, and places: whatever a file holds, there is an answer and no traceback."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.lint import BY_CODE, Finding, lint

ALL = frozenset(BY_CODE)
MESH = "x = mp.solutions.face_mesh.FaceMesh()"


def found(data: bytes, path: str = "app.py") -> list[Finding]:
    return lint(path, data, codes=ALL)


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"import mediapipe as mp\n" + MESH.encode(), 2, 5),
        (b"\xef\xbb\xbfimport mediapipe as mp; " + MESH.encode(), 1, 29),
        (b"import mediapipe as mp\r\n\r\n" + MESH.encode() + b"\r\n", 3, 5),
        (b"import mediapipe as mp\r" + MESH.encode(), 2, 5),
        (b"import mediapipe as mp\n\x0c\ns = '\x0c\x1c'; " + MESH.encode(), 3, 15),
        (b"import mediapipe as mp\nif 1:\n\t" + MESH.encode(), 3, 6),
        (b"# coding: latin-1\nimport mediapipe as mp\ns = '\xe9'; " + MESH.encode(), 3, 14),
        ("import mediapipe as mp\ns = '\u2028\U0001f600'; ".encode() + MESH.encode(), 2, 15),
    ],
    ids=["plain", "mark", "crlf", "cr", "form feed", "tab", "latin-1", "line separator and emoji"],
)
def test_places_are_lines_of_python_and_columns_of_characters(data: bytes, line: int, column: int) -> None:
    assert [(f.code, f.line, f.column) for f in found(data)] == [("SRC801", line, column)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"def (:\n", "invalid syntax"),
        (b"print 'x'\n", "Missing parentheses"),
        (b"import mediapipe\n\x00\n", "null bytes"),
        (b"import mediapipe\n# \xe9\n", "cannot be decoded"),
        (b"# coding: klingon\n", "no encoding that Python knows"),
        ("import mediapipe\n".encode("utf-16"), "UTF-16"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "nested"),
        (b"if 1:\n\tx=1\n        y=2\n", "inconsistent use of tabs"),
    ],
    ids=["syntax", "python 2", "nul", "not utf-8", "cookie", "utf-16", "parentheses", "tabs"],
)
def test_a_file_that_is_no_python_is_a_finding(data: bytes, words: str) -> None:
    assert [(f.code, words in f.message) for f in found(data)] == [("SRC800", True)]


@pytest.mark.parametrize("link", ["{}.a", "{}()", "{}[0]", "1 + {}", "-{}", "not {}", "1 if 1 else {}"])
def test_a_chain_of_any_length_gets_an_answer(link: str) -> None:
    """Versions of Python differ in what they take; none may die of it."""
    before, _, after = link.partition("{}")
    data = "import mediapipe\nx = " + before * 100_000 + "mediapipe" + after * 100_000

    assert {finding.code for finding in found(data.encode())} <= {"SRC800"}


def test_the_line_of_undecodable_bytes_is_named() -> None:
    assert found(b"import mediapipe\n\n# \xe9\n")[0].line == 3


def notebook(*cells: str | list[str], kind: str = "code") -> bytes:
    return json.dumps({"cells": [{"cell_type": kind, "source": source} for source in cells], "nbformat": 4}).encode()


def test_a_notebook_is_one_program_and_places_name_the_cell() -> None:
    data = notebook("import mediapipe as mp\n", ["%matplotlib inline\n", "!pip install \\\n", "  numpy\n", MESH])

    assert [finding.place for finding in found(data, "a.ipynb")] == ["a.ipynb:cell 2:4:5"]


@pytest.mark.parametrize(
    "cell",
    [
        "%%bash\nls -la",
        "!ls",
        "?mp",
        "mp.solutions?",
        "files = !ls *.jpg",
        "%timeit 1 + 1",
        "%%time\nx = 1",
        "if 1:\n    !ls",
    ],
)
def test_what_is_for_ipython_is_no_syntax_error(cell: str) -> None:
    assert found(notebook(cell), "a.ipynb") == []


def test_a_broken_cell_hides_no_other() -> None:
    data = notebook("import mediapipe as mp", "def (:", "%%time\n" + MESH, "print(1 != 2)\nx = 7 \\\n% 3")

    assert [(f.code, f.cell, f.line) for f in found(data, "a.ipynb")] == [("SRC800", 2, 1), ("SRC801", 3, 2)]


def test_a_timed_cell_is_still_read_and_markdown_is_not() -> None:
    assert found(notebook("import mediapipe as mp\n" + MESH, kind="markdown"), "a.ipynb") == []


@pytest.mark.parametrize("data", [b"", b"[]", b'{"cells": 3}', b'{"cells": [1]}', b"\xff", b"{" * 9], ids=repr)
def test_a_notebook_that_is_none_is_a_finding(data: bytes) -> None:
    assert [f.code for f in found(data, "a.ipynb")] == ["SRC800"]


def test_a_notebook_without_code_is_clean() -> None:
    assert found(b'{"cells": []}', "a.ipynb") == []


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    for path in ("a.py", "a.ipynb"):
        for finding in found(b"import mediapipe as mp\n" + data, path):
            assert finding.line >= 1
            assert finding.column >= 1


NAMES = st.sampled_from(["mp", "x", "y", "f", "self", "cv2", "cap", "frame", "lm"])
PIECES = st.sampled_from(
    [
        "{0} = {1}", "{0} = {1}.{2}", "{0} = {1}({2})", "def {0}({1}): return {2}({1})", "class {0}({1}): {2} = {1}",
        "for {0} in {1}: {2} = {0}.detect({1})", "while {0}: {0}.read(); {1} = {0}", "{0}, {1} = {2}.read()",
        "with {0}.create_from_options({1}) as {2}: {2}.detect_for_video({1}, 0)", "{0} += {1}", "del {0}",
        "{0} = lambda {1}: {0}({1})", "{0} = [{1} for {1} in {2}]", "{0} = {1} if {2} else {0}", "global {0}",
        "import mediapipe as {0}", "from mediapipe import {0}, solutions as {1}",
        "from mediapipe.tasks.python import *",
        "import cv2 as {0}, time as {1}", "{0} = {1}.VideoCapture(0)", "{0} = {1}.time(); {2}({0}); {1}.time() - {0}",
        "{0} = {1}.FaceLandmarkerOptions(base_options={2}.BaseOptions(**{0}))", "{0} = {1}[0]", "{0}[{1}] = {2}",
        "def {0}({1}, *{2}, **self): yield {1}.x", "async def {0}({1}={2}): await {0}", "{0} = -{1}", "{0}: {1} = {2}",
    ]
)  # fmt: skip


@given(st.lists(st.tuples(PIECES, NAMES, NAMES, NAMES), max_size=25))
def test_programs_that_go_in_circles_get_an_answer(pieces: list[tuple[str, str, str, str]]) -> None:
    text = "import mediapipe as mp\n" + "\n".join(piece.format(*names) for piece, *names in pieces)

    assert all(finding.code in BY_CODE for finding in found(text.encode()))
