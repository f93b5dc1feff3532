"""The experiment on real workers whose truth is known: CPU against CPU, and against a CPU that a known delay slows.

Every run has fresh FaceLandmarker processes on the CPU, which envcheck warms up, times, repeats and judges as a cell's
CPU and GPU, with the default gate. In the first kind both are alike, so "faster" is false. In the others the baseline
waits after each frame, by a share of what the frame took: 1.10x should be found, 2x and 0.5x at once.

    python bench/experiment.py [alike|tenth|clear] [--runs 20] [--seconds 60] [--load]

--load keeps one other core busy. Bars: alike "faster" in at most 1% of 100 runs; 1.10x found in at least 90%; a clear
case within 5 s after warm-up, and at least 10 times sooner than a run of fixed length, 10,000 frames on either side.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import uv
from ledger import note

from envcheck import stats
from envcheck.cell import comparing
from envcheck.cell.experiment import warm_up
from envcheck.cell.stage import Setting, Stage
from envcheck.cell.worker import Material, Worker, start_worker
from envcheck.model import GATE, Gate, Host, ModelFile, Repeat, Unread, Workload
from envcheck.workload import build_frames, resolve_model

VERSION = "1.2.2"
FIXED_FRAMES = 10_000
CLEAR_S, SOONER, FOUND, FALSE = 5.0, 10.0, 0.90, 0.01
DELAY = "ENVCHECK_BENCH_DELAY"
"""By which share of its own time a frame is prolonged."""
HOOK = """
import os, sys
from importlib.machinery import PathFinder

NAME = "mediapipe.tasks.python.vision.face_landmarker"

class Slower:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != NAME:
            return None
        spec = PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            slow(module.FaceLandmarker, float(os.environ["ENVCHECK_BENCH_DELAY"]))
        spec.loader.exec_module = exec_module
        return spec

def slow(kind, share):
    import time
    real = kind.detect_for_video
    def detect_for_video(self, *words, **named):
        begun = time.perf_counter()
        answer = real(self, *words, **named)
        until = begun + (time.perf_counter() - begun) * (1 + share)
        while time.perf_counter() < until:
            pass
        return answer
    kind.detect_for_video = detect_for_video

if os.environ.get("ENVCHECK_BENCH_DELAY"):
    sys.meta_path.insert(0, Slower)
