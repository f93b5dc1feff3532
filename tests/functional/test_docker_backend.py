"""The docker backend on a real engine: images are built, verdicts come from inside, nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import containers
from tests.children import child
from tests.functional import cellimage
from tests.functional.conftest import Command, Ran, environment
from tests.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.timeout(1800)]

VERSIONS = ("0.10.21", "0.10.35", "1.2.2")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The name of a matrix file with cells in images."""

    def write(*versions: str, **more: str) -> str:
        path = tmp_path_factory.mktemp("matrix") / "matrix.yaml"
        path.write_text(cellimage.matrix(*versions, **more), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="module")
def surfaceless(envcheck: Command, docker_host: str, matrix: Callable[..., str]) -> Ran:
    """Cells that are given software GL."""
    with containers.alone("cells"):
        # Nothing keeps Mesa's compiled shaders in a container: a first frame takes a minute of a core or two.
        words = ("--matrix", matrix(*VERSIONS), "--jobs", "1", "--deadline", "800")
        return envcheck("validate", *words, env={"DOCKER_HOST": docker_host})


def evidence_of(ran: Ran, cell: dict[str, Any]) -> dict[str, Any]:
    evidence: dict[str, Any] = json.loads((ran.out / cell["evidence"]).read_text(encoding="utf-8"))
    return evidence


def test_software_gl_in_a_container_is_told_as_in_a_venv(surfaceless: Ran) -> None:
    assert surfaceless.code == 1, surfaceless.stderr
    verdicts = {version: surfaceless.cell(version)["verdict"] for version in VERSIONS}
    assert verdicts == {"0.10.21": "emulated", "0.10.35": "emulated", "1.2.2": "refused"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_image_the_base_and_the_way_of_the_gpu_are_recorded(surfaceless: Ran, version: str) -> None:
    build = evidence_of(surfaceless, surfaceless.cell(version))["build"]

    assert build["outcome"] in ("built", "reused"), build  # other tests of the run share the images of cells
    assert build["image"].startswith("sha256:")
    assert build["base_digest"]
    assert build["injection"]


def test_the_worker_is_looked_at_from_outside(surfaceless: Ran) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user's processes may not be looked into; enable with: sudo")
    gpu = evidence_of(surfaceless, surfaceless.cell("0.10.35"))["gpu"]

    assert gpu["looked_from"] == "outside"
    assert gpu["inner_pid"] == 1
    assert gpu["pid"] > 1


def test_a_cell_that_differs_in_mediapipe_shares_every_other_layer(surfaceless: Ran, docker_host: str) -> None:
    """But for what the older one requires: 0.10.21 needs packages that later ones do not."""
    layers = {}
    for version in ("0.10.35", "1.2.2"):
        image = evidence_of(surfaceless, surfaceless.cell(version))["build"]["image"]
        told = json.loads(containers.docker(docker_host, "image", "inspect", image))
        layers[version] = told[0]["RootFS"]["Layers"]

    shared = [one for one, other in zip(*layers.values(), strict=False) if one == other]
    assert len(shared) >= len(layers["1.2.2"]) - 2


@pytest.fixture(scope="module")
def plain(envcheck: Command, docker_host: str, matrix: Callable[..., str]) -> Ran:
    """Cells without software GL."""
    path = matrix("0.10.21", "1.2.2", settings="")
    return envcheck("validate", "--matrix", path, "--jobs", "1", env={"DOCKER_HOST": docker_host})


def test_without_software_gl_the_delegate_is_refused(plain: Ran) -> None:
    assert len(plain.results["cells"]) == 2
    for cell in plain.results["cells"]:
        assert cell["verdict"] == "refused", plain.stdout
        assert evidence_of(plain, cell)["build"]["outcome"] == "built"
        assert evidence_of(plain, cell)["cpu"]["outcome"] == "ran"


def test_an_image_that_is_there_is_taken_as_it_is(
    surfaceless: Ran, docker_host: str, matrix: Callable[..., str], cache: Path
) -> None:
    key = evidence_of(surfaceless, surfaceless.cell("1.2.2"))["build"]["key"]
    with containers.alone("cells"):  # a run with a cache of its own builds the same image anew, under the same name
        builds = [cellimage.made(docker_host, Path(matrix("1.2.2")), cache).build for _ in range(2)]

    assert [(build.outcome, build.key) for build in builds] == [("reused", key)] * 2
    assert builds[0].image == builds[1].image


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_run_leaves_no_container(
    surfaceless: Ran, docker_host: str, matrix: Callable[..., str], cache: Path, tmp_path: Path, number: int
) -> None:
    words = [sys.executable, "-m", "envcheck", "validate", "--matrix", matrix("1.2.2")]
    env = environment({"ENVCHECK_CACHE": str(cache), "DOCKER_HOST": docker_host})
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with child(words, cwd=tmp_path, env=env, **quiet) as running:
        mine = f"-{running.pid}-"
        wait_until(lambda: mine in labels(docker_host), "a container of this run")
        running.send_signal(number)
        running.wait(PATIENCE_S)

    wait_until(lambda: mine not in labels(docker_host), "no container of this run")


def labels(host: str) -> str:
    """The runs whose containers are there."""
    return containers.docker(host, "ps", "--all", "--format", '{{.Label "envcheck.run"}}')


def test_no_engine_is_told_with_what_was_asked(envcheck: Command, matrix: Callable[..., str]) -> None:
    env = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "ENVCHECK_ENGINE": "docker"}
    ran = envcheck("validate", "--matrix", matrix("1.2.2"), env=env)
    build = evidence_of(ran, ran.cell("1.2.2"))["build"]

    assert build["outcome"] == "no-engine"
    assert "no container engine answers" in build["because"]
    assert "Start the engine" in build["because"]
