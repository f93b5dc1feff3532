"""`envcheck prune` on real environments, a real run and a real engine; and one run over all three backends."""

from __future__ import annotations

import io
import json
import shutil
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
from tests.conftest import unable
from tests.functional.conftest import Command, Ran, environment
from tests.functional.test_conda_backend import channel, packages  # noqa: F401 - fixtures

pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]

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


def test_what_is_listed_is_what_comes_back(envcheck: Command, matrix_of: Callable[..., Path], tmp_path: Path) -> None:
    cache, links = tmp_path / "cache", tmp_path / "uv"
    env = {"ENVCHECK_CACHE": str(cache), "UV_CACHE_DIR": str(links), "UV_LINK_MODE": "hardlink"}
    built = envcheck("validate", "--matrix", str(matrix_of("0.10.35")), env=env)
    assert built.cell("0.10.35")["verdict"], built.stderr

    plan = listed(envcheck, cache, "--backend", "venv")
    before = free(tmp_path)
    done = listed(envcheck, cache, "--backend", "venv", "--yes")
    came_back = before - free(tmp_path)

    assert plan["items"][0]["bytes"] > 100_000_000
    assert plan["frees"] == done["frees"]
    assert abs(came_back - plan["frees"]) < 200_000
    assert came_back < plan["items"][0]["bytes"] / 2

    shutil.rmtree(links)
    again = envcheck("validate", "--matrix", str(matrix_of("0.10.35")), env=env)
    assert again.cell("0.10.35")["verdict"] == built.cell("0.10.35")["verdict"]


def test_the_environment_of_a_run_survives(envcheck: Command, matrix_of: Callable[..., Path], cache: Path) -> None:
    path = str(matrix_of(NEWEST))
    envcheck("validate", "--matrix", path)
    running = subprocess.Popen(
        [sys.executable, "-m", "envcheck", "validate", "--matrix", path, "--out", str(Path(path).parent / "out")],
        env=environment({"ENVCHECK_CACHE": str(cache)}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        kept = until_kept(envcheck, cache, running)
        running.communicate(timeout=300)
    finally:
        running.kill()

    assert kept == {"a run goes on that may use it"}
    assert running.returncode == 1
    results = json.loads((Path(path).parent / "out/results.json").read_text())
    assert results["cells"][0]["verdict"] in ("refused", "emulated")


def until_kept(envcheck: Command, cache: Path, running: subprocess.Popen[bytes]) -> set[str]:
    """Remove, once the run has begun; why environments stayed."""
    from envcheck.cache import hold_if_free
    from envcheck.environments import IN_USE

    while running.poll() is None:
        with hold_if_free(cache / IN_USE) as is_free:
            pass
        if not is_free:
            items = listed(envcheck, cache, "--backend", "venv", "--yes")["items"]
            return {item["kept"] for item in items}
        time.sleep(0.02)
    return {"the run was over before"}


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
        with containers.engine() as named:
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


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, channel: str) -> Path:  # noqa: F811 - the fixture
    """A matrix of one MediaPipe in a venv, in an image and in a conda prefix."""
    path = tmp_path_factory.mktemp("mixed") / "matrix.yaml"
    path.write_text(MIXED.format(base=containers.BASE, channel=channel), encoding="utf-8")
    return path


def by_backend(ran: Ran) -> dict[str, dict[str, Any]]:
    return {row["axes"]["backend"]: row for row in ran.results["cells"]}


@pytest.fixture(scope="module")
def without_daemon(envcheck: Command, mixed: Path) -> Ran:
    """All three, with no engine that answers."""
    env = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "ENVCHECK_ENGINE": "docker", "EGL_PLATFORM": "surfaceless"}
    return envcheck("validate", "--matrix", str(mixed), env=env)


def test_an_engine_that_is_not_there_leaves_the_other_cells_intact(without_daemon: Ran) -> None:
    cells = by_backend(without_daemon)
    evidence = json.loads((without_daemon.out / cells["docker"]["evidence"]).read_text())

    assert without_daemon.code in (1, 75), without_daemon.stderr
    assert {cells[name]["verdict"] for name in ("venv", "conda")} <= {"emulated", "refused"}
    assert evidence["build"]["outcome"] == "unavailable"
    assert "no container engine answers" in evidence["build"]["because"]
    assert all(name in without_daemon.stdout for name in ("venv", "docker", "conda"))


@pytest.mark.docker
def test_one_run_judges_all_three_backends(envcheck: Command, mixed: Path, tmp_path: Path) -> None:
    if reason := containers.engine_missing():
        unable(reason)
    with containers.engine() as host:
        containers.provide_base(host)
        env = {"DOCKER_HOST": host, "ENVCHECK_ENGINE": "docker", "EGL_PLATFORM": "surfaceless"}
        ran = envcheck("validate", "--matrix", str(mixed), "--jobs", "1", env=env)
        build = json.loads((ran.out / by_backend(ran)["docker"]["evidence"]).read_text())["build"]
        if build["outcome"] == "built":
            docker(host, "image", "rm", build["image"])

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
