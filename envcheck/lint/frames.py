"""SRC810 to SRC813: what a landmarker is handed, and how."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from envcheck.lint.delegate import given
from envcheck.lint.finding import Hit
from envcheck.lint.program import GPU, LEGACY, Inference, Program
from envcheck.lint.values import Value, yields

SRGB = "mp.ImageFormat.SRGB"
BGR_SOURCES = frozenset(
    ("cv2.VideoCapture().read()[1]", "cv2.VideoCapture().retrieve()[1]", "cv2.imread()", "cv2.imdecode()")
)
THERE = frozenset(("cv2.VideoCapture().read()[0]", "cv2.VideoCapture().retrieve()[0]"))
ORDER_KEPT = frozenset(
    ("cv2.flip()", "cv2.resize()", "cv2.rotate()", "cv2.GaussianBlur()", "cv2.copyMakeBorder()", "cv2.medianBlur()")
)
COLOUR_KEPT = frozenset(("numpy.ascontiguousarray()", "numpy.array()", "numpy.asarray()", "numpy.copy()"))
COLOUR_FLAGS = frozenset(("cv2.IMREAD_COLOR", "cv2.IMREAD_COLOR_BGR"))
TRACKERS = ("FaceLandmarker", "HandLandmarker", "PoseLandmarker", "HolisticLandmarker", "GestureRecognizer")
"""Tasks that follow what they found from frame to frame in VIDEO mode. Detectors and segmenters do not."""
SECONDS = frozenset(("time.time()", "time.monotonic()", "time.perf_counter()"))
DEEPEST = 8


def three_channels(program: Program) -> Iterator[Hit]:
    """SRC810: SRGB images in a file whose landmarkers all use the GPU."""
    delegates = [program.values.names(delegate) for _, delegate in given(program)]
    if not delegates or any(names != {GPU} for names in delegates):
        return
    for call in images(program):
        yield Hit("SRC810", call)


def images(program: Program) -> Iterator[ast.Call]:
    """Each mp.Image that is made as SRGB."""
    for call in program.calls:
        if "mp.Image" in program.values.names(call.func):
            kind = program.argument(call, "image_format", 0)
            if program.values.names(kind) == {SRGB}:
                yield call


def wrong_order(program: Program) -> Iterator[Hit]:
    """SRC811: what OpenCV reads is BGR; SRGB and `process` mean RGB."""
    if any(name.endswith(("CAP_PROP_CONVERT_RGB", "IMREAD_COLOR_RGB")) for name in attribute_names(program)):
        return
    handed = [program.argument(call, "data", 1) for call in images(program)]
    handed += [program.argument(i.call, "image", 0) for i in program.inferences if i.method == "process"]
    for data in handed:
        if data is not None and is_bgr(program, data):
            yield Hit("SRC811", data, f"{ast.unparse(data)} comes from OpenCV as it is")


def attribute_names(program: Program) -> Iterator[str]:
    """The last names of all attributes in the file."""
    return (node.attr for node in program.scopes.of(ast.Attribute))


def is_bgr(program: Program, node: ast.AST, depth: int = DEEPEST) -> bool:
    """Whether an expression surely is a frame of OpenCV in its own order of colours."""
    if depth == 0 or (isinstance(node, ast.Name) and converted_in_place(program, node.id)):
        return False
    if isinstance(node, ast.Subscript):
        return keeps_channels(node.slice) and is_bgr(program, node.value, depth - 1)
    values = [value for value in program.values.of(node) if not is_none(value)] or program.values.of(node)
    return all(value_is_bgr(program, value.name, value.node, depth) for value in values)


def is_none(value: Value) -> bool:
    """Whether a value is the None that stands in until there is a frame."""
    return isinstance(value.node, ast.Constant) and value.node.value is None


def value_is_bgr(program: Program, name: str, node: ast.AST | None, depth: int) -> bool:
    """The same for one value."""
    if name in BGR_SOURCES:
        return not (isinstance(node, ast.Call) and reads_otherwise(program, node))
    if not isinstance(node, ast.Call) or (not node.args and not name.endswith(".copy()")):
        return False
    if name.endswith(".copy()") and isinstance(node.func, ast.Attribute) and not node.args:
        return is_bgr(program, node.func.value, depth - 1)
    if name in ORDER_KEPT | COLOUR_KEPT:
        return is_bgr(program, node.args[0], depth - 1)
    return False


def reads_otherwise(program: Program, call: ast.Call) -> bool:
    """Whether cv2.imread is given a flag that changes what it gives."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("imread", "imdecode"):
        flags = program.argument(call, "flags", 1)
        if flags is None:
            return False
        return not program.values.names(flags) <= COLOUR_FLAGS and program.values.constants(flags) != [1]
    return False


