"""docs/matrix-reference.md: every key of matrix.yaml, from its schema. `python -m envcheck.reference`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from envcheck.matrix.structure import schema

HEADER = """\
# Keys of matrix.yaml

Every key, with its type, its default and what it may hold. [matrix.yaml](matrix.md) explains them with examples; your
editor knows them too, from the same schema. In a path, `[]` is an item of a list, and `NAME` a key that you choose.
This page is generated: `python -m envcheck.reference > docs/matrix-reference.md`.
"""
LIMITS = {
    "minItems": "at least {} items", "maxItems": "at most {} items", "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys", "minLength": "at least {} characters", "maxLength": "at most {} characters",
    "minimum": "from {}", "maximum": "up to {}", "exclusiveMinimum": "above {}", "exclusiveMaximum": "below {}",
}  # fmt: skip
Node = Mapping[str, Any]


def document() -> str:
    """The page: a section for each key at the top, a table of all keys below it."""
    root = schema()
    required = set(root["required"])
    sections = [section(name, node, root, name in required) for name, node in root["properties"].items()]
    return "\n".join((HEADER, *sections, conditions(root)))


def section(name: str, node: Node, root: Node, required: bool) -> str:
    """One key at the top with everything below it."""
    must = " It must be there." if required else ""
    every = list(rows(name, node, root))
    below = every[1:] if len(every) > 1 else every
    return "\n".join((f"## {name}", "", f"{escaped(node['description'])}{must}", "", *table(below)))


def conditions(root: Node) -> str:
    """What stands in `when`, once for all places."""
    when = root["$defs"]["when"]
    found = [row(f"when.{name}", inner, root) for name, inner in when["properties"].items()]
    head = ("## when", "", f"{escaped(when['description'])} The same everywhere.", "")
    return "\n".join((*head, *table(found)))


def table(found: list[str] | Iterator[str]) -> Iterator[str]:
    """A table with its head."""
    yield "| key | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    yield from found
    yield ""


def rows(path: str, node: Node, root: Node) -> Iterator[str]:
    """The row of a key and those of what is below it; conditions have a section of their own."""
    yield row(path, node, root)
    full = resolved(node, root)
    if node.get("$ref") == "#/$defs/when":
        return
    for name, inner in full.get("properties", {}).items():
        yield from rows(f"{path}.{name}", inner, root)
    if isinstance(full.get("additionalProperties"), dict):
        yield from rows(f"{path}.NAME", full["additionalProperties"], root)
    if isinstance(full.get("items"), dict) and "properties" in resolved(full["items"], root):
        yield from rows(f"{path}[]", full["items"], root)


def row(path: str, node: Node, root: Node) -> str:
    """One key."""
    full = resolved(node, root)
    default = f"`{json.dumps(full['default'])}`" if "default" in full else ""
    meaning = " ".join(filter(None, (escaped(full.get("description", "")), limits(full))))
    return f"| `{path}` | {type_of(node, root)} | {default} | {meaning} |"


def type_of(node: Node, root: Node) -> str:
    """The type in a few words, with all values where they are counted."""
    full = resolved(node, root)
    if node.get("$ref") == "#/$defs/when":
        return "[conditions](#when)"
    if "enum" in full:
        return ", ".join(f"`{value}`" for value in full["enum"])
    if "const" in full:
        return f"`{json.dumps(full['const'])}`"
    kinds = full.get("type", "")
    named = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if kinds == "array":
        inner = resolved(full["items"], root)
        return f"list of {'objects' if inner.get('type') == 'object' else type_of(full['items'], root)}"
    return named


def limits(full: Node) -> str:
    """What a value has to keep to, in a sentence."""
    found = [text.format(full[name]) for name, text in LIMITS.items() if name in full]
    found = ["not empty" if text.startswith("at least 1 ") else text for text in found]
    found = list(dict.fromkeys(found))
    examples = [f"`{json.dumps(one)}`" for one in full.get("examples", ())]
    said = f"({', '.join(found)})" if found else ""
    return " ".join(filter(None, (said, f"Such as {', '.join(examples)}." if examples else "")))


def resolved(node: Node, root: Node) -> Node:
    """A node with what it refers to; its own words come first."""
    name = node.get("$ref", "").rpartition("/")[2]
    return {**resolved(root["$defs"][name], root), **node} if name else node


def escaped(text: str) -> str:
    """A text within a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[[", "\\[[")


if __name__ == "__main__":
    sys.stdout.write(document())
