"""Evidence -> Results: judge, rules and expectation, for a run that just ended or for one that was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from envcheck import store
from envcheck.errors import NothingSelectedError
from envcheck.judge import judge
from envcheck.model import CellResult, Evidence, Expectation, Results, Verdict
from envcheck.rules import findings


def conclude(evidence: Sequence[Evidence]) -> Results:
    """The results of some evidence, in its order. No evidence is an error, never a pass."""
    if not evidence:
        raise NothingSelectedError(
            "there is no evidence to judge", remedy="Name a folder that `envcheck validate --out` wrote."
        )
    cells = tuple(conclude_cell(one) for one in evidence)
    return Results(host=evidence[0].host, cells=cells, summary=store.summarise(cells))


def conclude_cell(evidence: Evidence) -> CellResult:
    """Verdict, findings and whether the expectation is met, for one cell."""
    judgement = judge(evidence)
    return store.result_of(evidence, judgement, findings(evidence, judgement), evidence.cell.expected)


def expecting(evidence: Sequence[Evidence], verdict: Verdict | None) -> tuple[Evidence, ...]:
    """The evidence with every cell expected to come out as `verdict`; as recorded where that is None."""
    if verdict is None:
        return tuple(evidence)
    expected = Expectation(verdict=verdict, because="named by --expect")
    return tuple(replace(one, cell=replace(one.cell, expected=expected)) for one in evidence)
