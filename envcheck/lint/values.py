"""What an expression can stand for, as far as the file itself tells: paths of imported things, and what calls give."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from typing import NamedTuple

from envcheck.lint.scopes import FUNCTIONS, Binding, Scopes

MOST_VALUES = 12
DEEPEST = 24
"""Bounds that no sane program reaches; beyond them nobody can tell."""

TASKS = (
    "FaceLandmarker", "FaceDetector", "FaceAligner", "FaceStylizer", "GestureRecognizer", "HandLandmarker",
    "HolisticLandmarker", "ImageClassifier", "ImageEmbedder", "ImageSegmenter", "InteractiveSegmenter",
    "ObjectDetector", "PoseLandmarker",
)  # fmt: skip
"""MediaPipe's vision tasks: each has a class of this name, and options of this name with Options behind."""

KNOWN = {
    **{name: name for name in (*TASKS, *(f"{task}Options" for task in TASKS))},
    **{name: name for name in ("BaseOptions", "Image", "ImageFormat", "RunningMode")},
    "VisionTaskRunningMode": "RunningMode",
    "VisionRunningMode": "RunningMode",
}


class Value(NamedTuple):
    """One thing that an expression can stand for.

    `path` reads `cv2.VideoCapture().read()[1]`: imports, attributes, calls, items. Other paths: `=` a constant, `{}` a
    display or dict(), `def` a function of this file, `class` a class of this file or an object of it, `?` unknown.
    """

    path: str
    node: ast.AST | None = None

    @property
    def name(self) -> str:
        """The path with MediaPipe's many spellings of one thing made one: `mp.FaceLandmarker.create_from_options()`."""
        return canonical(self.path)


UNKNOWN = Value("?")
HAND_ON = frozenset(
    ("builtins.enumerate", "builtins.iter", "builtins.list", "itertools.islice", "tqdm.tqdm", "tqdm.auto.tqdm",
     "rich.progress.track")
)  # fmt: skip
"""What hands on the items of its first argument one by one."""
OPAQUE = frozenset(("?", "=", "{}", "def", "class"))


@functools.lru_cache(maxsize=4096)
def canonical(path: str) -> str:
    """One spelling for each thing of MediaPipe."""
    head, _, rest = path.partition(".")
    if head != "mediapipe" or "_pb2" in path:
        return path
    parts = rest.split(".")
    if "solutions" in parts:
        return ".".join(parts[parts.index("solutions") :])
    for number, part in enumerate(parts):
        bare = part.removesuffix("()")
        if bare in KNOWN:
            return ".".join(("mp", part.replace(bare, KNOWN[bare]), *parts[number + 1 :]))
    return path


