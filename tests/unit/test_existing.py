from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from envcheck.errors import UsageError
from envcheck.existing import Identity, activated, active, executable, named


def environment(folder: Path, mark: str, python: str = "bin/python") -> Path:
    """An environment as it lies on disk; its interpreter."""
    (folder / python).parent.mkdir(parents=True, exist_ok=True)
    (folder / python).write_text("", encoding="utf-8")
    (folder / python).chmod(0o755)
    if mark == "conda-meta":
        (folder / mark).mkdir()
    elif mark:
        (folder / mark).write_text("", encoding="utf-8")
    return folder / python


# --- naming one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("python", "prefix"), [(None, None), (Path("a"), Path("b"))])
def test_one_and_only_one_way_of_naming_it(python: Path | None, prefix: Path | None) -> None:
    with pytest.raises(UsageError, match="--python") as caught:
        named(python, prefix)

    assert "--prefix" in caught.value.remedy


@pytest.mark.parametrize("place", ["bin/python", "bin/python3", "Scripts/python.exe", "python.exe"])
def test_an_environments_folder_leads_to_its_interpreter(place: str, tmp_path: Path) -> None:
    python = environment(tmp_path, "pyvenv.cfg", place)

    assert named(None, tmp_path).python == python


def test_a_link_to_an_interpreter_stays_a_link_because_it_says_which_environment(tmp_path: Path) -> None:
    real = environment(tmp_path / "real", "")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    link = tmp_path / "venv" / "bin" / "python"
    link.symlink_to(real)

    assert executable(link) == link


def test_a_bare_name_is_looked_for_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = environment(tmp_path, "", "bin/python3.99")
    monkeypatch.setenv("PATH", str(python.parent))

    assert executable(Path("python3.99")) == python


@pytest.mark.parametrize(
    ("python", "words"),
    [("nowhere", "no such file"), ("folder", "is a folder"), ("text", "is not executable"), ("\0", "no such file")],
)
def test_what_is_no_executable_file_is_a_usage_error(python: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("", encoding="utf-8")
    if python == "text" and os.name != "posix":
        pytest.skip("every file is executable here")

    with pytest.raises(UsageError, match=words):
        executable(tmp_path / python)


@pytest.mark.parametrize(
    ("prefix", "words"), [("nowhere", "no such folder"), ("text", "no folder"), (".", "no Python")]
)
def test_what_is_no_environment_is_a_usage_error(prefix: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("", encoding="utf-8")

    with pytest.raises(UsageError, match=words):
        named(None, tmp_path / prefix)


# --- the active one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_the_active_environment_is_asked(variable: str, tmp_path: Path) -> None:
    python = environment(tmp_path, "pyvenv.cfg")

    assert active({variable: str(tmp_path)}) == (python, f"{variable} names its environment")


def test_a_virtual_environment_inside_a_conda_environment_goes_first(tmp_path: Path) -> None:
    venv, conda = environment(tmp_path / "venv", "pyvenv.cfg"), environment(tmp_path / "conda", "conda-meta")
    env = {"CONDA_PREFIX": str(conda.parents[1]), "VIRTUAL_ENV": str(venv.parents[1])}

    assert active(env).python == venv


def test_without_an_active_environment_it_is_envchecks_own() -> None:
    assert active({}) == (Path(sys.executable), "envcheck's own; no environment is active")


def test_an_active_environment_that_is_gone_is_told(tmp_path: Path) -> None:
    chosen = active({"VIRTUAL_ENV": str(tmp_path / "gone")})

    assert chosen.python == Path(sys.executable)
    assert "gone has no Python" in chosen.because


# --- as activated -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mark", "variable"), [("pyvenv.cfg", "VIRTUAL_ENV"), ("conda-meta", "CONDA_PREFIX")])
def test_an_environment_is_started_as_if_it_were_activated(mark: str, variable: str, tmp_path: Path) -> None:
    python = environment(tmp_path, mark)
    env = activated({"PATH": "/usr/bin", "VIRTUAL_ENV": "/other", "CONDA_PREFIX": "/other", "HOME": "/h"}, python)

    assert env == {"PATH": f"{python.parent}{os.pathsep}/usr/bin", variable: str(tmp_path), "HOME": "/h"}


@pytest.mark.parametrize("place", ["Scripts/python.exe", "python.exe"])
def test_an_environment_of_windows_is_too(place: str, tmp_path: Path) -> None:
    python = environment(tmp_path, "conda-meta", place)

    assert activated({}, python)["CONDA_PREFIX"] == str(tmp_path)


def test_an_interpreter_outside_any_environment_gets_the_users_variables(tmp_path: Path) -> None:
    assert activated({"PATH": "/usr/bin"}, environment(tmp_path, "")) == {"PATH": "/usr/bin"}


# --- what it says of itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "cuda"),
    [
        ({}, None),
        ({"nvidia-cuda-runtime-cu12": "12.8.90"}, "12.8"),
        ({"nvidia-cuda-runtime": "13.0.48"}, "13.0"),
        ({"mediapipe": "1.2.2"}, None),
    ],
)
def test_the_cuda_axis_is_the_release_of_nvidias_runtime_wheel(found: dict[str, str], cuda: str | None) -> None:
    assert Identity(version=(3, 11, 7), prefix="/x", found=found).cuda == cuda


def test_the_other_axes_are_the_versions_of_python_and_mediapipe() -> None:
    identity = Identity(version=(3, 11, 7), prefix="/x", found={"mediapipe": "1.2.2"})

    assert (identity.python, identity.mediapipe) == ("3.11", "1.2.2")
