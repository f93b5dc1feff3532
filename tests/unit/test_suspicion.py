"""What is run first, and what is run again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from envcheck.kept import Entry
from envcheck.model import Axes, Cell, Expectation, Verdict
from envcheck.suspicion import by_urgency, expected_s, fitting, is_suspect, news
from tests.unit.nights import FIRST_NIGHT, NEW_DRIVER, Turn, history, night

RUN = "tonight"


def cell(name: str) -> Cell:
    return Cell(id=name, axes=Axes(backend="venv"), expected=Expectation())


def tonight(entries: list[Entry], count: int = 1) -> list[Entry]:
    """The last entries are of this run."""
    return [*entries[:-count], *(replace(one, run=RUN) for one in entries[-count:])]


def test_what_never_ran_comes_first_then_what_is_stale_or_risky() -> None:
    known = {
        "stale": [night(1)],
        "fresh": [night(9)],
        "unmet": [night(8, verdict=Verdict.REFUSED)],
        "changed": [night(7, verdict=Verdict.CRASHED), night(8)],
    }
    now = FIRST_NIGHT + timedelta(days=10)
    ordered = by_urgency(map(cell, ("fresh", "changed", "stale", "unmet", "new")), known, now)
    assert [one.id for one in ordered] == ["new", "stale", "unmet", "changed", "fresh"]


def test_a_cell_that_always_fails_does_not_keep_the_others_out() -> None:
    """The age of what had no time grows until it is more urgent."""
    known = {"fails": [night(9, verdict=Verdict.REFUSED)], "waits": [night(4)]}
    assert by_urgency(map(cell, known), known, FIRST_NIGHT + timedelta(days=10))[0].id == "waits"


def test_a_budget_is_filled_in_order_with_what_fits() -> None:
    seconds = {"a": 50.0, "b": 100.0, "c": 30.0, "d": 10.0}
    cells = list(map(cell, seconds))
    assert [one.id for one in fitting(cells, seconds, 90, 10)] == ["a", "c", "d"]
    assert [one.id for one in fitting(cells, seconds, 90, 2)] == ["a", "c"]
    assert fitting(cells, seconds, 5, 10) == []
    assert fitting(cells, seconds, float("inf"), 10) == cells


def test_a_cell_takes_what_it_took() -> None:
    assert expected_s([replace(night(n), seconds=s) for n, s in enumerate((10.0, 20.0, 90.0))], 120) == 20
    assert expected_s([night(1)], 120) == 120


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.UNKNOWN, Verdict.CRASHED])
def test_another_verdict_is_looked_at_again_once(verdict: Verdict) -> None:
    assert is_suspect(tonight(history(21, Turn(20, {}, verdict=verdict))), RUN)
    assert not is_suspect(tonight(history(22, Turn(20, {}, verdict=verdict)), 2), RUN)


def test_a_slow_night_is_looked_at_again_and_a_usual_or_fast_one_is_not() -> None:
    assert is_suspect(tonight(history(21, Turn(20, {}, 0.8))), RUN)
    assert not is_suspect(tonight(history(21, noise=0.02)), RUN)
    assert not is_suspect(tonight(history(21, Turn(20, {}, 1.3))), RUN)


def test_a_level_that_is_known_to_have_moved_is_the_level() -> None:
    assert not is_suspect(tonight(history(31, Turn(20, {}, 0.7), noise=0.01)), RUN)


def test_the_first_night_of_a_cell_is_compared_with_nothing() -> None:
    assert not is_suspect(tonight([night(1, verdict=Verdict.REFUSED)]), RUN)


def test_news_is_what_could_not_be_told_before() -> None:
    entries = history(22, Turn(20, NEW_DRIVER, 0.7), noise=0.01)
    assert [one.causes for one in news(tonight(entries), RUN)] == [("driver",)]
    assert news(tonight(history(25, Turn(20, NEW_DRIVER, 0.7), noise=0.01)), RUN) == ()


def test_a_change_that_is_confirmed_now_is_news_again() -> None:
    entries = history(22, Turn(20, {}, verdict=Verdict.REFUSED))
    assert [one.confirmed for one in news(tonight(entries), RUN)] == [True]
