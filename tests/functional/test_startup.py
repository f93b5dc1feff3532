"""No command imports what it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.conftest import environment
from tests.waiting import PATIENCE_S

HEAVY = {
    *("numpy", "scipy", "PIL", "cv2", "matplotlib", "rich", "ruamel", "jsonschema", "jinja2", "pynvml", "psutil"),
    *("typer", "pydantic", "hypothesis", "pytest", "_pytest"),
}
PROGRAM = """
import sys
from envcheck.cli import run
code = run(sys.argv[1:])
print("LOADED", *sorted({name.split(".")[0] for name in sys.modules}))
"""
MATRIX = 'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: ["1.2.2"]\n'


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("--help",), set()),
        (("--version",), set()),
        (("validate", "--help"), set()),
        (("explain", "EGL202"), set()),
        (("lint", "app.py"), set()),
        (("doctor", "--json"), set()),
        (("doctor",), {"rich"}),
        (("check", "--help"), set()),
        (("check", "--prefix", "/nowhere"), set()),
        (("plan",), {"ruamel", "jsonschema"}),
        (("validate", "--dry-run"), {"ruamel", "jsonschema"}),
    ],
    ids=lambda words: " ".join(sorted(words) if isinstance(words, set) else words),
)
def test_a_command_imports_what_it_uses_and_nothing_else(
    arguments: tuple[str, ...], needed: set[str], tmp_path: Path
) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    (tmp_path / "app.py").write_text("import mediapipe\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    loaded = set(done.stdout.rsplit("LOADED", 1)[1].split())

    assert loaded & HEAVY <= needed


def test_help_does_not_even_load_the_nouns(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )

    assert "msgspec" not in done.stdout.rsplit("LOADED", 1)[1].split()


@pytest.mark.parametrize("arguments", [("--json",), ("--json", "--deadline", "200", "--python", sys.executable)])
def test_a_doctor_loads_no_other_command_and_nothing_that_few_need(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace('.split(".")[0]', ""), "doctor", *arguments],
        cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    loaded = set(done.stdout.rsplit("LOADED", 1)[1].split())

    assert {name for name in loaded if name.startswith("envcheck.cli.")} == {"envcheck.cli.app", "envcheck.cli.doctor"}
    assert not {"statistics", "asyncio", "tempfile", "zipfile", "random", "hashlib", "importlib.resources"} & loaded


def test_builds_in_threads_find_pythons_own_settings_filled() -> None:
    """Python before 3.13 fills them without a lock, and uv's path was asked for in the middle of it."""
    told = "import envcheck.engines.local, sysconfig; print(sysconfig._CONFIG_VARS is not None)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=PATIENCE_S)

    assert done.stdout.strip() == "True"
