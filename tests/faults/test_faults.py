"""The fault corpus: every broken world is built for real, and every one comes out as what it is; its twin does not."""

from __future__ import annotations

import pytest

from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.conftest import Corpus
from tests.faults.running import Ran

pytestmark = [pytest.mark.network, pytest.mark.software_gl, pytest.mark.root, pytest.mark.timeout(1800)]

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
"""A marker for tests that are asked of each case."""
OF_THE_MOMENT = {"RES605", "RES606", "RES607"}
"""Remarks on how busy, small or hot the machine is just now: they come and go in every world."""


def ended_well(ran: Ran, where: str) -> str:
    """What no run may do, whatever its world: hang, leave processes, show a traceback, pass."""
    told = f"{where}: exit {ran.exit} after {ran.seconds:.1f} s\n{ran.stdout[-4000:]}\n{ran.stderr[-2000:]}"
    assert ran.exit is not None, f"hung: {told}"
    assert not ran.left_over, f"left processes {ran.left_over}: {told}"
    assert "Traceback" not in ran.stdout + ran.stderr, f"traceback: {told}"
    assert ran.answer, f"no answer: {told}"
    assert not ran.passed, f"a world of stand-ins passed: {told}"
    return told


def first(ran: Ran, wanted: str | None) -> str | None:
    """The code of the finding on top; a remark of the moment only where it is the one that is wanted."""
    return next((code for code in ran.codes if code == wanted or code not in OF_THE_MOMENT), None)


@EVERY_CASE
def test_a_broken_world_gets_its_verdict_and_its_root_cause_first(case: Case, corpus: Corpus) -> None:
    ran = corpus.ran(case.world, case)
    told = ended_well(ran, f"{' '.join(case.command)} in the broken world of {case.id}")

    assert (first(ran, case.code), ran.verdict, ran.exit) == (case.code, case.verdict, case.exit), told


@EVERY_CASE
def test_its_twin_comes_out_as_what_it_is_and_does_not_name_that_cause(case: Case, corpus: Corpus) -> None:
    ran, twin = corpus.ran(case.twin.world, case), case.twin
    told = ended_well(ran, f"{' '.join(case.command)} in the twin of {case.id}")

    assert case.code not in ran.codes, told
    assert (first(ran, twin.code), ran.verdict, ran.exit) == (twin.code, twin.verdict, twin.exit), told
