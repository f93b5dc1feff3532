"""What a rule is, and how a case becomes findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from envcheck.model import Evidence, Finding, Judgement, Status, Verdict

DISABLED_IN_BUILD = "GPU processing is disabled in build flags"
"""What a MediaPipe without GPU code says; two families look for it."""


class Case(NamedTuple):
    """What a rule may see."""

    evidence: Evidence
    judgement: Judgement


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One cause. `see` returns what was seen, or None where the cause is not present.

    `title` names the cause in a few words; `because` says why it matters; `remedy` is what to type or change; `url` is
    the source. `fix` gives a remedy that depends on the case, in place of `remedy`.
    """

    code: str
    title: str
    because: str
    remedy: str
    url: str
    see: Callable[[Case], str | None]
    status: Status = Status.FAIL
    fix: Callable[[Case], str] | None = None

    def answer(self, case: Case) -> Finding | None:
        """This rule's finding, or None."""
        seen = self.see(case)
        if seen is None:
            return None
        return Finding(
            code=self.code,
            status=self.status,
            summary=f"{self.title}: {seen}" if seen else self.title,
            because=self.because,
            remedy=self.fix(case) if self.fix else self.remedy,
            url=self.url,
        )


def on_verdict(verdict: Verdict) -> Callable[[Case], str | None]:
    """A rule's `see` that answers with the judge's reason whenever the verdict is `verdict`."""
    return lambda case: case.judgement.because if case.judgement.verdict is verdict else None


def refused_with(*needles: str) -> Callable[[Case], str | None]:
    """A rule's `see` for a refused GPU delegate whose error or native log holds one of `needles`."""

    def see(case: Case) -> str | None:
        gpu = case.evidence.gpu
        if case.judgement.verdict is not Verdict.REFUSED:
            return None
        text = "\n".join((gpu.error, *gpu.log))
        return next((needle for needle in needles if needle in text), None)

    return see


def apply(rules: Iterable[Rule], case: Case) -> tuple[Finding, ...]:
    """The findings of all rules that answer, in the order of the rules."""
    return tuple(finding for rule in rules if (finding := rule.answer(case)) is not None)


def foreseen(code: str) -> Callable[[Case], str | None]:
    """A rule's `see` for a cause that the tables foresaw, where the verdict rests on the foresight."""

    def see(case: Case) -> str | None:
        foresight = case.evidence.foresight
        decided = case.judgement.verdict in (Verdict.IMPOSSIBLE, Verdict.UNREACHABLE)
        return foresight.because if decided and foresight.code == code else None

    return see
