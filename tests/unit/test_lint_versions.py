"""What `--mediapipe VERSION` changes."""

from __future__ import annotations

import pytest

from envcheck.cli.lint import numbers
from envcheck.errors import UsageError
from envcheck.lint import BY_CODE, Finding, Level, lint


def found(text: str, version: str | None) -> list[Finding]:
    return lint("app.py", text.encode(), codes=frozenset(BY_CODE), version=numbers(version))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (None, "CPU up to 0.10.21, and is gone from 0.10.30 on"),
        ("0.10.21", "runs on the CPU in MediaPipe 0.10.21"),
        ("1.2.2", "is not in MediaPipe 1.2.2: AttributeError"),
    ],
)
def test_the_fate_of_face_mesh_is_told_for_the_version(version: str | None, words: str) -> None:
    finding, = found("import mediapipe as mp\nmp.solutions.face_mesh.FaceMesh()", version)  # fmt: skip

    assert words in finding.message
    assert finding.level is Level.ERROR


def test_other_solutions_are_remarks_until_they_are_gone() -> None:
    text = "import mediapipe as mp\nmp.solutions.hands.Hands()"

    assert [found(text, version)[0].level for version in ("0.10.9", "0.10.30")] == [Level.NOTE, Level.ERROR]


def test_drawing_helpers_are_no_matter_where_they_exist() -> None:
    text = "import mediapipe as mp\nmp.solutions.drawing_utils.draw_landmarks"

    assert found(text, "0.10.21") == []
    assert [(f.code, f.level) for f in found(text, "0.10.35")] == [("SRC818", Level.ERROR)]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0.10.9", "silently dropped"),
        ("0.10.21", "by luck"),
        ("0.10.31", "silently dropped"),
        ("1.0.1", "AttributeError"),
    ],
)
def test_a_bare_number_does_something_else_in_each_version(version: str, words: str) -> None:
    text = "from mediapipe.tasks.python import BaseOptions\nBaseOptions('m', delegate=1)"

    assert words in found(text, version)[0].message


@pytest.mark.parametrize("text", ["0.10.21", "v0.10.21", "0.10.21rc1", "0.10.21+cpu", " 0.10.21 "])
def test_versions_are_read_as_people_write_them(text: str) -> None:
    assert numbers(text) == (0, 10, 21)


@pytest.mark.parametrize("text", ["", "latest", "1.", "==1.2", "1.2.3.4.5"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        numbers(text)
