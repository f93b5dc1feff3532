"""A matrix in parts: which cells are whose, the same on every machine that is given the same cells and times. Pure.

Cells of one environment stay together, so that it is built once per host; a group that is larger than a fair share of
the time is cut. Then the longest piece goes to whoever has least to do: no shard takes longer than a fair share and the
longest piece together.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from envcheck.errors import UsageError

FROM_ENVIRONMENT = "env"
"""The word for `--shard` that leaves it to the environment."""
OWN, INDEXED_OF = "ENVCHECK_SHARD", "ENVCHECK_SHARDS"
SYNTAX = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", re.ASCII)
REMEDY = "Name one of N shards, the first is 1: --shard 2/5. --shard env reads it from a variable; docs/fleet.md."


@dataclass(frozen=True)
class Part:
    """One shard of `count`; the first is 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True)
class Piece:
    """A cell: the environment that it needs, and how long it takes."""

    id: str
    group: str
    seconds: float


class Unit(NamedTuple):
    """Cells that stay together, and their time in milliseconds: whole numbers add up to the same in any order."""

    ids: tuple[str, ...]
    ms: int


# --- dividing ---------------------------------------------------------------------------------------------------


def divide(pieces: Iterable[Piece], count: int) -> tuple[tuple[str, ...], ...]:
    """The ids of every shard, sorted. A shard is empty where there are fewer pieces than shards."""
    loads = [(0, number) for number in range(count)]
    shards: list[list[str]] = [[] for _ in loads]
    for unit in sorted(units(pieces, count), key=lambda one: (-one.ms, one.ids)):
        load, number = heapq.heappop(loads)
        shards[number].extend(unit.ids)
        heapq.heappush(loads, (load + unit.ms, number))
    return tuple(tuple(sorted(ids)) for ids in shards)


def units(pieces: Iterable[Piece], count: int) -> list[Unit]:
    """What is given to a shard whole: groups, and of groups above a fair share what they are cut into."""
    ordered = sorted(pieces, key=lambda piece: (piece.group, piece.id))
    fair = -(-sum(map(ms_of, ordered)) // count)
    return [unit for _, group in groupby(ordered, key=lambda piece: piece.group) for unit in cut(list(group), fair)]


def cut(group: Sequence[Piece], fair: int) -> Iterator[Unit]:
    """A group in units of at most a fair share each, or of one cell where that alone is longer."""
    ids: list[str] = []
    total = 0
    for piece in sorted(group, key=lambda one: (-ms_of(one), one.id)):
        if ids and total + ms_of(piece) > fair:
            yield Unit(tuple(ids), total)
            ids, total = [], 0
        ids.append(piece.id)
        total += ms_of(piece)
    if ids:
        yield Unit(tuple(ids), total)


def ms_of(piece: Piece) -> int:
    """Its time in milliseconds, at least one: a cell that takes none would be given away without being counted."""
    return max(1, round(1000 * piece.seconds))


def digest_of(shards: Sequence[Sequence[str]]) -> str:
    """By this two machines see that they divided alike: shards of different divisions make no whole."""
    return hashlib.sha256(json.dumps([list(ids) for ids in shards]).encode()).hexdigest()[:16]


def portions(weights: Sequence[tuple[int, int]], most: int) -> list[int]:
    """How many shards each kind of host gets of at most `most`: its number of groups where all fit, else by its time.

    `weights` are (groups, milliseconds) of each kind; each gets one at least. Raises UsageError where that is too many.
    """
    if len(weights) > most:
        raise UsageError(f"{len(weights)} kinds of hosts do not fit into {most} jobs", remedy="Choose fewer cells.")
    given = [1] * len(weights)
    waiting = [
        (-time, number) for number, (groups, time) in enumerate(weights) if groups > 1
    ]  # the most loaded shard of each kind
    heapq.heapify(waiting)
    while waiting and sum(given) < most:
        _, number = heapq.heappop(waiting)
        given[number] += 1
        groups, time = weights[number]
        if given[number] < groups:
            heapq.heappush(waiting, (-(time // given[number]), number))
    return given


# --- the option -------------------------------------------------------------------------------------------------


def part_named(text: str, env: Mapping[str, str]) -> Part:
    """What `--shard` names. Raises UsageError."""
    if text == FROM_ENVIRONMENT:
        text = from_environment(env)
    found = SYNTAX.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--shard {text!r} is not I/N with I from 1 to N", remedy=REMEDY)
    return Part(int(found[1]), int(found[2]))


def from_environment(env: Mapping[str, str]) -> str:
    """The shard by the variables of an engine: GitLab counts from 1, an indexed Job of Kubernetes from 0.

    ENVCHECK_SHARD                           "2/5", whatever else is set
    CI_NODE_INDEX and CI_NODE_TOTAL          GitLab, `parallel`
    JOB_COMPLETION_INDEX, ENVCHECK_SHARDS    Kubernetes, an indexed Job of so many completions
    """
    if own := env.get(OWN, ""):
        return own
    if "JOB_COMPLETION_INDEX" in env and INDEXED_OF in env:
        index = env["JOB_COMPLETION_INDEX"]
        number = int(index) + 1 if re.fullmatch(r"[0-9]{1,6}", index, re.ASCII) else index
        return f"{number}/{env[INDEXED_OF]}"
    if "CI_NODE_INDEX" in env and "CI_NODE_TOTAL" in env:
        return f"{env['CI_NODE_INDEX']}/{env['CI_NODE_TOTAL']}"
    raise UsageError(
        f"--shard env: no variable names a shard: neither {OWN}, nor JOB_COMPLETION_INDEX with {INDEXED_OF}, "
        "nor CI_NODE_INDEX with CI_NODE_TOTAL",
        remedy=REMEDY,
    )
