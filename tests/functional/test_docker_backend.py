"""The docker backend on a real engine: images are built, verdicts come from inside, nothing stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envcheck.backends import configured
from envcheck.boxes.lifecycle import here
from envcheck.engines.local import host_here
from envcheck.environments import prepare
from envcheck.matrix import load
from envcheck.request import Choice, selected
from tests import containers
from tests.children import child
from tests.functional.conftest import Command, Ran, environment

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.timeout(900)]

MATRIX = """
version: 1
axes:
  backend: [docker]
  python: ["3.11"]
  mediapipe: [{versions}]
backends:
  docker: {{images: {{none: "{base}"}}, network: host, software_gl: true{more}}}
"""
ORPHAN = "envcheck-orphan"
SURFACELESS = ", environment: {EGL_PLATFORM: surfaceless}"


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """DOCKER_HOST."""
    if reason := containers.engine_missing():
        pytest.skip(reason)
    with containers.engine() as named:
        containers.provide_base(named)
        before = cells(named)
        yield named
        docker(named, "image", "rm", "--force", *sorted(cells(named) - before))


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A matrix file with cells in containers."""

    def write(*versions: str, more: str = SURFACELESS, base: str = containers.BASE) -> Path:
        path = tmp_path_factory.mktemp("matrix") / "matrix.yaml"
        listed = ", ".join(f'"{version}"' for version in versions)
        path.write_text(MATRIX.format(versions=listed, more=more, base=base), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def surfaceless(envcheck: Command, host: str, matrix: Callable[..., Path]) -> Ran:
    """Two cells that are given software GL."""
    path = matrix("0.10.35", "1.2.2")
    return envcheck("validate", "--matrix", str(path), "--jobs", "1", env={"DOCKER_HOST": host})


def docker(host: str, *words: str) -> str:
    return subprocess.run(["docker", "--host", host, *words], capture_output=True, text=True, check=False).stdout


def cells(host: str) -> set[str]:
    return set(docker(host, "image", "ls", "--quiet", "localhost/envcheck/cell").split())


def left(host: str) -> str:
    return docker(host, "ps", "--all", "--quiet", "--filter", "label=envcheck.run")


def build_of(ran: Ran, version: str) -> dict[str, str]:
    evidence: dict[str, dict[str, str]] = json.loads((ran.out / ran.cell(version)["evidence"]).read_text())
    return evidence["build"]


def test_software_gl_in_a_container_is_told_as_in_a_venv(surfaceless: Ran) -> None:
    assert surfaceless.code == 1, surfaceless.stderr
    verdicts = {version: surfaceless.cell(version)["verdict"] for version in ("0.10.35", "1.2.2")}
    assert verdicts == {"0.10.35": "emulated", "1.2.2": "refused"}


def test_the_image_the_base_and_the_way_of_the_gpu_are_recorded(surfaceless: Ran) -> None:
    build = build_of(surfaceless, "1.2.2")

    assert build["outcome"] == "built", build
    assert build["image"].startswith("sha256:")
    assert build["base_digest"]
    assert build["injection"]


def test_the_worker_is_looked_at_from_outside(surfaceless: Ran) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user's processes may not be looked into; enable with: sudo")
    evidence = json.loads((surfaceless.out / surfaceless.cell("0.10.35")["evidence"]).read_text())

    assert evidence["gpu"]["looked_from"] == "outside"
    assert evidence["gpu"]["inner_pid"] == 1
    assert evidence["gpu"]["pid"] > 1


@pytest.fixture(scope="module")
def plain(envcheck: Command, host: str, matrix: Callable[..., Path]) -> Ran:
    """A cell without a platform for EGL, after a run that was killed has left a container."""
    label = f"envcheck.run={here()}-4194305-1"  # no process has that number
    docker(host, "run", "--detach", "--label", label, "--name", ORPHAN, containers.BASE, "sleep", "600")
    assert left(host)
    return envcheck("validate", "--matrix", str(matrix("0.10.21", more="")), env={"DOCKER_HOST": host})


def test_without_a_platform_the_delegate_is_refused(plain: Ran) -> None:
    assert plain.cell("0.10.21")["verdict"] == "refused", plain.stdout
    assert build_of(plain, "0.10.21")["outcome"] == "built"


def test_what_a_killed_run_has_left_is_removed_and_said(plain: Ran, host: str) -> None:
    assert f"removed what an earlier run has left: {ORPHAN}" in plain.stderr
    assert left(host) == ""


def test_a_cell_of_an_image_that_is_there_is_ready_in_two_seconds(
    surfaceless: Ran, host: str, matrix: Callable[..., Path], cache: Path
) -> None:
    env = environment({"DOCKER_HOST": host})
    asked = load(matrix("1.2.2"))
    cell = selected(asked, Choice(), None)[0]
    known = configured(asked.backends, host_here(env), env)
    prepared = prepare(cell, cache=cache, env=env, backends=known)

    assert prepared.build.outcome == "reused"
    assert prepared.build.seconds is not None
    assert prepared.build.seconds < 2


def test_nothing_runs_after_a_run(surfaceless: Ran, host: str) -> None:
    assert left(host) == ""
    assert docker(host, "volume", "ls", "--quiet") == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_run_leaves_no_container(
    surfaceless: Ran, host: str, matrix: Callable[..., Path], cache: Path, tmp_path: Path, number: int
) -> None:
    words = [sys.executable, "-m", "envcheck", "validate", "--matrix", str(matrix("1.2.2"))]
    env = environment({"ENVCHECK_CACHE": str(cache), "DOCKER_HOST": host})
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with child(words, cwd=tmp_path, env=env, **quiet) as running:
        wait_until(lambda: bool(left(host)))
        running.send_signal(number)
        running.wait(60)

    wait_until(lambda: not left(host))


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_base_that_is_not_there_is_no_fault_of_the_cell(
    envcheck: Command, host: str, matrix: Callable[..., Path]
) -> None:
    path = matrix("1.2.2", base="localhost:1/nobody/has:this")
    ran = envcheck("validate", "--matrix", str(path), env={"DOCKER_HOST": host})

    evidence = json.loads((ran.out / ran.cell("1.2.2")["evidence"]).read_text())
    assert evidence["build"]["outcome"] == "unavailable"
    assert "base image" in evidence["build"]["because"]
    assert not re.search("Traceback", ran.stderr)


def test_no_engine_is_told_with_what_was_asked(envcheck: Command, matrix: Callable[..., Path]) -> None:
    env = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "ENVCHECK_ENGINE": "docker"}
    ran = envcheck("validate", "--matrix", str(matrix("1.2.2")), env=env)

    evidence = json.loads((ran.out / ran.cell("1.2.2")["evidence"]).read_text())
    assert evidence["build"]["outcome"] == "unavailable"
    assert "no container engine answers" in evidence["build"]["because"]
    assert "Start the engine" in evidence["build"]["because"]
