"""What a model file holds, read without MediaPipe: kind of file, members of the bundle, shape of the landmarks."""

from __future__ import annotations

import io
import math
import struct
import zipfile

from envcheck.errors import UsageError

DETECTOR = "face_detector.tflite"
LANDMARKS = "face_landmarks_detector.tflite"
BLENDSHAPES = "face_blendshapes.tflite"
"""Only bundles with this member answer with blendshapes; the default one has none."""
POINT_VALUES = 478 * 3
"""What FaceLandmarker reads from output 0; with 468 points it runs and finds no face (seen on 0.10.21 and 1.2.2)."""

_TFLITE = b"TFL3"
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, RuntimeError, struct.error, OSError, ValueError)
"""What zipfile raises for damaged archives; RuntimeError for an encrypted member or an unknown compression."""

_MAGIC = {
    b"PK\x03\x04": "a truncated or damaged zip",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"\x1f\x8b": "a gzip archive",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}
_REMEDY = f"give a FaceLandmarker .task (a stored zip of {DETECTOR} and {LANDMARKS}), or `default`, or `official`"


def check_bundle(name: str, data: bytes) -> None:
    """Raise UsageError, naming what is missing, unless `data` is a bundle that FaceLandmarker can use."""
    if data[4:8] == _TFLITE:  # one that carries metadata ends in an empty zip
        raise UsageError(f"{name} is a bare TFLite model, not a model bundle", remedy=_REMEDY)
    members = _members(name, data)
    for member in (DETECTOR, LANDMARKS):
        if members[member][4:8] != _TFLITE:
            raise UsageError(f"{name}: {member} is not a TFLite model (no identifier TFL3)", remedy=_REMEDY)
    _check_landmarks(name, members[LANDMARKS])


def holds(data: bytes, member: str) -> bool:
    """True where a bundle that passed `check_bundle` has a member of that name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return member in archive.namelist()


def output_shapes(model: bytes) -> tuple[tuple[int, ...], ...]:
    """The shapes of the outputs of a TFLite model's first subgraph. Raises ValueError where the flatbuffer is damaged.

    Field numbers are those of the TFLite schema, version 3: Model.subgraphs 2, SubGraph.tensors 0, SubGraph.outputs 2,
    Tensor.shape 0.
    """
    try:
        subgraph = _tables(model, _field(model, _follow(model, 0), 2))[0]
        tensors = _tables(model, _field(model, subgraph, 0))
        outputs = _integers(model, _field(model, subgraph, 2))
        return tuple(_integers(model, _field(model, tensors[index], 0)) for index in outputs)
    except (struct.error, IndexError) as error:
        raise ValueError("damaged flatbuffer") from error


def _kind(data: bytes) -> str:
    if not data:
        return "empty"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WebP image"
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "something else")


def _members(name: str, data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            for member in (DETECTOR, LANDMARKS):
                _check_member(name, member, infos)
            return {member: archive.read(member) for member in (DETECTOR, LANDMARKS)}
    except _ZIP_ERRORS as error:
        kind = _kind(data)
        raise UsageError(f"{name} is {kind}, not a model bundle ({error})", remedy=_REMEDY) from error


def _check_member(name: str, member: str, infos: dict[str, zipfile.ZipInfo]) -> None:
    if member not in infos:
        held = ", ".join(sorted(infos)[:8]) or "nothing"
        raise UsageError(f"{name} holds no {member}; it holds {held}", remedy=_REMEDY)
    if infos[member].compress_type != zipfile.ZIP_STORED:
        # "Expected uncompressed zip archive." (seen on 0.10.21 and 1.2.2)
        raise UsageError(f"{name}: {member} is compressed; MediaPipe refuses that", remedy="pack it again: `zip -0`")


def _check_landmarks(name: str, model: bytes) -> None:
    try:
        shape = output_shapes(model)[0]
    except (ValueError, IndexError) as error:
        raise UsageError(f"{name}: {LANDMARKS} is damaged: its outputs cannot be read", remedy=_REMEDY) from error
    if math.prod(shape) != POINT_VALUES:
        points = f"{math.prod(shape) / 3:g} points (shape {list(shape)})"
        raise UsageError(f"{name}: {LANDMARKS} answers with {points}; FaceLandmarker reads 478", remedy=_REMEDY)


# A flatbuffer refers to other places by offsets relative to where the offset stands. A table begins with the distance
# back to its vtable, which lists where each field lies within the table, 0 for an absent one.


def _unpack(format_: str, data: bytes, place: int) -> int:
    if place < 0:
        raise IndexError(place)
    value: int = struct.unpack_from(format_, data, place)[0]
    return value


def _follow(data: bytes, place: int) -> int:
    return place + _unpack("<I", data, place)


def _field(data: bytes, table: int, number: int) -> int:
    """Where the value that field `number` of a table refers to begins."""
    vtable = table - _unpack("<i", data, table)
    if 4 + 2 * number >= _unpack("<H", data, vtable):
        raise IndexError(number)
    offset = _unpack("<H", data, vtable + 4 + 2 * number)
    if offset == 0:
        raise IndexError(number)
    return _follow(data, table + offset)


def _integers(data: bytes, vector: int) -> tuple[int, ...]:
    count = _unpack("<I", data, vector)
    return struct.unpack_from(f"<{count}i", data, vector + 4) if 4 * count <= len(data) else ()


def _tables(data: bytes, vector: int) -> list[int]:
    return [_follow(data, vector + 4 + 4 * index) for index, _ in enumerate(_integers(data, vector))]
