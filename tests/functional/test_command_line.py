"""The command as a process: what it says where nobody can hear, and when it is interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S

ENVCHECK = f'"{sys.executable}" -m envcheck'
INTERRUPTED = """
import sys
from envcheck.cli import envcheck, run
def ctrl_c(*_): raise KeyboardInterrupt
envcheck.get_command = ctrl_c
sys.exit(run(["doctor"]))
"""


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("arguments", "code"), [("nope", 2), ("doctor --nope", 2), ("plan --format nope", 2), ("plan --matrix /nowhere", 2)]
)
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_a_standard_error_that_takes_nothing_leaves_the_exit_code(arguments: str, code: int, where: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here; the case needs Linux")
    done = shell(f"{ENVCHECK} {arguments} {where}")

    assert (done.returncode, done.stdout) == (code, "")


def test_help_whose_reader_has_gone_away_is_no_words_and_no_success() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "envcheck", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=PATIENCE_S,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, b"")


def test_help_that_cannot_be_written_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here; the case needs Linux")
    done = shell(f"{ENVCHECK} --help > /dev/full")

    assert done.returncode == 4
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_is_told_and_is_130() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "envcheck: interrupted\n")
