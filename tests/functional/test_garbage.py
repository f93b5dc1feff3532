"""An interpreter that is none: it answers every payload with noise, or the worker's part with answers gone wrong.

Through the same code that runs a cell. The verdict is crashed or broken, never a pass, and nothing waits for ever.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from envcheck.cell.run import observe_cell
from envcheck.cell.stage import Setting
from envcheck.cell.worker import Material
from envcheck.judge import judge
from envcheck.model import Frames, Gate, ModelFile, Status, Verdict, Workload
from envcheck.workload.motion import FrameSet
from tests.golden import as_if_seen

DEADLINE_S, SHORT_S = 60.0, 2.0
"""For answers that must come, and for those that are waited for in vain."""
HANG_S = 300.0
"""For a cell of which every part is waited for in vain, on a busy machine."""

FAKE = """
import json, os, random, sys, time
mode, drawn = os.environ["FAKE_MODE"], random.Random(int(os.environ["FAKE_SEED"]))
read, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", 0)
source = read.read(int(read.readline()))
noise = lambda: bytes(drawn.randrange(256) for _ in range(drawn.randrange(1, 400)))
if mode == "noise" or b"FaceLandmarker" not in source[:400]:
    out.write(noise() + b"\\n")
    time.sleep(600 if mode == "noise" and drawn.random() < 0.3 else 0)
    sys.exit(0)

def send(**answer):
    out.write(json.dumps(answer).encode() + b"\\n")

old, asked = "", 0
for line in iter(read.readline, b""):
    request = json.loads(line)
    token = request["token"]
    if request["do"] == "load":
        read.read(request["model_bytes"] + __import__("math").prod(request["shape"]))
        value = {"CPU": 0, "GPU": 1}[request["delegate"]]
        send(say="importing", token=token)
        send(say="creating", token=token, import_s=1.0, python="3.11", mediapipe="0.10.35", numpy="2",
             inner_pid=os.getpid(), members={"CPU": 0, "GPU": 1}, delegate_value=value)
        send(say="first-frame", token=token, create_ms=1.0)
        send(say="loaded", token=token, first_ms=1.0)
        old = token
        continue
    if request["do"] == "stop":
        send(say="stopped", token=token)
        break
    asked += 1
    count = request["count"]
    face = [[float(7 * n % 90), float(n)] for n in request["points"] or ()]
    frames = [{"frame": request["first"] + n, "points": face} for n in range(count)] if face else []
    answer = {"say": "ran", "token": token, "times_ms": [1.0] * count, "faces": count, "landmarks": frames}
    wrong = asked >= 3
    if wrong and mode == "old token":
        answer["token"] = old
    if wrong and mode == "zero times":
        answer["times_ms"] = [0.0] * count
    line = json.dumps(answer).encode()
    if wrong and mode == "not a number":
        line = line.replace(b"1.0", b"NaN", 1)
    if wrong and mode == "noise within":
        line = line[:20] + noise() + line[20:]
    if wrong and mode == "cut and silent":
        out.write(line[:-9])
        time.sleep(600)
    if wrong and mode == "cut and gone":
        out.write(line[:-9])
        sys.exit(0)
    if wrong and mode == "endless":
        while True:
            out.write(b"x" * 65536)
    out.write(line + b"\\n")
    if wrong and mode == "twice":
        out.write(line + b"\\n")
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    """The interpreter that is none."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{FAKE}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def run_with(python: str, mode: str, seed: int = 0, deadline_s: float = SHORT_S) -> tuple[Verdict, str]:
    """The verdict of a cell whose interpreter this is, on a machine that looks perfect otherwise, and why."""
    accelerated = as_if_seen("accelerated")
    frames = FrameSet(
        frames=np.zeros((30, 16, 16, 4), np.uint8),
        transforms=np.zeros((30, 2, 3)),
        present=np.ones(30, bool),
        record=Frames(input="none", resolution="16x16", count=30, sha256="0"),
    )
    material = Material(model=b"model", frames=frames, workload=Workload())
    env = {**os.environ, "FAKE_MODE": mode, "FAKE_SEED": str(seed)}
    setting = Setting(accelerated.host, Gate(), material, ModelFile(name="x", sha256="0"), env, deadline_s)
    evidence = observe_cell(accelerated.cell, accelerated.foresight, setting, accelerated.build, [python])
    judgement = judge(evidence)
    return judgement.verdict, judgement.because


WRONG = (
    "old token",
    "zero times",
    "not a number",
    "noise within",
    "cut and silent",
    "cut and gone",
    "endless",
    "twice",
)


@pytest.mark.parametrize("mode", WRONG)
def test_a_worker_whose_answers_go_wrong_is_crashed_in_time(python: str, mode: str) -> None:
    started = time.monotonic()
    verdict, because = run_with(python, mode)

    assert verdict is Verdict.CRASHED, because
    assert time.monotonic() - started < HANG_S


def test_the_same_worker_with_right_answers_did_not_crash_and_does_not_pass(python: str) -> None:
    """It maps no driver, opens no device and makes no GL context: there is no proof of anything."""
    verdict, _ = run_with(python, "right", deadline_s=DEADLINE_S)

    assert verdict is not Verdict.CRASHED
    assert verdict.status is not Status.PASS


@pytest.mark.parametrize("seed", range(6))
def test_random_bytes_are_crashed(python: str, seed: int) -> None:
    started = time.monotonic()
    verdict, because = run_with(python, "noise", seed)

    assert verdict is Verdict.CRASHED, because
    assert time.monotonic() - started < HANG_S
