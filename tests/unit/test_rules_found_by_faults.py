"""What a broken world of tests/faults first asked for: programs that do not come back, calls that are not there."""

from __future__ import annotations

import pytest

from envcheck.judge import judge
from envcheck.model import Evidence, Unread
from envcheck.rules import findings
from tests.unit import worlds

GL_LINE = "I1 gl_context.cc:369] GL version: 3.{} (OpenGL ES 3.{} NVIDIA 570.124.06), renderer: NVIDIA T4/PCIe/SSE2"
BAD_CALL = 'InferenceCalculator" failed: [GL_INVALID_ENUM]: An unacceptable value is specified.'


def codes(evidence: Evidence) -> list[str]:
    return [finding.code for finding in findings(evidence, judge(evidence)) if finding.status.value != "SKIP"]


@pytest.mark.parametrize(
    "reason",
    [
        "the gl probe did not answer within 20 s",
        "the gl probe ended without an answer (killed by SIGSEGV)",
        "the gl probe ended without an answer (exit status 0)",
    ],
)
def test_an_egl_that_takes_its_process_down_is_a_finding_of_its_own(reason: str) -> None:
    assert "EGL222" in codes(worlds.looked_at(gl=Unread(reason=reason)))
    assert "EGL222" not in codes(worlds.looked_at(gl=Unread(reason="not looked")))


def test_an_egl_that_does_not_answer_is_no_finding_where_the_interpreter_says_nothing_at_all() -> None:
    silent = Unread(reason="the gl probe ended without an answer (exit status 1)")

    assert "EGL222" not in codes(worlds.looked_at(Unread(reason="no answer"), gl=silent))


def test_a_cuinit_that_does_not_come_back_is_named() -> None:
    reason = "the probe ended inside cuInit of /usr/lib/libcuda.so.1 (killed by SIGSEGV)"

    assert "CUD707" in codes(worlds.looked_at(cuda_driver=Unread(reason=reason)))
    assert "CUD707" not in codes(worlds.looked_at(cuda_driver=Unread(reason="no libcuda.so.1 loads")))


@pytest.mark.parametrize(("minor", "code"), [(0, "EGL205"), (2, "EGL206")])
def test_a_call_that_old_opengl_es_does_not_have_is_named_by_the_version(minor: int, code: str) -> None:
    assert code in codes(worlds.tried(worlds.refused(BAD_CALL, GL_LINE.format(minor, minor))))
