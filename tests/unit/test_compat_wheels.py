"""What is known of MediaPipe's wheels, and when they cannot use the GPU."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.compat import codes, host_platform, load_tables, newest_for, wheel_facts, wheel_platform, wheel_reason
from envcheck.model import Axes, Host, Unread

LINUX = "linux-x86_64"
TABLES = load_tables()
RELEASES = [row.version for row in TABLES.mediapipe.releases.rows]
PLATFORMS = sorted({row.platform for row in TABLES.mediapipe.wheels.rows})


def axes(mediapipe: str | None, python: str | None = "3.11") -> Axes:
    return Axes(backend="venv", python=python, mediapipe=mediapipe)


@pytest.mark.parametrize(
    ("version", "gpu", "gl", "needs", "software_gl"),
    [
        pytest.param("0.10.7", "none", "none", (), None, id="0.10.7"),
        pytest.param("0.10.8", "gl", "bundled", (), "accepted", id="0.10.8"),
        pytest.param("0.10.21", "gl", "bundled", (), "accepted", id="0.10.21"),
        pytest.param("0.10.32", "none", "none", (), None, id="0.10.32"),
        pytest.param("0.10.33", "gl", "system", ("libGLESv2.so.2", "libEGL.so.1"), "accepted", id="0.10.33"),
        pytest.param("1.0.0", "none", "none", (), None, id="1.0.0"),
        pytest.param("1.0.1", "gl", "system", ("libEGL.so.1", "libGLESv2.so.2"), "refused", id="1.0.1"),
    ],
)
def test_linux_wheels_differ_in_gl(
    version: str, gpu: str, gl: str, needs: tuple[str, ...], software_gl: str | None
) -> None:
    facts = wheel_facts(version, LINUX)
    assert facts is not None
    assert (facts.gpu, facts.gl, facts.needs, facts.software_gl) == (gpu, gl, needs, software_gl)


def test_the_delegate_was_renumbered_in_1_2_2() -> None:
    before, after = wheel_facts("1.2.0", LINUX), wheel_facts("1.2.2", LINUX)
    assert before is not None
    assert after is not None
    assert before.members == {"CPU": 0, "GPU": 1}
    assert after.members == {"DEFAULT": 0, "CPU": 1, "GPU": 2}


def test_the_api_changed_in_0_10_30() -> None:
    before, after = wheel_facts("0.10.21", LINUX), wheel_facts("0.10.30", LINUX)
    assert before is not None
    assert after is not None
    assert (before.api, before.native) == ("solutions", "bindings")
    assert (after.api, after.native) == ("tasks", "c-library")


@pytest.mark.parametrize(
    ("version", "platform"),
    [
        pytest.param("2.0.0", LINUX, id="future-version"),
        pytest.param("0.9.1", LINUX, id="version-older-than-the-table"),
        pytest.param("latest", LINUX, id="no-version"),
        pytest.param("1.2.2", "linux-riscv64", id="platform-that-is-not-in-the-table"),
        pytest.param("0.10.21", "linux-aarch64", id="no-wheel"),
    ],
)
def test_what_is_not_in_the_table_has_no_facts(version: str, platform: str) -> None:
    assert wheel_facts(version, platform) is None


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("version", RELEASES)
def test_facts_carry_a_source(version: str, platform: str) -> None:
    facts = wheel_facts(version, platform)
    assert facts is None or facts.source in TABLES.sources


@pytest.mark.parametrize(
    ("system", "machine", "platform"),
    [
        pytest.param("linux", "x86_64", "linux-x86_64", id="linux"),
        pytest.param("Linux", "arm64", "linux-aarch64", id="linux-arm"),
        pytest.param("darwin", "arm64", "macos-arm64", id="macos"),
        pytest.param("Darwin", "x86_64", "macos-x86_64", id="macos-intel"),
        pytest.param("windows", "AMD64", "windows-x86_64", id="windows"),
        pytest.param("Windows", "ARM64", "windows-arm64", id="windows-arm"),
    ],
)
def test_a_platform_has_one_name(system: str, machine: str, platform: str) -> None:
    assert wheel_platform(system, machine) == platform
    assert platform in PLATFORMS
    host = Host(platform=system, machine=machine, nvml=Unread(reason="no driver"))
    assert host_platform(host) == platform


@pytest.mark.parametrize(
    ("mediapipe", "python", "platform", "glibc", "code"),
    [
        pytest.param("0.10.7", "3.11", LINUX, "2.36", codes.NO_GPU_CODE, id="no-gpu-code-0.10.7"),
        pytest.param("0.10.8", "3.11", LINUX, "2.36", None, id="gpu-code-0.10.8"),
        pytest.param("0.10.21", "3.12", LINUX, "2.36", None, id="gpu-code-0.10.21"),
        pytest.param("0.10.30", "3.11", LINUX, "2.36", codes.DELEGATE_IGNORED, id="ignored-0.10.30"),
        pytest.param("0.10.31", "3.11", LINUX, "2.36", codes.DELEGATE_IGNORED, id="ignored-0.10.31"),
        pytest.param("0.10.31", "3.11", "macos-arm64", None, codes.DELEGATE_IGNORED, id="ignored-though-metal"),
        pytest.param("0.10.32", "3.11", LINUX, "2.36", codes.NO_GPU_CODE, id="no-gpu-code-0.10.32"),
        pytest.param("0.10.33", "3.11", LINUX, "2.36", None, id="gpu-code-0.10.33"),
        pytest.param("1.0.0", "3.11", LINUX, "2.36", codes.NO_GPU_CODE, id="no-gpu-code-1.0.0"),
        pytest.param("1.0.0", "3.11", "linux-aarch64", "2.36", codes.NO_GPU_CODE, id="no-gpu-code-1.0.0-arm"),
        pytest.param("1.0.1", "3.11", "linux-aarch64", "2.36", None, id="gpu-code-1.0.1-arm"),
        pytest.param("1.2.2", "3.11", "windows-x86_64", None, codes.NO_GPU_CODE, id="no-gpu-code-on-windows"),
        pytest.param("1.2.2", "3.11", "macos-arm64", None, None, id="metal"),
        pytest.param("0.10.21", "3.13", LINUX, "2.36", codes.NO_WHEEL_FOR_PYTHON, id="no-wheel-for-3.13"),
        pytest.param("0.10.21", "3.13.1", LINUX, "2.36", codes.NO_WHEEL_FOR_PYTHON, id="no-wheel-for-3.13.1"),
        pytest.param("0.10.21", "3.8", LINUX, "2.36", codes.NO_WHEEL_FOR_PYTHON, id="no-wheel-for-3.8"),
        pytest.param("0.10.9", "3.8", LINUX, "2.36", None, id="wheel-for-3.8"),
        pytest.param("1.2.2", "3.13", LINUX, "2.36", None, id="wheel-for-any-python"),
        pytest.param("1.2.2", "3.8", LINUX, "2.36", codes.NO_WHEEL_FOR_PYTHON, id="code-that-3.8-cannot-read"),
        pytest.param("0.10.30", "3.8.18", LINUX, "2.36", codes.NO_WHEEL_FOR_PYTHON, id="nor-3.8.18"),
        pytest.param("1.2.2", "3.9", LINUX, "2.36", None, id="code-for-3.9"),
        pytest.param("1.2.2", "3.10.4", LINUX, "2.36", None, id="3.10-is-newer-than-3.9"),
        pytest.param("1.2.2", "3", LINUX, "2.36", None, id="any-python-3"),
        pytest.param("0.10.21", "3.11t", LINUX, "2.36", None, id="python-nobody-knows"),
        pytest.param("0.10.21", None, LINUX, "2.36", None, id="no-python-axis"),
        pytest.param("0.10.21", "3.11", "linux-aarch64", "2.36", codes.NO_WHEEL_FOR_PLATFORM, id="no-wheel-for-arm"),
        pytest.param("0.10.15", "3.11", "windows-x86_64", None, codes.NO_WHEEL_FOR_PLATFORM, id="no-windows-wheel"),
        pytest.param("1.2.2", "3.11", "linux-riscv64", "2.36", None, id="platform-nobody-knows"),
        pytest.param("1.2.2", "3.11", LINUX, "2.27", codes.NO_WHEEL_FOR_PLATFORM, id="glibc-2.27-is-below-2.28"),
        pytest.param("1.2.2", "3.11", LINUX, "2.28", None, id="glibc-2.28"),
        pytest.param("1.2.2", "3.11", LINUX, "2.4", codes.NO_WHEEL_FOR_PLATFORM, id="glibc-2.4-is-below-2.28"),
        pytest.param("0.10.9", "3.11", LINUX, "2.17", None, id="glibc-2.17-suffices-for-0.10.9"),
        pytest.param("1.2.2", "3.11", LINUX, None, None, id="glibc-nobody-knows"),
        pytest.param("1.2.1", "3.11", LINUX, "2.36", codes.NO_WHEEL_FOR_PLATFORM, id="never-published"),
        pytest.param(
            "1.2.1", "3.11", "linux-riscv64", "2.36", codes.NO_WHEEL_FOR_PLATFORM, id="never-published-at-all"
        ),
        pytest.param("2.0.0", "3.11", LINUX, "2.36", None, id="version-nobody-knows"),
        pytest.param(None, "3.11", LINUX, "2.36", None, id="no-mediapipe-axis"),
    ],
)
def test_a_wheel_is_impossible_for_a_reason_or_not_at_all(
    mediapipe: str | None, python: str | None, platform: str, glibc: str | None, code: str | None
) -> None:
    reason = wheel_reason(axes(mediapipe, python), platform, glibc)
    assert (reason.code if reason else None) == code
    if reason is not None:
        assert reason.state == "impossible"
        assert mediapipe is not None
        assert mediapipe in reason.because
        assert reason.source == TABLES.cite("wheels")


def test_what_cannot_be_installed_is_said_before_what_it_could_not_do() -> None:
    reason = wheel_reason(axes("0.10.7", "3.13"), LINUX)
    assert reason is not None
    assert reason.code == codes.NO_WHEEL_FOR_PYTHON
    assert "3.8, 3.9, 3.10, 3.11, not for 3.13" in reason.because


@pytest.mark.parametrize(
    ("python", "platform", "newest"),
    [
        ("3.8", LINUX, "0.10.11"),
        ("3.8.18", LINUX, "0.10.11"),
        ("3.9", LINUX, RELEASES[-1]),
        ("3.13", LINUX, RELEASES[-1]),
        ("3.7", LINUX, None),
        ("3.8", "linux-aarch64", None),
        ("3.11", "windows-x86_64", None),
    ],
)
def test_the_newest_that_can_use_the_gpu_with_a_python(python: str, platform: str, newest: str | None) -> None:
    assert newest_for(python, platform) == newest


def test_an_ignored_delegate_says_whether_gpu_code_is_missing_too() -> None:
    linux, macos = (wheel_reason(axes("0.10.31"), platform) for platform in (LINUX, "macos-arm64"))
    assert linux is not None
    assert macos is not None
    assert "no GPU code either" in linux.because
    assert "no GPU code" not in macos.because


@given(st.sampled_from(RELEASES), st.integers(0, 30), st.sampled_from(PLATFORMS), st.integers(0, 60))
def test_whatever_is_foreseen_of_a_wheel_is_impossible_with_a_code(
    version: str, python: int, platform: str, glibc: int
) -> None:
    reason = wheel_reason(axes(version, f"3.{python}"), platform, f"2.{glibc}")
    if reason is not None:
        assert reason.state == "impossible"
        assert reason.code.startswith("MPP40")


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=12), st.none() | st.text(max_size=8))
def test_no_text_makes_it_fail(version: str, python: str, platform: str, glibc: str | None) -> None:
    reason = wheel_reason(axes(version, python), platform, glibc)
    assert reason is None or reason.state == "impossible"
