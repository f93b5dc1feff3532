"""The fault corpus: every broken world is built for real, and every one comes out as what it is; its twin does not."""

from __future__ import annotations

import pytest

from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.conftest import Corpus
from tests.faults.running import Ran
from tests.faults.worlds import World

pytestmark = [pytest.mark.network, pytest.mark.software_gl, pytest.mark.root, pytest.mark.timeout(1200)]

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
"""A marker for tests that are asked of each case."""


def ended_well(ran: Ran, case: Case, world: World) -> str:
    """What no run may do, whatever its world: hang, leave processes, show a traceback, pass."""
    where = f"{' '.join(case.command)} in {'the broken world' if world is case.world else 'its twin'} of {case.id}"
    told = f"{where}: exit {ran.exit} after {ran.seconds:.1f} s\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    assert ran.exit is not None, f"hung: {told}"
    assert not ran.left_over, f"left processes {ran.left_over}: {told}"
    assert "Traceback" not in ran.stdout + ran.stderr, f"traceback: {told}"
    assert ran.answer, f"no answer: {told}"
    assert not ran.passed, f"a world of stand-ins passed: {told}"
    return told


@EVERY_CASE
def test_a_broken_world_gets_its_verdict_and_its_root_cause_first(case: Case, corpus: Corpus) -> None:
    ran = corpus.ask(case.world, case).result()
    told = ended_well(ran, case, case.world)

    assert (ran.codes[:1], ran.verdict, ran.exit) == ([case.code], case.verdict, case.exit), told


@EVERY_CASE
def test_its_healthy_twin_does_not_name_that_cause(case: Case, corpus: Corpus) -> None:
    ran = corpus.ask(case.twin, case).result()
    told = ended_well(ran, case, case.twin)

    assert case.code not in ran.codes, told
