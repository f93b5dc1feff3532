"""What is wrong with a matrix file, and where: gathered, then raised together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec

from envcheck.errors import PlaceError

Path = tuple["str | int", ...]
"""Where a value stands in the document: `("axes", "cuda", 0)`."""

Positions = Mapping[Path, tuple[int, int]]
"""One-based line and column of every value of a document."""

SYNTAX, STRUCTURE, MEANING = "syntax", "structure", "meaning"
"""Kinds of problem: not this dialect of YAML; refused by the schema; well-formed and still without sense."""

MOST_SHOWN = 40
"""Problems listed in one message: more than a screen of them helps nobody."""

REMEDY = "correct the places named; docs/matrix.md describes every key, with examples"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with the value at `path`; `at` is its line and column where that is not the value's."""

    kind: str
    path: Path
    message: str
    at: tuple[int, int] | None = None


class MatrixError(PlaceError):
    """A matrix file is wrong: one line per problem, each with its place; `problems` holds them as data."""

    def __init__(self, place: str, message: str, *, problems: tuple[Problem, ...] = (), remedy: str = REMEDY) -> None:
        super().__init__(place, message, remedy=remedy)
        self.problems = problems


def shown_path(path: Path) -> str:
    """A path as people write it: `axes.cuda[0]`, `backends.docker.images["12.8"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{shown(step)}]"
    return text


def shown(value: object) -> str:
    """A value as it would stand in JSON, cut at 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:56]} ..."


def shown_place(name: str, at: tuple[int, int], path: Path) -> str:
    """A place as people read it: `matrix.yaml:14:5 axes.cuda[0]`."""
    return f"{name}:{at[0]}:{at[1]} {shown_path(path)}".rstrip()


def position(path: Path, positions: Positions) -> tuple[int, int]:
    """Line and column of a path, or of its nearest parent in the file."""
    return next((positions[path[:n]] for n in range(len(path), -1, -1) if path[:n] in positions), (1, 1))


def error_of(name: str, problems: Iterable[Problem], positions: Positions) -> MatrixError:
    """One error for all the problems, in the order of the file."""
    placed = sorted(
        ((problem.at or position(problem.path, positions), problem) for problem in problems),
        key=lambda pair: (pair[0], pair[1].message),
    )
    (at, first), *others = placed
    lines = [f"{shown_place(name, at, problem.path)}: {problem.message}" for at, problem in others[: MOST_SHOWN - 1]]
    if len(others) > len(lines):
        lines.append(f"... and {len(others) - len(lines)} more problems")
    message = "\n".join([first.message, *lines])
    return MatrixError(shown_place(name, at, first.path), message, problems=tuple(problem for _, problem in placed))
