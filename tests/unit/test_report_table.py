"""The compatibility table as data."""

from __future__ import annotations

import itertools

import pytest

from envcheck.report import table as tables
from envcheck.report.table import Column, Line, State, tally
from tests.unit.tabled import H200, LONG_AGO, NO_GPU, TODAY, axes_of, entry_of, every_state, slot_of, table_of


def states(*entries: object, slots: object = ()) -> dict[str, str]:
    table = table_of(entries, slots)  # type: ignore[arg-type]
    return {place.cell: place.state.value for place in table.places()}


def test_there_is_a_grid_for_each_backend_and_class_of_hosts() -> None:
    entries = [
        entry_of(),
        entry_of(host=NO_GPU),
        entry_of(axes=axes_of(backend="docker", cuda="12.8")),
    ]

    assert [(grid.backend, grid.host) for grid in table_of(entries).grids] == [
        ("docker", H200),
        ("venv", H200),
        ("venv", NO_GPU),
    ]


def test_mediapipe_stands_down_and_cuda_and_driver_across_by_number_and_not_as_text() -> None:
    axes = [
        axes_of(mediapipe, cuda=cuda, driver=driver)
        for mediapipe, cuda, driver in itertools.product(("0.10.9", "0.10.35"), ("9.2", "12.8"), ("any", "570", "1000"))
    ]
    (grid,) = table_of([entry_of(axes=one) for one in axes]).grids

    assert [line.mediapipe for line in grid.lines] == ["0.10.35", "0.10.9"]
    assert [(column.cuda, column.driver) for column in grid.columns] == [
        ("9.2", "570"), ("9.2", "1000"), ("9.2", "any"), ("12.8", "570"), ("12.8", "1000"), ("12.8", "any"),
    ]  # fmt: skip
    assert len(list(table_of([entry_of(axes=one) for one in axes]).places())) == 12


def test_the_newest_entry_of_a_cell_stands_in_the_table_whatever_the_order_of_reading() -> None:
    old, new = entry_of("refused", recorded_at=LONG_AGO), entry_of()

    for order in ((old, new), (new, old)):
        (place,) = table_of(order).places()
        assert place.entry is new


def test_untested_unreachable_impossible_excluded_and_stale_are_told_apart() -> None:
    assert {place.cell: place.state.value for place in every_state().places()} == {
        "venv-py3.11-mp1.2.2": "tested",
        "venv-py3.11-mp1.1.1": "tested",
        "venv-py3.11-mp1.0.0": "impossible",
        "venv-py3.11-mp0.10.35": "stale",
        "venv-py3.11-mp0.10.33": "tested",
        "venv-py3.11-mp0.10.21": "untested",
        "venv-py3.11-mp0.10.21-r580": "unreachable",
        "venv-py3.11-mp0.10.7": "excluded",
    }


@pytest.mark.parametrize(
    ("driver", "host", "state"),
    [
        ("570", H200, "untested"),
        ("570.124", H200, "untested"),
        ("570.12", H200, "unreachable"),
        ("580", H200, "unreachable"),
        ("any", H200, "untested"),
        ("any", NO_GPU, "untested"),
        ("570", NO_GPU, "unreachable"),
    ],
)
def test_a_cell_is_reachable_where_the_class_of_hosts_has_its_driver(driver: str, host: str, state: str) -> None:
    there = states(entry_of(host=host), slots=[slot_of(mediapipe="0.10.21", driver=driver)])

    assert there[f"venv-py3.11-mp0.10.21-r{driver}"] == state


def test_a_matrix_of_which_nothing_was_run_is_a_table_too() -> None:
    table = table_of((), [slot_of(), slot_of("unreachable", driver="580")])

    assert [grid.host for grid in table.grids] == [""]
    assert {place.state for place in table.places()} == {State.UNTESTED, State.UNREACHABLE}


def test_what_was_recorded_counts_more_than_what_was_foreseen() -> None:
    assert states(entry_of(), slots=[slot_of("impossible", "said the table")]) == {"venv-py3.11-mp1.2.2": "tested"}


def test_an_entry_without_a_date_is_stale_and_never_new() -> None:
    (place,) = table_of([entry_of(recorded_at="yesterday")]).places()

    assert (place.state, place.age_days) == (State.STALE, None)


def test_what_a_clock_that_was_ahead_has_recorded_hides_nothing_and_is_never_fresh() -> None:
    ahead, seen = entry_of(recorded_at="2099-01-01T03:00:00+00:00"), entry_of("emulated")

    for order in ((ahead, seen), (seen, ahead)):
        (place,) = table_of(order).places()
        assert (place.entry, place.state) == (seen, State.TESTED)
    (place,) = table_of([ahead]).places()
    assert (place.state, place.age_days) == (State.STALE, None)
    (place,) = table_of([entry_of(recorded_at="2026-11-20T20:00:00+00:00")]).places()  # another zone, another clock
    assert (place.state, place.age_days) == (State.TESTED, 0.0)


def test_an_entry_becomes_stale_after_the_days_named() -> None:
    assert [next(table_of([entry_of()], stale_days=days).places()).state for days in (1.0, 2.0)] == [
        State.STALE,
        State.TESTED,
    ]


def test_links_lead_from_digests_to_evidence() -> None:
    entry = entry_of()
    (place,) = table_of([entry], links={entry.digest: "evidence/a.json"}).places()

    assert place.link == "evidence/a.json"


def test_a_combination_that_is_in_no_matrix_has_no_place() -> None:
    entries = [entry_of(axes=axes_of("1.2.2", cuda="12.8")), entry_of(axes=axes_of("1.1.1", cuda="13.0"))]
    (grid,) = table_of(entries).grids

    assert grid.at(Line("1.2.2", "3.11"), Column("13.0")) is None
    assert len(grid.places) == 2


def test_the_tally_counts_every_place_once() -> None:
    assert tally(every_state()) == {
        "accelerated": 1, "refused": 1, "impossible": 1, "unreachable": 1, "unknown": 1, "stale": 1, "untested": 1,
        "excluded": 1,
    }  # fmt: skip


def test_every_state_has_its_own_sign_and_word() -> None:
    places = list(every_state().places())

    assert len({tables.sign_of(place) for place in places}) == len(places)
    assert tables.speedup_of(places[0]) == "5.42× (5.15–5.69)"
    assert tables.date_of(places[0]) == TODAY[:10]
