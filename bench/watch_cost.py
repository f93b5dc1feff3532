"""What `envcheck watch` costs the program it watches: one FaceMesh worker, watched and not, in turns of seconds.

A real FaceLandmarker (CPU delegate, all it can get) works without a pause under `envcheck watch`. The watcher is
stopped (SIGSTOP) and continued (SIGCONT) in turns, in the order off-on-on-off, so that both sides see the same process,
the same frames and the same neighbours. Prints the ratio of frames per second, with a 95% interval over the pairs, and
the CPU time of the watcher per second of watching, which a busy machine does not blur.

    python bench/watch_cost.py [--pairs 40] [--block 3] [--python PYTHON_WITH_MEDIAPIPE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ledger import note

from envcheck.model import Workload
from envcheck.workload import build_frames, resolve_model

VERSION = "1.2.2"
BAR = 0.99
FEWEST = 4
"""So many times must the worker report in a block; rates are taken between the first report and the last."""

WORKER = """\
import sys, time
import numpy, mediapipe
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

model, frames, log = sys.argv[1:4]
frames = numpy.load(frames)
options = vision.FaceLandmarkerOptions(
    base_options=tasks.BaseOptions(
        model_asset_buffer=open(model, "rb").read(), delegate=tasks.BaseOptions.Delegate.CPU),
    running_mode=vision.RunningMode.VIDEO)
number = 0
with vision.FaceLandmarker.create_from_options(options) as landmarker, open(log, "w", buffering=1) as times:
    while True:
        for _ in range(5):
            number += 1
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGBA, data=frames[number % len(frames)])
            landmarker.detect_for_video(image, number * 33)
        times.write("%.6f %.6f %d\\n" % (time.monotonic(), time.process_time(), number))
"""


def interpreter(given: str | None, folder: Path) -> str:
    """A Python with MediaPipe: the given one, or one that uv makes."""
    if given:
        return given
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "-p", "3.11", str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([uv, "pip", "install", "-q", "-p", python, f"mediapipe=={VERSION}"], check=True)
    return python


def turns(pairs: int) -> list[tuple[int, bool]]:
    """The pair's number, and whether the watcher is on: off-on, on-off, off-on, …"""
    return [(pair, on) for pair in range(pairs) for on in ((False, True) if pair % 2 == 0 else (True, False))]


def rate(rows: list[tuple[float, float, int]], begin: float, end: float) -> tuple[float, float]:
    """Frames per second of wall time, and per second of the worker's own CPU time, within a block.

    Raises SystemExit where the worker did too little in it to tell: the machine is busy with something else.
    """
    inside = [row for row in rows if begin <= row[0] <= end]
    if len(inside) < FEWEST:
        raise SystemExit(f"only {5 * len(inside)} frames in {end - begin:.0f} s: measure on a machine that is calm")
    first, last = inside[0], inside[-1]
    frames = last[2] - first[2]
    return frames / (last[0] - first[0]), frames / (last[1] - first[1])


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """The median of the pairs' ratios, and a 95% interval from order statistics, which no outlier moves."""
    ordered = sorted(ratios)
    half = 1.96 * math.sqrt(len(ordered)) / 2
    low, high = (int(len(ordered) / 2 + sign * half) for sign in (-1, 1))
    return statistics.median(ordered), ordered[max(0, low)], ordered[min(len(ordered) - 1, high)]


def descendants(pid: int, without: str) -> list[int]:
    """The processes that belong to the watcher: itself and its children, except the worker's."""
    children = [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdecimal() and (stat := read(path / "stat")) and int(stat.rpartition(")")[2].split()[1]) == pid
    ]
    return [pid, *(child for child in children if without not in read(Path(f"/proc/{child}/cmdline")))]


