"""Wheels as archives: what is read, and what nobody should open."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.errors import UsageError
from envcheck.record import Unread
from envcheck.wheel import Audited, Origin, audit
from envcheck.wheel.audit import wanted
from envcheck.wheel.trees import TEXT_BYTES, Folder, read_archive
from tests.wheels import CPU_BUILD, GL_BUILD, LIBRARY, NAME, STRUCTURE, archive, members

C_OPTIONS = "mediapipe/tasks/python/core/base_options_c.py"
ORIGIN = Origin(NAME, "wheel", 1, "0" * 64)


def audited(data: bytes, name: str = NAME) -> Audited:
    return audit(read_archive(io.BytesIO(data), name), Origin(name, "wheel", len(data), "0" * 64))


def test_a_wheel_that_can_use_the_gpu_says_through_what() -> None:
    found = audited(archive(members()))
    assert found.gpu == "yes"
    assert found.says == (
        "GPU: yes, through OpenGL ES over EGL; needs libEGL.so.1 and libGLESv2.so.2 of the system, even on the CPU"
    )


def test_a_wheel_without_gpu_code_says_so() -> None:
    found = audited(archive(members(CPU_BUILD, ("libc.so.6",))))
    assert (found.gpu, found.says) == ("no", "GPU: no: built without GPU code; delegate=GPU ends in an error")


def test_a_delegate_that_is_accepted_and_ignored_is_no_gpu() -> None:
    files = members() | {C_OPTIONS: STRUCTURE.replace('("delegate", ctypes.c_int)', "").encode()}
    found = audited(archive(files))
    assert found.gpu == "ignored"
    assert "accepted and ignored" in found.says


def test_gpu_code_behind_python_that_cannot_be_read_is_unknown() -> None:
    files = members() | {"mediapipe/tasks/python/core/base_options.py": b"class ("}
    found = audited(archive(files))
    assert found.gpu == "unknown"


def test_tags_of_the_file_name_count_more_than_the_wheel_file() -> None:
    """Version 0.10.30 is named manylinux_2_28 and says linux inside."""
    files = members() | {"mediapipe-9.9.9.dist-info/WHEEL": b"Tag: cp39-cp39-linux_x86_64\n"}
    named, unnamed = audited(archive(files)), audited(archive(files), "other.whl")
    assert not isinstance(named.metadata, Unread)
    assert not isinstance(unnamed.metadata, Unread)
    assert (named.metadata.glibc, unnamed.metadata.glibc) == ("2.28", None)


def test_a_library_that_needs_a_newer_glibc_than_its_tag_promises_is_told() -> None:
    found = audited(archive(members()), "mediapipe-9.9.9-py3-none-manylinux1_x86_64.whl")
    assert any("The tag promises glibc 2.5, but the library needs 2.17" in line for line in found.so)


def test_only_a_few_members_are_read() -> None:
    names = (*members(), "mediapipe/modules/model.tflite", "mediapipe/tasks/python/vision/face_landmarker.py")
    assert set(wanted(names)) == set(members()) - {"mediapipe/__init__.py"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "no zip archive", id="empty"),
        pytest.param(b"hello world", "no zip archive", id="text"),
        pytest.param(b"\x1f\x8b\x08" + bytes(100), "source distribution", id="gzip"),
        pytest.param(archive(members())[:-300], "cut off or damaged", id="truncated"),
        pytest.param(archive({"numpy/a.py": b"", "numpy-1.0.dist-info/METADATA": b""}), "of numpy", id="another"),
        pytest.param(archive({"a.txt": b""}), "without metadata", id="no-wheel-at-all"),
        pytest.param(archive({"mediapipe/a.py": b""}), "no native library", id="pure"),
        pytest.param(archive(members() | {"../evil": b""}), "leads out of the archive", id="parent"),
        pytest.param(archive(members() | {"/etc/evil": b""}), "leads out of the archive", id="absolute"),
        pytest.param(archive(members() | {"a\\..\\b": b""}), "leads out of the archive", id="backslash"),
        pytest.param(archive(members() | {"mediapipe/libmediapipe.so": b""}), "2 native libraries", id="two-libraries"),
        pytest.param(archive(members() | {LIBRARY: b"\x7fELF"}), "cut off or damaged", id="cut-library"),
        pytest.param(archive(members() | {LIBRARY: b""}), "no ELF", id="empty-library"),
    ],
)
def test_what_is_no_wheel_of_mediapipe_is_an_error_that_says_why(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        audited(data)


def test_a_member_that_is_there_twice_is_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr(LIBRARY, b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr(LIBRARY, b"two")
    with pytest.raises(UsageError, match="there twice"):
        audited(target.getvalue())


def test_an_encrypted_wheel_is_refused() -> None:
    data = bytearray(archive(members()))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(UsageError, match="encrypted"):
        audited(bytes(data))


def test_a_text_of_gigabytes_is_not_unpacked() -> None:
    files = members() | {C_OPTIONS: b" " * (TEXT_BYTES + 1)}
    found = audited(archive(files))
    assert not isinstance(found.code, Unread)
    assert found.gpu != "yes"


def test_a_library_that_claims_to_be_too_large_is_not_unpacked() -> None:
    data = bytearray(archive(members()))
    at = data.index(b"PK\x01\x02")  # the library is the first member
    data[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    with pytest.raises(UsageError, match="claims 4294967280 bytes"):
        audited(bytes(data))


def test_a_member_that_does_not_fit_its_checksum_is_an_error() -> None:
    data = bytearray(archive({LIBRARY: random.Random(1).randbytes(5000)} | {"mediapipe/a": b""}))
    data[3000] ^= 0xFF
    with pytest.raises(UsageError, match="cannot be read"):
        audited(bytes(data))


def test_an_installed_package_is_read_where_it_lies(tmp_path: Path) -> None:
    for name, content in members(GL_BUILD).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for other in ("numpy", "mediapipe_model_maker", "mediapipe_model_maker-0.2.dist-info"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "METADATA").write_text("Name: another\n")
    found = audit(Folder(tmp_path), Origin(str(tmp_path), "folder", 1, "0"))
    assert found.gpu == "yes"
    assert not isinstance(found.metadata, Unread)
    assert found.metadata.version == "9.9.9"


WHOLE = archive(members())


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(WHOLE)))
def test_a_mutated_wheel_is_read_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    for part in (bytes(data), bytes(data[:length])):
        with suppress(UsageError):
            audited(part)
