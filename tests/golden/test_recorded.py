"""Evidence of real runs, judged again: the folder names the verdict, the first finding names the cause."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envcheck import store
from envcheck.judge import judge
from envcheck.model import Status
from envcheck.rules import findings

RECORDED = Path(__file__).parent / "recorded"
FILES = sorted(RECORDED.glob("*/*.json"))
ROOT_CAUSE = {
    "broken/mp1.2.2-no-libegl-20261120": ["MPP405"],
    "emulated/mp0.10.21-llvmpipe-20261120": ["GPU105", "EGL207"],
    "emulated/mp0.10.35-llvmpipe-20261120": ["GPU105", "EGL207"],
    "refused/mp0.10.35-no-display-20261120": ["GPU105", "EGL202"],
    "refused/mp1.0.0-no-gpu-code-20261120": ["MPP401"],
    "refused/mp1.2.2-llvmpipe-20261120": ["GPU105", "EGL204"],
    "refused/mp1.2.2-no-display-20261120": ["GPU105", "EGL202", "EGL204"],
    "silent-cpu/mp0.10.31-20261120": ["MPP402"],
}


def name_of(path: Path) -> str:
    return path.relative_to(RECORDED).with_suffix("").as_posix()


def test_every_recorded_file_has_its_cause_here() -> None:
    assert {name_of(path) for path in FILES} == set(ROOT_CAUSE)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_recorded_evidence_gives_its_verdict_and_cause(path: Path) -> None:
    (evidence,) = store.load_evidence(path)
    judgement = judge(evidence)

    assert judgement.verdict.value == path.parent.name
    assert judgement.verdict.status is not Status.PASS
    assert [finding.code for finding in findings(evidence, judgement)] == ROOT_CAUSE[name_of(path)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_recorded_evidence_was_not_composed_and_names_no_home(path: Path) -> None:
    (evidence,) = store.load_evidence(path)

    assert not evidence.composed
    assert evidence.recorded_at
    assert not re.search(r"/home/|/root/|/Users/", path.read_text(encoding="utf-8"))
