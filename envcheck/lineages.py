"""Which entries of a cell are the history of one machine. Pure.

Evidence names no machine. Entries with the same GPUs, driver, system and CPU are taken for one machine's. Two such
groups with enough in common are one machine that was changed (a driver updated and perhaps rolled back, a GPU swapped)
where they take turns in spells; where they alternate night by night they are machines beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from envcheck.kept import Entry

Lineage = tuple[Entry, ...]

PARTS = ("GPUs", "driver", "CPU")
"""What may be changed in a machine; not all of it at once."""
SHORTEST_SPELL = 2.0
"""Entries in a spell, on average, of a machine that was changed more than once."""


def lineages(entries: Iterable[Entry]) -> tuple[Lineage, ...]:
    """The entries of one cell, each machine's in order of time."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(entries, key=moment):
        groups.setdefault((entry.host, entry.facts.get("CPU", "")), []).append(entry)
    found: list[list[Entry]] = []
    for group in groups.values():
        kin = [one for one in found if is_kin(one, group)]
        if kin:
            nearest = min(kin, key=lambda one: unlike(earlier(one, group[0]), group[0]))
            nearest[:] = sorted([*nearest, *group], key=moment)
        else:
            found.append(group)
    return tuple(map(tuple, found))


def moment(entry: Entry) -> str:
    """When it was recorded."""
    return entry.recorded_at


def is_kin(lineage: Sequence[Entry], group: Sequence[Entry]) -> bool:
    """True where the group may be of the same machine, changed."""
    before, first = earlier(lineage, group[0]), group[0]
    if before.facts.get("system") != first.facts.get("system") or unlike(before, first) == len(PARTS):
        return False
    return take_turns(lineage, group)


def take_turns(lineage: Sequence[Entry], group: Sequence[Entry]) -> bool:
    """True where one comes after the other, or both in spells."""
    labelled = sorted([(moment(one), 0) for one in lineage] + [(moment(one), 1) for one in group])
    spells = [label for label, _ in groupby(labelled, key=lambda one: one[1])]
    if len(spells) <= 2:
        return True
    return all(len(one) / spells.count(label) >= SHORTEST_SPELL for label, one in enumerate((lineage, group)))


def earlier(lineage: Sequence[Entry], entry: Entry) -> Entry:
    """The last entry before another, or the first of all."""
    return next((one for one in reversed(lineage) if moment(one) < moment(entry)), lineage[0])


def unlike(before: Entry, after: Entry) -> int:
    """How many parts of the machine differ."""
    return sum(before.facts.get(part) != after.facts.get(part) for part in PARTS)
