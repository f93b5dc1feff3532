"""Text -> Matrix. Every problem of a file is told at once, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from envcheck.matrix.document import Document, read_document
from envcheck.matrix.meaning import alternatives, included, reach_problems, value_problems, whens
from envcheck.matrix.records import BACKENDS, Backends, Conda, Docker, Exclude, Expect, Matrix, When
from envcheck.matrix.structure import structure_problems
from envcheck.model import AXES, GATE, Gate, Verdict, Workload

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envcheck.matrix.problems import Path, Problem

SHAPE = frozenset({"axes", "zip", "include", "exclude"})
"""The keys that decide which cells there are. While one of them is wrong, nothing is said about what reaches none."""


def parse(text: str, name: str) -> Matrix:
    """The matrix that a text describes; `name` stands for the file in messages.

    Raises MatrixError, with one line per problem. Nothing in the text is ever executed or expanded.
    """
    document = read_document(text, name)
    problems = [*document.problems, *structure_problems(document)]
    data = _sound(document.data, problems)
    problems += value_problems(data, *_named(document.data))
    data = _sound(data, problems)
    tested = {path: _when(when) for path, when in whens(data).items()}
    if not any(SHAPE.intersection(problem.path[:1] or SHAPE) for problem in problems):
        problems += reach_problems(_shape(document, data, tested), tested)
    if problems:
        raise document.error(tuple(problems))
    return _matrix(document, data, tested)


def _sound(data: object, problems: Collection[Problem]) -> dict[str, Any]:
    """The data without what a problem names: entries go, items of lists become None so that the others keep places."""
    bad = {problem.path for problem in problems if problem.path}

    def sound(value: object, path: Path) -> object:
        if isinstance(value, dict):
            return {key: sound(inner, (*path, key)) for key, inner in value.items() if (*path, key) not in bad}
        if isinstance(value, list):
            return [None if (*path, at) in bad else sound(inner, (*path, at)) for at, inner in enumerate(value)]
        return value

    kept = sound(data, ())
    return kept if isinstance(kept, dict) else {}


def _named(data: object) -> tuple[frozenset[str], frozenset[str]]:
    """The axes that a file gives values, and those that some cell has; whether or not the values are sound."""
    sections = data if isinstance(data, dict) else {}
    axes, include = sections.get("axes"), sections.get("include")
    declared = frozenset(AXES).intersection(axes if isinstance(axes, dict) else ())
    entries = [entry for entry in (include if isinstance(include, list) else ()) if isinstance(entry, dict)]
    return declared, declared.union({"backend"}, *(entry.keys() & set(AXES) for entry in entries))


def _when(when: Mapping[str, Any]) -> When:
    return {axis: tuple(text for text in alternatives(given) if text is not None) for axis, given in when.items()}


def _shape(document: Document, data: Mapping[str, Any], tested: Mapping[Path, When]) -> Matrix:
    """The matrix as far as its cells go."""
    axes = {"backend": BACKENDS[:1], **data["axes"]}
    return Matrix(
        name=document.name,
        axes={axis: tuple(axes[axis]) for axis in AXES if axis in axes},
        zip=tuple(tuple(group) for group in data.get("zip", ())),
        exclude=tuple(
            Exclude(tested["exclude", index, "when"], _words(entry["because"]))
            for index, entry in enumerate(data.get("exclude", ()))
        ),
        include=tuple(included(entry) for entry in data.get("include", ())),
        positions=document.values,
    )


def _matrix(document: Document, data: Mapping[str, Any], tested: Mapping[Path, When]) -> Matrix:
    """The whole matrix, of data without problems."""
    expect = tuple(
        Expect(tested["expect", index, "when"], Verdict(entry["verdict"]), _words(entry["because"]))
        for index, entry in enumerate(data.get("expect", ()))
    )
    workload = Workload(**data.get("workload", {}))
    return msgspec.structs.replace(
        _shape(document, data, tested),
        tiers={tier: tested["tiers", tier] for tier in data.get("tiers", {})},
        expect=expect,
        # A whole number may be written 1.0: JSON Schema calls that an integer.
        workload=msgspec.structs.replace(workload, faces=int(workload.faces)),
        gate=_gate(data.get("gate", {})),
        backends=_backends(data.get("backends", {})),
    )


def _gate(data: Mapping[str, Any]) -> Gate:
    """What is said, over what is asked for otherwise. A whole number may be written 2.0."""
    said = {key: int(value) if key == "runs" else float(value) for key, value in data.items()}
    return msgspec.structs.replace(GATE, **said)


def _backends(data: Mapping[str, Any]) -> Backends:
    docker, conda = data.get("docker", {}), data.get("conda", {})
    return Backends(
        docker=msgspec.convert(docker, Docker),
        conda=msgspec.convert(conda, Conda),
    )


def _words(text: str) -> str:
    """A reason on one line, however the file folds it."""
    return " ".join(text.split())
