"""YAML text to nodes with their places. No tag is obeyed; an alias is its anchor's node, never a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from envcheck.lint.source import Unreadable
from envcheck.lint.textual import Text

MOST_TEXT = 1 << 20
MOST_DEEP = 64
# ruamel.yaml's scanner lets these through on malformed input, for example OverflowError on "\UFFFFFFFF".
ACCIDENTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(eq=False)
class Node:
    """A value: text, a list or a mapping; `start` and `end` are offsets, `key` the place of its key."""

    kind: str
    start: int
    end: int
    text: str = ""
    items: list[Node] = field(default_factory=list)
    fields: list[tuple[Node, Node]] = field(default_factory=list)

    def get(self, name: str) -> Node | None:
        """The value of a key: the mapping's own, or one that it merges in."""
        return next((value for key, value in self.entries() if key.text == name), None)

    def at(self, *names: str) -> Node | None:
        """The value at a path of keys."""
        node: Node | None = self
        for name in names:
            node = node.get(name) if node is not None else None
        return node

    def entries(self) -> Iterator[tuple[Node, Node]]:
        """The keys and values: its own, then those that it merges in. Each key and each mapping counts once."""
        keys: set[str] = set()
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            node = waiting.pop(0)
            if id(node) in seen:
                continue
            seen.add(id(node))
            for key, value in node.fields:
                if key.text == "<<":
                    waiting += value.items or [value]
                elif key.text not in keys:
                    keys.add(key.text)
                    yield key, value

    def texts(self) -> list[str]:
        """The texts of a list, or the one text."""
        return [one.text for one in self.items] if self.kind == "list" else [self.text] if self.kind == "text" else []

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands."""
        return self.start, self.end


def documents(text: Text) -> list[Node]:
    """The documents of a text. Raises Unreadable."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text.text) > MOST_TEXT:
        raise Unreadable("is larger than 1 MiB: it was not read")
    yaml = YAML(typ="safe", pure=True)
    try:
        return composed(text, yaml.parse(text.text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = ", ".join(str(part).splitlines()[0] for part in (error.context, error.problem) if part)
        raise Unreadable(f"is no valid YAML: {said}", *where) from None
    except (YAMLError, *ACCIDENTS) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unreadable(f"is no valid YAML: {said}") from None


def composed(text: Text, events: Iterator[Any]) -> list[Node]:
    """Events put together, without recursion."""
    composer = Composer(text)
    for event in events:
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            composer.anchors.clear()
        elif kind == "AliasEvent":
            composer.put(composer.anchors.get(event.anchor) or Node("text", *place(text, event)))
        elif kind == "ScalarEvent":
            composer.put(composer.named(event.anchor, Node("text", *place(text, event), text=event.value)))
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            composer.open(event, "map" if kind == "MappingStartEvent" else "list")
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            composer.close(event)
    return composer.roots


class Composer:
    """Nodes as far as they are read: whole ones, and those that are still open."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.roots: list[Node] = []
        self.opened: list[tuple[Node, str | None, list[Node]]] = []
        self.anchors: dict[str, Node] = {}

    def put(self, node: Node) -> None:
        """A whole node goes into the one that is open, or is a document."""
        (self.opened[-1][2] if self.opened else self.roots).append(node)

    def named(self, anchor: str | None, node: Node) -> Node:
        """A node, known by its anchor from now on."""
        if anchor:
            self.anchors[anchor] = node
        return node

    def open(self, event: Any, kind: str) -> None:
        """A list or a mapping begins."""
        if len(self.opened) >= MOST_DEEP:
            raise Unreadable(f"is nested more than {MOST_DEEP} levels deep", event.start_mark.line + 1)
        self.opened.append((Node(kind, *place(self.text, event)), event.anchor, []))

    def close(self, event: Any) -> None:
        """A list or a mapping ends."""
        node, anchor, children = self.opened.pop()
        node.end = place(self.text, event)[1]
        if node.kind == "list":
            node.items = children
        else:
            node.fields = list(zip(children[::2], children[1::2], strict=False))
        self.put(self.named(anchor, node))


def place(text: Text, event: Any) -> tuple[int, int]:
    """The offsets of an event."""
    return offset(text, event.start_mark), offset(text, event.end_mark)


def offset(text: Text, mark: Any) -> int:
    """Where a mark stands."""
    index: int = mark.index
    return min(index, len(text.text))