"""
KINDS = {"alike": (0.0, 0.0), "tenth": (0.10, 0.0), "faster": (1.0, 0.0), "slower": (0.0, 1.0)}
"""The delay of the baseline, and of the other."""


@dataclass(frozen=True)
class Run:
    """What came of one experiment, how long its first run took after warm-up, and 10,000 frames a side would have.

    `first` is what the first processes alone would have said.
    """

    outcome: str
    estimate: float
    seconds: float
    fixed_s: float
    first: str


def main() -> int:
    """Print what came of it; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=["alike", "tenth", "clear"], choices=["alike", "tenth", "clear"])
    parser.add_argument("--runs", type=int, default=20, help="of each kind; a clear case takes two each way")
    parser.add_argument("--seconds", type=float, default=GATE.max_seconds, help="the gate's budget")
    parser.add_argument("--load", action="store_true", help="keep one other core busy")
    options = parser.parse_args()
    gate = Gate(max_seconds=options.seconds, runs=GATE.runs)
    met = True
    with tempfile.TemporaryDirectory() as folder, loaded(busy=options.load):
        python, work = environment(Path(folder)), Workload()
        material = Material(resolve_model("default", Path(folder))[0], build_frames(work), work)
        print(f"budget {gate.max_seconds:g} s, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for kind in options.kinds:
            for name, runs in (("faster", 2), ("slower", 2)) if kind == "clear" else ((kind, options.runs),):
                met &= told(name, series(partial(run, python, material, name, gate), f"{name} of {runs}", runs))
    return int(not met)


def environment(folder: Path) -> str:
    """An interpreter with MediaPipe that can be slowed down by a variable."""
    python, run = str(folder / "venv" / "bin" / "python"), [uv.find_uv_bin()]
    subprocess.run([*run, "venv", "-q", "-p", "3.11", str(folder / "venv")], check=True)
    subprocess.run([*run, "pip", "install", "-q", "-p", python, f"mediapipe=={VERSION}"], check=True)
    site = next((folder / "venv" / "lib").glob("python3*/site-packages"))
    (site / "envcheck_bench.py").write_text(HOOK)
    (site / "envcheck_bench.pth").write_text("import envcheck_bench\n")
    return python


@contextmanager
def loaded(*, busy: bool) -> Iterator[None]:
    """A process that does nothing else but work, where one is wanted."""
    if not busy:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


class Stand(Worker):
    """A worker on the CPU that stands where the GPU's would."""

    def load(self, material: Material) -> bool:
        """Load it for the CPU, and call it the GPU's from then on, as the experiment tells them apart."""
        self.delegate = "CPU"
        loaded = super().load(material)
        self.delegate = "GPU"
        return loaded


def run(python: str, material: Material, kind: str, gate: Gate) -> Run:
    """One experiment as a cell has it: two fresh processes, and two more where the speed-up is close."""
    workers: list[Worker] = []

    def start(delegate: str, api: str = "tasks") -> Worker:
        delay = KINDS[kind][delegate == "GPU"]
        env = {**os.environ, **({DELAY: str(delay)} if delay else {})}
        worker = start_worker([python], "CPU", env, 120.0, api)
        facts = {field.name: getattr(worker, field.name) for field in fields(worker)}
        workers.append(Stand(**facts) if delegate == "GPU" else worker)
        return workers[-1]

    none = Unread(reason="not asked")
    setting = Setting(Host("", "", none), gate, material, ModelFile(name="", sha256=""), os.environ, 120.0)
    stage = Stage(setting, lambda _label: None, start)
    ours, theirs = start("CPU"), start("GPU")
    if not (ours.load(material) and theirs.load(material) and warm_up((ours, theirs), len(material.frames.frames))):
        raise SystemExit(f"a worker failed: {ours.stop()} {theirs.stop()}")
    begun = time.monotonic()
    facts = comparing.compare(ours, theirs, stage)
    seconds = time.monotonic() - begun
    fixed_s = FIXED_FRAMES * (ours.pace_ms + theirs.pace_ms) / 1e3
    facts |= {"cpu": ours.stop(), "gpu": theirs.stop()}
    first = Repeat(**{name: facts[name] for name in Repeat.__struct_fields__ if name in facts})
    repeats = comparing.repeats(facts, stage)
    for worker in workers:
        worker.started.kill()
    each = [comparing.speedup(one, gate) for one in (first, *repeats)]
    found = stats.spanning(each)
    if found is None or each[0] is None:
        raise SystemExit("too few pairs for an interval")
    alone, threshold = outcome(each[0].ci95, gate.min_speedup), gate.min_speedup
    return Run(outcome(found.ci95, threshold), found.estimate, seconds, fixed_s, alone)


def series(once: Callable[[], Run], name: str, runs: int) -> list[Run]:
    """So many runs, each told as it ends; Ctrl-C ends them and keeps what was measured."""
    done: list[Run] = []
    with suppress(KeyboardInterrupt):
        for number in range(1, runs + 1):
            done.append(once())
            last = done[-1]
            words = (
                f"{number} {name}: {last.outcome} (at first {last.first}), {last.estimate:.3f}, {last.seconds:.1f} s"
            )
            print(words, file=sys.stderr, flush=True)
    if not done:
        raise SystemExit("interrupted before anything was measured")
    return done


def outcome(interval: tuple[float, float], threshold: float) -> str:
    """What the gate would say."""
    low, high = interval
    return "faster" if low > threshold else "slower" if high <= threshold else "inconclusive"


def numbered(counts: Counter[str]) -> str:
    """Such as `3 faster, 1 inconclusive`."""
    return ", ".join(f"{number} {name}" for name, number in counts.most_common())


def told(kind: str, runs: list[Run]) -> bool:
    """A line about runs of a kind; True where its bar is met."""
    counts = Counter(run.outcome for run in runs)
    estimates, seconds = [run.estimate for run in runs], [run.seconds for run in runs]
    sooner = min(run.fixed_s / run.seconds for run in runs)
    firsts = numbered(Counter(run.first for run in runs))
    print(
        f"{kind:7} {len(runs):4} runs: {numbered(counts)} (the first processes alone: {firsts}); "
        f"estimates {min(estimates):.3f} to {max(estimates):.3f}; "
        f"{statistics.median(seconds):.1f} s (longest {max(seconds):.1f} s), at least {sooner:.0f}x sooner than "
        f"{FIXED_FRAMES} frames",
        flush=True,
    )
    share = counts["faster"] / len(runs)
    if kind == "alike":
        note("alike on real workers: called faster", share, "", f"at most {FALSE:.0%}", met=share <= FALSE)
        return share <= FALSE
    if kind == "tenth":
        note("1.10x on real workers: found", share, "", f"at least {FOUND:.0%}", met=share >= FOUND)
        return share >= FOUND
    met = counts[kind] == len(runs) and max(seconds) <= CLEAR_S and sooner >= SOONER
    note(
        f"{FIXED_FRAMES} frames / time to a clear verdict, {kind}",
        sooner,
        "x",
        f"{SOONER:g}, in {CLEAR_S:g} s",
        met=met,
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
