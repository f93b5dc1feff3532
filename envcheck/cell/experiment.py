"""The experiment: two workers, both alive, driven in alternating blocks over the same frames.

First a period of the workload on both, untimed for the verdict, where landmarks are compared and shaders compile; it
goes on until both are seen to be steady. Then pairs of timed blocks, CPU first in one pair and GPU first in the next.
Blocks are short, so that what slows the machine down falls on both sides of a pair. The interval is looked at after
twelve pairs and whenever their number has doubled, and the confidence of a look allows for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from envcheck import stats
from envcheck.cell.window import MOST, WINDOW_MS, Sample, Windows
from envcheck.cell.worker import Worker
from envcheck.judge.baseline import fastest
from envcheck.judge.parity import INDICES
from envcheck.judge.witnesses import libraries
from envcheck.model import Block, Gate, GpuSample, Landmarks, Says, Unread
from envcheck.probes import nativelog, renderer
from envcheck.steady import steady_after

WARMUP_STEP = 5
"""Frames between two looks at the clock during warm-up."""
WARMUP_BUDGET_MS = 5000.0
"""Warm-up ends after this time in the slower worker, steady or not, but not before WARMUP_MIN frames."""
WARMUP_MIN, WARMUP_MIN_MS = 20, 300.0
"""Frames before warm-up may end, and time in the faster worker: a GPU takes that long to raise its clocks."""
LANDMARK_FRAMES = 12
"""Frames whose landmarks are kept in the evidence, spread over the first period of the warm-up."""
HOPELESS_FRAMES, HOPELESS_PAIRS = 5, stats.MIN_PAIRS
"""Warm-up and pairs where no speed-up can change the verdict: enough for a number, no more."""
PAIR_MS = 200.0
"""About how long a pair takes: two looks, 24 pairs, are over within five seconds."""
BLOCK_FRAMES = (2, 60)
"""Fewest and most frames of a block; one is enough where no speed-up can change the verdict."""
ALONE_BLOCKS, ALONE_MS = 5, 1000.0
"""Blocks of a worker that is timed alone, and about how long all of them take."""
NOT_LOOKED = Unread(reason="its libraries were not looked at yet")


@dataclass(frozen=True)
class Design:
    """Frames per block, the numbers of pairs at which to look, and the confidence of each look."""

    frames: int
    looks: tuple[int, ...]
    confidence: float


def warm_up(workers: Sequence[Worker], period: int, enough: Callable[[], bool] = lambda: False) -> bool:
    """Run workers in turn until all are steady, keeping landmarks of one period. False where one failed.

    Where `enough` says that no speed-up can change the verdict it ends early: a software rasteriser takes all cores.
    """
    landmarks: list[list[Landmarks]] = [[] for _ in workers]
    spent_ms = [0.0 for _ in workers]
    first = 0
    while not warm_enough([worker.warmup for worker in workers], spent_ms, period):
        if first >= HOPELESS_FRAMES and enough():
            break
        count = min(WARMUP_STEP, period - first % period)
        for number, worker in enumerate(workers):
            worker.ask(first, count, points=INDICES if first < period else None)
            ran = worker.finish()
            if ran is None:
                return False
            worker.warmup += ran.times_ms
            worker.pace_ms = worker.wall_ms / count
            spent_ms[number] += worker.wall_ms
            landmarks[number] += ran.landmarks
        first += count
    for worker, kept in zip(workers, landmarks, strict=True):
        worker.landmarks = thinned(kept)
    return True


def warm_enough(series: Sequence[Sequence[float]], spent_ms: Sequence[float], period: int) -> bool:
    """True where a period is over and every series has become steady, or where the time for it has run out."""
    done = min(len(times) for times in series)
    if done < WARMUP_MIN:
        return False
    if max(spent_ms) > WARMUP_BUDGET_MS:
        return True
    return done >= period and min(spent_ms) >= WARMUP_MIN_MS and all(steady_after(one) is not None for one in series)


def thinned(landmarks: list[Landmarks]) -> list[Landmarks]:
    """At most LANDMARK_FRAMES of them, evenly spread; the same ones for both workers."""
    step = max(1, -(-len(landmarks) // LANDMARK_FRAMES))
    return landmarks[::step]


def design(baselines: Sequence[Worker], gpu: Worker, gate: Gate, *, quiet: bool = True) -> Design:
    """Blocks of PAIR_MS, from the times of the end of the warm-up, by the slower of the two clocks.

    The worker's clock leaves out what is around a frame; a clock that lies must not make us wait.
    """
    pair_ms = sum(max(median(worker.warmup[-WARMUP_STEP:]), worker.pace_ms) for worker in (*baselines, gpu))
    lost = hopeless(gpu)
    frames = frames_within(PAIR_MS, pair_ms, fewest=1 if lost else BLOCK_FRAMES[0])
    most = max(stats.MIN_PAIRS, int(gate.max_seconds * 1e3 / (frames * pair_ms)))
    first = stats.FIRST_LOOK if quiet else stats.FIRST_LOOK_DISTURBED
    looks = stats.looks(min(HOPELESS_PAIRS, most) if lost else most, first)
    return Design(frames, looks, stats.per_look(gate.confidence, len(looks)))


def frames_within(budget_ms: float, frame_ms: float, fewest: int = BLOCK_FRAMES[0]) -> int:
    """Frames of a block that takes about `budget_ms`, at least `fewest` and at most BLOCK_FRAMES allows."""
    return int(min(BLOCK_FRAMES[1], max(fewest, budget_ms / max(frame_ms, 1e-3))))


def hopeless(gpu: Worker) -> bool:
    """True where what the GPU worker has shown so far names the CPU or a software rasteriser.

    Its log names the rasteriser, or calculators on the CPU alone; or it has no word of GL, and no GL driver is mapped.
    """
    log = gpu.conversation.stderr_lines().lines
    names, line = nativelog.calculators(log), nativelog.gl_line(log)
    if line is not None:
        return renderer.classify(line.renderer, line.version) is Says.SOFTWARE or (bool(names) and on_cpu(names))
    mapped = gpu.seen.get("libraries", NOT_LOOKED)
    return on_cpu(names) if names else libraries.sign_of(mapped, NOT_LOOKED)[0] is Says.CPU


def on_cpu(calculators: Sequence[str]) -> bool:
    """True where none of the calculators works with GL."""
    return not any(name.startswith("Gl") for name in calculators)


def measure(
    baselines: Sequence[Worker], gpu: Worker, gate: Gate, plan: Design, progress: Callable[[str], None]
) -> None:
    """Timed pairs until the interval is clear of the threshold, the time is over, or a worker failed.

    A pair is a block of each; the fastest of `baselines` is what the GPU is compared with, and all but the first may
    fail. Where the machine has become slower than during the warm-up, the last look comes before its turn.
    """
    left_ms = gate.max_seconds * 1e3
    for pair in range(plan.looks[-1]):
        order = (*baselines, gpu) if pair % 2 == 0 else (gpu, *reversed(baselines))
        for worker in order:
            if worker.alive and timed_block(worker, pair, plan.frames):
                left_ms -= worker.wall_ms
        if not (baselines[0].alive and gpu.alive):
            return
        done = pair + 1
        if done in plan.looks:
            baseline = baselines[fastest([worker.blocks for worker in baselines])]
            if stats.settled(stats.speedup(baseline.blocks, gpu.blocks, plan.confidence), gate.min_speedup):
                return
        if left_ms <= 0 and done >= stats.MIN_PAIRS:
            return
        if done % stats.FIRST_LOOK == 0:
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


def watch_gpus(cpu: Worker, gpu: Worker, windows: Windows) -> bool:
    """NVML's counters while only one of the workers works, in turn. False where a worker failed.

    Windows of their own, because the counters are too slow for blocks. Where NVML says nothing it costs no time.
    """
    for worker in (cpu, gpu) * (MOST // 2):
        frames = frames_within(WINDOW_MS, worker.pace_ms)
        if windows.wanted and not windows.around(worker.delegate, partial(unnoted, worker, frames)):
            return False
    return True


def unnoted(worker: Worker, frames: int) -> bool:
    """Frames of one worker whose times belong to no block."""
    worker.ask(0, frames)
    return worker.finish() is not None


def look_at(worker: Worker, frames: int, sample: Sample) -> tuple[GpuSample, ...] | Unread:
    """NVML's view while `worker` works on `frames` frames; after them it notes its libraries and device files."""
    worker.ask(0, frames, look=True)
    seen = sample()
    worker.finish()
    return seen
