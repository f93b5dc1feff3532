"""How long cells take: as recorded, else as cells of their kind do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from envcheck.kept import Entry
from envcheck.model import Axes, Verdict
from envcheck.record import Record
from envcheck.suspicion import expected_s

BY_BACKEND = {"venv": 90.0, "conda": 150.0, "docker": 240.0}
"""Seconds for an environment that is built and a cell that is measured, where nobody has looked at a clock. Only their
ratio matters for a division: a build from wheels, a solved prefix, an image."""
OTHERWISE = 90.0
BY_VERDICT = {Verdict.IMPOSSIBLE: 1.0, Verdict.UNREACHABLE: 1.0, Verdict.BROKEN: 30.0, Verdict.REFUSED: 45.0}
"""Cells of which nothing is timed are over sooner."""


class Durations(Record, frozen=True, tag_field="schema", tag="envcheck.durations/1"):
    """Seconds by the id of a cell. A file of its own, because an archive grows while shards are still to be run."""

    seconds: dict[str, float]


def durations_of(entries: Iterable[Entry]) -> Durations:
    """What entries say of each cell."""
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.cell, []).append(entry)
    return Durations({cell: round(taken(known), 1) for cell, known in sorted(grouped.items())})


def taken(entries: Sequence[Entry]) -> float:
    """The time of one cell by its entries, of which there is one at least: measured, else by its newest verdict."""
    newest = max(entries, key=lambda one: (one.recorded_at, one.digest))
    return expected_s(entries, BY_VERDICT.get(newest.verdict, usual(newest.axes)))


def usual(axes: Axes) -> float:
    """What a cell of this backend takes."""
    return BY_BACKEND.get(axes.backend, OTHERWISE)


def seconds_of(cell: str, axes: Axes, known: Mapping[str, float]) -> float:
    """The time of a cell, known or usual."""
    return known.get(cell, usual(axes))
