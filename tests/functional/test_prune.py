"""`envcheck prune` on real environments, a real run and a real engine; and one run over all three backends."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envcheck.boxes import run_label
from tests import containers
from tests.children import child
from tests.conftest import unable
from tests.functional.conftest import Command, Ran, environment
from tests.functional.test_conda_backend import channel, packages  # noqa: F401 - fixtures
from tests.functional.test_venv_backend import a_wheel, make
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.network, pytest.mark.timeout(1800)]

NEWEST = "1.2.2"
MIXED = """
version: 1
axes:
  backend: [venv, docker, conda]
  python: ["3.11"]
  mediapipe: ["1.2.2"]
backends:
  docker: {{images: {{none: "{base}"}}, network: host, software_gl: true, environment: {{EGL_PLATFORM: surfaceless}}}}
  conda: {{channels: ["{channel}"]}}
"""
GONE = run_label().rpartition("-")[0] + "-1"


def listed(envcheck: Command, cache: Path, *arguments: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    ran = envcheck("prune", "--json", *arguments, env={"ENVCHECK_CACHE": str(cache), **(env or {})})
    assert ran.code == 0, ran.stderr
    survey: dict[str, Any] = json.loads(ran.stdout)
    return survey


def free(folder: Path) -> int:
    """Bytes in use below a folder as the file system counts them, each file once."""
    return int(subprocess.run(["du", "-sB1", folder], capture_output=True, text=True, check=True).stdout.split()[0])


# --- files ---------------------------------------------------------------------------------------------------------


def test_what_is_listed_is_what_comes_back(envcheck: Command, tmp_path: Path) -> None:
    """A link of each file stays in uv's cache; what was written beside them comes back."""
    cache, links = tmp_path / "cache", tmp_path / "uv"
    a_wheel(tmp_path / "wheels", padding=8_000_000)
    env = {"UV_FIND_LINKS": str(tmp_path / "wheels"), "UV_CACHE_DIR": str(links), "UV_LINK_MODE": "hardlink"}
    built = make(cache, env, mediapipe="9999.0")
    assert built.build.outcome == "built", built.build

    plan = listed(envcheck, cache, "--backend", "venv")
    before = free(tmp_path)
    done = listed(envcheck, cache, "--backend", "venv", "--yes")
    came_back = before - free(tmp_path)

    assert plan["items"][0]["bytes"] > 8_000_000
    assert plan["frees"] == done["frees"] > 0
    assert abs(came_back - plan["frees"]) < 50_000
    assert came_back < 4_000_000
    assert make(cache, env, mediapipe="9999.0").build.outcome == "built"


def test_the_environment_of_a_run_survives(envcheck: Command, matrix_of: Callable[..., Path], tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "out"
    command = [sys.executable, "-m", "envcheck", "validate", "--matrix", matrix_of(NEWEST), "--out", out]
    env = environment({"ENVCHECK_CACHE": str(cache)})
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with child(command, env=env, **quiet) as running:
        while not list(cache.glob("environments/*")) and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGSTOP)  # so that it is not over before it is looked at
        items = listed(envcheck, cache, "--backend", "venv", "--yes")["items"]
        running.send_signal(signal.SIGCONT)
        code = running.wait(4 * PATIENCE_S)

    assert [item["kept"] for item in items] == ["a run goes on that may use it"]
    assert code == 1
    verdict = json.loads((out / "results.json").read_text())["cells"][0]["verdict"]
    assert verdict in ("refused", "emulated")


def test_bad_input_is_told_and_nothing_is_touched(envcheck: Command, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    env = {"ENVCHECK_CACHE": str(tmp_path)}

    for arguments in (("--yes",), ("--backend", "vagrant"), ("--older-than", "-3"), ("--yes", "--dry-run")):
        ran = envcheck("prune", *arguments, env=env)
        assert ran.code == 2, ran.stderr
        assert "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# --- an engine -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_engine() -> Iterator[str]:
    """An engine of our own: in one that others use too, their images would go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DOCKER_HOST", raising=False)
        if reason := containers.engine_missing():
            unable(reason)
        with containers.another_engine() as named:
            yield named


def imported(host: str, name: str, *labels: str) -> None:
    """An image of one empty file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name.replace("/", "-").replace(":", "-")))
    changes = [word for label in labels for word in ("--change", f"LABEL {label}")]
    subprocess.run(
        ["docker", "--host", host, "import", *changes, "--change", 'CMD ["/x"]', "-", name],
        input=made.getvalue(), capture_output=True, check=True,
    )  # fmt: skip


