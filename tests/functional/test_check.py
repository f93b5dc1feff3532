"""`envcheck check` on environments that somebody else made: judged as a cell is, and left as they were."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import uv

from envcheck.environments import prepare
from envcheck.model import Axes, Cell
from tests.children import child
from tests.functional.conftest import Command, environment
from tests.waiting import PATIENCE_S

VERSIONS = ("0.10.35", "1.2.2")
NEWEST = "existing-py3.11-mp1.2.2"


@pytest.fixture(scope="module")
def pythons(cache: Path) -> dict[str, Path]:
    """The interpreter of a built environment, by MediaPipe version."""
    found = {}
    for version in VERSIONS:
        cell = Cell(id=version, axes=Axes(backend="venv", python="3.11", mediapipe=version))
        prepared = prepare(cell, cache=cache, env=dict(os.environ))
        assert prepared.python, prepared.build
        found[version] = Path(prepared.python[0])
    return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=PATIENCE_S)
    return folder


def wrapper(folder: Path, script: str) -> Path:
    """A `python` that is a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and inode of everything under a folder, by relative path."""
    found = {str(path.relative_to(folder)): path.lstat() for path in folder.rglob("*")}
    return {name: (stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in found.items()}


# --- verdicts ---------------------------------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.software_gl
def test_an_environment_is_refused_where_a_cell_of_the_same_version_is_and_nothing_is_written_in_it(
    envcheck: Command, pythons: Mapping[str, Path]
) -> None:
    """Not even compiled modules, though none are there before and the user's Python would write them."""
    folder = pythons["1.2.2"].parents[1]
    for compiled in folder.rglob("__pycache__"):
        shutil.rmtree(compiled)
    before = tree(folder)
    ran = envcheck("check", "--python", str(pythons["1.2.2"]), env={"PYTHONDONTWRITEBYTECODE": ""})
    (cell,) = ran.results["cells"]

    assert (ran.code, cell["id"], cell["verdict"]) == (1, NEWEST, "refused")
    assert cell["axes"] == {"backend": "existing", "python": "3.11", "mediapipe": "1.2.2"}
    assert cell["findings"][0]["code"] == "GPU105"
    assert NEWEST in ran.stdout
    assert (ran.out / "junit.xml").is_file()
    assert (ran.out / "report.md").is_file()
    assert (ran.out / "evidence" / f"{NEWEST}.json").is_file()
    assert tree(folder) == before


@pytest.mark.network
@pytest.mark.software_gl
def test_a_prefix_is_emulated_where_software_gl_serves_it_and_may_be_expected_so(
    envcheck: Command, pythons: Mapping[str, Path]
) -> None:
    prefix = str(pythons["0.10.35"].parents[1])
    ran = envcheck(
        "check", "--prefix", prefix, "--expect", "emulated", "--json", "-q", env={"EGL_PLATFORM": "surfaceless"}
    )

    assert ran.code == 0
    assert json.loads(ran.stdout) == ran.results
    assert ran.results["summary"] == {"emulated": 1}
    assert envcheck("replay", str(ran.out), "--expect", "emulated").code == 0


@pytest.mark.network
@pytest.mark.software_gl
def test_an_environment_is_activated_and_packages_that_it_takes_from_elsewhere_count_as_its_own(
    envcheck: Command, pythons: Mapping[str, Path], tmp_path: Path
) -> None:
    """As with `venv --system-site-packages`; behind an interpreter that starts in its activated environment only."""
    real = pythons["1.2.2"]
    subprocess.run([real, "-m", "venv", "--without-pip", tmp_path / "layered"], check=True, timeout=PATIENCE_S)
    (site,) = (tmp_path / "layered" / "lib").glob("python3.11/site-packages")
    (packages,) = (real.parents[1] / "lib").glob("python3.11/site-packages")
    (site / "below.pth").write_text(f"{packages}\n", encoding="utf-8")
    (tmp_path / "conda" / "conda-meta").mkdir(parents=True)
    inner = tmp_path / "layered" / "bin" / "python"
    wrapper(tmp_path / "conda" / "bin", f'[ "$CONDA_PREFIX" = "{tmp_path}/conda" ] && exec {inner} "$@"')
    ran = envcheck("check", "--prefix", str(tmp_path / "conda"))

    assert (ran.results["cells"][0]["id"], ran.results["summary"]) == (NEWEST, {"refused": 1})


# --- environments that are broken -------------------------------------------------------------------------------


def test_an_environment_without_mediapipe_is_broken_and_the_finding_says_so(envcheck: Command, empty: Path) -> None:
    ran = envcheck("check", "--prefix", str(empty))
    (cell,) = ran.results["cells"]

    assert (ran.code, cell["verdict"]) == (1, "broken")
    assert "No module named 'mediapipe'" in cell["because"]
    assert cell["findings"][0]["code"] == "MPP413"


