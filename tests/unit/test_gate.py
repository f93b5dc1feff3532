"""The gate fails closed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envcheck.gate import exit_code, summarise
from envcheck.model import Axes, CellResult, Host, Results, Says, Unread, Verdict, Witness

HOST = Host(platform="linux", machine="x86_64", nvml=Unread(reason="no driver"))
LOOKED = (Witness("native-log", Says.NOTHING, "nothing", "a line"),)


def row(
    verdict: Verdict, expected: Verdict = Verdict.ACCELERATED, cell: str = "cell", *, looked: bool = True
) -> CellResult:
    return CellResult(
        id=cell,
        axes=Axes(backend="venv"),
        verdict=verdict,
        status=verdict.status,
        expected=expected,
        met=verdict is expected,
        findings=(),
        witnesses=LOOKED if looked else (),
    )


def results(*rows: CellResult) -> Results:
    return Results(host=HOST, cells=rows, summary=summarise(rows))


@pytest.mark.parametrize("verdict", [v for v in Verdict if v not in (Verdict.ACCELERATED, Verdict.UNREACHABLE)])
def test_only_accelerated_meets_the_default_expectation(verdict: Verdict) -> None:
    assert exit_code(results(row(verdict))) == 1
    assert exit_code(results(row(Verdict.ACCELERATED), row(verdict))) == 1


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.UNREACHABLE])
def test_an_expectation_that_is_met_is_0_and_accelerated_is_then_unmet(verdict: Verdict) -> None:
    assert exit_code(results(row(verdict, expected=verdict))) == 0
    if verdict is not Verdict.ACCELERATED:
        assert exit_code(results(row(Verdict.ACCELERATED, expected=verdict))) == 1


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (row(Verdict.UNREACHABLE),),
        (row(Verdict.UNREACHABLE), row(Verdict.UNREACHABLE)),
        (row(Verdict.UNREACHABLE, expected=Verdict.UNREACHABLE),),
    ],
    ids=["no cell", "one unreachable", "all unreachable", "unreachable as expected"],
)
def test_nothing_that_ran_is_3(rows: tuple[CellResult, ...]) -> None:
    assert exit_code(results(*rows)) == 3


def test_an_unreachable_cell_is_neither_met_nor_unmet() -> None:
    assert exit_code(results(row(Verdict.ACCELERATED), row(Verdict.UNREACHABLE))) == 0
    assert exit_code(results(row(Verdict.REFUSED), row(Verdict.UNREACHABLE))) == 1


FORETOLD = row(Verdict.IMPOSSIBLE, Verdict.IMPOSSIBLE, "foretold", looked=False)
"""Expected to be impossible, known from the tables to be, and never run."""


def test_what_was_foretold_is_not_all_that_ran_where_the_rest_could_not_be_reached() -> None:
    assert exit_code(results(FORETOLD, row(Verdict.UNREACHABLE))) == 3
    assert exit_code(results(FORETOLD, row(Verdict.UNREACHABLE), row(Verdict.ACCELERATED))) == 0
    assert exit_code(results(FORETOLD, row(Verdict.UNREACHABLE), row(Verdict.REFUSED, Verdict.REFUSED))) == 0
    assert exit_code(results(replace(FORETOLD, expected=Verdict.ACCELERATED), row(Verdict.UNREACHABLE))) == 1


def test_where_nothing_but_the_impossible_was_asked_for_it_may_be_foretold() -> None:
    assert exit_code(results(FORETOLD)) == 0


def test_unknown_because_nothing_was_run_does_not_even_meet_unknown() -> None:
    nothing_run = row(Verdict.UNKNOWN, expected=Verdict.UNKNOWN, looked=False)

    assert exit_code(results(nothing_run)) == 1
    assert exit_code(results(row(Verdict.ACCELERATED), nothing_run)) == 1


def test_the_gate_works_out_what_is_met_and_does_not_read_it() -> None:
    assert exit_code(results(replace(row(Verdict.SILENT_CPU), met=True))) == 1


def test_composed_evidence_meets_nothing() -> None:
    assert exit_code(results(replace(row(Verdict.ACCELERATED), composed="from published facts"))) == 1


@pytest.mark.parametrize(
    ("rows", "unavailable", "code"),
    [
        ((row(Verdict.UNKNOWN, cell="a", looked=False),), {"a"}, 75),
        ((row(Verdict.UNKNOWN, Verdict.UNKNOWN, "a", looked=False),), {"a"}, 75),
        ((row(Verdict.ACCELERATED, cell="a"), row(Verdict.UNKNOWN, cell="b", looked=False)), {"b"}, 75),
        ((row(Verdict.REFUSED, cell="a"), row(Verdict.UNKNOWN, cell="b", looked=False)), {"b"}, 1),
        ((row(Verdict.UNREACHABLE, cell="a"), row(Verdict.UNKNOWN, cell="b", looked=False)), {"b"}, 75),
        ((row(Verdict.ACCELERATED, cell="a"),), {"a"}, 0),
        ((row(Verdict.UNREACHABLE, cell="a"),), {"a"}, 3),
    ],
    ids=[
        "the only cell",
        "expected unknown",
        "beside a met one",
        "beside an unmet one",
        "beside an unreachable one",
        "not unmet",
        "not reachable",
    ],
)
def test_an_environment_that_could_not_be_fetched_is_75(
    rows: tuple[CellResult, ...], unavailable: set[str], code: int
) -> None:
    assert exit_code(results(*rows), unavailable) == code


@given(
    cells=st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(Verdict), st.booleans())),
    unavailable=st.sets(st.sampled_from(["0", "1", "2"])),
)
def test_0_means_that_something_ran_and_all_of_it_came_out_as_expected(
    cells: list[tuple[Verdict, Verdict, bool]], unavailable: set[str]
) -> None:
    rows = [
        row(verdict, expected, str(number), looked=looked) for number, (verdict, expected, looked) in enumerate(cells)
    ]
    reachable = [cell for cell in rows if cell.verdict is not Verdict.UNREACHABLE]

    if exit_code(results(*rows), unavailable) == 0:
        assert reachable
        assert (
            len(reachable) == len(rows)
            or any(cell.witnesses for cell in reachable)
            or any(cell.verdict is not Verdict.IMPOSSIBLE for cell in reachable)
        )
        assert all(cell.verdict is cell.expected for cell in reachable)


def test_the_summary_counts_verdicts_and_leaves_out_what_is_not_there() -> None:
    rows = [row(Verdict.REFUSED), row(Verdict.ACCELERATED), row(Verdict.REFUSED)]

    assert summarise(rows) == {"accelerated": 1, "refused": 2}
