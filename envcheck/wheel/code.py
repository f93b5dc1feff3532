"""MediaPipe's Python files, read as syntax trees: does the delegate reach the native library, and by which number?"""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envcheck.errors import UsageError
from envcheck.record import Unread
from envcheck.wheel.record import Code, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envcheck.wheel.trees import Tree

OPTIONS = "mediapipe/tasks/python/core/base_options.py"
STRUCTURE = "mediapipe/tasks/python/core/base_options_c.py"
SOLUTIONS = "mediapipe/python/solutions/"
WANTED = (OPTIONS, STRUCTURE)

_HELPERS = re.compile(r"__init__|drawing_\w+|download_utils|\w+_test|\w+_connections")
_SYSTEMS = {"Linux", "Darwin", "Windows"}
_COMPARING = {"__eq__", "__ne__", "__hash__", "__init__"}


def read_code(tree: Tree) -> Code:
    """The Python side of a wheel."""
    options, structure = _parsed(tree, OPTIONS), _parsed(tree, STRUCTURE)
    solutions = solutions_of(tree.names)
    return Code(
        api=Seen("solutions" if solutions.value else "tasks", solutions.witness),
        solutions=solutions,
        delegate=options if isinstance(options, Unread) else delegate(options, structure),
        members=options if isinstance(options, Unread) else members(options),
        guard=options if isinstance(options, Unread) else guard(options),
        certificates=options if isinstance(options, Unread) else certificates(options),
    )


def _parsed(tree: Tree, name: str) -> ast.Module | Unread:
    if name not in tree.names:
        return Unread(reason=f"there is no {name}")
    try:
        return ast.parse(tree.text(name))
    except UsageError as error:
        return Unread(reason=error.message)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Unread(reason=f"{name} is no Python that can be read: {error}")


def solutions_of(names: Iterable[str]) -> Seen[tuple[str, ...]]:
    """The legacy solutions that `mp.solutions` offers."""
    found = [PurePosixPath(name) for name in names if name.startswith(SOLUTIONS) and name.count("/") == 3]
    stems = tuple(path.stem for path in found if path.suffix == ".py" and not _HELPERS.fullmatch(path.stem))
    return Seen(stems, f"{SOLUTIONS}: {len(stems)} solutions" if stems else f"there is no {SOLUTIONS}")


def delegate(options: ast.Module, structure: ast.Module | Unread) -> Seen[str] | Unread:
    """passed, or ignored: whether BaseOptions' delegate is put into what goes to the native library.

    In the C library's time that is a field `delegate` of BaseOptionsC, before it the protobuf's `acceleration`.
    """
    body = _class(options, "BaseOptions")
    if body is None:
        return Unread(reason=f"{OPTIONS} has no class BaseOptions")
    line = _reads_delegate(body)
    if isinstance(structure, Unread):
        handed = _keyword(body, "acceleration")
        if line and handed:
            return Seen("passed", f"{OPTIONS}:{handed}: acceleration=…, chosen by self.delegate at line {line}")
        return Seen("ignored", f"{OPTIONS}: no method of BaseOptions hands self.delegate on as acceleration")
    fields = _fields(structure)
    if not fields:
        return Unread(reason=f"{STRUCTURE} has no structure with fields")
    if "delegate" not in fields:
        return Seen("ignored", f"{STRUCTURE}: the fields are {', '.join(fields)}; none is delegate")
    if not line:
        return Seen("ignored", f"{OPTIONS}: no method of BaseOptions reads self.delegate")
    return Seen("passed", f"{STRUCTURE}:{fields['delegate']}: field delegate; {OPTIONS}:{line} fills it")


def members(options: ast.Module) -> Seen[dict[str, int]] | Unread:
    """The members of BaseOptions.Delegate and their numbers."""
    found = _class(options, "Delegate")
    if found is None:
        return Unread(reason=f"{OPTIONS} has no class Delegate")
    numbers = dict(_assigned(found))
    if not numbers:
        return Unread(reason=f"{OPTIONS}:{found.lineno}: class Delegate has no members that are plain numbers")
    bases = ", ".join(ast.unparse(base) for base in found.bases)
    return Seen(numbers, f"{OPTIONS}:{found.lineno}: class Delegate({bases})")


def guard(options: ast.Module) -> Seen[tuple[str, ...]]:
    """The systems that the Python code compares with before it lets delegate=GPU through."""
    body = _class(options, "BaseOptions") or options
    raising = [node for node in ast.walk(body) if isinstance(node, ast.If) and _refuses(node)]
    tests = [node.test for node in raising if isinstance(node.test, ast.Compare)]
    found = [(name, test.lineno) for test in tests for name in _systems(test)]
    if not found:
        return Seen((), f"{OPTIONS}: nothing refuses the delegate by operating system")
    return Seen(tuple(dict.fromkeys(name for name, _ in found)), f"{OPTIONS}:{found[0][1]}: NotImplementedError else")


def certificates(options: ast.Module) -> Seen[bool]:
    """Whether the options name a bundle of certificates, which only uploads need."""
    for node in ast.walk(options):
        if isinstance(node, ast.Import) and any(alias.name == "certifi" for alias in node.names):
            return Seen(value=True, witness=f"{OPTIONS}:{node.lineno}: import certifi")
    return Seen(value=False, witness=f"{OPTIONS}: certifi is not imported")


def _class(tree: ast.AST, name: str) -> ast.ClassDef | None:
    return next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name), None)


def _reads_delegate(body: ast.ClassDef) -> int:
    """The line where a method that is not a comparison reads self.delegate; 0 where none does."""
    methods = [node for node in body.body if isinstance(node, ast.FunctionDef) and node.name not in _COMPARING]
    for node in (inner for method in methods for inner in ast.walk(method)):
        if isinstance(node, ast.Attribute) and node.attr == "delegate" and _is_self(node):
            return node.lineno
    return 0


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self" and isinstance(node.ctx, ast.Load)


def _keyword(body: ast.ClassDef, name: str) -> int:
    calls = (node for node in ast.walk(body) if isinstance(node, ast.keyword) and node.arg == name)
    return next((call.value.lineno for call in calls), 0)


def _fields(structure: ast.Module) -> dict[str, int]:
    """The names in `_fields_` of the structure of base options, and their lines."""
    classes = [node for node in ast.walk(structure) if isinstance(node, ast.ClassDef) and "BaseOptionsC" in node.name]
    lists = [
        node.value
        for body in classes
        for node in body.body
        if isinstance(node, ast.Assign) and any(isinstance(at, ast.Name) and at.id == "_fields_" for at in node.targets)
    ]
    entries = [item for found in lists if isinstance(found, (ast.List, ast.Tuple)) for item in found.elts]
    firsts = [entry.elts[0] for entry in entries if isinstance(entry, ast.Tuple) and entry.elts]
    return {str(first.value): first.lineno for first in firsts if isinstance(first, ast.Constant)}


def _assigned(body: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for node in body.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value.value


def _refuses(node: ast.If) -> bool:
    return any(isinstance(inner, ast.Raise) for branch in node.orelse for inner in ast.walk(branch))


def _systems(test: ast.Compare) -> Iterator[str]:
    for node in ast.walk(test):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in _SYSTEMS:
            yield node.value
