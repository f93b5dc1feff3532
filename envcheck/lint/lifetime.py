"""SRC807: a landmarker made for every frame."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from envcheck.lint.finding import Hit
from envcheck.lint.program import Inference, Program
from envcheck.lint.scopes import FUNCTIONS

SOURCES = frozenset(
    (
        "cv2.imread()",
        "cv2.imdecode()",
        "mp.Image()",
        "mp.Image.create_from_file()",
        "PIL.Image.open()",
        "imageio.imread()",
    )
)
"""What gives one picture per turn."""


def per_frame(program: Program) -> Iterator[Hit]:
    """SRC807: made and used once per turn of a loop over frames, or per call of a function that is given one."""
    pictures = [*program.frame_reads, *(c for c in program.calls if program.values.names(c) & SOURCES)]
    for creation in program.creations:
        use = used_once(program, creation)
        if use is None or on_demand(program, creation):
            continue
        loop = program.loop_where(creation, pictures)
        if loop is not None and few_turns(program, loop):
            continue
        if loop is not None:
            yield Hit("SRC807", creation, f"once per turn of the loop in line {loop.lineno}")  # type: ignore[attr-defined]
        elif takes_frame(program.scopes.function(creation)):
            yield Hit("SRC807", creation, "once per frame that the function is given")


def few_turns(program: Program, loop: ast.AST) -> bool:
    """Whether a loop goes over what the file itself lists: settings to compare, not frames."""
    return isinstance(loop, ast.For) and all(value.path == "{}" for value in program.values.of(loop.iter))


def used_once(program: Program, creation: ast.Call) -> Inference | None:
    """The work that the new object does exactly as often as it is made; None where a loop keeps it busy."""
    uses = [i for i in program.inferences if creation in i.made_by]
    home = program.scopes.loops(creation)
    function = program.scopes.function(creation)
    here = [use for use in uses if program.scopes.function(use.call) is function]
    if not here or len(here) < len(uses) or any(program.scopes.loops(use.call) != home for use in here):
        return None
    return here[0]


def on_demand(program: Program, creation: ast.Call) -> bool:
    """Whether a condition decides that a new one is due: not made yet, every N frames, a key, an error."""
    child: ast.AST = creation
    for parent in program.scopes.within_function(creation):
        conditional = isinstance(parent, (ast.If, ast.IfExp, ast.ExceptHandler, ast.BoolOp, ast.Match))
        if conditional and not (isinstance(parent, ast.If) and frame_is_there(parent, child)):
            return True
        if parent in program.scopes.loops(creation):
            break
        child = parent
    return False


def frame_is_there(condition: ast.If, child: ast.AST) -> bool:
    """`if ok:`, `if frame is not None:`: a condition about the frame, whose body holds the child."""
    if child not in condition.body:
        return False
    test = condition.test
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], ast.IsNot)
    return isinstance(test, ast.Name)


def takes_frame(function: ast.AST | None) -> bool:
    """Whether a function is handed frames: a parameter that says so."""
    if not isinstance(function, FUNCTIONS):
        return False
    names = [
        parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    ]
    return any(name == "frame" or name.endswith("_frame") for name in names)