class Values:
    """Evaluates expressions of one module; each once."""

    def __init__(self, scopes: Scopes) -> None:
        self.scopes = scopes
        self.cache: dict[ast.AST, tuple[Value, ...]] = {}
        self.attributes = attributes_of_classes(scopes)
        self.depth = 0

    def of(self, node: ast.AST | None) -> tuple[Value, ...]:
        """Everything that `node` can stand for; never empty."""
        if node is None:
            return (UNKNOWN,)
        if node not in self.cache:
            if self.depth > DEEPEST:
                return (UNKNOWN,)
            self.cache[node] = (UNKNOWN,)  # a value that depends on itself: nobody can tell
            self.depth += 1
            found = tuple(dict.fromkeys(self._look(node))) or (UNKNOWN,)
            self.depth -= 1
            self.cache[node] = found if len(found) <= MOST_VALUES else (*found[:MOST_VALUES], UNKNOWN)
        return self.cache[node]

    def names(self, node: ast.AST | None) -> set[str]:
        """The canonical names of everything that `node` can stand for."""
        return {value.name for value in self.of(node)}

    def constants(self, node: ast.AST | None) -> list[object] | None:
        """The constants that `node` can stand for; None where it can be anything else."""
        values = self.of(node)
        return [literal(value.node) for value in values] if all(value.path == "=" for value in values) else None

    def _look(self, node: ast.AST) -> Iterator[Value]:
        if isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)):
            yield Value("=", node)
        elif isinstance(node, ast.Name):
            yield from self._name(node)
        elif isinstance(node, ast.Attribute):
            for base in self.of(node.value):
                yield from self._attribute(base, node.attr, node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, (ast.Dict, ast.List, ast.Tuple, ast.Set)):
            yield Value("{}", node)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield Value("class" if isinstance(node, ast.ClassDef) else "def", node)
        else:
            yield from self._passed_on(node)

    def _passed_on(self, node: ast.AST) -> Iterator[Value]:
        """Expressions whose value is that of a part of them."""
        if isinstance(node, ast.IfExp):
            yield from (*self.of(node.body), *self.of(node.orelse))
        elif isinstance(node, ast.BoolOp):
            for part in node.values:
                yield from self.of(part)
        elif isinstance(node, (ast.NamedExpr, ast.Await, ast.Starred)):
            yield from self.of(node.value)
        elif isinstance(node, ast.Subscript) and isinstance(index := literal(node.slice), int):
            yield from (item(value, index) for value in self.of(node.value))
        else:
            yield UNKNOWN

    def _name(self, node: ast.Name) -> Iterator[Value]:
        bindings = self.scopes.reaching(node)
        if bindings is None:
            stars = [star for star in self.scopes.module.stars if star.startswith("mediapipe")]
            known = node.id in KNOWN and stars
            yield Value(f"{stars[0]}.{node.id}" if known else f"builtins.{node.id}", node)
            return
        for binding in bindings:
            yield from self._bound(binding)

    def _bound(self, binding: Binding) -> Iterator[Value]:
        if binding.path:
            yield Value(binding.path, binding.target)
        elif binding.first_parameter:
            owner = self.scopes.parents.get(self.scopes.function(binding.target) or binding.target)
            yield Value("class", owner) if isinstance(owner, ast.ClassDef) else UNKNOWN
        elif binding.value is None:
            yield UNKNOWN
        elif binding.each:
            yield from self._each(binding.value, binding.item)
        elif binding.item is None:
            yield from self.of(binding.value)
        else:
            yield from (item(value, binding.item) for value in self.of(binding.value))

    def _each(self, source: ast.AST | None, part: int | None) -> Iterator[Value]:
        """What a generator of this file hands to a loop; `part`: one item of that. Of others nobody can tell."""
        if isinstance(source, ast.Call) and "builtins.enumerate" in self.names(source.func):
            source, part = (source.args[0] if part == 1 and source.args else None), None
        handed = [node for generator in self.generators(source) for node in yields(generator)]
        for node in handed:
            if isinstance(node, ast.YieldFrom):
                yield UNKNOWN
            elif part is None:
                yield from self.of(node.value)
            elif isinstance(node.value, ast.Tuple) and part < len(node.value.elts):
                yield from self.of(node.value.elts[part])
            else:
                yield UNKNOWN
        if not handed:
            yield UNKNOWN

    def generators(self, source: ast.AST | None) -> list[ast.AST]:
        """The generators of this file that a loop over `source` runs: functions, and `__iter__` of classes."""
        while isinstance(source, ast.Call) and source.args and self.names(source.func) <= HAND_ON:
            source = source.args[0]
        called = self.of(source.func) if isinstance(source, ast.Call) else ()
        run = [value.node for value in called if value.path == "def"]
        for value in self.of(source):
            if isinstance(value.node, ast.ClassDef):
                run += [method for method in value.node.body if getattr(method, "name", "") == "__iter__"]
        return [function for function in run if function is not None and yields(function)]

    def _attribute(self, base: Value, name: str, node: ast.AST) -> Iterator[Value]:
        if base.path not in OPAQUE:
            yield Value(f"{base.path}.{name}", node)
            return
        bindings = self.attributes.get((base.node, name)) if base.path == "class" and base.node else None
        for binding in bindings or ():
            for value in self._bound(binding):
                if value.path == "def" and is_property(value.node):
                    yield from self._returned(value.node)
                else:
                    yield value
        if not bindings:
            yield UNKNOWN

    def _call(self, node: ast.Call) -> Iterator[Value]:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "enter_context" and node.args:
            yield from self.of(node.args[0])
            return
        for function in self.of(node.func):
            yield from self._called(function, node)

    def _called(self, function: Value, node: ast.Call) -> Iterator[Value]:
        if function.path == "def":
            yield from self._returned(function.node)
        elif function.path == "class":
            yield function
        elif function.path in OPAQUE:
            yield UNKNOWN
        else:
            yield from self._imported(function.path, node)

    def _imported(self, path: str, node: ast.Call) -> Iterator[Value]:
        """What a call of something imported gives; a few functions hand their argument on."""
        if path in ("importlib.import_module", "builtins.__import__") and node.args:
            for name in self.constants(node.args[0]) or ():
                yield Value(name, node) if isinstance(name, str) else UNKNOWN
        elif path == "builtins.getattr" and len(node.args) > 1:
            for name in self.constants(node.args[1]) or ():
                for base in self.of(node.args[0]):
                    yield from self._attribute(base, str(name), node)
        elif path == "builtins.dict":
            yield Value("{}", node)
        elif path == "contextlib.closing" and node.args:
            yield from self.of(node.args[0])
        else:
            yield Value(f"{path}()", node)

    def _returned(self, function: ast.AST | None) -> Iterator[Value]:
        """What a function of this file returns or yields."""
        if isinstance(function, ast.Lambda):
            yield from self.of(function.body)
            return
        for node in own_nodes(function):
            if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
                yield from self.of(node.value)


