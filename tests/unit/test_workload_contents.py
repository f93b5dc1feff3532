from __future__ import annotations

import contextlib
import importlib.resources
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.errors import UsageError
from envcheck.workload.contents import DETECTOR, LANDMARKS, check_bundle, output_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLE = (importlib.resources.files("envcheck") / "data" / "face_mesh.task").read_bytes()


def unpacked() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


PARTS = unpacked()


def test_the_shipped_bundle_is_one() -> None:
    check_bundle("face_mesh.task", BUNDLE)


def test_bytes_before_the_zip_do_no_harm() -> None:
    """The official bundle begins with two of them."""
    check_bundle("own.task", b"\0\0" + BUNDLE)


def test_output_shapes_are_read_from_the_model() -> None:
    assert output_shapes(PARTS[LANDMARKS]) == ((1, 1, 1, 1434), (1, 1, 1, 1))
    assert output_shapes(PARTS[DETECTOR]) == ((1, 896, 16), (1, 896, 1))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n....", "is a PNG image", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0....", "is a JPEG image", id="jpeg"),
        pytest.param(b"RIFF....WEBPVP8 ", "is a WebP image", id="webp"),
        pytest.param(b"<!DOCTYPE html><html>", "is a web page", id="web-page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer", id="lfs"),
        pytest.param(b"hello", "is something else", id="text"),
        pytest.param(PARTS[LANDMARKS], "is a bare TFLite model", id="tflite"),
        pytest.param(BUNDLE[: len(BUNDLE) // 2], "is a truncated or damaged zip", id="truncated"),
        pytest.param(packed({}), "holds no face_detector.tflite; it holds nothing", id="no-members"),
        pytest.param(
            packed({DETECTOR: PARTS[DETECTOR]}), f"holds no {LANDMARKS}; it holds {DETECTOR}", id="no-landmarks"
        ),
        pytest.param(packed({LANDMARKS: PARTS[LANDMARKS]}), f"holds no {DETECTOR}", id="no-detector"),
        pytest.param(packed({f"sub/{n}": d for n, d in PARTS.items()}), f"holds no {DETECTOR}", id="in-a-folder"),
        pytest.param(packed(PARTS, zipfile.ZIP_DEFLATED), "is compressed; MediaPipe refuses that", id="deflated"),
        pytest.param(packed({**PARTS, DETECTOR: b"x" * 99}), f"{DETECTOR} is not a TFLite model", id="not-tflite"),
        pytest.param(packed({**PARTS, LANDMARKS: b""}), f"{LANDMARKS} is not a TFLite model", id="empty-member"),
        pytest.param(packed({**PARTS, LANDMARKS: PARTS[LANDMARKS][:99]}), "is damaged", id="truncated-member"),
        pytest.param(packed({**PARTS, LANDMARKS: PARTS[DETECTOR]}), "answers with 4778.67 points", id="wrong-model"),
    ],
)
def test_what_is_no_bundle_is_named(data: bytes, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_bundle("own.task", data)

    assert says in caught.value.message
    assert caught.value.message.startswith("own.task")
    assert caught.value.remedy


def test_a_flipped_bit_in_a_member_is_damage() -> None:
    broken = bytearray(BUNDLE)
    broken[len(broken) // 2] ^= 1

    with pytest.raises(UsageError, match="damaged zip"):
        check_bundle("own.task", bytes(broken))


@given(st.lists(st.tuples(st.integers(0, len(BUNDLE) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_damage_of_any_kind_ends_in_a_usage_error_or_none(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(BUNDLE)
    for place, value in changes:
        damaged[place] = value
    with contextlib.suppress(UsageError):
        check_bundle("own.task", bytes(damaged))


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=64))
def test_damaged_flatbuffers_end_in_a_value_error_or_shapes(place: int, noise: bytes) -> None:
    model = bytearray(PARTS[LANDMARKS])
    model[place : place + len(noise)] = noise
    try:
        shapes = output_shapes(bytes(model))
    except ValueError:
        return
    assert isinstance(shapes, tuple)
