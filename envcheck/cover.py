"""The fewest sets that together hold everything. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

Element = TypeVar("Element", bound=Hashable)


def smallest_cover(sets: Sequence[frozenset[Element]]) -> tuple[int, ...]:
    """The places of the fewest sets that hold whatever any of them holds; of two that hold the same the first.

    Exact, by trying ever more of them. What only one set holds decides at once, so that sets which mostly exclude each
    other, as drivers do, take no time; sets that overlap at will take time that grows without measure.
    """
    kept = undominated(sets)
    holders = holders_of(sets, kept)
    for most in range(len(kept) + 1):
        found = next(covers(holders, most), None)
        if found is not None:
            return tuple(sorted(found))
    return ()


def undominated(sets: Sequence[frozenset[Element]]) -> tuple[int, ...]:
    """The places of sets that no other holds whole; of equal ones the first."""
    largest_first = sorted(range(len(sets)), key=lambda place: (-len(sets[place]), place))
    kept: list[int] = []
    for place in largest_first:
        if sets[place] and not any(sets[place] <= sets[other] for other in kept):
            kept.append(place)
    return tuple(sorted(kept))


def holders_of(sets: Sequence[frozenset[Element]], kept: Sequence[int]) -> frozenset[tuple[int, ...]]:
    """For each element the places of the sets that hold it: elements with the same holders are one question."""
    found: dict[Element, list[int]] = {}
    for place in kept:
        for element in sets[place]:
            found.setdefault(element, []).append(place)
    return frozenset(tuple(places) for places in found.values())


def covers(questions: frozenset[tuple[int, ...]], most: int) -> Iterator[tuple[int, ...]]:
    """Choices of at most `most` sets by which each question has one of its holders."""
    if not questions:
        yield ()
        return
    if most == 0:
        return
    for place in min(questions, key=lambda holders: (len(holders), holders)):
        left = frozenset(holders for holders in questions if place not in holders)
        for rest in covers(left, most - 1):
            yield (place, *rest)
