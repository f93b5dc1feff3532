"""The experiment: two workers, both alive, driven in alternating blocks over the same frames.

First a period of the workload on both, untimed for the verdict, where landmarks are compared and shaders compile; then
pairs of timed blocks, CPU first in one pair and GPU first in the next. The number of frames in a block is chosen once
from the warm-up; the number of pairs is fixed per look, and the confidence of a look allows for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

from envcheck import stats
from envcheck.cell.window import Sample, Windows
from envcheck.cell.worker import Worker
from envcheck.judge.parity import INDICES
from envcheck.model import Block, Gate, GpuSample, Landmarks, Says, Unread
from envcheck.probes import nativelog, renderer

WARMUP_STEP = 10
"""Frames between two looks at the clock during warm-up."""
WARMUP_BUDGET_MS = 5000.0
"""Warm-up ends after a whole period, or after this time in the slower worker, but not before WARMUP_MIN frames."""
WARMUP_MIN = 20
LANDMARK_FRAMES = 12
"""Frames whose landmarks are kept in the evidence, spread over the warm-up."""
LOOKS = (16, 32, 64)
"""Pairs after which the interval is looked at."""
HOPELESS_PAIRS = 8
"""Pairs where no speed-up can change the verdict: enough for a number, no more."""
TARGET_SHARE = 0.2
"""Share of the gate's time budget that the first look may take."""
BLOCK_FRAMES = (3, 60)
"""Fewest and most frames of a block."""
ALONE_BLOCKS, ALONE_MS = 5, 1000.0
"""Blocks of a worker that is timed alone, and about how long all of them take."""


@dataclass(frozen=True)
class Design:
    """Frames per block, the numbers of pairs at which to look, and the confidence of each look."""

    frames: int
    looks: tuple[int, ...]
    confidence: float


def warm_up(cpu: Worker, gpu: Worker, period: int) -> bool:
    """Run up to one period on both workers, keeping landmarks. False where a worker failed."""
    landmarks: dict[str, list[Landmarks]] = {"CPU": [], "GPU": []}
    spent_ms = {"CPU": 0.0, "GPU": 0.0}
    for first in range(0, period, WARMUP_STEP):
        count = min(WARMUP_STEP, period - first)
        for worker in (cpu, gpu):
            worker.ask(first, count, points=INDICES)
            ran = worker.finish()
            if ran is None:
                return False
            worker.warmup += ran.times_ms
            worker.pace_ms = worker.wall_ms / count
            spent_ms[worker.delegate] += worker.wall_ms
            landmarks[worker.delegate] += ran.landmarks
        if first + WARMUP_STEP >= WARMUP_MIN and max(spent_ms.values()) > WARMUP_BUDGET_MS:
            break
    for worker in (cpu, gpu):
        worker.landmarks = thinned(landmarks[worker.delegate])
    return True


def thinned(landmarks: list[Landmarks]) -> list[Landmarks]:
    """At most LANDMARK_FRAMES of them, evenly spread; the same ones for both workers."""
    step = max(1, -(-len(landmarks) // LANDMARK_FRAMES))
    return landmarks[::step]


def design(cpu: Worker, gpu: Worker, gate: Gate) -> Design:
    """Blocks as long as the budget allows, from the times of the end of the warm-up, by the slower of the two clocks.

    The worker's clock leaves out what is around a frame; a clock that lies must not make us wait.
    """
    pair_ms = sum(max(median(worker.warmup[-WARMUP_STEP:]), worker.pace_ms) for worker in (cpu, gpu))
    lost = hopeless(gpu)
    looks = (HOPELESS_PAIRS,) if lost else LOOKS
    budget_ms = gate.max_seconds * 1e3 * (TARGET_SHARE / 4 if lost else TARGET_SHARE)
    frames = frames_within(budget_ms / looks[0], pair_ms)
    affordable = tuple(pairs for pairs in looks if pairs * frames * pair_ms <= gate.max_seconds * 1e3)
    return Design(frames, affordable or looks[:1], stats.per_look(gate.confidence, len(affordable or looks[:1])))


def frames_within(budget_ms: float, frame_ms: float) -> int:
    """Frames of a block that takes about `budget_ms`, within BLOCK_FRAMES."""
    fewest, most = BLOCK_FRAMES
    return int(min(most, max(fewest, budget_ms / max(frame_ms, 1e-3))))


def hopeless(gpu: Worker) -> bool:
    """True where the GPU worker's own log already names a software rasteriser, or calculators on the CPU alone."""
    log = gpu.conversation.stderr_lines().lines
    names, line = nativelog.calculators(log), nativelog.gl_line(log)
    on_cpu = bool(names) and not any(name.startswith("Gl") for name in names)
    return on_cpu or (line is not None and renderer.classify(line.renderer, line.version) is Says.SOFTWARE)


def measure(
    cpu: Worker, gpu: Worker, gate: Gate, plan: Design, windows: Windows, progress: Callable[[str], None]
) -> None:
    """Timed pairs until the interval is clear of the threshold, the last look is over, or a worker failed."""
    for pair in range(plan.looks[-1]):
        order = (cpu, gpu) if pair % 2 == 0 else (gpu, cpu)
        if not all(windows.around(one.delegate, partial(timed_block, one, pair, plan.frames)) for one in order):
            return
        done = pair + 1
        if done in plan.looks:
            found = stats.speedup(stats.log_ratios(cpu.blocks, gpu.blocks), plan.confidence)
            if stats.settled(found, gate.min_speedup):
                return
        if done % 4 == 0:
            progress(f"timing: {done} of up to {plan.looks[-1]} pairs of blocks")


def timed_block(worker: Worker, pair: int, frames: int) -> bool:
    """One block of one worker."""
    worker.ask(pair * frames, frames)
    ran = worker.finish()
    if ran is None:
        return False
    times = tuple(round(time, 4) for time in ran.times_ms)
    worker.blocks.append(Block(pair=pair, times_ms=times, faces=ran.faces, wall_ms=worker.wall_ms))
    return True


def time_alone(worker: Worker) -> None:
    """A few blocks of one worker, where the other cannot run: what an application would get."""
    worker.ask(0, WARMUP_MIN)
    ran = worker.finish()
    if ran is None:
        return
    worker.warmup += ran.times_ms
    frames = frames_within(ALONE_MS / ALONE_BLOCKS, median(ran.times_ms))
    for number in range(ALONE_BLOCKS):
        if not timed_block(worker, number, frames):
            return


def look_at(worker: Worker, frames: int, sample: Sample) -> tuple[GpuSample, ...] | Unread:
    """NVML's view while `worker` works on `frames` frames; after them it notes its libraries and device files."""
    worker.ask(0, frames, look=True)
    seen = sample()
    worker.finish()
    return seen
