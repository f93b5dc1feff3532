"""Evidence -> Results: judge, rules and expectation, for a run that just ended or for one that was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from envcheck.errors import NothingSelectedError
from envcheck.gate import is_met, summarise
from envcheck.judge import judge
from envcheck.model import CellResult, Evidence, Expectation, Host, Results, Shard, Verdict
from envcheck.rules import findings
from envcheck.store import evidence_path


def conclude(evidence: Sequence[Evidence], shard: Shard | None = None) -> Results:
    """The results of some evidence, in its order. No evidence is an error, never a pass."""
    if not evidence:
        raise NothingSelectedError(
            "there is no evidence to judge", remedy="Name a folder that `envcheck validate --out` wrote."
        )
    cells = tuple(conclude_cell(one) for one in evidence)
    return Results(host=host_of(evidence), cells=cells, summary=summarise(cells), shard=shard)


def host_of(evidence: Sequence[Evidence]) -> Host:
    """The host that cells were run on, of several the first; of a cell that no host could reach it is whoever asked."""
    asking = None
    for one in evidence:  # which may be on disk: one by one
        if not one.lost and one.foresight.state != "unreachable":
            return one.host
        asking = asking or (None if one.lost else one.host)
    return asking or evidence[0].host


def conclude_cell(evidence: Evidence) -> CellResult:
    """Verdict, findings and whether the expectation is met, for one cell."""
    judgement = judge(evidence)
    expected = evidence.cell.expected.verdict
    return CellResult(
        id=evidence.cell.id,
        axes=evidence.cell.axes,
        verdict=judgement.verdict,
        status=judgement.verdict.status,
        expected=expected,
        met=is_met(judgement.verdict, expected, judgement.witnesses, evidence.composed),
        findings=findings(evidence, judgement),
        because=judgement.because,
        witnesses=judgement.witnesses,
        bench=judgement.bench,
        evidence=evidence_path(evidence.cell.id),
        composed=evidence.composed,
        recorded_at=evidence.recorded_at,
    )


def unjudgeable(evidence: Evidence) -> str:
    """Why nothing can be made of evidence that another machine has sent; an empty text where something can.

    It is of the right form and may still hold what no arithmetic takes: one cell must not end the run of all others.
    """
    try:
        conclude_cell(evidence)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is of this cell alone
        return f"it cannot be judged: {type(error).__name__}: {error}"
    return ""


def expecting(evidence: Sequence[Evidence], verdict: Verdict | None) -> tuple[Evidence, ...]:
    """The evidence with every cell expected to come out as `verdict`; as recorded where that is None."""
    if verdict is None:
        return tuple(evidence)
    expected = Expectation(verdict=verdict, because="named by --expect")
    return tuple(replace(one, cell=replace(one.cell, expected=expected)) for one in evidence)
