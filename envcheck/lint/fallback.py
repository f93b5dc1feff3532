"""SRC820: MediaPipe refuses the GPU delegate, and the program goes on without a word of why."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from envcheck.lint.finding import Hit
from envcheck.lint.program import CPU, GPU, Program
from envcheck.lint.values import own_nodes

REFUSALS = frozenset(
    f"builtins.{name}" for name in ("BaseException", "Exception", "RuntimeError", "NotImplementedError")
)
"""What catches a refusal: a RuntimeError, or a NotImplementedError where the wheel has no GPU code."""
TELLING = frozenset(("exception", "exc_info", "format_exc", "format_exception", "print_exc", "print_exception"))
"""Functions and arguments that tell the exception without naming it."""
ENDING = frozenset(("exit", "_exit", "abort", "quit"))
SUPPRESS = "contextlib.suppress()"
DEEPEST_OPTIONS = 3
"""A landmarker's options hold base options, which hold the delegate."""


def unheard(program: Program) -> Iterator[Hit]:
    """Each way out of a try with the GPU in it that drops the error."""
    for attempt in program.scopes.of(ast.Try):
        makes = tries_gpu(program, attempt.body)
        hands = makes or hands_on(program, attempt.body, GPU)
        for handler in attempt.handlers:
            if (makes or (hands and hands_on(program, handler.body, CPU))) and drops(program, handler):
                yield Hit("SRC820", handler)
    for block in program.scopes.of(ast.With):
        for item in block.items:
            if suppresses(program, item.context_expr) and tries_gpu(program, block.body):
                yield Hit("SRC820", item.context_expr)


def tries_gpu(program: Program, body: Iterable[ast.stmt]) -> bool:
    """Whether statements make a task with the GPU delegate, themselves or by a function of this file."""
    nodes, made = list(nodes_of(body)), set(program.creations)
    if any(node in made and given_gpu(program, node) for node in nodes):
        return True
    named = set(program.uses_gpu)
    return any(node in named for node in nodes) and any(node in made for node in program.follow(nodes))


def hands_on(program: Program, body: Iterable[ast.stmt], delegate: str) -> bool:
    """Whether statements call something with a delegate: a helper that makes the task, in a way that is not seen."""
    calls = (node for node in nodes_of(body) if isinstance(node, ast.Call))
    given = (part for call in calls for part in (*call.args, *(keyword.value for keyword in call.keywords)))
    return any(delegate in program.values.names(part) for part in given)


def nodes_of(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Statements and what stands in them, without functions that they define."""
    for statement in body:
        yield statement
        yield from own_nodes(statement)


def given_gpu(program: Program, node: ast.AST, depth: int = DEEPEST_OPTIONS) -> bool:
    """Whether the GPU delegate is among what an expression is made of."""
    if GPU in program.values.names(node):
        return True
    calls = [value.node for value in program.values.of(node) if isinstance(value.node, ast.Call)]
    given = [part for call in calls for part in (*call.args, *(keyword.value for keyword in call.keywords))]
    return depth > 0 and any(given_gpu(program, part, depth - 1) for part in given)


def drops(program: Program, handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes a refusal and goes on without its text."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(kind is None or program.values.names(kind) & REFUSALS for kind in caught):
        return False
    return not any(tells(node, handler.name) for statement in handler.body for node in ast.walk(statement))


def tells(node: ast.AST, name: str | None) -> bool:
    """Whether a node hands the error on: by its name, by a call that knows it, or by an end."""
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.Name):
        return node.id == name
    if isinstance(node, ast.keyword):
        return node.arg in TELLING
    if not isinstance(node, ast.Call):
        return False
    called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    return called in TELLING | ENDING


def suppresses(program: Program, node: ast.AST) -> bool:
    """Whether it is `contextlib.suppress` of what a refusal is."""
    if not isinstance(node, ast.Call) or SUPPRESS not in program.values.names(node):
        return False
    return any(program.values.names(kind) & REFUSALS for kind in node.args)
