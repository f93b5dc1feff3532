"""Reading the file: whatever stands at the path, one clear error or a matrix."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

import pytest

from envcheck.errors import PlaceError
from envcheck.matrix import load, parse

SOUND = 'version: 1\naxes: {mediapipe: ["1.2.2"]}\n'


def refusal(path: Path) -> PlaceError:
    with pytest.raises(PlaceError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", ": it is empty", id="empty"),
        pytest.param(b" \n\n", ": it is empty", id="blank"),
        pytest.param(b"version: 1\na: \xff", ":2:4: byte 0xff is not UTF-8 text", id="latin-1"),
        pytest.param(SOUND.encode("utf-16"), ":1:1: byte 0xff is not UTF-8 text", id="utf-16"),
        pytest.param(b"\x7fELF\x02\x00\x01", ":1:6: byte 0x00 is not UTF-8 text", id="binary"),
        pytest.param(b"version: 1\n\0", ":2:1: byte 0x00 is not UTF-8 text", id="nul"),
        pytest.param(b"# " + b"x" * (1 << 20), ": it has 1,048,578 bytes; at most 1,048,576 are read", id="1-MiB"),
        pytest.param(b"a: 1\n" * 2_000_000, ": it has 10,000,000 bytes; at most 1,048,576 are read", id="10-MB"),
    ],
)
def test_a_file_without_a_matrix_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(data)

    assert str(refusal(path)) == f"{path}{said}"


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
@pytest.mark.parametrize("line_break", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_text_files_of_all_editors_are_read(start: bytes, line_break: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(start + SOUND.encode().replace(b"\n", line_break))

    assert load(path).axes["mediapipe"] == ("1.2.2",)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "there is no such file" in str(refusal(tmp_path / "m.yaml"))


def test_a_path_below_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "f").touch()

    assert "there is no such file" in str(refusal(tmp_path / "f" / "m.yaml"))


def test_a_directory_points_to_the_file_in_it(tmp_path: Path) -> None:
    error = refusal(tmp_path)

    assert "it is a directory" in str(error)
    assert "matrix.yaml" in error.remedy


def test_a_symlink_loop_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")

    assert "a symbolic link that leads back to itself" in str(refusal(tmp_path / "a"))


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "it is no regular file" in str(refusal(tmp_path / "pipe"))


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["too-long", "nul"])
def test_an_impossible_name_is_refused(name: str, tmp_path: Path) -> None:
    refusal(tmp_path / name)


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, mode: str = "r") -> IO[bytes]:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    (tmp_path / "m.yaml").write_text(SOUND)
    monkeypatch.setattr(Path, "open", denied)

    assert "it may not be read" in str(refusal(tmp_path / "m.yaml"))


def test_a_large_sound_file_is_read_in_seconds() -> None:
    entries = "".join(f'  - {{when: {{python: "3.{n}"}}, because: reason {n}}}\n' for n in range(300))
    pythons = ", ".join(f'"3.{n}"' for n in range(301))

    matrix = parse(f"version: 1\naxes:\n  python: [{pythons}]\nexclude:\n{entries}tiers: {{all: {{}}}}", "m.yaml")

    assert len(matrix.exclude) == 300
