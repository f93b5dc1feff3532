"""SRC801 to SRC803: `mp.solutions`, and parameters that do not exist."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from envcheck.lint.finding import Hit, Level
from envcheck.lint.program import FACE_MESH, LEGACY, Program, entries
from envcheck.lint.values import canonical

REMOVED = (0, 10, 30)
"""The first MediaPipe without `mp.solutions`: https://github.com/google-ai-edge/mediapipe/issues/6200"""

PARAMETERS = {
    FACE_MESH: (
        "static_image_mode", "max_num_faces", "refine_landmarks", "min_detection_confidence", "min_tracking_confidence",
    ),
    "mp.FaceLandmarkerOptions": (
        "base_options", "running_mode", "num_faces", "min_face_detection_confidence", "min_face_presence_confidence",
        "min_tracking_confidence", "output_face_blendshapes", "output_facial_transformation_matrixes",
        "result_callback",
    ),
    "mp.BaseOptions": ("model_asset_path", "model_asset_buffer", "delegate"),
}  # fmt: skip
"""Read from the wheels of 0.10.14, 0.10.21 and 1.2.2, which agree."""

ELSEWHERE = {
    "model_selection": "it belongs to FaceDetection and SelfieSegmentation, and chooses a model there, not a device",
    "max_num_faces": "FaceLandmarkerOptions calls it num_faces",
    "num_faces": "FaceMesh calls it max_num_faces",
    "delegate": "it belongs to BaseOptions",
}


def legacy(program: Program) -> Iterator[Hit]:
    """SRC801 and SRC802: each legacy object that is made; where none is, the first use of `mp.solutions`."""
    made = [(call, name) for call in program.calls for name in program.values.names(call.func) & LEGACY]
    for call, name in made:
        short = name.rpartition(".")[2]
        yield Hit("SRC801" if name == FACE_MESH else "SRC802", call, fate(program, short), level(program, name))
    referenced = [(node, name) for node, name in references(program) if name in LEGACY]
    if not made and referenced:
        node, name = next(((n, m) for n, m in referenced if m == FACE_MESH), referenced[0])
        short = name.rpartition(".")[2]
        yield Hit("SRC801" if name == FACE_MESH else "SRC802", node, fate(program, short), level(program, name))


def helpers(program: Program) -> Iterator[Hit]:
    """SRC818: drawing helpers and constants of `mp.solutions`, in files that make no legacy object."""
    if program.version is not None and program.version < REMOVED:
        return
    names = list(references(program))
    if names and not any(name in LEGACY for _, name in names):
        gone = Level.ERROR if program.version is not None else None
        yield Hit("SRC818", names[0][0], level=gone)


def references(program: Program) -> Iterator[tuple[ast.AST, str]]:
    """Imports, then expressions, that name something below `mp.solutions`."""
    of = program.scopes.of
    imports: list[ast.Import | ast.ImportFrom] = [*of(ast.Import), *of(ast.ImportFrom)]
    loaded: list[ast.Attribute | ast.Name] = [*of(ast.Attribute), *of(ast.Name)]
    named: list[tuple[ast.AST, set[str]]] = [(node, {canonical(path) for path in imported(node)}) for node in imports]
    named += [(node, program.values.names(node)) for node in loaded if isinstance(node.ctx, ast.Load)]
    for node, names in named:
        for name in sorted(names):
            if name.partition(".")[0] == "solutions" and "()" not in name:
                yield node, name


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The paths that an import names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if node.level == 0 else []


def fate(program: Program, name: str) -> str:
    """What a legacy object does in the version asked for."""
    if program.version is None:
        return f"{name} runs on the CPU up to 0.10.21, and is gone from 0.10.30 on"
    asked = ".".join(map(str, program.version))
    if program.version >= REMOVED:
        return f"{name} is not in MediaPipe {asked}: AttributeError"
    return f"{name} runs on the CPU in MediaPipe {asked}, whatever the driver"


def level(program: Program, name: str) -> Level | None:
    """Other solutions than FaceMesh are remarks, unless they cannot even be imported."""
    gone = program.version is not None and program.version >= REMOVED
    return Level.ERROR if gone or name == FACE_MESH else None


def parameters(program: Program) -> Iterator[Hit]:
    """SRC803: keywords and positions that the callee does not have."""
    for call in program.calls:
        for name in program.values.names(call.func) & PARAMETERS.keys():
            known = PARAMETERS[name]
            short = name.rpartition(".")[2]
            for node, keyword in keywords(program, call):
                if keyword not in known:
                    hint = ELSEWHERE.get(keyword, f"known are {', '.join(known)}")
                    yield Hit("SRC803", node, f"{short} has no parameter {keyword}: {hint}")
            if len(call.args) > len(known) and not any(isinstance(a, ast.Starred) for a in call.args):
                yield Hit(
                    "SRC803", call.args[len(known)], f"{short} takes {len(known)} arguments, not {len(call.args)}"
                )


def keywords(program: Program, call: ast.Call) -> Iterator[tuple[ast.AST, str]]:
    """The keywords of a call, those of a `**` display included."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword, keyword.arg
        elif len(values := program.values.of(keyword.value)) == 1:
            yield from ((keyword, key) for key, _ in entries(values[0].node) if key is not None)
