"""One file as the checks see it: where MediaPipe's objects are made, where they work, and where frames come from."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envcheck.lint.scopes import Scopes
from envcheck.lint.values import TASKS, Value, Values, own_nodes

CREATORS = tuple(
    f"mp.{task}.{method}()" for task in TASKS for method in ("create_from_options", "create_from_model_path")
)
METHODS = frozenset(
    f"{verb}{kind}" for verb in ("detect", "recognize", "classify", "segment", "embed", "align", "stylize")
    for kind in ("", "_for_video", "_async")
)  # fmt: skip
SOLUTIONS = {
    "face_mesh": "FaceMesh",
    "face_detection": "FaceDetection",
    "hands": "Hands",
    "holistic": "Holistic",
    "objectron": "Objectron",
    "pose": "Pose",
    "selfie_segmentation": "SelfieSegmentation",
}
LEGACY = frozenset(f"solutions.{module}.{name}" for module, name in SOLUTIONS.items())
FACE_MESH = "solutions.face_mesh.FaceMesh"
GPU = "mp.BaseOptions.Delegate.GPU"
CPU = "mp.BaseOptions.Delegate.CPU"
CAMERA = "cv2.VideoCapture()"
DEEPEST_CALLS = 4
"""How many calls are followed from a loop to the work done in it."""


class Inference(NamedTuple):
    """One call that makes MediaPipe work, and the calls that may have made its object."""

    call: ast.Call
    method: str
    made_by: tuple[ast.AST, ...]


class Program:
    """A parsed file with its names and values."""

    def __init__(self, tree: ast.Module, version: tuple[int, ...] | None = None) -> None:
        self.tree = tree
        self.version = version
        self.scopes = Scopes(tree)
        self.values = Values(self.scopes)
        self.calls = self.scopes.of(ast.Call)

    @functools.cached_property
    def creations(self) -> list[ast.Call]:
        """Calls that make a vision task or a legacy solution."""
        return [
            call
            for call in self.calls
            if any(is_creation(value) for value in self.values.of(call) if value.node is call)
        ]

    @functools.cached_property
    def inferences(self) -> list[Inference]:
        """Calls of `detect…` or `process` on what a creation made."""
        return [found for call in self.calls if (found := self._inference(call)) is not None]

    def _inference(self, call: ast.Call) -> Inference | None:
        function = call.func
        if not isinstance(function, ast.Attribute) or (function.attr not in METHODS and function.attr != "process"):
            return None
        made = [value for value in self.values.of(function.value) if is_creation(value)]
        fits = [value for value in made if (function.attr == "process") == is_legacy(value)]
        return Inference(call, function.attr, tuple(v.node for v in fits if v.node is not None)) if fits else None

    @functools.cached_property
    def frame_reads(self) -> list[ast.Call]:
        """Calls of `read` or `retrieve` on a cv2.VideoCapture."""
        return [call for call in self.calls if self.is_frame_read(call)]

    def is_frame_read(self, call: ast.AST) -> bool:
        """Whether a call takes a frame from a camera or a video."""
        function = getattr(call, "func", None)
        if not isinstance(function, ast.Attribute) or function.attr not in ("read", "retrieve"):
            return False
        return CAMERA in self.values.names(function.value)

    @functools.cached_property
    def sites(self) -> dict[ast.AST, list[ast.Call]]:
        """The calls of each function of this file."""
        found: dict[ast.AST, list[ast.Call]] = {}
        for call in self.calls:
            for value in self.values.of(call.func):
                if value.path == "def" and value.node is not None:
                    found.setdefault(value.node, []).append(call)
        return found

    @functools.cached_property
    def uses_gpu(self) -> list[ast.AST]:
        """Where the file names the GPU delegate."""
        of = self.scopes.of
        named = (*of(ast.Attribute), *of(ast.Name), *of(ast.Call), *of(ast.Subscript))
        return [node for node in named if self.is_gpu(node)]

    def is_gpu(self, node: ast.AST) -> bool:
        """Whether an expression is spelled as the GPU member of a Delegate, known or not."""
        if isinstance(node, ast.Subscript):
            return isinstance(node.slice, ast.Constant) and node.slice.value == "GPU"
        if isinstance(node, ast.Attribute):
            return node.attr == "GPU"
        return isinstance(node, (ast.Name, ast.Call)) and GPU in self.values.names(node)

    def follow(self, nodes: Iterable[ast.AST], depth: int = DEEPEST_CALLS) -> Iterator[ast.AST]:
        """Nodes, and those of this file's functions that they call."""
        for node in nodes:
            yield node
            if isinstance(node, ast.Call) and depth:
                for value in self.values.of(node.func):
                    for function in called(value):
                        yield from self.follow(own_nodes(function), depth - 1)

    def loop_where(self, node: ast.AST, test: Iterable[ast.AST], depth: int = DEEPEST_CALLS) -> ast.AST | None:
        """The loop that runs `node` once per turn and holds one of `test`, through calls within this file."""
        wanted = set(test)
        for loop in self.scopes.loops(node):
            if any(inner in wanted for inner in self.turn(loop)):
                return loop
        function = self.scopes.function(node)
        if function is None or depth == 0:
            return None
        sites = (self.loop_where(site, wanted, depth - 1) for site in self.sites.get(function, ()))
        return next((loop for loop in sites if loop is not None), None)

    def turn(self, loop: ast.AST) -> Iterator[ast.AST]:
        """The nodes of a loop, and those of the generators of this file that hand it its items."""
        yield from ast.walk(loop)
        for generator in self.values.generators(getattr(loop, "iter", None)):
            yield from self.follow(own_nodes(generator))

    def frame_loop(self, node: ast.AST) -> ast.AST | None:
        """The loop around `node` that takes frames from a camera or a video."""
        return self.loop_where(node, self.frame_reads)

    def argument(self, call: ast.Call, name: str, position: int | None = None) -> ast.AST | None:
        """What a call passes for a parameter: by name, by position, or through `**` of a display; None if nothing."""
        for keyword in call.keywords:
            if keyword.arg == name:
                return keyword.value
            if keyword.arg is None and (held := self.entry(keyword.value, name)) is not None:
                return held
        if position is None or len(call.args) <= position:
            return None
        starred = any(isinstance(argument, ast.Starred) for argument in call.args[: position + 1])
        return None if starred else call.args[position]

    def entry(self, mapping: ast.AST, name: str) -> ast.AST | None:
        """The value that a display or dict() holds for a key."""
        for value in self.values.of(mapping):
            for key, held in entries(value.node):
                if key == name:
                    return held
        return None

    def passes_unseen(self, call: ast.Call) -> bool:
        """Whether the call passes arguments that cannot be listed: `*x`, or a `**x` that is no closed display."""
        starred = any(isinstance(argument, ast.Starred) for argument in call.args)
        return starred or any(k.arg is None and not self.is_closed(k.value) for k in call.keywords)

    def is_closed(self, mapping: ast.AST) -> bool:
        """Whether all entries of a mapping can be listed: displays only, with constant keys, never changed by name."""
        if isinstance(mapping, ast.Name) and mapping.id in self.changed:
            return False
        return all(
            value.path == "{}" and all(key is not None for key, _ in entries(value.node)) and lists_entries(value.node)
            for value in self.values.of(mapping)
        )

    @functools.cached_property
    def changed(self) -> set[str]:
        """Names whose items are assigned, or that are updated in place."""
        stored = [node.value for node in self.scopes.of(ast.Subscript) if isinstance(node.ctx, ast.Store)]
        methods = ("update", "setdefault", "pop")
        updated = [node.value for node in self.scopes.of(ast.Attribute) if node.attr in methods]
        return {node.id for node in (*stored, *updated) if isinstance(node, ast.Name)}


def is_creation(value: Value) -> bool:
    """Whether a value is a vision task or a legacy solution."""
    return value.name in CREATORS or is_legacy(value)


def is_legacy(value: Value) -> bool:
    """Whether a value is an object of `mp.solutions`."""
    return value.name.endswith("()") and value.name.removesuffix("()") in LEGACY


def called(value: Value) -> Iterator[ast.AST]:
    """The functions of this file that run when a value is called."""
    if value.path == "def" and value.node is not None:
        yield value.node
    elif value.path == "class" and isinstance(value.node, ast.ClassDef):
        yield from (method for method in value.node.body if getattr(method, "name", "") in ("__init__", "__call__"))


def entries(node: ast.AST | None) -> Iterator[tuple[str | None, ast.AST]]:
    """Keys and values of a display or dict(); a key that is no constant text is None."""
    if isinstance(node, ast.Dict):
        for key, held in zip(node.keys, node.values, strict=True):
            yield (key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None), held
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            yield keyword.arg, keyword.value


def lists_entries(node: ast.AST | None) -> bool:
    """Whether `entries` sees all there is."""
    return isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and not node.args)
