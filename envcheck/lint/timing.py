"""SRC814 and SRC815: what a measured time is made of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from envcheck.lint.finding import Hit, Level
from envcheck.lint.program import Program
from envcheck.lint.scopes import FUNCTIONS

COUNTERS = ("time", "perf_counter", "monotonic", "process_time")
CLOCKS = frozenset(
    (
        *(f"time.{name}{unit}()" for name in COUNTERS for unit in ("", "_ns")),
        "timeit.default_timer()",
        "cv2.getTickCount()",
    )
)
SHAPES = ("circle", "line", "polylines", "putText", "rectangle", "drawMarker", "ellipse", "fillPoly", "drawContours")
DRAWING = frozenset(f"cv2.{name}" for name in ("imshow", "waitKey", "pollKey", "imwrite", "imread", *SHAPES))
OTHER_DRAWING = ("matplotlib.pyplot.", "cv2.VideoWriter().write", "google.colab.patches.cv2_imshow")
BLOCKS = ("body", "orelse", "finalbody")


class Region(NamedTuple):
    """The statements between two looks at a clock whose difference is used."""

    start: ast.stmt
    statements: tuple[ast.stmt, ...]


def regions(program: Program) -> Iterator[Region]:
    """Every timed region: both looks stand in one block."""
    looks = [call for call in program.calls if not CLOCKS.isdisjoint(program.values.names(call))]
    for node in dict.fromkeys(program.scopes.parents[program.scopes.statement(look)] for look in looks):
        for name in BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield from regions_of(program, block)


def regions_of(program: Program, block: list[ast.stmt]) -> Iterator[Region]:
    """The timed regions of one block."""
    for number, statement in enumerate(block):
        started = clock_name(program, statement)
        if started is None:
            continue
        for later in range(number + 1, len(block)):
            if clock_name(program, block[later]) == started:
                break
            stop = stopped(program, block[later], started)
            if stop is not None:
                end = next((i for i in range(number + 1, later) if clock_name(program, block[i]) == stop), later)
                yield Region(statement, tuple(block[number + 1 : end]))
                break


def clock_name(program: Program, statement: ast.stmt) -> str | None:
    """The target of `t = time.time()`."""
    called = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
    return look(program, statement) if called else None


def stopped(program: Program, statement: ast.stmt, started: str) -> str | None:
    """What is on the left of `… - started` in a statement without blocks, where it is a time; None otherwise."""
    if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)):
        return None
    for node in ast.walk(statement):
        difference = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and ast.unparse(node.right) == started
        if difference and isinstance(node, ast.BinOp) and program.values.names(node.left) & CLOCKS:
            return ast.unparse(node.left)
    return None


def turns(program: Program) -> Iterator[Region]:
    """Whole turns of a loop, each timed from the one before: `fps = 1 / (now - before)`, then `before = now`."""
    of = program.scopes.of
    loops: list[ast.While | ast.For | ast.AsyncFor] = [*of(ast.While), *of(ast.For), *of(ast.AsyncFor)]
    for loop in loops:
        looks = [look(program, statement) for statement in loop.body]
        for number, statement in enumerate(loop.body):
            again = set(looks[number:]) - set(looks[:number]) - {None}
            if any(stopped(program, statement, name) for name in again if name is not None):
                yield Region(statement, tuple(loop.body))
                break


def look(program: Program, statement: ast.stmt) -> str | None:
    """The target of a statement that keeps a time: `before = now`, `before = time.time()`."""
    if not isinstance(statement, ast.Assign) or program.values.names(statement.value).isdisjoint(CLOCKS):
        return None
    return ast.unparse(statement.targets[0])


def inner_calls(program: Program, region: Region) -> list[ast.Call]:
    """All calls that a region makes, those in functions of this file included."""
    nodes = (node for statement in region.statements for node in own(statement))
    return [node for node in program.follow(nodes) if isinstance(node, ast.Call)]


def own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement without those of functions that it defines."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))


def other_work(program: Program) -> Iterator[Hit]:
    """SRC814: the camera, the disk or the screen is timed together with MediaPipe. A frame rate is a remark."""
    measured = [(region, calls) for region in regions(program) if (calls := timed_calls(program, region))]
    reported: set[ast.AST] = set()
    for region, calls in measured:
        others = [call for call in calls if disturbs(program, call)]
        if others and not reported.intersection(others):
            reported.update(others)
            yield Hit("SRC814", others[0], f"timed since line {region.start.lineno}: {in_words(others)}")
    for region in turns(program) if not measured else ():
        others = [call for call in timed_calls(program, region) if disturbs(program, call)]
        if others:
            yield Hit("SRC814", others[0], f"this frame rate is that of {in_words(others)} too", Level.NOTE)


def timed_calls(program: Program, region: Region) -> list[ast.Call]:
    """All calls that a region makes, in the order of their lines; none where MediaPipe does not work in it."""
    calls = set(inner_calls(program, region))
    works = any(use.call in calls for use in program.inferences)
    return sorted(calls, key=lambda call: call.lineno) if works else []


def in_words(calls: list[ast.Call]) -> str:
    """What is called, with its lines."""
    return ", ".join(dict.fromkeys(f"{ast.unparse(call.func)} (line {call.lineno})" for call in calls))


def disturbs(program: Program, call: ast.Call) -> bool:
    """Whether a call waits for a camera or a disk, or draws."""
    if program.is_frame_read(call):
        return True
    names = program.values.names(call.func)
    if any(name in DRAWING or name.startswith(OTHER_DRAWING) for name in names):
        return True
    return any(name.rpartition(".")[2].startswith("draw_") and "drawing_utils" in name for name in names)


def first_call(program: Program) -> Iterator[Hit]:
    """SRC815: the only call that is timed is the first one of its object."""
    for region in regions(program):
        if program.scopes.loops(region.start):
            continue
        inner = {node for statement in region.statements for node in own(statement)}
        timed = [use for use in program.inferences if use.call in inner]
        if len(timed) == 1 and is_first(program, timed[0].call, timed[0].made_by, region):
            yield Hit("SRC815", timed[0].call, f"timed since line {region.start.lineno}")


def is_first(program: Program, call: ast.Call, made_by: tuple[ast.AST, ...], region: Region) -> bool:
    """Whether nothing warmed the object up: it is made in the same function, and not used before the region."""
    function = program.scopes.function(call)
    if program.scopes.loops(call) != program.scopes.loops(region.start):
        return False
    if any(program.scopes.function(made) is not function or program.scopes.loops(made) for made in made_by):
        return False
    start = region.start.lineno
    uses = [i.call for i in program.inferences if set(i.made_by) & set(made_by) and i.call is not call]
    handed_on = [
        node for node in program.scopes.of(ast.Name)
        if isinstance(node.ctx, ast.Load)
        and any(value.node in made_by for value in program.values.of(node)) and node.lineno < start
    ]  # fmt: skip
    return not handed_on and not any(use.lineno < start for use in uses)
