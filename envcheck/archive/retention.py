"""What a policy lets go. Pure: it is told what there is and which day it is.

Kept are the newest of each cell on each host, everything that is young enough, and the first and the last entry of
every spell of one verdict, by which history can still be told and changes be explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from envcheck.kept import Entry


class Policy(NamedTuple):
    """`newest`: so many entries of each cell and host are kept; `since`: and all from this time (ISO 8601, UTC) on."""

    newest: int
    since: str


def going(entries: Iterable[Entry], policy: Policy) -> Iterator[Entry]:
    """The entries that the policy lets go; `entries` come by cell, host and time, as an archive gives them."""
    for _, group in groupby(entries, key=lambda entry: (entry.cell, entry.host)):
        yield from going_of(tuple(group), policy)


def going_of(entries: Sequence[Entry], policy: Policy) -> Iterator[Entry]:
    """The same, of one cell on one host."""
    for place, entry in enumerate(entries[: max(0, len(entries) - max(policy.newest, 1))]):
        if entry.recorded_at < policy.since and not is_edge(entries, place):
            yield entry


def is_edge(entries: Sequence[Entry], place: int) -> bool:
    """True for the first and the last entry of a spell of one verdict."""
    if place in (0, len(entries) - 1):
        return True
    return entries[place].verdict is not entries[place - 1].verdict or (
        entries[place].verdict is not entries[place + 1].verdict
    )
