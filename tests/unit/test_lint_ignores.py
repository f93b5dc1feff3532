"""Comments that ignore findings, and what is wrong with some of them."""

from __future__ import annotations

import pytest

from envcheck.lint import BY_CODE, lint

HEAD = "import mediapipe as mp\n"


def codes(text: str, asked: frozenset[str] = frozenset(BY_CODE)) -> list[tuple[int, str]]:
    return [(finding.line, finding.code) for finding in lint("app.py", (HEAD + text).encode(), codes=asked)]


@pytest.mark.parametrize(
    "text",
    [
        "x = mp.solutions.face_mesh.FaceMesh()  # envcheck: ignore[SRC801] kept for comparison",
        "x = mp.solutions.face_mesh.FaceMesh()  # noqa: X # envcheck:ignore[src801]: kept for comparison",
        "x = mp.solutions.face_mesh.FaceMesh(  # envcheck: ignore[SRC801] kept\n    max_num_faces=1,\n)",
        "x = mp.solutions.face_mesh.FaceMesh(\n    max_num_faces=1,\n)  # envcheck: ignore[SRC801] kept",
        "y = [\n  1,\n  mp.solutions.face_mesh.FaceMesh(),\n]  # envcheck: ignore[SRC801] kept",
        "with mp.solutions.face_mesh.FaceMesh(\n) as m:  # envcheck: ignore[SRC801] kept\n    pass",
        "x = mp.solutions.face_mesh.FaceMesh(model_selection=1)  # envcheck: ignore[SRC801, SRC803] kept",
    ],
    ids=["line", "lower case", "first line", "last line", "statement", "header of a block", "two codes"],
)
def test_a_comment_with_a_reason_ignores_a_finding_of_its_statement(text: str) -> None:
    assert codes(text) == []


def test_a_comment_further_down_in_a_block_does_not_count() -> None:
    text = "with mp.solutions.face_mesh.FaceMesh() as m:\n    pass  # envcheck: ignore[SRC801] kept"

    assert codes(text) == [(2, "SRC801"), (3, "SRC899")]


@pytest.mark.parametrize("comment", ["# envcheck: ignore[SRC801]", "# envcheck: ignore[SRC801] - "])
def test_a_missing_reason_is_reported(comment: str) -> None:
    assert codes(f"x = mp.solutions.face_mesh.FaceMesh()  {comment}") == [(2, "SRC898")]


def test_an_ignore_of_everything_ignores_nothing() -> None:
    assert codes("x = mp.solutions.face_mesh.FaceMesh()  # envcheck: ignore for now") == [(2, "SRC801"), (2, "SRC898")]


def test_an_ignore_of_nothing_is_reported_for_each_code() -> None:
    assert codes("x = 1  # envcheck: ignore[SRC801,SRC999] why") == [(2, "SRC899"), (2, "SRC899")]


def test_an_ignore_of_a_code_that_was_not_asked_for_is_left_alone() -> None:
    text = "x = mp.solutions.face_mesh.FaceMesh()  # envcheck: ignore[SRC801] kept"

    assert codes(text, frozenset(BY_CODE) - {"SRC801"}) == []


def test_texts_that_read_like_a_comment_are_none() -> None:
    assert codes('x = "# envcheck: ignore[SRC801] why"') == []
    assert codes('"""\n# envcheck: ignore[SRC801]\n"""') == []


def test_other_files_with_such_comments_are_told_too() -> None:
    assert [f.code for f in lint("a.py", b"x = 1  # envcheck: ignore[SRC801] why", codes=frozenset(BY_CODE))] == [
        "SRC899"
    ]
