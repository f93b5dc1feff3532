"""Podman on its own storage: it builds a cell, which is judged by its own matrix and by `check --image`."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import containers
from tests.functional import cellimage
from tests.functional.conftest import Command, Ran

pytestmark = [pytest.mark.podman, pytest.mark.network, pytest.mark.timeout(1800)]

SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
"""
"""Limits that a container may not raise in a container, and no systemd to ask for a cgroup."""
BASE = f"localhost/{containers.BASE}"
CELL = "localhost/envcheck/cell"


@pytest.fixture(scope="module")
def podman() -> Iterator[list[str]]:
    """The words that start a Podman with its own storage, in which the base image is."""
    folder = Path(tempfile.mkdtemp(prefix="envcheck-pm-"))  # Podman takes a runroot of at most 50 characters
    settings = folder / "containers.conf"
    settings.write_text(SETTINGS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(settings))
        words = ["podman", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
        said(words, "import", str(containers.base_archive()), BASE)
        yield words
        said(words, "rm", "--all", "--force")
        said(words, "rmi", "--all", "--force")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def built(envcheck: Command, podman: list[str], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A cell without software GL was built and run."""
    path = tmp_path_factory.mktemp("matrix") / "matrix.yaml"
    path.write_text(cellimage.matrix("1.2.2", base=BASE, settings=""), encoding="utf-8")
    return envcheck("validate", "--matrix", str(path), env={"ENVCHECK_ENGINE": " ".join(podman)})


@pytest.fixture(scope="module")
def judged(envcheck: Command, podman: list[str], built: Ran) -> Ran:
    """Its image was judged like anybody's."""
    (name,) = said(podman, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", CELL)
    return envcheck("check", "--image", name, env={"ENVCHECK_ENGINE": " ".join(podman)})


def said(podman: list[str], *words: str) -> list[str]:
    """What Podman prints, by lines."""
    done = subprocess.run([*podman, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_cell_is_built_and_judged(built: Ran) -> None:
    evidence = json.loads((built.out / built.cell("1.2.2")["evidence"]).read_text(encoding="utf-8"))

    assert built.cell("1.2.2")["verdict"] == "refused", built.stdout
    assert evidence["build"]["outcome"] == "built", evidence["build"]
    assert evidence["build"]["image"]
    assert evidence["cpu"]["outcome"] == "ran"


def test_an_image_is_judged_from_inside(judged: Ran, podman: list[str]) -> None:
    (cell,) = judged.results["cells"]
    evidence = json.loads((judged.out / cell["evidence"]).read_text(encoding="utf-8"))
    (known,) = said(podman, "image", "ls", "--quiet", "--no-trunc", CELL)

    assert judged.code == 1, judged.stderr
    assert (cell["axes"]["mediapipe"], cell["verdict"]) == ("1.2.2", "refused")
    assert evidence["image"]["engine"].startswith("podman ")
    assert evidence["image"]["id"].removeprefix("sha256:") == known.removeprefix("sha256:")
    assert evidence["cpu"]["outcome"] == "ran"


def test_nothing_but_the_images_is_left(judged: Ran, podman: list[str]) -> None:
    assert said(podman, "ps", "--all", "--quiet") == []
    assert said(podman, "volume", "ls", "--quiet") == []
    names = said(podman, "image", "ls", "--format", "{{.Repository}}")
    assert sorted(names) == sorted([CELL, BASE.rpartition(":")[0]])


def test_triggers_are_told_and_do_not_run_in_what_proves_a_remedy(
    envcheck: Command, podman: list[str], tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nONBUILD COPY nothing /here\n", encoding="utf-8")
    said(podman, "build", "--format", "docker", "--network=host", "--quiet", "--tag", "triggers", str(tmp_path))
    before = said(podman, "image", "ls", "--quiet")
    ran = envcheck(
        "check", "--image", "localhost/triggers", "--prove", "--build-option=--network=host",
        env={"ENVCHECK_ENGINE": " ".join(podman)},
    )  # fmt: skip
    (tried,) = json.loads((ran.out / "proofs.json").read_text(encoding="utf-8"))["proofs"]
    left = said(podman, "image", "ls", "--quiet")
    said(podman, "rmi", "localhost/triggers")

    assert "CTR316" in [one["code"] for one in ran.results["cells"][0]["findings"]]
    assert "pip install" in tried["why"]  # the base has no pip; nothing that failed is of a trigger
    assert "nothing" not in tried["why"]
    assert left == before
