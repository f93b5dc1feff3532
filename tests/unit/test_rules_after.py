"""Rules that come after others: what is skipped, what comes first, and a rule that raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from envcheck.judge import judge
from envcheck.model import CellResult, Finding, Results, Status, Unread, Verdict
from envcheck.report import markdown, terminal
from envcheck.report.causes import answered, not_looked_at
from envcheck.rules import BY_CODE, RULES
from envcheck.rules.rule import Case, Rule, apply
from envcheck.suite.claims import explain
from tests.unit import worlds


def saying(answer: Any) -> Callable[[Case], Any]:
    return lambda _case: answer


def rule(code: str, answer: Any, *after: str, **fields: Any) -> Rule:
    return Rule(
        code=code,
        title=f"title of {code}",
        because="reason",
        remedy="command",
        url="https://example.org",
        see=saying(answer),
        after=after,
        **fields,
    )


def found(*rules: Rule) -> list[tuple[str, str]]:
    return [(finding.code, finding.status.value) for finding in findings(*rules)]


def findings(*rules: Rule) -> tuple[Finding, ...]:
    evidence = worlds.looked_at()
    return apply(rules, Case(evidence, judge(evidence)))


def test_a_rule_after_a_failed_one_is_not_asked_and_names_it() -> None:
    first, second = findings(rule("GPU1", "seen"), rule("EGL2", "never shown", "GPU1"))

    assert (first.code, second.code, second.status) == ("GPU1", "EGL2", Status.SKIP)
    assert second.summary == "title of EGL2: not looked at, because GPU1 was found"


def test_waiting_goes_through_rules_that_were_silent_skipped_or_out_of_scope() -> None:
    root, last = rule("GPU1", "seen"), rule("EGL3", "never shown", "EGL2")

    for between in (
        rule("EGL2", None, "GPU1"),
        rule("EGL2", "never shown", "GPU1"),
        rule("EGL2", "never shown", "GPU1", scope=saying(False)),
    ):
        *_, skipped = findings(root, between, last)
        assert skipped.code == "EGL3"
        assert "GPU1" in skipped.summary


@pytest.mark.parametrize("answer", [None, Unread(reason="no permission")], ids=["silent", "could not look"])
def test_a_rule_after_one_that_did_not_fail_is_asked(answer: Any) -> None:
    assert ("EGL2", "FAIL") in found(rule("GPU1", answer), rule("EGL2", "seen", "GPU1"))


def test_a_rule_may_come_after_one_that_is_written_below_it() -> None:
    assert found(rule("EGL2", "seen", "GPU1"), rule("GPU1", "seen")) == [("GPU1", "FAIL"), ("EGL2", "SKIP")]


def test_causes_come_before_remarks_and_what_was_not_looked_at_is_last() -> None:
    order = found(
        rule("RES1", "seen", status=Status.UNKNOWN), rule("EGL2", "", "GPU3"), rule("GPU3", ""), rule("GPU4", "")
    )

    assert order == [("GPU3", "FAIL"), ("GPU4", "FAIL"), ("RES1", "UNKNOWN"), ("EGL2", "SKIP")]


def test_a_rule_that_could_not_look_is_unknown_and_says_so() -> None:
    (finding,) = findings(rule("GPU1", Unread(reason="Permission denied")))

    assert finding.status is Status.UNKNOWN
    assert finding.summary.endswith("could not look: Permission denied")


def test_a_rule_that_raises_is_a_finding_that_names_it_and_takes_no_other_down() -> None:
    def broken(_case: Case) -> str | None:
        raise KeyError("missing")

    good, bad = findings(Rule(**{**vars(rule("GPU1", "")), "see": broken}), rule("GPU2", "seen", "GPU1"))

    assert (good.code, good.status) == ("GPU2", Status.FAIL)
    assert (bad.code, bad.status) == ("GPU1", Status.UNKNOWN)
    assert "rule GPU1 failed with KeyError: 'missing'" in bad.summary


def test_every_rule_comes_after_known_rules_and_none_after_itself() -> None:
    def before(code: str, seen: tuple[str, ...] = ()) -> None:
        assert code in BY_CODE, f"{seen[-1]} comes after {code}, which is no rule"
        assert code not in seen, f"{' after '.join((*seen, code))}"
        for other in BY_CODE[code].after:
            before(other, (*seen, code))

    for each in RULES:
        before(each.code)


SKIPPED = (
    rule("GPU1", "seen"),
    rule("EGL2", "", "GPU1"),
    rule("EGL3", "", "GPU1"),
    rule("CTR4", "seen"),
    rule("CTR5", "", "CTR4"),
)
LINE = "EGL2, EGL3 (wait for GPU1); CTR5 (waits for CTR4)"


def test_skipped_rules_are_one_line_in_every_report_for_people() -> None:
    evidence = worlds.looked_at()
    shown = findings(*SKIPPED)
    judgement = judge(evidence)
    cell = CellResult(
        id="here",
        axes=evidence.cell.axes,
        verdict=judgement.verdict,
        status=judgement.verdict.status,
        expected=evidence.cell.expected.verdict,
        met=False,
        findings=shown,
    )
    results = Results(host=evidence.host, cells=(cell,), summary={"unknown": 1})

    assert not_looked_at(shown) == LINE
    assert [finding.code for finding in answered(shown)] == ["GPU1", "CTR4"]
    assert f"  not looked at: {LINE}\n" in terminal.render(results, width=100, colour=False, exit_code=1)
    assert f"Not looked at: {LINE}\n" in markdown.render(results)
    assert f"  not looked at: {LINE}" in explain(judgement, shown).splitlines()


def test_a_remark_beside_a_proven_gpu_is_shown() -> None:
    evidence = worlds.looked_at()
    shown = findings(rule("BEN1", "", status=Status.PASS), rule("RES2", "seen", status=Status.UNKNOWN))
    cell = CellResult(
        id="here",
        axes=evidence.cell.axes,
        verdict=Verdict.ACCELERATED,
        status=Status.PASS,
        expected=Verdict.ACCELERATED,
        met=True,
        findings=shown,
    )
    text = terminal.render(Results(evidence.host, (cell,), {"accelerated": 1}), width=100, colour=False, exit_code=0)

    assert "also   RES2 title of RES2: seen" in text
    assert "  do  " not in text