def converted_in_place(program: Program, name: str) -> bool:
    """Whether a call or an assignment may change the pixels behind a name."""
    if any(isinstance(node.ctx, ast.Store) and is_named(node.value, name) for node in program.scopes.of(ast.Subscript)):
        return True
    for call in program.calls:
        if "cv2.cvtColor" in program.values.names(call.func):
            target = program.argument(call, "dst", 2)
            if target is not None and is_named(target, name):
                return True
    return False


def is_named(node: ast.AST, name: str) -> bool:
    """Whether an expression is this name."""
    return isinstance(node, ast.Name) and node.id == name


def keeps_channels(index: ast.AST) -> bool:
    """Whether an index cuts rows and columns only: `frame[a:b, c:d]`."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return len(parts) <= 2 and all(isinstance(part, ast.Slice) and part.step is None for part in parts)


def image_mode(program: Program) -> Iterator[Hit]:
    """SRC812: frames of one video, each treated as the only one."""
    for use in program.inferences:
        if use.method.endswith(("_for_video", "_async")) or not all(still(program, made) for made in use.made_by):
            continue
        loop = program.frame_loop(use.call)
        anew = any(program.frame_loop(made) is loop for made in use.made_by)  # SRC807 speaks of that
        if loop is not None and not anew and not sampled(program, use.call, loop):
            yield Hit("SRC812", use.call, mode_in_words(use))


def still(program: Program, creation: ast.AST) -> bool:
    """Whether an object that could follow faces was surely made for single images."""
    if not isinstance(creation, ast.Call):
        return False
    names = program.values.names(creation.func)
    if names & LEGACY:
        return program.values.constants(program.argument(creation, "static_image_mode", 0)) == [True]
    if not any(name.startswith(tuple(f"mp.{task}." for task in TRACKERS)) for name in names):
        return False
    if any(name.endswith("create_from_model_path") for name in names):
        return True
    options = program.values.of(program.argument(creation, "options", 0))
    return all(
        isinstance(value.node, ast.Call) and value.name.endswith("Options()") and image_options(program, value.node)
        for value in options
    )


def image_options(program: Program, options: ast.Call) -> bool:
    """Whether options choose IMAGE mode, by name or by leaving the mode out."""
    mode = program.argument(options, "running_mode", 1)
    if mode is None:
        assigned = any(name == "running_mode" for name in stored_attributes(program))
        return not program.passes_unseen(options) and not assigned
    return program.values.names(mode) == {"mp.RunningMode.IMAGE"} or program.values.constants(mode) == ["IMAGE"]


def stored_attributes(program: Program) -> Iterator[str]:
    """The attributes that the file assigns."""
    return (node.attr for node in program.scopes.of(ast.Attribute) if isinstance(node.ctx, ast.Store))


def mode_in_words(use: Inference) -> str:
    """How the object was told to forget."""
    legacy = use.method == "process"
    return "static_image_mode=True" if legacy else "running_mode is IMAGE, which is also the default"


def sampled(program: Program, call: ast.Call, loop: ast.AST) -> bool:
    """Whether frames are picked, not taken in a row: every N-th, by seeking, or from several videos."""
    handed = [
        node for generator in program.values.generators(getattr(loop, "iter", None)) for node in yields(generator)
    ]
    if any(picked(program, node, loop) for node in (call, *handed)):
        return True
    inner = list(program.turn(loop))
    seeks = any(isinstance(n, ast.Attribute) and n.attr.startswith("CAP_PROP_POS_") for n in inner)
    skips = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mod) and not is_text(n.left) for n in inner)
    cameras = {
        ast.unparse(n.func.value) for n in program.frame_reads if n in inner and isinstance(n.func, ast.Attribute)
    }
    grabs = any(isinstance(n, ast.Attribute) and n.attr == "grab" for n in inner)
    return seeks or skips or grabs or len(cameras) > 1


def picked(program: Program, node: ast.AST, loop: ast.AST) -> bool:
    """Whether a condition inside the loop decides about a node, other than that there is a frame at all."""
    for parent in program.scopes.within_function(node):
        if parent is loop:
            return False
        if isinstance(parent, ast.If) and not asks_for_frame(program, parent.test):
            return True
    return False


def asks_for_frame(program: Program, test: ast.AST) -> bool:
    """`if ok:` of `ok, frame = camera.read()`, and `if frame is not None:`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], ast.IsNot)
    return bool(program.values.names(test) & THERE)


