"""Model bundles: which one, where from, and whether FaceLandmarker can use it."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import tempfile
from pathlib import Path

from envcheck.errors import InfrastructureError, UsageError
from envcheck.model import ModelFile
from envcheck.workload.contents import check_bundle
from envcheck.workload.download import Remote, fetch

DEFAULT = "default"
OFFICIAL = "official"

OFFICIAL_BUNDLE = Remote(
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    size=3_758_596,
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
)
"""The FaceLandmarker bundle that Google publishes; float16/1 never changed since 2023."""

OFFICIAL_VARIABLE = "ENVCHECK_FACE_LANDMARKER"
"""Environment variable: a path to a copy of the official bundle, for machines that cannot download it."""

MAX_BYTES = 256 << 20
"""Bundles above this are refused unread; the official one has under 4 MB."""


def resolve_model(name: str, cache: Path) -> tuple[bytes, ModelFile]:
    """The bytes of the model called `name`, and the record of them.

    `default` is the bundle of this package. `official` is read from the file that ENVCHECK_FACE_LANDMARKER names, else
    from `cache`, else downloaded into `cache`; its hash is checked at each use. Anything else is the path of a bundle.
    Raises UsageError where a file is not what FaceLandmarker needs, InfrastructureError where the download fails.
    """
    if name == DEFAULT:
        data = (importlib.resources.files("envcheck") / "data" / "face_mesh.task").read_bytes()
    elif name == OFFICIAL:
        data = _official(cache)
    else:
        data = read_file(Path(name), remedy=f"`--model` takes {DEFAULT}, {OFFICIAL} or the path of a .task bundle")
        check_bundle(name, data)
    label = name if name in (DEFAULT, OFFICIAL) else Path(name).name
    return data, ModelFile(name=label, sha256=hashlib.sha256(data).hexdigest())


def read_file(path: Path, *, remedy: str, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises UsageError for whatever else lies there."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory, not a model bundle", remedy=remedy)
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a regular file", remedy=remedy)
        size = path.stat().st_size
        if size > limit:
            raise UsageError(f"{path} has {size:,} bytes; at most {limit:,} are read", remedy=remedy)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} cannot be read: {reason}", remedy=remedy) from error


def _official(cache: Path) -> bytes:
    given = os.environ.get(OFFICIAL_VARIABLE)
    if given:
        return _given(Path(given))
    stored = cache / f"face_landmarker-{OFFICIAL_BUNDLE.sha256[:12]}.task"
    data = _stored(stored)
    if data is None:
        ways = f"Download it elsewhere to {stored}, or pass its path: `--model PATH`, or {OFFICIAL_VARIABLE}=PATH"
        data = fetch(OFFICIAL_BUNDLE, remedy=f"{ways}; `--model {DEFAULT}` needs no download.")
        _store(stored, data)
    return data


def _given(path: Path) -> bytes:
    remedy = f"set {OFFICIAL_VARIABLE} to a copy of {OFFICIAL_BUNDLE.url}, or unset it"
    data = read_file(path, remedy=remedy)
    if not OFFICIAL_BUNDLE.fits(data):
        expected = f"{OFFICIAL_BUNDLE.size} bytes with sha256 {OFFICIAL_BUNDLE.sha256}"
        raise UsageError(f"{path} is not the official bundle: expected {expected}", remedy=remedy)
    return data


def _stored(path: Path) -> bytes | None:
    """The cached bundle; None where there is none, or where a damaged one has to be fetched again."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if OFFICIAL_BUNDLE.fits(data) else None


def _store(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one step, so that a killed run or a second one leaves no half of it."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
            part = Path(file.name)
            file.write(data)
        part.replace(path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        remedy = "make room or make the folder writable, or pass a downloaded bundle with `--model PATH`"
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}", remedy=remedy) from error
