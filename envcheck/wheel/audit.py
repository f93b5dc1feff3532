"""A tree of members becomes an audit: which are read, what each says, and the sentence that follows."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envcheck.errors import UsageError
from envcheck.record import Unread
from envcheck.wheel import code, metadata
from envcheck.wheel.native import NAMES, read_native
from envcheck.wheel.record import SCHEMA, Audited, Contents, Seen
from envcheck.wheel.sentence import conclude

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envcheck.wheel.record import Origin
    from envcheck.wheel.trees import Tree

_LIBRARY_NAMES = "mediapipe/tasks/c/libmediapipe.so or mediapipe/python/_framework_bindings.*.so"
_MODELS = (".tflite", ".task", ".binarypb")
_FACE_MESH = "mediapipe/modules/face_landmark/face_landmark_front"
_BUNDLE = re.compile(r"mediapipe[^/]*\.(?:libs|dylibs)/.+|mediapipe/\.dylibs/.+")


def wanted(names: Iterable[str]) -> tuple[str, ...]:
    """The members that an audit reads; of the others the names suffice."""
    return tuple(name for name in names if _is_wanted(name))


def _is_wanted(name: str) -> bool:
    return name in code.WANTED or _is_native(name) or bool(re.fullmatch(r"[^/]+\.dist-info/(METADATA|WHEEL)", name))


def _is_native(name: str) -> bool:
    return name.startswith("mediapipe/") and NAMES.fullmatch(PurePosixPath(name).name) is not None


def audit(tree: Tree, origin: Origin) -> Audited:
    """Read a wheel, an installed package, or one library.

    Raises UsageError where it is not MediaPipe, holds no native library, or holds one that cannot be believed.
    """
    if origin.form == "library":
        return _library(tree, origin)
    _check_project(tree)
    library = _native_name(tree)
    contents = read_contents(tree.names)
    with tree.native(library) as data:
        native = read_native(data, library, contents.bundled.value)
    python = code.read_code(tree)
    meta = metadata.read_metadata(tree, origin.name if origin.form == "wheel" else "")
    gpu, says, so = conclude(native, python, contents, meta)
    return Audited(SCHEMA, gpu, says, so, origin, native, python, meta, contents)


def _library(tree: Tree, origin: Origin) -> Audited:
    (name,) = tree.names
    with tree.native(name) as data:
        native = read_native(data, name, ())
    alone = Unread(reason="a library alone was given")
    gpu, says, so = conclude(native, alone, alone, alone)
    return Audited(SCHEMA, gpu, says, so, origin, native, alone, alone, alone)


def _check_project(tree: Tree) -> None:
    if any(name.startswith("mediapipe/") for name in tree.names):
        return
    folder = metadata.dist_info(tree)
    whose = f"of {folder.split('-')[0]}" if isinstance(folder, str) else f"without metadata ({folder.reason})"
    remedy = "Expected a wheel that holds mediapipe/, or a folder with mediapipe in it, such as site-packages."
    raise UsageError(f"{tree.label}: is not MediaPipe, but a wheel or folder {whose}", remedy=remedy)


def _native_name(tree: Tree) -> str:
    found = [name for name in tree.names if _is_native(name)]
    if not found:
        remedy = f"Expected {_LIBRARY_NAMES}."
        raise UsageError(f"{tree.label}: holds no native library of MediaPipe", remedy=remedy)
    if len(found) > 1:
        remedy = "Give one of them alone to this command."
        raise UsageError(f"{tree.label}: holds {len(found)} native libraries: {', '.join(found)}", remedy=remedy)
    return found[0]


def read_contents(names: Sequence[str]) -> Contents:
    """What the names of the members alone say."""
    models = tuple(name for name in names if name.endswith(_MODELS))
    bundled = tuple(name for name in names if _BUNDLE.fullmatch(name))
    return Contents(
        models=Seen(models, f"{len(models)} members end in {', '.join(_MODELS)}"),
        legacy_graph=_legacy_graph(names),
        bundled=Seen(bundled, f"{len(bundled)} members in mediapipe.libs or .dylibs"),
    )


def _legacy_graph(names: Sequence[str]) -> Seen[str]:
    for kind in ("gpu", "cpu"):
        graph = f"{_FACE_MESH}_{kind}.binarypb"
        if graph in names:
            return Seen(kind, f"{graph}, and no {_FACE_MESH}_gpu.binarypb" if kind == "cpu" else graph)
    return Seen("none", f"no {_FACE_MESH}_cpu.binarypb and no {_FACE_MESH}_gpu.binarypb")
