"""The corpus as a whole: what it covers, and that its page is in step."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from envcheck.lint import BY_CODE as LINT
from envcheck.model import Verdict
from envcheck.rules import BY_CODE as RULES
from tests.faults import table
from tests.faults.cases import CASES

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_page_is_in_step_with_the_corpus() -> None:
    assert PAGE.read_text(encoding="utf-8") == table.page(), "python -m tests.faults.table > docs/faults.md"


def test_every_case_has_a_name_of_its_own_and_a_family_with_a_title() -> None:
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []
    assert {case.family for case in CASES} <= set(table.FAMILIES)


def test_every_family_is_covered_and_liars_are_among_them() -> None:
    families = Counter(case.family for case in CASES)

    assert len(CASES) >= 45
    assert set(families) == set(table.FAMILIES)
    assert families["LIE"] >= 5


def test_every_code_is_one_that_explain_knows() -> None:
    assert {case.code for case in CASES} <= set(RULES) | set(LINT)


def test_every_verdict_is_one_and_none_is_a_pass() -> None:
    assert {case.verdict for case in CASES} <= {None, *(verdict.value for verdict in Verdict)}
    assert "accelerated" not in {verdict for case in CASES for verdict in (case.verdict, case.twin.verdict)}


def test_a_twin_differs_from_its_broken_world_and_by_the_wheel_only_where_the_wheel_is_at_fault() -> None:
    for case in CASES:
        wheel = case.world.mediapipe != case.twin.world.mediapipe
        around = replace(case.world, mediapipe="") != replace(case.twin.world, mediapipe="")

        assert wheel != around, f"{case.id} and its twin are the same, or differ by the wheel and by what is around it"


def test_a_twin_has_an_outcome_of_its_own() -> None:
    for case in CASES:
        assert case.twin.code != case.code, case.id
