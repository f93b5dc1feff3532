"""What a frame costs in envcheck's worker, against a bare loop and MediaPipe's own benchmark utility.

All three stand side by side on the same frames, model and delegate (CPU), each in a process of its own, and work in
turn, in rounds. Wall time per frame is taken around a whole round, so that what lies between frames counts: images that
are made, answers that are written. MediaPipe 0.10.21 is the last wheel that carries its utility. Bar: the worker's cost
above the bare loop is at most 1% or 20 microseconds, whichever is larger.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

from ledger import note

from envcheck import environments
from envcheck.cell.worker import Material, Worker, start_worker
from envcheck.model import Axes, Cell, Workload, cell_id
from envcheck.workload import build_frames, resolve_model

VERSION = "0.10.21"
ROUNDS, FRAMES = 40, 60
BAR_SHARE, BAR_US = 0.01, 20.0
RESAMPLES = 2000

LOOP = """
import sys, time
import numpy, mediapipe as mp
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision
kind, shape = sys.argv[1], tuple(map(int, sys.argv[2].split("x")))
source = sys.stdin.buffer
model = source.read(int(sys.argv[3]))
frames = numpy.frombuffer(source.read(int(numpy.prod(shape))), numpy.uint8).reshape(shape)
options = vision.FaceLandmarkerOptions(
    base_options=tasks.BaseOptions(model_asset_buffer=model, delegate=tasks.BaseOptions.Delegate.CPU), num_faces=1)
landmarker = vision.FaceLandmarker.create_from_options(options)

def image(number):
    return mp.Image(image_format=mp.ImageFormat.SRGBA, data=frames[number % len(frames)])

def bare(count):
    started = time.perf_counter()
    for number in range(count):
        landmarker.detect(image(number))
    return time.perf_counter() - started

def official(count):
    from mediapipe.tasks.python.benchmark.vision.core import base_vision_benchmark_api as api
    started = time.perf_counter()
    for number in range(count):
        api.benchmark_task(landmarker.detect, image(number), 1)
    return time.perf_counter() - started

print("ready", flush=True)
for line in source:
    print({"bare": bare, "official": official}[kind](int(line)), flush=True)
"""


class Loop:
    """A loop without envcheck, spoken to over pipes."""

    def __init__(self, python: str, kind: str, material: Material) -> None:
        frames = material.frames.frames
        shape = "x".join(map(str, frames.shape))
        argv = [python, "-c", LOOP, kind, shape, str(len(material.model))]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
        )
        assert self.process.stdin
        self.process.stdin.write(material.model + frames.tobytes())
        self.process.stdin.flush()
        self.hear()

    def hear(self) -> str:
        """One line."""
        assert self.process.stdout
        line = self.process.stdout.readline().decode()
        if not line:
            raise SystemExit(f"the loop ended: {self.process.wait()}")
        return line

    def round(self) -> float:
        """Microseconds per frame of one round."""
        assert self.process.stdin
        self.process.stdin.write(f"{FRAMES}\n".encode())
        self.process.stdin.flush()
        return float(self.hear()) / FRAMES * 1e6

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def worker_round(worker: Worker) -> float:
    """Microseconds per frame of one round of envcheck's worker, from the request to its answer."""
    worker.ask(0, FRAMES)
    if worker.finish() is None:
        raise SystemExit(f"the worker ended: {worker.stop()}")
    return worker.wall_ms / FRAMES * 1e3


def interval(values: list[float]) -> tuple[float, float, float]:
    """Median with a 95% bootstrap interval."""
    drawn = random.Random(1)
    medians = sorted(statistics.median(drawn.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return statistics.median(values), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)]


def main() -> int:
    """Print the table; 1 where the bar is missed."""
    cache = environments.cache_folder(os.environ)
    axes = Axes(backend="venv", python="3.11", mediapipe=VERSION)
    python = environments.prepare(Cell(id=cell_id(axes), axes=axes), cache=cache, env=os.environ).python[0]
    work = Workload(mode="image")
    material = Material(resolve_model("default", Path())[0], build_frames(work), work)
    bare, official = Loop(python, "bare", material), Loop(python, "official", material)
    worker = start_worker([python], "CPU", os.environ, 120.0)
    worker.load(material)
    turns = {"bare": bare.round, "worker": lambda: worker_round(worker), "official": official.round}
    seen: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(ROUNDS + 2):
        names = list(turns)
        for name in names[number % 3 :] + names[: number % 3]:
            took = turns[name]()
            if number >= 2:  # two rounds to warm up
                seen[name].append(took)
    worker.stop()
    bare.close()
    official.close()
    return report(seen)


def report(seen: dict[str, list[float]]) -> int:
    """The table, and whether the bar is met."""
    base = statistics.median(seen["bare"])
    print(f"bare loop                      {base:8.0f} us per frame ({len(seen['bare'])} rounds of {FRAMES} frames)")
    for name, label in (("worker", "envcheck's worker"), ("official", "MediaPipe's benchmark utility")):
        more, low, high = interval([one - other for one, other in zip(seen[name], seen["bare"], strict=True)])
        median = statistics.median(seen[name])
        print(f"{label:30} {median:8.0f} us per frame, {more:+6.1f} us (95% interval {low:+.1f} to {high:+.1f})")
    cost, low, _ = interval([one - other for one, other in zip(seen["worker"], seen["bare"], strict=True)])
    bar = max(BAR_US, BAR_SHARE * base)
    note("worker: its frame / bare loop's", 1 + cost / base, "x", f"at most {1 + bar / base:.3f}", met=low <= bar)
    official = statistics.median(seen["official"])
    note("worker: its frame / MediaPipe's own utility's", (base + cost) / official, "x")
    print(f"bar: {bar:.0f} us: {'met' if cost <= bar else 'missed' if low > bar else 'not clear, too noisy here'}")
    return int(low > bar)


if __name__ == "__main__":
    sys.exit(main())
