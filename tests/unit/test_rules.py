"""Rules: codes, pages, and which cause a refused delegate is put down to."""

from __future__ import annotations

import re

import pytest

from envcheck.judge import judge
from envcheck.model import (
    Axes,
    Build,
    Cell,
    Evidence,
    Foresight,
    Gate,
    GlContext,
    Host,
    Status,
    Unread,
    Verdict,
    WorkerRun,
    Workload,
)
from envcheck.rules import BY_CODE, RULES, findings

UMBRELLA = 'Service "kGpuService", required by node x, was not provided and cannot be created: '
EMULATION = "GPU emulation detected, but not supported. Please run in an environment that exposes a physical GPU."
DEFAULT_FAILED = "E0000 gl_context_egl.cc:112] INTERNAL: RET_CHECK failure egl_initialized Unable to initialize EGL"
LLVMPIPE = "I0000 gl_context.cc:408] GL version: 3.2 (OpenGL ES 3.2 Mesa 22.3.6), renderer: llvmpipe (LLVM 15.0.6)"
ES_3_0 = "I0000 gl_context.cc:357] GL version: 3.0 (OpenGL ES 3.0 NVIDIA 390.157), renderer: GeForce GT 630M/PCIe/SSE2"
CPU_RAN = WorkerRun(delegate="CPU", outcome="ran", stage="done")


def evidence(
    *,
    gpu: WorkerRun | None = None,
    cpu: WorkerRun = CPU_RAN,
    steering: dict[str, str] | None = None,
    build: Build | None = None,
    gl: GlContext | None = None,
) -> Evidence:
    return Evidence(
        cell=Cell(id="venv-mp1.2.2", axes=Axes(backend="venv", mediapipe="1.2.2")),
        host=Host(platform="linux", machine="x86_64", nvml=Unread(reason="no driver"), steering=steering or {}),
        foresight=Foresight(state="reachable"),
        gate=Gate(),
        workload=Workload(),
        build=build or Build(outcome="built"),
        cpu=cpu,
        gpu=gpu or WorkerRun(delegate="GPU", outcome="not-run"),
        gl=gl or Unread(reason="not asked"),
    )


def refused(error: str, *log: str) -> WorkerRun:
    return WorkerRun(delegate="GPU", outcome="refused", stage="create", error_type="RuntimeError", error=error, log=log)


def root_code(seen: Evidence) -> str:
    return findings(seen, judge(seen))[0].code


@pytest.mark.parametrize(
    ("error", "log", "code"),
    [
        (UMBRELLA + "RET_CHECK display != EGL_NO_DISPLAYeglGetDisplay() returned error 0x300c", (), "EGL201"),
        (UMBRELLA + "Failed to get and init EGL display.", ("Devices tried: 0",), "EGL201"),
        (UMBRELLA + "RET_CHECK egl_initializedUnable to initialize EGL", (), "EGL202"),
        (UMBRELLA + EMULATION, (DEFAULT_FAILED, LLVMPIPE), "EGL202"),
        (UMBRELLA + EMULATION, (LLVMPIPE,), "EGL204"),
        (UMBRELLA + "eglChooseConfig() returned no matching EGL configuration for RGBA8888", (), "EGL203"),
        (UMBRELLA + "OpenGL ES 3.1 or above is required to use OpenGL inference.", (), "EGL205"),
        (UMBRELLA + "failed: [GL_INVALID_ENUM]: An unacceptable value is specified", (ES_3_0,), "EGL205"),
        ("Following operations are not supported by GPU delegate:\nCAST: Not supported logical op", (), "MPP418"),
        ("ImageCloneCalculator: GPU processing is disabled in build flags", (), "MPP401"),
        (UMBRELLA + "something new", (), "EGL206"),
    ],
    ids=[
        "0x300c",
        "no device",
        "no display",
        "no display 1.x",
        "emulation",
        "config",
        "es 3.1",
        "es 3.0",
        "operations",
        "flags",
        "unknown",
    ],
)
def test_a_refusal_is_put_down_to_the_cause_in_its_tail(error: str, log: tuple[str, ...], code: str) -> None:
    seen = evidence(gpu=refused(error, *log))

    assert judge(seen).verdict is Verdict.REFUSED
    assert root_code(seen) == code