def is_text(node: ast.AST) -> bool:
    """Whether `%` formats."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def timestamps(program: Program) -> Iterator[Hit]:
    """SRC813: a time that stands still, or goes back."""
    last: dict[ast.AST, tuple[ast.AST, int]] = {}
    for use in program.inferences:
        if not use.method.endswith(("_for_video", "_async")):
            continue
        stamp = program.argument(use.call, "timestamp_ms", 1)
        if stamp is None:
            continue
        if whole_seconds(program, stamp):
            yield Hit("SRC813", stamp, "whole seconds repeat; the parameter counts milliseconds")
            continue
        constants = program.values.constants(stamp)
        if constants is None or len(constants) != 1 or not isinstance(constants[0], int):
            continue
        yield from constant_time(program, use, stamp, constants[0], last)


def whole_seconds(program: Program, stamp: ast.AST) -> bool:
    """`int(time.time())`, and that in milliseconds."""
    if isinstance(stamp, ast.BinOp) and isinstance(stamp.op, ast.Mult):
        return any(whole_seconds(program, part) for part in (stamp.left, stamp.right))
    values = program.values.of(stamp)
    calls = [value.node for value in values if value.name == "builtins.int()" and isinstance(value.node, ast.Call)]
    return bool(calls) and len(calls) == len(values) and all(
        len(call.args) == 1 and program.values.names(call.args[0]) <= SECONDS for call in calls
    )  # fmt: skip


def constant_time(
    program: Program, use: Inference, stamp: ast.AST, time: int, last: dict[ast.AST, tuple[ast.AST, int]]
) -> Iterator[Hit]:
    """A constant in a loop that does not make a new object each turn, or one not above that of the call before."""
    loops = program.scopes.loops(use.call)
    if loops and not makes(program, loops[0], use) and not gone_after(loops[0]):
        yield Hit("SRC813", stamp, f"{time} in every turn of the loop")
        return
    statement = program.scopes.statement(use.call)
    for made in use.made_by if not loops else ():
        block = program.scopes.parents.get(statement, statement)
        before = last.get(made)
        if before is not None and before[0] is block and time <= before[1]:
            yield Hit("SRC813", stamp, f"{time} comes after {before[1]}")
        last[made] = (block, time)


def makes(program: Program, loop: ast.AST, use: Inference) -> bool:
    """Whether the loop makes the object itself, by any call."""
    calls = (node for node in ast.walk(loop) if isinstance(node, ast.Call))
    return any(value.node in use.made_by for call in calls for value in program.values.of(call))


def gone_after(loop: ast.AST) -> bool:
    """Whether the loop is left at the end of its first turn."""
    body = getattr(loop, "body", [])
    return bool(body) and isinstance(body[-1], (ast.Break, ast.Return))
