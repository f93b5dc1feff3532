"""YAML text -> plain data, with the place of every value. Constructs nothing but text, numbers, lists and mappings.

A configuration needs a small part of YAML 1.2. Tags could name code, aliases could blow a kilobyte up to gigabytes,
and a second document or a duplicate key would be dropped in silence; all of these are problems here.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from envcheck.matrix.problems import SYNTAX, MatrixError, Path, Problem, error_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 16
"""Levels of nesting read. The deepest value of a matrix file stands four levels down."""

_NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_RESOLVED = re.compile(r"tag:yaml\.org,2002:(bool|int|float|null|timestamp)")
# ruamel.yaml's scanner lets these through on malformed input, for example OverflowError on "\UFFFFFFFF".
_SCANNER_ACCIDENTS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class Scalar(msgspec.Struct, frozen=True):
    """A scalar that JSON has no word for: a date, an infinity, a hexadecimal number. `text` as written."""

    kind: str
    text: str


class Document(msgspec.Struct, frozen=True):
    """What a file holds. `data` is JSON-like; `raw` keeps the kind and spelling of each scalar that is no text."""

    name: str
    data: object
    values: dict[Path, tuple[int, int]]
    keys: dict[Path, tuple[int, int]]
    raw: dict[Path, Scalar]
    problems: tuple[Problem, ...]

    def error(self, problems: tuple[Problem, ...]) -> MatrixError:
        """One error for these problems of this document."""
        return error_of(self.name, problems, self.values)


def read_document(text: str, name: str) -> Document:
    """The document of a text. What cannot be read at all is a MatrixError; what can be read around is a problem."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    yaml = YAML(typ="safe", pure=True)
    reader = _Reader(yaml.resolver)
    try:
        data = reader.read(yaml.parse(text.removeprefix("\ufeff")))
    except _StoppedError as stop:
        raise MatrixError(f"{name}:{stop.line}:{stop.column}", stop.message) from None
    except ReaderError as error:
        line, column = _line_and_column(text, text.find(chr(error.character)))
        raise MatrixError(f"{name}:{line}:{column}", f"character U+{error.character:04X} is not text") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise MatrixError(f"{name}:{line}:{column}", f"not valid YAML: {said}") from None
    except (YAMLError, *_SCANNER_ACCIDENTS) as error:
        raise MatrixError(name, f"not valid YAML: {error}") from None
    return Document(name, data, reader.values, reader.keys, reader.raw, tuple(reader.problems))


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[: max(offset, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


class _StoppedError(Exception):
    """Reading cannot go on here."""

    def __init__(self, event: Any, message: str) -> None:
        super().__init__(message)
        self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1
        self.message = message


class _Reader:
    """Events -> data. ruamel's own composer would recurse as deep as the text says, and expand aliases."""

    def __init__(self, resolver: Any) -> None:
        self.resolver = resolver
        self.values: dict[Path, tuple[int, int]] = {}
        self.keys: dict[Path, tuple[int, int]] = {}
        self.raw: dict[Path, Scalar] = {}
        self.problems: list[Problem] = []

    def read(self, events: Iterator[Any]) -> object:
        from ruamel.yaml.events import DocumentEndEvent, DocumentStartEvent, StreamEndEvent

        self.events = events
        next(events)
        start = next(events)
        if isinstance(start, StreamEndEvent):
            self.raw[()] = Scalar("null", "")
            return None
        if start.version not in (None, (1, 2)):
            raise _StoppedError(start, "only YAML 1.2 is read; remove the %YAML line")
        data = self.node(next(events), ())
        end = next(events)
        if isinstance(end, DocumentEndEvent):
            end = next(events)
        if isinstance(end, DocumentStartEvent):
            raise _StoppedError(end, "a second document begins here; a matrix file is one document")
        return data

    def node(self, event: Any, path: Path) -> object:
        from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent

        self.values[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if len(path) > MAX_DEPTH:
            raise _StoppedError(event, f"nested more than {MAX_DEPTH} levels deep; a matrix file needs four")
        if isinstance(event, AliasEvent):
            self.problem(path, f"*{event.anchor} refers to an anchor; write the value out, aliases are not read")
            return None
        if event.anchor is not None:
            self.problem(path, f"&{event.anchor} is an anchor; remove it, anchors and aliases are not read")
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.problem(path, f"{shown(tag)} is a tag; remove it, tags are not read")
        if isinstance(event, ScalarEvent):
            return self.scalar(event, path)
        return self.mapping(path) if isinstance(event, MappingStartEvent) else self.sequence(path)

    def sequence(self, path: Path) -> list[object]:
        from ruamel.yaml.events import SequenceEndEvent

        items: list[object] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def mapping(self, path: Path) -> dict[str, object]:
        from ruamel.yaml.events import MappingEndEvent

        entries: dict[str, object] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self.key(event, path)
            if key is None or key in entries:
                self.skip(next(self.events), path)
            else:
                entries[key] = self.node(next(self.events), (*path, key))
        return entries

    def key(self, event: Any, path: Path) -> str | None:
        """The text of a key; None where the entry is to be left out, with the problem noted."""
        from ruamel.yaml.events import ScalarEvent

        at = (event.start_mark.line + 1, event.start_mark.column + 1)
        if not isinstance(event, ScalarEvent) or event.tag is not None or event.anchor is not None:
            self.skip(event, path)
            self.problem(path, "this key is no plain text", at)
            return None
        key: str = event.value
        inside = (*path, key)
        if inside in self.keys:
            self.problem(inside, f"the key {shown(key)} stands in line {self.keys[inside][0]} already; keep one", at)
            return key
        self.keys[inside] = at
        if (scalar := self.resolved(event)) is not None:
            self.problem(inside, f"{key or 'this'} is {scalar.kind}; write it as a string: {shown(key)}", at)
        elif _NOT_TEXT.search(key):
            self.problem(path, "this key holds a control character", at)
            return None
        return key

    def skip(self, event: Any, path: Path) -> None:
        """Leave one node out."""
        from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

        depth = 0
        while True:
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth + len(path) > MAX_DEPTH:
                raise _StoppedError(event, f"nested more than {MAX_DEPTH} levels deep; a matrix file needs four")
            if depth == 0:
                return
            event = next(self.events)

    def scalar(self, event: Any, path: Path) -> object:
        scalar = self.resolved(event)
        if scalar is None:
            if _NOT_TEXT.search(event.value):
                self.problem(path, "the text holds a control character")
            return event.value
        self.raw[path] = scalar
        return _json_value(scalar)

    def resolved(self, event: Any) -> Scalar | None:
        """What a scalar is where it is no text."""
        from ruamel.yaml.nodes import ScalarNode

        tag = str(self.resolver.resolve(ScalarNode, event.value, event.implicit)) if event.implicit[0] else ""
        found = _RESOLVED.fullmatch(tag)
        return Scalar(_KINDS[found[1]], event.value) if found else None

    def problem(self, path: Path, message: str, at: tuple[int, int] | None = None) -> None:
        self.problems.append(Problem(SYNTAX, path, message, at))


_KINDS = {"bool": "a boolean", "int": "a number", "float": "a number", "null": "null", "timestamp": "a date"}


def _json_value(scalar: Scalar) -> object:
    """The JSON value of a scalar; the scalar itself where JSON has none, so that no schema accepts it."""
    if scalar.kind == "null":
        return None
    if scalar.kind == "a boolean":
        return scalar.text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]{1,400}", scalar.text):
        return int(scalar.text)
    if re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", scalar.text):
        number = float(scalar.text)
        return number if math.isfinite(number) else scalar
    return scalar