@pytest.mark.parametrize(
    ("steering", "words"),
    [
        ({}, "no DISPLAY, WAYLAND_DISPLAY or EGL_PLATFORM is set"),
        ({"DISPLAY": "localhost:10.0"}, "DISPLAY=localhost:10.0"),
    ],
    ids=["none", "foreign"],
)
def test_the_finding_names_the_display(steering: dict[str, str], words: str) -> None:
    seen = evidence(gpu=refused(UMBRELLA + "Unable to initialize EGL"), steering=steering)

    assert words in findings(seen, judge(seen))[0].summary


def test_a_missing_library_is_named_with_the_package_that_brings_it() -> None:
    error = "libEGL.so.1: cannot open shared object file: No such file or directory"
    broken = WorkerRun(delegate="CPU", outcome="refused", stage="create", error_type="OSError", error=error)
    seen = evidence(cpu=broken)
    finding = findings(seen, judge(seen))[0]

    assert finding.code == "MPP405"
    assert "libEGL.so.1" in finding.summary
    assert "libegl1" in finding.remedy


@pytest.mark.parametrize(
    ("python", "code", "way_out"),
    [("3.8.18", "MPP403", "mediapipe==0.10.11"), ("3.11.7", "MPP409", "pip check")],
)
def test_an_import_that_fails_on_a_python_that_is_too_old_names_it(python: str, code: str, way_out: str) -> None:
    """The wheels from 0.10.30 on install on any Python, and their code needs 3.9."""
    error = "'type' object is not subscriptable"
    broken = WorkerRun(
        delegate="CPU", outcome="import-failed", stage="import", error_type="TypeError", error=error, python=python
    )
    seen = evidence(cpu=broken)
    found = [one for one in findings(seen, judge(seen)) if one.status is Status.FAIL]

    assert [one.code for one in found] == [code]
    assert way_out in found[0].remedy


def test_a_cpu_failure_for_another_cause_is_not_called_a_missing_library() -> None:
    broken = WorkerRun(delegate="CPU", outcome="refused", stage="create", error_type="ValueError", error="bad model")

    assert root_code(evidence(cpu=broken)) == "MPP409"


@pytest.mark.parametrize(
    ("outcome", "verdict", "code"),
    [
        ("no-wheel", Verdict.IMPOSSIBLE, "MPP403"),
        ("unsolvable", Verdict.IMPOSSIBLE, "MPP417"),
        ("no-interpreter", Verdict.BROKEN, "MPP406"),
        ("failed", Verdict.BROKEN, "MPP407"),
        ("unavailable", Verdict.UNKNOWN, "MPP408"),
    ],
)
def test_an_environment_that_could_not_be_built_says_why(outcome: str, verdict: Verdict, code: str) -> None:
    seen = evidence(cpu=WorkerRun(delegate="CPU", outcome="not-run"), build=Build(outcome=outcome, because="reason"))

    assert judge(seen).verdict is verdict
    assert root_code(seen) == code


def test_codes_are_unique_and_of_a_known_family() -> None:
    assert len(BY_CODE) == len(RULES)
    for code in BY_CODE:
        assert re.fullmatch(r"(GPU1|EGL2|CTR3|MPP4|BEN5|RES6|CUD7|SRC8)\d\d", code)


def test_every_rule_says_why_what_to_do_and_where_that_is_known_from() -> None:
    for rule in RULES:
        assert rule.title
        assert rule.because
        assert rule.remedy
        assert rule.url.startswith("https://")


def test_only_a_proven_gpu_is_a_pass() -> None:
    assert [rule.code for rule in RULES if rule.status is Status.PASS] == ["BEN501"]
