"""What an interrupted or killed run leaves in an engine: nothing, or what the next run removes and says.

In an engine of their own, because every run removes what those that are gone have left.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envcheck.boxes.lifecycle import here
from tests import containers
from tests.children import child
from tests.functional import cellimage
from tests.functional.conftest import Command, environment
from tests.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.timeout(1800)]

STUBBORN = "#!/bin/sh\nexec </dev/null\nwhile :; do sleep 1; done\n"
IMAGE = "envcheck-test/image:stubborn"
DEAD = f"{here()}-4194305-1"
"""The label of a run that no process has."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DOCKER_HOST, with an image whose Python never ends and never answers."""
    context = tmp_path_factory.mktemp("context")
    (context / "python").write_text(STUBBORN, encoding="ascii")
    (context / "python").chmod(0o755)
    lines = [f"FROM {containers.BASE}", "RUN rm /usr/bin/python3", "COPY python /usr/bin/python3", ""]
    (context / "Dockerfile").write_text("\n".join(lines), encoding="ascii")
    with containers.another_engine() as named:
        containers.provide_base(named)
        containers.docker(named, "build", "--tag", IMAGE, str(context))
        yield named


def left(host: str) -> str:
    """Names of our containers."""
    return containers.docker(host, "ps", "--all", "--format", "{{.Names}}", "--filter", "label=envcheck.run")


def ended_by(number: int, host: str, folder: Path) -> int:
    """The exit code of a check that was sent a signal when its container was up."""
    env = environment({"DOCKER_HOST": host, "ENVCHECK_CACHE": str(folder / "cache")})
    words = [sys.executable, "-m", "envcheck", "check", "--image", IMAGE, "--engine", "docker"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with child(words, cwd=folder, env=env, **quiet) as running:
        wait_until(lambda: left(host), "a container")
        running.send_signal(number)
        return running.wait(PATIENCE_S)


def test_an_interrupted_check_leaves_no_container(host: str, tmp_path: Path) -> None:
    assert ended_by(signal.SIGINT, host, tmp_path) == 130
    assert left(host) == ""


def test_what_a_killed_check_leaves_is_removed_by_the_next_one_which_says_so(
    envcheck: Command, host: str, tmp_path: Path
) -> None:
    ended_by(signal.SIGKILL, host, tmp_path)
    (name,) = left(host).split()
    scratch = "envcheck-scratch:left"
    label = f"LABEL envcheck.scratch={DEAD}"
    containers.docker(host, "import", "--change", label, "-", scratch, given=bytes(10240))
    ran = envcheck("check", "--image", containers.BASE, env={"DOCKER_HOST": host})

    assert f"removed {name}, which a run that is gone had left" in ran.stderr
    assert f"removed {scratch}, which" in ran.stderr
    assert left(host) == ""
    assert "scratch" not in containers.docker(host, "image", "ls", "--format", "{{.Repository}}")


def test_what_a_killed_run_of_a_matrix_leaves_is_removed_and_a_base_that_is_nowhere_is_no_fault_of_the_cell(
    envcheck: Command, host: str, tmp_path: Path
) -> None:
    label = f"envcheck.run={DEAD}"
    containers.docker(host, "run", "--detach", "--label", label, "--name", "orphan", containers.BASE, "sleep", "600")
    path = tmp_path / "matrix.yaml"
    path.write_text(cellimage.matrix("1.2.2", base="localhost:1/nobody/has:this"), encoding="utf-8")
    ran = envcheck("validate", "--matrix", str(path), env={"DOCKER_HOST": host})

    build = json.loads((ran.out / ran.cell("1.2.2")["evidence"]).read_text(encoding="utf-8"))["build"]

    assert "removed what an earlier run has left: orphan" in ran.stderr
    assert left(host) == ""
    assert build["outcome"] == "unavailable"
    assert "base image" in build["because"]


ASLEEP = """
FROM {base}
RUN cd /usr/lib/python3/dist-packages && mkdir mediapipe mediapipe-1.2.2.dist-info && \\
    echo 'import time; time.sleep(600)' > mediapipe/__init__.py && \\
    printf 'Metadata-Version: 2.1\\nName: mediapipe\\nVersion: 1.2.2\\n' > mediapipe-1.2.2.dist-info/METADATA
"""


def test_an_engine_that_ends_while_a_worker_is_in_its_container_is_no_fault_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(ASLEEP.format(base=containers.BASE), encoding="ascii")
    words = [sys.executable, "-m", "envcheck", "check", "--image", "asleep", "--engine", "docker"]
    with containers.another_engine() as named, (tmp_path / "said").open("wb") as said:
        containers.provide_base(named)
        containers.docker(named, "build", "--tag", "asleep", str(tmp_path))
        env = environment({"DOCKER_HOST": named, "ENVCHECK_CACHE": str(tmp_path / "cache")})
        with child(words, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as running:
            wait_until(lambda: b"on the CPU" in (tmp_path / "said").read_bytes(), "a worker to be started")
            containers.stop(Path(named.removeprefix("unix://")).parent)
            code = running.wait(2 * PATIENCE_S)

    (cell,) = json.loads((tmp_path / ".envcheck" / "results.json").read_text(encoding="utf-8"))["cells"]
    assert (code, cell["verdict"], cell["findings"][0]["code"]) == (75, "unknown", "RES615"), cell
