"""The fewest sets that hold everything, against trying them all."""

from __future__ import annotations

import time
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.cover import smallest_cover

SETS = st.lists(st.frozensets(st.integers(0, 7), max_size=5), max_size=8)


def by_trying(sets: list[frozenset[int]]) -> int:
    """How many are needed."""
    everything = frozenset().union(*sets)
    return next(
        count
        for count in range(len(sets) + 1)
        if any(frozenset().union(*some) == everything for some in combinations(sets, count))
    )


@settings(max_examples=300)
@given(SETS)
def test_no_fewer_sets_hold_everything(sets: list[frozenset[int]]) -> None:
    found = smallest_cover(sets)

    assert frozenset().union(*(sets[place] for place in found)) == frozenset().union(*sets)
    assert len(found) == len(set(found)) == by_trying(sets)
    assert found == smallest_cover(sets)


def test_of_two_that_hold_the_same_the_first_is_taken() -> None:
    assert smallest_cover([frozenset("ab"), frozenset("ab"), frozenset("a")]) == (0,)
    assert smallest_cover([frozenset("a"), frozenset("ab")]) == (1,)
    assert smallest_cover([frozenset(), frozenset()]) == ()


def test_drivers_that_exclude_each_other_are_decided_at_once() -> None:
    """Two hundred of them, and a hundred cells that any of half of them could serve."""
    sets = [frozenset([("own", one), *(("any", cell) for cell in range(one % 100, 100))]) for one in range(200)]
    begun = time.perf_counter()

    assert len(smallest_cover(sets)) == 200
    assert time.perf_counter() - begun < 100, "trying them all takes for ever"
