"""Podman on its own storage: an image is judged from inside with `envcheck check --image`, and nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from envcheck.environments import prepare
from envcheck.model import Axes, Cell
from tests import containers
from tests.functional.conftest import Command, Ran

pytestmark = [pytest.mark.podman, pytest.mark.network, pytest.mark.timeout(600)]

SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
"""
"""Limits that a container may not raise in a container, and no systemd to ask for a cgroup."""
BASE = f"localhost/{containers.BASE}"
IMAGE = "localhost/envcheck-test/podman"
DOCKERFILE = f"""
FROM {BASE}
RUN python3 -m venv --without-pip /opt/venv
COPY . /opt/venv/lib/python3.11/site-packages/
ENV PATH=/opt/venv/bin:/usr/bin:/bin
"""


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The words that start a Podman with its own storage."""
    folder = tmp_path_factory.mktemp("podman")
    settings = folder / "containers.conf"
    settings.write_text(SETTINGS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(settings))
        words = ["podman", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
        yield words
        said(words, "rm", "--all", "--force")
        said(words, "rmi", "--all", "--force")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def image(podman: list[str], cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian with MediaPipe 1.2.2 in /opt/venv, and none of the libraries that it asks the system for."""
    cell = Cell(id="1.2.2", axes=Axes(backend="venv", python="3.11", mediapipe="1.2.2"))
    prepared = prepare(cell, cache=cache, env=dict(os.environ))
    assert prepared.python, prepared.build
    packages = next(Path(prepared.python[0]).parents[1].glob("lib/python3.11/site-packages"))
    file = tmp_path_factory.mktemp("context") / "Dockerfile"
    file.write_text(DOCKERFILE, encoding="utf-8")
    with containers.base_archive() as archive:
        said(podman, "import", str(archive), BASE)
    said(
        podman,
        "build",
        "--quiet",
        "--layers=false",
        "--network=host",
        "--tag",
        IMAGE,
        "--file",
        str(file),
        str(packages),
    )
    return IMAGE


@pytest.fixture(scope="module")
def judged(envcheck: Command, podman: list[str], image: str) -> Ran:
    """The image was judged."""
    return envcheck("check", "--image", image, env={"ENVCHECK_ENGINE": " ".join(podman)})


def said(podman: list[str], *words: str) -> list[str]:
    """What Podman prints, by lines."""
    done = subprocess.run([*podman, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_image_is_judged_from_inside(judged: Ran) -> None:
    assert judged.code == 1, judged.stderr
    (cell,) = judged.results["cells"]
    assert cell["axes"]["mediapipe"] == "1.2.2"
    assert cell["verdict"] == "broken"
    assert judged.codes("1.2.2")[0] == "MPP405", judged.stdout
    assert "libxcb.so.1" in judged.stdout


def test_the_engine_and_the_image_are_recorded(judged: Ran, podman: list[str], image: str) -> None:
    evidence = json.loads((judged.out / judged.cell("1.2.2")["evidence"]).read_text(encoding="utf-8"))
    (known,) = said(podman, "image", "inspect", "--format", "{{.Id}}", image)

    assert evidence["image"]["engine"].startswith("podman ")
    assert evidence["image"]["id"].removeprefix("sha256:") == known


def test_nothing_but_the_image_is_left(judged: Ran, podman: list[str]) -> None:
    assert said(podman, "ps", "--all", "--quiet") == []
    assert said(podman, "volume", "ls", "--quiet") == []
    names = said(podman, "image", "ls", "--all", "--format", "{{.Repository}}")
    assert sorted(names) == sorted([IMAGE, BASE.rpartition(":")[0]])
