"""`envcheck doctor` as a user runs it: on this machine, on one whose driver hangs, and with whatever is typed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import unable
from tests.functional.conftest import Command, environment
from tests.waiting import PATIENCE_S

DEADLINE_S = 12
"""Short for what never comes, and many times what the other answers take."""

VENDOR = "int __egl_Main(unsigned v, const void *e, void *x, void *i) { for (;;) pause(); }"
NVML = "int nvmlInit_v2(void) { for (;;) pause(); } int nvmlInitWithFlags(unsigned f) { for (;;) pause(); }"


def compiled(folder: Path, name: str, code: str) -> Path:
    """A shared library of a few lines of C."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    (folder / "source.c").write_text(f"#include <unistd.h>\n{code}\n", encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / name, folder / "source.c"], check=True)
    return folder / name


def asked(envcheck: Command, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The document that `doctor --json` prints."""
    ran = envcheck("doctor", "--json", *arguments, env=env)
    document: dict[str, Any] = json.loads(ran.stdout)
    failed = any(finding["status"] == "FAIL" for finding in document["findings"])

    assert ran.code == int(failed)
    assert "Traceback" not in ran.stderr
    return document


def shell(command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """A command line with `envcheck` in it, run by a shell."""
    line = command.replace("envcheck", f"{sys.executable} -m envcheck")
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment(env), capture_output=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture(scope="module")
def here(envcheck: Command) -> dict[str, Any]:
    """What doctor says of this machine to a user who names nothing."""
    return asked(envcheck, env={"VIRTUAL_ENV": "", "CONDA_PREFIX": ""})


# --- what it says -----------------------------------------------------------------------------------------------


def test_the_json_has_host_findings_and_what_was_asked(here: Mapping[str, Any]) -> None:
    assert here["schema"] == "envcheck.doctor/1"
    assert here["host"]["platform"] == sys.platform
    assert isinstance(here["findings"], list)
    for finding in here["findings"]:
        assert set(finding) == {"code", "status", "summary", "because", "remedy", "url"}
    assert here["facts"]["kind"] == "facts"
    assert {"gl", "cuda_driver", "python", "chosen"} <= set(here)


@pytest.mark.software_gl
def test_gl_is_asked_as_mediapipe_asks_it(envcheck: Command, here: Mapping[str, Any]) -> None:
    assert here["gl"]["path"] == "device"
    assert asked(envcheck, env={"EGL_PLATFORM": "surfaceless"})["gl"]["path"] == "default"


def test_without_a_driver_the_missing_driver_is_the_root_cause_and_nothing_is_left_behind(
    envcheck: Command, here: Mapping[str, Any], tmp_path: Path
) -> None:
    if here["host"]["nvml"].get("kind") == "nvml":
        pytest.skip("this machine has an NVIDIA driver; the case needs one without")
    ran = envcheck("doctor", cwd=tmp_path)

    assert here["findings"][0]["code"] == "GPU105"
    assert ran.code == 1
    assert ran.stdout.startswith("GPU105  no NVIDIA driver answers here\n")
    assert "MediaPipe does not use CUDA" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_mediapipe_does_not_have_is_a_remark(envcheck: Command) -> None:
    set_here = {"MEDIAPIPE_DISABLE_GPU": "0", "MEDIAPIPE_MODEL_PATH": "/models"}
    (remark,) = (one for one in asked(envcheck, env=set_here)["findings"] if one["code"] == "MPP420")

    assert remark["status"] == "UNKNOWN"
    assert remark["summary"] == "a setting that MediaPipe does not have: MEDIAPIPE_DISABLE_GPU=0"


def test_a_secret_in_a_variable_that_steers_gl_is_not_printed(envcheck: Command) -> None:
    env = {"SOME_TOKEN": "swordfish99", "LD_LIBRARY_PATH": "/opt/swordfish99/lib"}

    for arguments in (["--json"], []):
        ran = envcheck("doctor", *arguments, env=env)
        assert "swordfish99" not in ran.stdout
        assert "***" in ran.stdout


# --- whom it asks -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("doctor") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=PATIENCE_S)
    return folder


def test_the_active_environment_is_asked_and_a_named_one_goes_first(envcheck: Command, venv: Path) -> None:
    active = {"VIRTUAL_ENV": str(venv)}

    assert asked(envcheck, env=active)["python"] == str(venv / "bin" / "python")
    assert asked(envcheck, "--python", sys.executable, env=active)["python"] == sys.executable
    assert asked(envcheck, "--prefix", str(venv))["python"] == str(venv / "bin" / "python")


def test_an_environment_without_mediapipe_is_told_so_where_somebody_named_it_and_stays_as_it_is(
    envcheck: Command, here: Mapping[str, Any], venv: Path
) -> None:
    before = sorted(venv.rglob("*"))
    named = asked(envcheck, "--python", str(venv / "bin" / "python"), env={"PYTHONDONTWRITEBYTECODE": ""})

    assert "MPP413" in [finding["code"] for finding in named["findings"]]
    assert "MPP413" not in [finding["code"] for finding in here["findings"]]
    assert sorted(venv.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--python", "/nowhere"), "no such file"),
        (("--python", "/etc"), "--prefix /etc"),
        (("--prefix", "/etc"), "no Python in this folder"),
        (("--python", "a", "--prefix", "b"), "both given"),
        (("--python", "/etc/passwd"), "not executable"),
        (("--python", "/bin/ls"), "no working Python"),
        (("--deadline", "0"), "not a number above 0"),
        (("--deadline", "soon"), "--deadline"),
        (("--jsno",), "--jsno"),
        (("somewhere",), "somewhere"),
    ],
    ids=lambda value: " ".join(value).replace("/", ":") if isinstance(value, tuple) else "",
)
def test_bad_input_is_a_usage_error(envcheck: Command, arguments: tuple[str, ...], words: str) -> None:
    ran = envcheck("doctor", *arguments)

    assert ran.code == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


# --- what hangs and what crashes --------------------------------------------------------------------------------


@pytest.mark.software_gl
def test_an_egl_driver_that_hangs_costs_its_own_answer_and_no_other(envcheck: Command, tmp_path: Path) -> None:
    library = compiled(tmp_path, "libEGL_hangs.so.0", VENDOR)
    vendor = tmp_path / "10_hangs.json"
    vendor.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": {"library_path": str(library)}}), "utf-8")
    document = asked(envcheck, "--deadline", str(DEADLINE_S), env={"__EGL_VENDOR_LIBRARY_FILENAMES": str(vendor)})

    assert f"within {DEADLINE_S} s" in json.dumps(document["gl"]) or "deadline" in json.dumps(document["gl"])
    assert document["facts"]["kind"] == "facts"


def test_an_nvml_that_hangs_costs_its_own_answer_and_no_other(envcheck: Command, tmp_path: Path) -> None:
    compiled(tmp_path, "libnvidia-ml.so.1", NVML)
    document = asked(envcheck, "--deadline", str(DEADLINE_S), env={"LD_LIBRARY_PATH": str(tmp_path)})

    assert document["host"]["nvml"]["reason"] == f"NVML did not answer within {DEADLINE_S} s"
    assert document["facts"]["kind"] == "facts"


# --- where it is printed ----------------------------------------------------------------------------------------


def test_a_reader_that_goes_away_early_is_no_error(tmp_path: Path) -> None:
    done = shell("envcheck doctor | head -1; exit ${PIPESTATUS[0]}", tmp_path)

    assert done.returncode in (0, 1)
    assert done.stderr == b""


def test_a_closed_standard_output_ends_in_no_traceback(tmp_path: Path) -> None:
    for arguments in ("", "--json"):
        done = shell(f"envcheck doctor {arguments} >&-", tmp_path)

        assert done.returncode in (0, 1)
        assert done.stderr == b""


def test_a_full_disk_behind_standard_output_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here; the case needs Linux")
    done = shell("envcheck doctor > /dev/full", tmp_path)

    assert done.returncode == 4
    assert done.stderr == b"envcheck: cannot write to standard output: No space left on device\n"


def test_an_encoding_without_box_characters_gets_ascii(tmp_path: Path) -> None:
    done = shell("envcheck doctor", tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode in (0, 1)
    assert done.stdout.isascii()


def test_a_narrow_terminal_gets_narrow_lines(tmp_path: Path) -> None:
    done = shell("envcheck doctor", tmp_path, COLUMNS="40")
    prose = [line for line in done.stdout.decode().splitlines() if line.startswith("  why")]

    assert done.returncode in (0, 1)
    assert prose
    assert all(len(line) <= 40 for line in prose)


@pytest.mark.root
def test_it_works_without_root(tmp_path: Path) -> None:
    """As nobody, with files that nobody may read left unread."""
    if shutil.which("setpriv") is None:
        unable("needs setpriv; enable with: apt-get install util-linux")
    tmp_path.chmod(0o755)
    if not readable_by_nobody(Path(sys.executable).resolve()) or not readable_by_nobody(Path(__file__)):
        pytest.skip("this interpreter or this folder is root's own; enable by installing them where all may read")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "envcheck", "doctor"],
        cwd="/", env=environment({"HOME": "/nonexistent"}), capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip

    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr


def readable_by_nobody(path: Path) -> bool:
    """Whether every folder on the way lets others through."""
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)
