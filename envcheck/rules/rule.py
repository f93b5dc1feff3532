"""What a rule is, and how a case becomes findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from envcheck.model import Evidence, Finding, Judgement, Status, Unread, Verdict

DISABLED_IN_BUILD = "GPU processing is disabled in build flags"
"""What a MediaPipe without GPU code says; two families look for it."""

FOREIGN_OPERATIONS = "operations are not supported by GPU delegate"
"""What the GPU delegate says of a model that it cannot take; two families look for it."""

WORST_FIRST = (Status.FAIL, Status.PASS, Status.UNKNOWN, Status.SKIP)
"""The order of findings: causes, the proof, remarks, what was not looked at."""


class Case(NamedTuple):
    """What a rule may see."""

    evidence: Evidence
    judgement: Judgement


See = Callable[[Case], "str | Unread | None"]


def always(_case: Case) -> bool:
    """The scope of a rule whose `see` asks for the verdict itself."""
    return True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One cause. `see` returns what was seen, None where the cause is not present, or Unread where that matters and
    nobody could look.

    `title` names the cause in a few words; `because` says why it matters; `remedy` is what to type or change; `url` is
    the source. `fix` gives a remedy that depends on the case, in place of `remedy`; `weigh` a status. `after` names
    the rules that are asked first: where one of them answers FAIL, this one is not asked. Outside of its `scope` a rule
    has nothing to say at all.
    """

    code: str
    title: str
    because: str
    remedy: str
    url: str
    see: See
    status: Status = Status.FAIL
    after: tuple[str, ...] = ()
    scope: Callable[[Case], bool] = always
    fix: Callable[[Case], str] | None = None
    weigh: Callable[[Case], Status] | None = None

    def answer(self, case: Case) -> Finding | None:
        """This rule's finding, or None."""
        seen = self.see(case)
        if seen is None:
            return None
        if isinstance(seen, Unread):
            return self.finding(Status.UNKNOWN, f"{self.title}: could not look: {seen.reason}", self.remedy)
        status = self.weigh(case) if self.weigh else self.status
        summary = f"{self.title}: {seen}" if seen else self.title
        return self.finding(status, summary, self.fix(case) if self.fix else self.remedy)

    def finding(self, status: Status, summary: str, remedy: str, because: str = "") -> Finding:
        """A finding of this rule."""
        return Finding(self.code, status, summary, because or self.because, remedy, self.url)

    def waiting_for(self, root: Finding) -> Finding:
        """The finding in place of an answer, because of a rule that failed before."""
        summary = f"{self.title}: not looked at, because {root.code} was found"
        because = f"{root.code} explains this one or hides it."
        return self.finding(Status.SKIP, summary, f"envcheck explain {root.code}    # mend that first", because)

    def broken(self, error: Exception) -> Finding:
        """The finding in place of an answer, where this rule itself is at fault."""
        summary = f"{self.title}: could not look: rule {self.code} failed with {type(error).__name__}: {error}"
        because = "This is a fault of envcheck. Whether the cause is present is not known; the other rules were asked."
        return self.finding(Status.UNKNOWN, summary, "Report it with the evidence file.", because)


@dataclass
class Inquiry:
    """The rules asked of one case, each once, those that it comes after before itself."""

    case: Case
    rules: dict[str, Rule]
    answers: dict[str, Finding | None] = field(default_factory=dict)

    def ask(self, code: str) -> Finding | None:
        """The finding of one rule, which may be that it was not asked."""
        if code not in self.answers:
            self.answers[code] = self.answer(self.rules[code])
        return self.answers[code]

    def answer(self, rule: Rule) -> Finding | None:
        """As `ask`, for a rule that was not asked yet. A rule that raises takes nothing down but itself."""
        try:
            if not rule.scope(self.case):
                return None
            root = self.root_before(rule)
            return rule.waiting_for(root) if root else rule.answer(self.case)
        except Exception as error:  # noqa: BLE001 - any fault of one rule is that rule's finding
            return rule.broken(error)

    def root_before(self, rule: Rule) -> Finding | None:
        """The first failure among the rules that this one comes after, and those before them."""
        for code in rule.after:
            if code not in self.rules:
                continue
            found = self.ask(code)
            root = found if found and found.status is Status.FAIL else self.root_before(self.rules[code])
            if root:
                return root
        return None


def apply(rules: Iterable[Rule], case: Case) -> tuple[Finding, ...]:
    """The findings of all rules that answer: failures in the order of the rules, then proof, remarks and the rest."""
    asked = {rule.code: rule for rule in rules}
    inquiry = Inquiry(case, asked)
    found = [finding for code in asked if (finding := inquiry.ask(code)) is not None]
    return tuple(sorted(found, key=lambda finding: WORST_FIRST.index(finding.status)))


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


def built(outcome: str) -> Callable[[Case], str | None]:
    """A rule's `see` for environments whose build ended in `outcome`: why it did."""

    def see(case: Case) -> str | None:
        build = case.evidence.build
        return build.because if build is not None and build.outcome == outcome else None

    return see


def foreseen(code: str) -> Callable[[Case], str | None]:
    """A rule's `see` for a cause that the tables foresaw, where the verdict rests on the foresight."""

    def see(case: Case) -> str | None:
        foresight = case.evidence.foresight
        decided = case.judgement.verdict in (Verdict.IMPOSSIBLE, Verdict.UNREACHABLE)
        return foresight.because if decided and foresight.code == code else None

    return see
