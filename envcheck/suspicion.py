"""Which cells to run next, and which to run again before anything is said of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median

from envcheck.changes import BY_SPEED, changes, kind_of, seconds_between, speed_of
from envcheck.kept import Change, Entry
from envcheck.lineages import lineages
from envcheck.model import Cell, Verdict
from envcheck.trend import LEAST_SIZE

UNMET_WEIGHS, CHANGED_WEIGHS = 4.0, 3.0
"""A day of a cell that is not as expected counts as so many, as does one of a cell that has changed lately."""
LATELY_S = 7 * 86400.0
DOUBT = 0.75 * LEAST_SIZE
"""So far below the level that it is worth another look; noise gets there every now and then, and a look is cheap."""


# --- what to run next -------------------------------------------------------------------------------------------


def urgency(entries: Sequence[Entry], now: datetime) -> float:
    """How urgent a cell is by its entries, the oldest first: the age in days of the newest, times its risk."""
    if not entries:
        return math.inf
    newest = entries[-1]
    age_s = max(0.0, (now - datetime.fromisoformat(newest.recorded_at)).total_seconds())
    if not newest.met:
        return age_s * UNMET_WEIGHS
    earlier = [one for one in entries if seconds_between(one, newest) <= LATELY_S]
    return age_s * (CHANGED_WEIGHS if len({kind_of(one) for one in earlier}) > 1 else 1.0)


def by_urgency(cells: Iterable[Cell], known: Mapping[str, Sequence[Entry]], now: datetime) -> list[Cell]:
    """The cells, the most urgent first; those alike in the order of the matrix."""
    return sorted(cells, key=lambda cell: -urgency(known.get(cell.id, ()), now))


def expected_s(entries: Sequence[Entry], otherwise: float) -> float:
    """How long a cell will take: what it took in the median, or as others do."""
    taken = [one.seconds for one in entries if one.seconds is not None]
    return median(taken) if taken else otherwise


def fitting(cells: Iterable[Cell], seconds: Mapping[str, float], budget_s: float, most: int) -> list[Cell]:
    """At most `most` cells, in order, that a budget has room for together."""
    chosen: list[Cell] = []
    for cell in cells:
        if len(chosen) < most and seconds[cell.id] <= budget_s:
            chosen.append(cell)
            budget_s -= seconds[cell.id]
    return chosen


# --- what to run again ------------------------------------------------------------------------------------------


def is_suspect(entries: Iterable[Entry], run: str) -> bool:
    """True where the only entry of this run does not look as the cell used to look."""
    for lineage in lineages(entries):
        seen = [one for one in lineage if one.verdict is not Verdict.UNREACHABLE]
        ours = [one for one in seen if one.run == run]
        if len(ours) == 1 and len(seen) > 1 and seen[-1] is ours[0]:
            return kind_of(seen[-1]) != kind_of(seen[-2]) or is_slow(seen[:-1], seen[-1])
    return False


def is_slow(before: Sequence[Entry], newest: Entry) -> bool:
    """True where the speed-up lies well below its level since the last step."""
    value = speed_of(newest)
    stepped = [change.after.recorded_at for change in changes(before) if change.after.verdict in BY_SPEED]
    logs = [seen.log for one in before if one.recorded_at >= max(stepped, default="") and (seen := speed_of(one))]
    return value is not None and bool(logs) and value.log < median(logs) - DOUBT


def news(entries: Sequence[Entry], run: str) -> tuple[Change, ...]:
    """The changes that nobody could tell before this run."""
    before = {key_of(one) for one in changes([entry for entry in entries if entry.run != run])}
    return tuple(one for one in changes(entries) if key_of(one) not in before)


def key_of(change: Change) -> tuple[str, str, str, bool]:
    """What makes it the same change."""
    return (change.cell, change.kind, change.after.digest, change.confirmed)
