"""Evidence to results."""

from __future__ import annotations

import pytest

from envcheck.conclude import conclude, conclude_cell, expecting
from envcheck.errors import NothingSelectedError
from envcheck.model import Status, Verdict
from tests.golden import as_if_seen


def test_no_evidence_is_an_error_not_a_pass() -> None:
    with pytest.raises(NothingSelectedError):
        conclude([])


def test_a_row_carries_verdict_expectation_findings_and_where_the_evidence_is() -> None:
    (evidence,) = expecting([as_if_seen("emulated")], Verdict.EMULATED)
    made = conclude_cell(evidence)

    assert (made.id, made.axes) == (evidence.cell.id, evidence.cell.axes)
    assert (made.verdict, made.status, made.met) == (Verdict.EMULATED, Status.FAIL, True)
    assert made.findings
    assert made.witnesses
    assert made.evidence == f"evidence/{evidence.cell.id}.json"


def test_an_expectation_named_later_decides_what_is_met() -> None:
    seen = [as_if_seen("accelerated"), as_if_seen("slower")]

    assert [cell.met for cell in conclude(seen).cells] == [True, False]
    assert [cell.met for cell in conclude(expecting(seen, Verdict.SLOWER)).cells] == [False, True]
    assert expecting(seen, None) == tuple(seen)
