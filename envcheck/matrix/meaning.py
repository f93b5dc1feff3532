"""What the schema cannot say: problems of values, conditions and reach in a well-formed matrix.

All functions take the sound part of the data: what the schema refused has been cut out, list items became None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from packaging.version import Version

from envcheck.matrix.conditions import condition_fault, value_fault
from envcheck.matrix.finding import ground_of, selects_any, why_none
from envcheck.matrix.problems import MEANING, Path, Problem
from envcheck.matrix.query import Term
from envcheck.matrix.space import values_of
from envcheck.model import AXES, Axes, cell_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envcheck.matrix.records import Matrix, When

PIXELS = range(16, 8193)
"""Widths and heights of frames that are accepted: from what a face fits in to 8K."""


def value_problems(data: Mapping[str, Any], declared: frozenset[str], present: frozenset[str]) -> Iterator[Problem]:
    """Problems of single values. `declared` are the axes the file gives values, `present` those that some cell has."""
    yield from _axes_problems(data)
    yield from _zip_problems(data, declared)
    yield from _include_problems(data.get("include", ()))
    for path, when in whens(data).items():
        yield from _when_problems(path, when, present, ranks=path[0] == "tiers")
    resolution = data.get("workload", {}).get("resolution", "")
    if any(int(side) not in PIXELS for side in resolution.split("x") if side):
        message = f"{resolution} is out of range; width and height must be from {PIXELS[0]} to {PIXELS[-1]} pixels"
        yield _problem(("workload", "resolution"), message)


def whens(data: Mapping[str, Any]) -> dict[Path, Mapping[str, Any]]:
    """Every set of conditions in the data, by its place."""
    listed: dict[Path, Mapping[str, Any]] = {
        (key, index, "when"): entry["when"]
        for key in ("exclude", "expect")
        for index, entry in enumerate(data.get(key, ()))
        if entry is not None and "when" in entry
    }
    return {**listed, **{("tiers", tier): when for tier, when in data.get("tiers", {}).items()}}


def alternatives(condition: str | Sequence[str | None]) -> tuple[str | None, ...]:
    """The alternatives of a condition as it stands in the file: one text, or a list."""
    return (condition,) if isinstance(condition, str) else tuple(condition)


def reach_problems(matrix: Matrix, tested: Mapping[Path, When]) -> Iterator[Problem]:
    """Problems of what reaches nothing, in a matrix whose axes, zip, include and exclude are sound.

    `tested` are its sound sets of conditions.
    """
    yield from _twice_problems(matrix)
    ground = ground_of(matrix)
    product = ground_of(msgspec.structs.replace(matrix, include=(), exclude=()))
    for path, when in tested.items():
        if path[0] == "exclude" and not selects_any(product, (terms := _terms(path, when),)):
            yield _problem(path, f"excludes nothing: {why_none(product, terms)}")
    if not selects_any(ground, ((),)):
        yield _problem(("exclude",), "every cell is excluded; at least one must be left")
        return
    for path, when in tested.items():
        terms = _terms(path, when)
        if path[0] != "exclude" and not selects_any(ground, (terms,)):
            said = "selects nothing" if path[0] == "tiers" else "matches nothing"
            yield _problem(path, f"{said}: {why_none(ground, terms)}")


def _problem(path: Path, message: str) -> Problem:
    return Problem(MEANING, path, message)


def _terms(path: Path, when: When) -> tuple[Term, ...]:
    origin = "it" if path[0] == "tiers" else "when"
    return tuple(Term(axis, origin, given) for axis, given in when.items())


def _axes_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    zipped = {axis for group in data.get("zip", ()) for axis in group or ()}
    for axis, values in data.get("axes", {}).items():
        seen: dict[object, int] = {}
        for index, value in enumerate(values):
            path = ("axes", axis, index)
            if value is None:
                continue
            if fault := value_fault(axis, value):
                yield _problem(path, fault)
                continue
            first = seen.setdefault(Version(value) if axis == "mediapipe" else value, index)
            if first != index and axis not in zipped:
                yield _problem(path, f'"{value}" stands here twice: it is axes.{axis}[{first}] already')


def _zip_problems(data: Mapping[str, Any], declared: frozenset[str]) -> Iterator[Problem]:
    axes = data.get("axes", {})
    moves: dict[str, Path] = {}
    for number, group in enumerate(data.get("zip", ())):
        problems = list(_group_problems(("zip", number), group or (), declared, moves))
        yield from problems
        columns = {axis: axes[axis] for axis in group or () if axis in axes}
        if problems or len(columns) < 2:
            continue
        if len({len(values) for values in columns.values()}) > 1:
            lengths = ", ".join(f"{axis} has {len(values)}" for axis, values in columns.items())
            yield _problem(("zip", number), f"axes that move together need equally many values; {lengths}")
        else:
            yield from _row_problems(("zip", number), columns)


def _group_problems(
    path: Path, group: Sequence[str | None], declared: frozenset[str], moves: dict[str, Path]
) -> Iterator[Problem]:
    """Problems of one group; `moves` gathers the axes that move already."""
    for index, axis in enumerate(group):
        if axis is None:
            continue
        if axis not in declared:
            yield _problem((*path, index), f"this matrix has no {axis} axis")
        elif axis in moves:
            yield _problem((*path, index), f"{axis} moves in zip[{moves[axis][1]}] already")
        else:
            moves[axis] = path


def _row_problems(path: Path, columns: Mapping[str, Sequence[str | None]]) -> Iterator[Problem]:
    seen: dict[tuple[str | None, ...], int] = {}
    for index, row in enumerate(zip(*columns.values(), strict=True)):
        if seen.setdefault(row, index) != index and None not in row:
            words = " with ".join(f"{axis} {value}" for axis, value in zip(columns, row, strict=True))
            yield _problem(path, f"{words} stands here twice: values {seen[row] + 1} and {index + 1}")


def _include_problems(entries: Iterable[Mapping[str, str] | None]) -> Iterator[Problem]:
    seen: dict[Axes, int] = {}
    for index, entry in enumerate(entries):
        faults = {axis: fault for axis, value in (entry or {}).items() if (fault := value_fault(axis, value))}
        for axis, fault in faults.items():
            yield _problem(("include", index, axis), fault)
        if entry is None or faults:
            continue
        cell = included(entry)
        if seen.setdefault(cell, index) != index:
            yield _problem(("include", index), f"{cell_id(cell)} is include[{seen[cell]}] already")


def included(entry: Mapping[str, str]) -> Axes:
    """The cell of an entry of `include`."""
    return Axes(**{"backend": "venv", **entry})


def _when_problems(path: Path, when: Mapping[str, Any], present: frozenset[str], *, ranks: bool) -> Iterator[Problem]:
    for axis, condition in when.items():
        listed = not isinstance(condition, str)
        if axis not in present:
            yield _problem((*path, axis), f"this matrix has no {axis} axis")
            continue
        for index, text in enumerate(alternatives(condition)):
            if text is not None and (fault := condition_fault(axis, text, ranks=ranks)):
                yield _problem((*path, axis, index) if listed else (*path, axis), fault)


def _twice_problems(matrix: Matrix) -> Iterator[Problem]:
    """Entries of `include` that are points of the product already."""
    space = ground_of(msgspec.structs.replace(matrix, include=(), exclude=())).space
    for index, axes in enumerate(matrix.include):
        values = values_of(axes)
        declared = {slot for layer in space.layers for slot in layer.slots}
        absent = all(values[slot] is None for slot in range(len(AXES)) if slot not in declared)
        if absent and all(tuple(values[slot] for slot in layer.slots) in layer.rows for layer in space.layers):
            yield _problem(("include", index), f"{cell_id(axes)} is in the matrix already, by its axes")
