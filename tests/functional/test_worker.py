"""A worker process that misbehaves at its first word: each way is an outcome, none an exception, none a pass."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from envcheck.cell.worker import Material, start_worker
from envcheck.model import Frames, WorkerRun, Workload
from envcheck.workload.motion import FrameSet

DEADLINE_S, IN_VAIN_S = 120.0, 10.0
"""For what must come on any machine, and for what is waited for in vain: a start of Python takes a small part of it."""


@pytest.fixture
def material() -> Material:
    """Frames of more bytes than a pipe holds, so that a process that does not read is noticed."""
    record = Frames(input="none", resolution="512x512", count=4, sha256="0")
    frames = FrameSet(
        frames=np.zeros((4, 512, 512, 4), np.uint8),
        transforms=np.zeros((4, 2, 3)),
        present=np.zeros(4, bool),
        record=record,
    )
    return Material(model=b"model", frames=frames, workload=Workload())


def run_as(script: str, folder: Path, material: Material, deadline_s: float) -> WorkerRun:
    """What becomes of a worker whose `python` is this script."""
    python = folder / "python"
    python.write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    worker = start_worker([str(python)], "GPU", dict(os.environ), deadline_s)
    worker.load(material)
    return worker.stop()


@pytest.mark.parametrize(
    ("script", "outcome", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died", "SIGSEGV"),
        ("raise SystemExit(7)", "died", "exit status 7"),
        ("import sys; sys.stdin.buffer.read(10); import time; time.sleep(600)", "hung", "no input"),
        ("import sys, time; sys.stdin.buffer.read(1 << 30); time.sleep(600)", "hung", "no answer"),
        ("print('hello', flush=True); import sys; sys.stdin.read()", "garbage", "hello"),
        ('print(\'{"say":"loaded","token":"guess","first_ms":1}\', flush=True); input()', "garbage", "token"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "garbage", "a line of more than"),
        ("import sys\nwhile True: sys.stderr.write('x' * 65536)", "hung", "no input"),
    ],
    ids=[
        "segfault",
        "exits",
        "does not read",
        "reads, is silent",
        "speaks",
        "forges",
        "floods stdout",
        "floods stderr",
    ],
)
def test_a_worker_that_misbehaves_is_an_outcome_within_its_deadline(
    script: str, outcome: str, words: str, tmp_path: Path, material: Material
) -> None:
    started = time.monotonic()
    in_vain = outcome == "hung" or "while True" in script
    run = run_as(script, tmp_path, material, IN_VAIN_S if in_vain else DEADLINE_S)

    assert run.outcome == outcome
    assert words in run.exit + run.error
    assert time.monotonic() - started < 2 * DEADLINE_S


def test_an_interpreter_that_is_not_there_is_an_outcome(material: Material) -> None:
    worker = start_worker(["/nonexistent/python"], "CPU", dict(os.environ), DEADLINE_S)
    worker.load(material)
    run = worker.stop()

    assert run.outcome == "died"
    assert "could not start" in run.exit


def test_a_worker_that_was_never_asked_is_not_run_not_dead() -> None:
    run = start_worker([sys.executable], "GPU", dict(os.environ), DEADLINE_S).stop()

    assert (run.outcome, run.exit, run.log) == ("not-run", "", ())


def test_a_python_without_mediapipe_is_an_import_failure_not_a_crash(material: Material) -> None:
    worker = start_worker([sys.executable], "CPU", dict(os.environ), DEADLINE_S)
    worker.load(material)
    run = worker.stop()

    assert (run.outcome, run.stage, run.error_type) == ("import-failed", "import", "ModuleNotFoundError")


def test_the_worker_leaves_when_its_parent_is_gone(material: Material) -> None:
    """A hung worker must not outlive envcheck: closing its input is enough for one that reads."""
    worker = start_worker([sys.executable], "CPU", dict(os.environ), DEADLINE_S)
    worker.load(material)
    pid = worker.conversation.pid
    worker.stop()

    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
