"""SRC807: a landmarker made for every frame."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from envcheck.lint.finding import Hit
from envcheck.lint.program import Program
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
ROUTES = frozenset(("route", "api_route", "get", "post", "put"))
"""Decorators of Flask, FastAPI and their like. A websocket's handler is called once per connection."""


def per_frame(program: Program) -> Iterator[Hit]:
    """SRC807: made and used once per turn of a loop over frames, or per call of a function that is given one."""
    pictures = [*program.frame_reads, *(c for c in program.calls if program.values.names(c) & SOURCES)]
    for creation in program.creations:
        if on_demand(program, creation):
            continue
        for maker in makers(program, creation):
            if used_once(program, maker, creation) and not on_demand(program, maker):
                yield from wasted(program, maker, pictures)


def makers(program: Program, creation: ast.Call) -> Iterator[ast.Call]:
    """The call that makes an object, and calls of the function that makes and returns it. A cached function is none."""
    yield creation
    function = program.scopes.function(creation)
    decorators = getattr(function, "decorator_list", ())
    if function is None or any("cache" in ast.unparse(decorator) for decorator in decorators):
        return
    for site in program.sites.get(function, ()):
        if any(value.node is creation for value in program.values.of(site)):
            yield site


def wasted(program: Program, maker: ast.Call, pictures: list[ast.Call]) -> Iterator[Hit]:
    """The finding for a call that makes an object for one frame."""
    loop = program.loop_where(maker, pictures)
    if loop is not None and not few_turns(program, loop):
        yield Hit("SRC807", maker, f"once per turn of the loop in line {getattr(loop, 'lineno', 0)}")
    elif loop is None and takes_frame(program.scopes.function(maker)):
        yield Hit("SRC807", maker, "once per frame that the function is given")
    elif loop is None and answers_requests(program.scopes.function(maker)):
        yield Hit("SRC807", maker, "once per request")


def few_turns(program: Program, loop: ast.AST) -> bool:
    """Whether a loop goes over what the file itself lists: settings to compare, not frames."""
    return isinstance(loop, ast.For) and all(value.path == "{}" for value in program.values.of(loop.iter))


def used_once(program: Program, maker: ast.Call, creation: ast.Call) -> bool:
    """Whether the new object works exactly as often as it is made; not where a loop keeps it busy, or others use it."""
    uses = [use for use in program.inferences if creation in use.made_by]
    function = program.scopes.function(maker)
    here = [use for use in uses if program.scopes.function(use.call) is function]
    if not here or (maker is creation and len(here) < len(uses)):
        return False
    return all(program.scopes.loops(use.call) == program.scopes.loops(maker) for use in here)


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
    return any(name == "frame" or name.endswith("_frame") for name in parameters(function))


def answers_requests(function: ast.AST | None) -> bool:
    """Whether a web framework calls a function for each request: a decorator that names a route, or a parameter."""
    decorators = getattr(function, "decorator_list", ())
    calls = [d.func.attr for d in decorators if isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute)]
    return not ROUTES.isdisjoint(calls) or "request" in parameters(function)


def parameters(function: ast.AST | None) -> list[str]:
    """The names of a function's parameters."""
    if not isinstance(function, FUNCTIONS):
        return []
    arguments = function.args
    return [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