@pytest.mark.network
def test_an_environment_without_opencv_is_broken_and_the_reason_names_it(
    envcheck: Command, pythons: Mapping[str, Path], tmp_path: Path
) -> None:
    """A meta path hook in place of an uninstalled package: the environment under test stays whole."""
    subprocess.run([pythons["1.2.2"], "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=PATIENCE_S)
    (site,) = (tmp_path / "venv" / "lib").glob("python3.11/site-packages")
    (packages,) = (pythons["1.2.2"].parents[1] / "lib").glob("python3.11/site-packages")
    (site / "below.pth").write_text(f"{packages}\nimport sys; sys.modules['cv2'] = None\n", encoding="utf-8")
    ran = envcheck("check", "--prefix", str(tmp_path / "venv"))
    (cell,) = ran.results["cells"]

    assert (ran.code, cell["verdict"]) == (1, "broken")
    assert "cv2" in cell["because"]


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "neither --python nor --prefix"),
        (("--python", "a", "--prefix", "b"), "both given"),
        (("--python", "/nowhere/python"), "no such file"),
        (("--python", "/etc/passwd"), "not executable"),
        (("--python", "/etc"), "--prefix /etc"),
        (("--python", "/bin/ls"), "no working Python"),
        (("--prefix", "/nowhere"), "no such folder"),
        (("--prefix", "/etc"), "no Python in this folder"),
        (("--prefix", "/bin/ls"), "--python /bin/ls"),
        (("--python", sys.executable, "--expect", "fine"), "no verdict"),
        (("--python", sys.executable, "--min-speedup", "0"), "--min-speedup"),
        (("--python", sys.executable, "--deadline", "-1"), "--deadline"),
        (("--python", sys.executable, "--suite", "/nowhere"), "no such folder"),
        (("--python", sys.executable, "--out", "/etc/passwd"), "/etc/passwd"),
        (("--python", sys.executable, "--input", "/nowhere.png"), "/nowhere.png"),
        (("--python", sys.executable, "--model", "/nowhere.task"), "/nowhere.task"),
    ],
    ids=lambda value: " ".join(value).replace("/", ":") if isinstance(value, tuple) else "",
)
def test_bad_input_is_a_usage_error_that_says_what_to_do(
    envcheck: Command, arguments: tuple[str, ...], words: str
) -> None:
    ran = envcheck("check", *arguments)

    assert ran.code == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (ran.out / "results.json").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo Python 3.11.7", "it said: Python 3.11.7"),
        ("exit 3", "exit status 3"),
        ("kill -SEGV $$", "SIGSEGV"),
        ('echo \'{"version": [2, 7, 18], "prefix": "/usr"}\'', "is Python 2.7; it must be 3.8 or newer"),
        ('echo \'{"version": [3, 7, 16], "prefix": "/usr"}\'', "is Python 3.7; it must be 3.8 or newer"),
    ],
)
def test_what_is_no_python_or_an_old_one_is_a_usage_error(
    envcheck: Command, tmp_path: Path, script: str, words: str
) -> None:
    ran = envcheck("check", "--python", str(wrapper(tmp_path, script)))

    assert ran.code == 2
    assert words in ran.stderr


def test_an_environment_whose_python_was_removed_is_called_that(envcheck: Command, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/nowhere/bin/python3.11")

    for arguments in (("--prefix", str(tmp_path)), ("--python", str(tmp_path / "bin" / "python"))):
        ran = envcheck("check", *arguments)
        assert ran.code == 2
        assert "is a link to /nowhere/bin/python3.11" in ran.stderr
        assert "is gone" in ran.stderr


@pytest.mark.parametrize("name", ["python2.7", "python3.6", "python3.7"])
def test_a_real_old_python_says_which_it_is(envcheck: Command, name: str) -> None:
    old = shutil.which(name)
    if old is None or subprocess.run([old, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no {name} here; enable by installing it")
    ran = envcheck("check", "--python", old)

    assert ran.code == 2
    assert f"is Python {name.removeprefix('python')}; it must be 3.8 or newer" in ran.stderr


@pytest.mark.network
@pytest.mark.software_gl
def test_a_mediapipe_whose_code_its_python_cannot_read_is_called_that(envcheck: Command, tmp_path: Path) -> None:
    """pip installs 1.2.2 on Python 3.8 without a word; its import ends in a TypeError."""
    old, folder = shutil.which("python3.8"), str(tmp_path / "venv")
    if old is None or subprocess.run([old, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip("no python3.8 here; enable by installing it")
    for words in (["venv", "--python", old, folder], ["pip", "install", "--python", folder, "mediapipe==1.2.2"]):
        subprocess.run([uv.find_uv_bin(), *words, "--quiet"], check=True)
    ran = envcheck("check", "--prefix", folder)

    assert ran.code == 1
    assert "broken" in ran.stdout
    assert "MPP403" in ran.stdout
    assert "MediaPipe 1.2.2 runs on Python 3.9 and newer, and this is 3.8" in " ".join(ran.stdout.split())
    assert "MPP409" not in ran.stdout


# --- interrupted ------------------------------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.software_gl
def test_ctrl_c_ends_a_check_and_leaves_earlier_results(
    cache: Path, pythons: Mapping[str, Path], tmp_path: Path
) -> None:
    (tmp_path / ".envcheck").mkdir()
    (tmp_path / ".envcheck" / "results.json").write_text("earlier", encoding="utf-8")
    command = [sys.executable, "-m", "envcheck", "check", "--python", pythons["1.2.2"]]
    env = environment({"ENVCHECK_CACHE": str(cache)})
    with child(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "FaceLandmarker" in line:
                break
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130
    assert "interrupted" in said
    assert (tmp_path / ".envcheck" / "results.json").read_text(encoding="utf-8") == "earlier"
