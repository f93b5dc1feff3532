"""Plan -> text, or JSON for programs; in pieces, so that size does not matter."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, islice
from typing import TYPE_CHECKING

import msgspec

from envcheck.errors import UsageError
from envcheck.matrix.plan import Plan, PlanGroup, PlannedCell, plan_groups, planned_cells, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PLAN_FORMATS = ("text", "json")

MOST_LISTED = 60
"""Cells that the text lists one by one; more are grouped by state and reason."""

MOST_REASONS = 20
"""Reasons that the grouped text shows per state."""

_BATCH = 2000


def render_plan(plan: Plan, format: str = "text") -> Iterator[str]:  # noqa: A002 - named as the option is
    """The plan in one of PLAN_FORMATS, in pieces that each end in a line break; joined, they are the whole.

    `json` is {"cells": [{"id", "axes", "state", "because"}], "summary": {state: count}}; `text` ends
    in the summary.
    """
    if format not in PLAN_FORMATS:
        raise UsageError(f"no format {format!r} of a plan", remedy=f"Name one of {', '.join(PLAN_FORMATS)}.")
    return {"text": _text, "json": _json}[format](plan)


def _json(plan: Plan) -> Iterator[str]:
    counts = Counter(summary(()))
    cells = planned_cells(plan)
    text, first = '{"cells":[', True
    while batch := list(islice(cells, _BATCH)):
        if not first:
            yield text + ",\n"
            text = ""
        first = False
        counts.update([cell.state for cell in batch])
        text += _items(
            [{"id": cell.id, "axes": cell.axes, "state": cell.state, "because": cell.because} for cell in batch]
        )
    yield f'{text}],"summary":{msgspec.json.encode(counts).decode()}}}\n'


def _items(rows: Sequence[Mapping[str, object]]) -> str:
    """The inside of a JSON list."""
    return msgspec.json.encode(rows)[1:-1].decode()


def _text(plan: Plan) -> Iterator[str]:
    groups = plan_groups(plan)
    total = sum(group.count for group in groups)
    yield from (_grouped(groups) if total > MOST_LISTED else _listed(list(planned_cells(plan))))
    states = [f"{count:,} {state}" for state, count in summary(groups).items() if count]
    yield f"{_cells(total)}{': ' if states else ''}{', '.join(states)}\n"


def _listed(cells: Sequence[PlannedCell]) -> Iterator[str]:
    """One line per cell, in columns."""
    state_width = max((len(cell.state) for cell in cells), default=0)
    id_width = max((len(cell.id) for cell in cells), default=0)
    for cell in cells:
        why = _why(cell.because, cell.code)
        yield f"{cell.state:<{state_width}}  {cell.id:<{id_width}}  {why}".rstrip() + "\n"
    if cells:
        yield "\n"


def _grouped(groups: Iterable[PlanGroup]) -> Iterator[str]:
    """One paragraph per state and reason, with a few cells of each."""
    for state, same in groupby(groups, key=lambda group: group.foresight.state):
        listed = list(same)
        for group in listed[:MOST_REASONS]:
            lines = [
                f"{state:<11}  {_cells(group.count)}  {_why(group.foresight.because, group.foresight.code)}".rstrip(),
                *(f"    {example}" for example in group.examples),
                *(f"    ... and {left:,} more" for left in [group.count - len(group.examples)] if left),
            ]
            yield "\n".join(lines) + "\n\n"
        if rest := listed[MOST_REASONS:]:
            more = _cells(sum(group.count for group in rest))
            yield f"{state:<11}  {more}  for {len(rest)} further reasons; --format json lists every cell\n\n"


def _why(because: str, code: str) -> str:
    return f"{because} [{code}]" if because and code else because or code


def _cells(count: int) -> str:
    return f"{count:,} cell" + ("" if count == 1 else "s")