@pytest.mark.docker
def test_images_with_our_label_go_and_others_stay(envcheck: Command, own_engine: str, tmp_path: Path) -> None:
    host = own_engine
    imported(host, "localhost/envcheck/cell:one", "envcheck.cell=a", "envcheck.lock=b")
    imported(host, "localhost/envcheck/cell:used", "envcheck.cell=a", "envcheck.lock=c")
    imported(host, "app:mine", "envcheck.cell=a", "envcheck.lock=d")
    imported(host, "other:1")
    docker(host, "create", "--name", "holder", "localhost/envcheck/cell:used")
    docker(host, "create", "--name", "dead", "--label", f"envcheck.run={GONE}", "other:1")
    docker(host, "create", "--name", "alive", "--label", f"envcheck.run={run_label()}", "other:1")
    env = {"DOCKER_HOST": host, "ENVCHECK_ENGINE": "docker"}

    plan = listed(envcheck, tmp_path / "none", env=env)
    assert len(docker(host, "image", "ls", "-q").split()) == 4
    listed(envcheck, tmp_path / "none", "--yes", env=env)

    going = {item["name"] for item in plan["items"] if not item.get("kept")}
    kept = {item["name"]: item["kept"] for item in plan["items"] if item.get("kept")}
    assert going == {"localhost/envcheck/cell:one", "dead"}
    assert kept["app:mine"] == "it has a name of yours: app:mine"
    assert kept["localhost/envcheck/cell:used"] == "container holder uses it"
    assert set(docker(host, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()) == {
        "localhost/envcheck/cell:used", "app:mine", "other:1",
    }  # fmt: skip
    assert set(docker(host, "ps", "-a", "--format", "{{.Names}}").split()) == {"holder", "alive"}


def docker(host: str, *words: str) -> str:
    return subprocess.run(["docker", "--host", host, *words], capture_output=True, text=True, check=False).stdout


# --- all backends in one run ---------------------------------------------------------------------------------------


def all_backends(folder: Path, channel: str) -> Path:  # noqa: F811 - no fixture
    """A matrix of one MediaPipe in a venv, in an image and in a conda prefix."""
    path = folder / "matrix.yaml"
    path.write_text(MIXED.format(base=containers.BASE, channel=channel), encoding="utf-8")
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Such a matrix, whose channel is not there."""
    return all_backends(tmp_path, "file:///nowhere")


def by_backend(ran: Ran) -> dict[str, dict[str, Any]]:
    return {row["axes"]["backend"]: row for row in ran.results["cells"]}


def test_an_engine_and_a_channel_that_are_not_there_leave_the_other_cells_intact(
    envcheck: Command, mixed: Path
) -> None:
    env = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "ENVCHECK_ENGINE": "docker", "EGL_PLATFORM": "surfaceless"}
    ran = envcheck("validate", "--matrix", str(mixed), env=env)

    cells = by_backend(ran)
    builds = {name: json.loads((ran.out / cells[name]["evidence"]).read_text())["build"] for name in cells}
    assert ran.code == 1, ran.stderr
    assert {name: build["outcome"] for name, build in builds.items() if name != "venv"} == {
        "docker": "no-engine", "conda": "unavailable",
    }  # fmt: skip
    assert cells["venv"]["verdict"] in ("emulated", "refused")
    assert "no container engine answers" in builds["docker"]["because"]
    assert "/nowhere" in builds["conda"]["because"]
    assert all(name in ran.stdout for name in ("venv", "docker", "conda"))


@pytest.mark.docker
def test_one_run_judges_all_three_backends(
    envcheck: Command,
    channel: str,  # noqa: F811 - the fixture
    docker_host: str,
    tmp_path: Path,
) -> None:
    mixed = all_backends(tmp_path, channel)
    env = {"DOCKER_HOST": docker_host, "ENVCHECK_ENGINE": "docker", "EGL_PLATFORM": "surfaceless"}
    with containers.alone("cells"):
        ran = envcheck("validate", "--matrix", str(mixed), "--jobs", "1", env=env)

    cells = by_backend(ran)
    assert ran.code == 1, ran.stderr
    assert set(cells) == {"venv", "docker", "conda"}
    assert {cell["verdict"] for cell in cells.values()} <= {"emulated", "refused"}, ran.stdout


@pytest.mark.parametrize("backend", ["venv", pytest.param("docker", marks=pytest.mark.docker), "conda"])
def test_a_dry_run_shows_what_each_backend_would_start(envcheck: Command, mixed: Path, backend: str) -> None:
    ran = envcheck("validate", "--matrix", str(mixed), "--backend", backend, "--dry-run")

    assert ran.code == 0, ran.stderr
    assert NEWEST in ran.stdout
    planned = envcheck("plan", "--matrix", str(mixed), "--backend", backend)
    assert planned.code == 0
    assert backend in planned.stdout


def test_a_backend_nobody_knows_is_a_usage_error(envcheck: Command, mixed: Path) -> None:
    for command in ("validate", "plan"):
        ran = envcheck(command, "--matrix", str(mixed), "--backend", "vagrant")
        assert ran.code == 2, (command, ran.stdout, ran.stderr)
        assert "Traceback" not in ran.stderr
