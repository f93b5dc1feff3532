"""Data -> YAML that says the same by the rules of 1.1 and of 1.2: what might be more than text is quoted."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ./_-]*[A-Za-z0-9]", re.ASCII)
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
"""Words that a parser of YAML 1.1 takes for something else; Kubernetes and GitLab use such parsers."""


def render(documents: Iterable[Mapping[str, Any]], heading: Iterable[str] = ()) -> str:
    """The documents after a comment; keys stay in their order, so that the same data is the same text."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 10_000
    yaml.representer.add_representer(str, scalar)
    yaml.representer.ignore_aliases = lambda _data: True
    stream = io.StringIO()
    stream.writelines(f"# {line}\n" for line in heading)
    for number, document in enumerate(documents):
        stream.write("---\n" if number else "")
        yaml.dump(document, stream)
    return stream.getvalue()


def scalar(representer: Any, text: str) -> Any:
    """A text as a node: several lines as a block, a harmless word as it is, all else in double quotes."""
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    style = "|" if is_block(text) else None if plain else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def is_block(text: str) -> bool:
    """True for several lines of which a block keeps every character: printable, without blanks at their ends."""
    lines = text.split("\n")
    kept = all(line.isprintable() and line == line.rstrip() for line in lines)
    return len(lines) > 1 and kept and not text.startswith((" ", "\n"))