def read(path: Path) -> str:
    """Text of a file that may be gone."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def main() -> int:
    """Run it; the exit code of the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--block", type=float, default=3.0, help="seconds of each turn")
    parser.add_argument("--python", help=f"an interpreter with mediapipe=={VERSION}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = interpreter(options.python, folder)
        (folder / "worker.py").write_text(WORKER)
        (folder / "model.task").write_bytes(resolve_model("default", folder)[0])
        np.save(folder / "frames.npy", build_frames(Workload(), 16).frames)
        log, report = folder / "times", folder / "report.json"
        worker = [python, *(str(folder / part) for part in ("worker.py", "model.task", "frames.npy")), str(log)]
        watch = [
            sys.executable,
            "-m",
            "envcheck",
            "watch",
            "--report",
            os.devnull,
            "--json",
            str(report),
            "--",
            *worker,
        ]
        popen = subprocess.Popen(watch, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            while len(read(log).splitlines()) < 20:
                time.sleep(0.2)
            time.sleep(5)  # the fast samples of the beginning are over
            blocks = []
            for pair, on in turns(options.pairs):
                for pid in descendants(popen.pid, "worker.py"):
                    os.kill(pid, signal.SIGCONT if on else signal.SIGSTOP)
                begin = time.monotonic()
                time.sleep(options.block)
                blocks.append((pair, on, begin, time.monotonic()))
            steady(popen.pid)
        finally:
            for pid in descendants(popen.pid, "worker.py"):
                os.kill(pid, signal.SIGCONT)
            popen.terminate()
            popen.wait(timeout=30)
        rows = [(float(a), float(b), int(c)) for a, b, c in (line.split() for line in read(log).splitlines())]
        show(blocks, rows, json.loads(report.read_text())["watched"])
        return verdict(blocks, rows)


def steady(pid: int) -> None:
    """The watcher's CPU time over ten undisturbed seconds."""
    for process in descendants(pid, "worker.py"):
        os.kill(process, signal.SIGCONT)
    before, begun = ticks(pid), time.monotonic()
    time.sleep(10)
    used = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    print(f"watcher's CPU time, steady:  {used / (time.monotonic() - begun):.4f} s per second")


def ticks(pid: int) -> int:
    """CPU ticks of the watcher and of the process that asks NVML."""
    stats = (
        read(Path(f"/proc/{process}/stat")).rpartition(")")[2].split() for process in descendants(pid, "worker.py")
    )
    return sum(int(fields[11]) + int(fields[12]) for fields in stats if fields)


def ratios(
    blocks: list[tuple[int, bool, float, float]], rows: list[tuple[float, float, int]], which: int
) -> list[float]:
    """Watched over unwatched, pair by pair."""
    rates = {(pair, on): rate(rows, begin, end)[which] for pair, on, begin, end in blocks}
    return [rates[pair, True] / rates[pair, False] for pair in sorted({pair for pair, _ in rates})]


def show(
    blocks: list[tuple[int, bool, float, float]], rows: list[tuple[float, float, int]], watched: dict[str, float]
) -> None:
    """The figures."""
    off = statistics.median(rate(rows, begin, end)[0] for _, on, begin, end in blocks if not on)
    print(f"worker:                      {off:.0f} frames per second unwatched, {len(blocks) // 2} pairs")
    for which, label in ((0, "throughput, watched / not:  "), (1, "frames per CPU second:      ")):
        middle, low, high = interval(ratios(blocks, rows, which))
        print(f"{label} {middle:.4f} (95% interval {low:.4f} to {high:.4f})")
    cost = watched["own_cpu_s"] / watched["seconds"]
    print(f"watcher's CPU time, overall: {cost:.4f} s per second ({watched['samples']} samples)")


def verdict(blocks: list[tuple[int, bool, float, float]], rows: list[tuple[float, float, int]]) -> int:
    """0 where the whole interval is above the bar, 1 where it is below, 2 where it holds the bar: too noisy to tell."""
    _, low, high = interval(ratios(blocks, rows, 0))
    code, word = (
        (0, "met") if low > BAR else (1, "MISSED") if high < BAR else (2, "not to be told from such an interval")
    )
    print(f"bar (under 1% of throughput): {word}")
    middle = interval(ratios(blocks, rows, 0))[0]
    note("watch: throughput, watched / not", middle, "x", "interval not below 0.99", met=code != 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