def item(value: Value, index: int) -> Value:
    """One item of a value: of what a call gave, or of a display."""
    if value.path.endswith("()"):
        return Value(f"{value.path}[{index}]", value.node)
    return UNKNOWN


def own_nodes(function: ast.AST | None) -> Iterator[ast.AST]:
    """The nodes of a function's body, or of any statement, without those of functions and classes defined in it."""
    stack = list(ast.iter_child_nodes(function)) if function is not None else []
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))


def yields(function: ast.AST) -> list[ast.Yield | ast.YieldFrom]:
    """Where a generator hands something out; nothing for other functions."""
    return [node for node in own_nodes(function) if isinstance(node, (ast.Yield, ast.YieldFrom))]


def is_property(function: ast.AST | None) -> bool:
    """Whether a method is read like an attribute."""
    decorators = getattr(function, "decorator_list", ())
    return any(ast.unparse(d).rpartition(".")[2] in ("property", "cached_property") for d in decorators)


def literal(node: ast.AST | None) -> object:
    """The constant that a node is, a negative number included; None for everything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        number = node.operand.value
        return -number if isinstance(number, (int, float)) else None
    return node.value if isinstance(node, ast.Constant) else None


def attributes_of_classes(scopes: Scopes) -> dict[tuple[ast.AST, str], list[Binding]]:
    """What each class of the file binds: in its body, and through the first parameter of its methods."""
    found: dict[tuple[ast.AST, str], list[Binding]] = {}
    for node, scope in scopes.by_node.items():
        if isinstance(node, ast.ClassDef):
            for name, bindings in scope.names.items():
                found[node, name] = list(bindings)
    for node in scopes.of(ast.Attribute):
        if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            owner = object_of(node.value, scopes)
            if owner is not None:
                found.setdefault((owner, node.attr), []).append(stored(node, scopes))
    return found


def object_of(name: ast.Name, scopes: Scopes) -> ast.ClassDef | None:
    """The class whose method calls its object `name`."""
    for binding in scopes.reaching(name) or ():
        if binding.first_parameter:
            owner = scopes.parents.get(scopes.function(binding.target) or binding.target)
            return owner if isinstance(owner, ast.ClassDef) else None
    return None


def stored(node: ast.Attribute, scopes: Scopes) -> Binding:
    """The binding that an assignment to an attribute makes."""
    parent = scopes.parents[node]
    if isinstance(parent, ast.Assign):
        return Binding(node, value=parent.value)
    if isinstance(parent, ast.AnnAssign):
        return Binding(node, value=parent.value)
    if isinstance(parent, ast.withitem):
        return Binding(node, value=parent.context_expr)
    if isinstance(parent, (ast.Tuple, ast.List)) and isinstance(above := scopes.parents[parent], ast.Assign):
        return Binding(node, value=above.value, item=parent.elts.index(node))
    return Binding(node)
