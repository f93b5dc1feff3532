"""What --tier, --select and --backend ask for: text -> terms, with the grammar in every error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from envcheck.errors import UsageError
from envcheck.matrix.conditions import condition_fault
from envcheck.matrix.records import BACKENDS, Matrix
from envcheck.matrix.space import ID_PREFIXES
from envcheck.matrix.structure import did_you_mean
from envcheck.model import AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SELECT_GRAMMAR = """\
a cell id, or conditions joined by commas, all of which must hold; several of either joined by ; or | of which one must:
  venv-py3.11-mp1.2.2              a cell id, as `envcheck plan` lists them
  mediapipe==1.2.2,backend==venv   AXIS OPERATOR VALUE with == != < <= > >= ~=
  mediapipe>=0.10.32,<1.0          a further bound on the same axis
  mediapipe==latest;driver==any    latest and oldest; ; and | mean or"""

_CONDITION = re.compile(r"(?P<axis>\w*)\s*(?P<condition>(===|==|!=|<=|>=|~=|<|>).+)", re.DOTALL)
_AXIS_OF = {prefix: axis for prefix, axis in zip(ID_PREFIXES, AXES, strict=True) if prefix}
_ID_PIECE = re.compile(rf"(?P<prefix>{'|'.join(_AXIS_OF)})(?P<value>.+)", re.DOTALL)

MOST_NAMED = 12
"""Values or reasons that a message lists."""


class Term(msgspec.Struct, frozen=True):
    """One demand on one axis: a value that meets one of `alternatives`, or exactly `value` where `exact`.

    `exact` with `value` None demands that the cell has no such axis. `origin` says who asks: `--backend`.
    """

    axis: str
    origin: str
    alternatives: tuple[str, ...] = ()
    exact: bool = False
    value: str | None = None

    def __str__(self) -> str:
        if self.exact:
            return f"{self.axis} {self.value}" if self.value else f"no {self.axis}"
        return f"{self.axis} {' or '.join(self.alternatives)}"


Query = tuple[tuple[Term, ...], ...]
"""Alternatives of which one must hold, each of terms that must all hold."""


def query(matrix: Matrix, *, tier: str | None, expr: str | None, backend: str | None) -> Query:
    """What is asked of a matrix. An unknown tier or backend or a bad expression is a UsageError."""
    given = (*_tier_terms(matrix, tier), *_backend_terms(backend))
    chosen = ((),) if expr is None else tuple(_alternatives(matrix, expr))
    return tuple((*given, *terms) for terms in chosen)


def few(words: Iterable[str], between: str = ", ") -> str:
    """The first of some words, and how many there are."""
    listed = list(words)
    more = [f"... ({len(listed)} in all)"] if len(listed) > MOST_NAMED else []
    return between.join([*listed[:MOST_NAMED], *more])


def _tier_terms(matrix: Matrix, tier: str | None) -> Iterator[Term]:
    if tier is None:
        return
    if tier not in matrix.tiers:
        known = did_you_mean(tier, matrix.tiers) if matrix.tiers else ""
        names = f"it has {', '.join(matrix.tiers)}" if matrix.tiers else "it has no tiers"
        raise UsageError(
            f"no tier {tier!r} in {matrix.name}{known}",
            remedy=f"Name a tier of the matrix ({names}), or leave --tier out.",
        )
    for axis, alternatives in matrix.tiers[tier].items():
        yield Term(axis, f"tier {tier}", alternatives)


def _backend_terms(backend: str | None) -> Iterator[Term]:
    if backend is None:
        return
    if backend not in BACKENDS:
        raise UsageError(f"no backend {backend!r}{did_you_mean(backend, BACKENDS)}", remedy="Name a known backend.")
    yield Term("backend", "--backend", exact=True, value=backend)


def _alternatives(matrix: Matrix, expr: str) -> Iterator[tuple[Term, ...]]:
    for part in re.split(r"[;|]", expr):
        if not part.strip():
            raise _bad(
                matrix, expr, "there is nothing to match" if not expr.strip() else "one of the alternatives is empty"
            )
        if re.search(r"[=<>]", part):
            yield tuple(_conditions(matrix, expr, part))
        else:
            yield _id_terms(matrix, expr, part.strip())


def _conditions(matrix: Matrix, expr: str, part: str) -> Iterator[Term]:
    axis = ""
    for piece in part.split(","):
        found = _CONDITION.fullmatch(piece.strip())
        if not found:
            hint = "; write == for equality" if re.search(r"\w\s*=\s*\w", piece) else ""
            raise _bad(matrix, expr, f"{piece.strip()!r} is not AXIS OPERATOR VALUE{hint}")
        axis = found["axis"] or axis
        if axis not in AXES:
            raise _bad(matrix, expr, f"{axis or piece!r} is no axis{did_you_mean(axis, AXES)}")
        if axis not in _axes_of(matrix):
            raise _bad(matrix, expr, f"this matrix has no {axis} axis")
        yield Term(axis, "--select", (_condition(matrix, expr, axis, found["condition"].strip()),))


def _condition(matrix: Matrix, expr: str, axis: str, condition: str) -> str:
    """The condition as a matrix file has it; a rank loses its ==."""
    rank = re.fullmatch(r"==\s*(latest|oldest)", condition)
    condition = rank[1] if rank else condition
    if fault := condition_fault(axis, condition, ranks=True):
        raise _bad(matrix, expr, fault)
    return condition


def _id_terms(matrix: Matrix, expr: str, text: str) -> tuple[Term, ...]:
    """A cell id demands a value, or the absence, of every axis."""
    backend, *pieces = text.split("-")
    found = [_ID_PIECE.fullmatch(piece) for piece in pieces]
    axes = [_AXIS_OF[piece["prefix"]] for piece in found if piece]
    if backend not in BACKENDS or None in found or axes != [axis for axis in AXES if axis in axes]:
        raise _bad(matrix, expr, f"{text!r} is neither a cell id nor a condition")
    values = {"backend": backend, **{_AXIS_OF[piece["prefix"]]: piece["value"] for piece in found if piece}}
    return tuple(Term(axis, "--select", exact=True, value=values.get(axis)) for axis in AXES)


def _axes_of(matrix: Matrix) -> list[str]:
    """The axes that some cell has."""
    return [axis for axis in AXES if axis in matrix.axes or any(getattr(axes, axis) for axes in matrix.include)]


def _bad(matrix: Matrix, expr: str, fault: str) -> UsageError:
    axes = "; ".join(f"{axis}: {few(matrix.axes.get(axis, ()))}" for axis in _axes_of(matrix))
    return UsageError(
        f"--select {expr!r}: {fault}", remedy=f"An expression is {SELECT_GRAMMAR}\nThe axes of {matrix.name} are {axes}"
    )
