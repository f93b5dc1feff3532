from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest

from envcheck.doctor import Asked, cleaned, encode, exit_code, news, root_first
from envcheck.errors import EnvcheckError
from envcheck.existing import Choice
from envcheck.model import Finding, GlContext, Host, Status, Unread
from tests.unit.test_report_doctor import HERE, NO_ONE, finding

DOUBT, FAILURE, SKIPPED = (
    finding(code, status)
    for code, status in (("RES605", Status.UNKNOWN), ("GPU105", Status.FAIL), ("EGL202", Status.SKIP))
)


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [one.code for one in findings]


def test_failures_come_before_doubts_and_what_was_skipped_comes_last() -> None:
    later = finding("EGL208")

    assert codes(root_first([SKIPPED, DOUBT, FAILURE, later])) == ["GPU105", "EGL208", "RES605", "EGL202"]


def test_only_a_failure_makes_the_exit_code_1() -> None:
    assert exit_code(msgspec.structs.replace(HERE, findings=(DOUBT, SKIPPED))) == 0
    assert exit_code(msgspec.structs.replace(HERE, findings=(DOUBT, FAILURE))) == 1


def test_that_nothing_was_run_is_no_news() -> None:
    assert news([finding("BEN505", Status.UNKNOWN), FAILURE], own=False) == [FAILURE]


def test_a_missing_mediapipe_is_news_only_where_somebody_named_the_environment() -> None:
    found = [FAILURE, finding("MPP413"), finding("MPP410", Status.SKIP)]

    assert news(found, own=False) == found
    assert news(found, own=True) == [FAILURE]


def test_what_is_wrong_with_a_mediapipe_beside_envcheck_is_news() -> None:
    assert news([finding("MPP410")], own=True) == [finding("MPP410")]


def test_the_json_keeps_its_contract() -> None:
    document = json.loads(encode(msgspec.structs.replace(HERE, findings=(FAILURE,))))

    assert document["schema"] == "envcheck.doctor/1"
    assert document["host"]["platform"] == "linux"
    assert [one["code"] for one in document["findings"]] == ["GPU105"]
    assert set(document) >= {"python", "chosen", "facts", "gl", "cuda_driver"}


def test_no_findings_is_an_empty_list_and_not_a_missing_key() -> None:
    assert json.loads(encode(HERE))["findings"] == []


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    host = Host(platform="linux", machine="x86_64", nvml=NO_ONE, steering={"LD_LIBRARY_PATH": "/x/hunter2hunter2"})
    told = msgspec.structs.replace(
        HERE, host=host, gl=GlContext(path="none", error="https://me:pw@example.org", log=("hunter2hunter2",))
    )
    text = encode(cleaned(told, {"MY_TOKEN": "hunter2hunter2", "HOME": "/home/me"}))

    assert "hunter2hunter2" not in text
    assert "me:pw" not in text
    assert text.count("***") == 3


def test_what_holds_no_secret_stays_as_it_is() -> None:
    assert cleaned(HERE, {"HOME": "/venv"}) == HERE


def test_a_question_that_fails_is_a_fact_that_is_not_known() -> None:
    def refuse() -> Unread:
        raise EnvcheckError("processes are started on Linux and macOS only")

    def stumble() -> Unread:
        raise OSError(9, "bad")

    assert Asked(refuse).answer() == Unread(reason="processes are started on Linux and macOS only")
    assert "OSError" in str(Asked(stumble).answer())


def test_a_choice_names_its_reason() -> None:
    assert Choice(Path(sys.executable), "named by --python").because == "named by --python"


@pytest.mark.parametrize("answer", [NO_ONE, HERE.gl])
def test_an_answer_is_given_as_it_came(answer: GlContext | Unread) -> None:
    asked: Asked[GlContext] = Asked(lambda: answer)

    assert asked.answer() is answer
