"""Shards: every cell in exactly one, balanced, the same everywhere; and what `--shard` takes."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.errors import UsageError
from envcheck.shards import Part, Piece, digest_of, divide, ms_of, part_named, portions, units

SECONDS = st.floats(min_value=0, max_value=5000, allow_nan=False)
COUNTS = st.integers(1, 12)


@st.composite
def matrices(draw: st.DrawFn, most: int = 40) -> list[Piece]:
    chosen = draw(st.lists(st.tuples(st.integers(0, 8), SECONDS), min_size=1, max_size=most))
    return [Piece(f"cell{number}", f"g{group}", seconds) for number, (group, seconds) in enumerate(chosen)]


def loads(pieces: list[Piece], shards: tuple[tuple[str, ...], ...]) -> list[int]:
    time = {piece.id: ms_of(piece) for piece in pieces}
    return [sum(time[one] for one in shard) for shard in shards]


@given(matrices(), COUNTS)
def test_every_cell_is_in_exactly_one_shard(pieces: list[Piece], count: int) -> None:
    shards = divide(pieces, count)
    assert len(shards) == count
    assert sorted(one for shard in shards for one in shard) == sorted(piece.id for piece in pieces)


@given(matrices(), COUNTS, st.randoms(use_true_random=False))
def test_the_order_of_the_cells_changes_nothing(pieces: list[Piece], count: int, random: Random) -> None:
    shuffled = list(pieces)
    random.shuffle(shuffled)
    assert divide(shuffled, count) == divide(pieces, count)


@given(matrices(), COUNTS)
def test_no_shard_takes_longer_than_a_fair_share_and_the_longest_unit(pieces: list[Piece], count: int) -> None:
    """The bound of giving each unit to whoever has least to do: the last one came on top of at most an average."""
    total, longest = sum(map(ms_of, pieces)), max(unit.ms for unit in units(pieces, count))
    assert max(loads(pieces, divide(pieces, count))) * count <= total + (count - 1) * longest
    assert longest <= max(-(-total // count), *map(ms_of, pieces))


@settings(max_examples=60)
@given(st.lists(SECONDS, min_size=1, max_size=7), st.integers(1, 3))
def test_cells_that_share_nothing_take_at_most_a_third_longer_than_the_best_there_is(
    seconds: list[float], count: int
) -> None:
    pieces = [Piece(f"c{number}", f"g{number}", one) for number, one in enumerate(seconds)]
    best = min(
        max(sum(ms_of(piece) for piece, at in zip(pieces, where, strict=True) if at == one) for one in range(count))
        for where in product(range(count), repeat=len(pieces))
    )
    assert 3 * count * max(loads(pieces, divide(pieces, count))) <= (4 * count - 1) * best


@given(matrices(), COUNTS)
def test_a_group_is_cut_only_where_it_is_more_than_a_fair_share(pieces: list[Piece], count: int) -> None:
    fair = -(-sum(map(ms_of, pieces)) // count)
    whose = {one: number for number, shard in enumerate(divide(pieces, count)) for one in shard}
    for group in {piece.group for piece in pieces}:
        inside = [piece for piece in pieces if piece.group == group]
        if sum(map(ms_of, inside)) <= fair:
            assert len({whose[piece.id] for piece in inside}) == 1


@given(st.integers(1, 30))
def test_as_many_shards_as_environments_are_one_each(count: int) -> None:
    pieces = [Piece(f"c{number}", f"g{number}", 1 + 100 * (number % 3)) for number in range(count)]
    assert {len(shard) for shard in divide(pieces, count)} == {1}


def test_two_divisions_are_told_apart() -> None:
    pieces = [Piece(str(number), str(number), number) for number in range(6)]
    assert digest_of(divide(pieces, 2)) == digest_of(divide(pieces[::-1], 2))
    assert digest_of(divide(pieces, 2)) != digest_of(divide(pieces[:5], 2))


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 10**6)), min_size=1, max_size=8), st.integers(8, 60))
def test_kinds_of_hosts_share_the_jobs(weights: list[tuple[int, int]], most: int) -> None:
    given = portions(weights, most)
    wanted = [groups for groups, _ in weights]
    assert all(1 <= one <= groups for one, groups in zip(given, wanted, strict=True))
    assert sum(given) == min(most, sum(wanted))


def test_more_kinds_of_hosts_than_jobs_is_an_error() -> None:
    with pytest.raises(UsageError, match="3 kinds of hosts"):
        portions([(1, 1)] * 3, 2)


# --- the option -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "a/b", "", "1", "1/0", "-1/4", "1/4/2", " 1/4", "1/4\n", "\u0662/\u0665", "01/4"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not I/N") as caught:
        part_named(text, {})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("env", "part"),
    [
        ({"ENVCHECK_SHARD": "2/5", "CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "9"}, Part(2, 5)),
        ({"CI_NODE_INDEX": "3", "CI_NODE_TOTAL": "9"}, Part(3, 9)),
        ({"JOB_COMPLETION_INDEX": "0", "ENVCHECK_SHARDS": "4"}, Part(1, 4)),
        ({"JOB_COMPLETION_INDEX": "3", "ENVCHECK_SHARDS": "4"}, Part(4, 4)),
    ],
)
def test_an_engine_names_the_shard_by_variables(env: dict[str, str], part: Part) -> None:
    assert part_named("env", env) == part


@pytest.mark.parametrize(
    "env",
    [
        {}, {"JOB_COMPLETION_INDEX": "0"}, {"CI_NODE_INDEX": "1"}, {"ENVCHECK_SHARD": "env"}, {"ENVCHECK_SHARD": "6/5"},
        {"JOB_COMPLETION_INDEX": "4", "ENVCHECK_SHARDS": "4"}, {"JOB_COMPLETION_INDEX": "x", "ENVCHECK_SHARDS": "4"},
    ],
)  # fmt: skip
def test_variables_that_name_none_are_refused(env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--shard"):
        part_named("env", env)
