"""`envcheck lint` on Dockerfiles, compose files and scripts, as a user runs it: files, folders, formats, bad input."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inprocess import ended

DOCKERFILE = """\
FROM nvidia/cuda:12.8.1-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y python3-pip
COPY requirements.txt .
RUN pip install -r requirements.txt
"""
COMPOSE = """\
services:
  facemesh:
    build: .
    deploy: {resources: {reservations: {devices: [{capabilities: [gpu, utility]}]}}}
"""
RUN = "#!/bin/sh\ndocker run --rm --gpus all app python3 app.py\n"

Lint = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return ended("lint", *arguments, cwd=tmp_path, stdin=stdin)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "requirements.txt").write_text("mediapipe==0.10.35\nopencv-python-headless\n")
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "run.sh").write_text(RUN)
    (tmp_path / "other.yaml").write_text("a: [\n")
    return tmp_path


def test_a_project_is_judged_as_a_whole(lint: Lint, project: Path) -> None:
    ran = lint(".", "--driver", "470")

    assert ran.returncode == 1
    for place in (
        "Dockerfile:1:1: SRC830 ", "Dockerfile:1:1: SRC837 ", "Dockerfile:4:20: SRC831 ", "Dockerfile:4:20: SRC836 ",
        "compose.yaml:4:66: SRC840 ", "run.sh:2:17: SRC850 ",
    ):  # fmt: skip
        assert place in ran.stdout, place
    assert "MediaPipe 0.10.35 loads libGLESv2.so.2 and libEGL.so.1" in ran.stdout
    assert ran.stdout.endswith("\n3 files, 6 findings, 1 remark\n")
    assert ran.stderr == ""


def test_the_mended_project_is_clean(lint: Lint, project: Path) -> None:
    mended = DOCKERFILE.replace("python3-pip", "python3-pip libegl1 libgles2 libgl1 libglib2.0-0")
    (project / "Dockerfile").write_text(mended + "ENV NVIDIA_DRIVER_CAPABILITIES=all\n")
    (project / "requirements.txt").write_text("mediapipe==0.10.35\ntorch\n")
    (project / "compose.yaml").write_text(COMPOSE.replace("gpu, utility", "gpu"))
    ran = lint(".", "--driver", "570")

    assert (ran.returncode, ran.stdout) == (0, "3 files, 0 findings, 0 remarks\n")


def test_json_and_sarif_are_those_of_python_files(lint: Lint, project: Path) -> None:
    document = json.loads(lint("--format", "json", "compose.yaml").stdout)
    log = json.loads(lint("--format", "sarif", "compose.yaml").stdout)

    (finding,) = document["findings"]
    assert (finding["code"], finding["line"], finding["column"], finding["end_column"]) == ("SRC840", 4, 66, 80)
    (result,) = log["runs"][0]["results"]
    assert log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "SRC840"
    assert result["locations"][0]["physicalLocation"]["region"]["startColumn"] == 66


def test_a_dockerfile_may_come_from_standard_input(lint: Lint) -> None:
    ran = lint("-", stdin="FROM python:3.13-alpine\nRUN pip install mediapipe\n")

    assert ran.returncode == 1
    assert ran.stdout.startswith("-:1:1: SRC835 ")


def test_the_options_hold_here_too(lint: Lint, project: Path) -> None:
    assert "SRC831" not in lint("Dockerfile", "--ignore", "SRC831").stdout
    assert lint("Dockerfile", "--select", "SRC835").returncode == 0
    (project / "gpu.compose.yaml").write_text(
        "services:\n  a: {image: nvidia/cuda:12.8.1-base-ubuntu24.04, gpus: all}\n"
    )
    (project / "requirements.txt").unlink()
    (project / "Dockerfile").unlink()
    assert lint("gpu.compose.yaml").returncode == 0
    assert lint("gpu.compose.yaml", "--mediapipe", "1.2.2").returncode == 1


@pytest.mark.parametrize("driver", ["", "new", "570.", "57", "570; rm"])
def test_a_driver_that_is_none_is_wrong_use(lint: Lint, project: Path, driver: str) -> None:
    ran = lint("Dockerfile", "--driver", driver)

    assert ran.returncode == 2
    assert "is no NVIDIA driver" in ran.stderr


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("Dockerfile", b"\x7fELF\x02\x01\x00\xff" * 100),
        ("Dockerfile", b""),
        ("Dockerfile", b"FROM a\nRUM x\n"),
        ("compose.yaml", b"services: [\n"),
        ("compose.yaml", b"services: " + b"{a: " * 5000),
        ("run.sh", b"\xff\xff"),
        ("Makefile", b"a:\n\t\x00\n"),
    ],
)
def test_bad_input_is_a_finding_and_no_traceback(lint: Lint, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    ran = lint(name)

    assert (ran.returncode, ran.stderr) == (1, "")
    assert f"{name}:" in ran.stdout
    assert ": SRC800 " in ran.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Dockerfile", "FROM python:3.12\nRUN pip install mediapipe " + "a" * 4_000_000),
        ("Dockerfile", "FROM python:3.12\n" + "RUN pip install mediapipe && \\\n" * 20_000),
        ("run.sh", "# mediapipe\ndocker run " + "-e A=b " * 60_000 + "app"),
        ("compose.yaml", "x: &x {a: b}\n" + "services:\n" + "  m: {<<: [*x, *x], image: mediapipe}\n" * 3),
    ],
    ids=["long line", "long instruction", "long command", "anchors"],
)
def test_large_files_get_an_answer(lint: Lint, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    ran = lint(name)

    assert ran.returncode in (0, 1)
    assert "it was not read" not in ran.stdout
    assert ran.stderr == ""
