"""A number of workers of one delegate that work at the same time: started, warmed up, timed in rounds, ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from envcheck.cell.experiment import HOPELESS_FRAMES, WARMUP_STEP, hopeless, warm_enough
from envcheck.cell.worker import Material, Worker, start_worker
from envcheck.model import NOT_LOOKED, GpuSample, WorkerRun
from envcheck.probes import nativelog
from envcheck.reason import reason_of
from envcheck.record import Unread
from envcheck.sweep import meters
from envcheck.swept import Round, Side

FEWEST, MOST = 3, 2000
"""Frames of a stream in one round."""
QUOTE = 160
WORST_FIRST = ("died", "hung", "garbage", "import-failed", "refused", "not-run", "ran")

Sample = Callable[[], "tuple[GpuSample, ...] | Unread"]


@dataclass(frozen=True)
class Means:
    """What every point is measured with: the argv of the interpreter, its environment, seconds for each delegate."""

    python: Sequence[str]
    env: Mapping[str, str]
    deadline_s: float
    seconds: float
    delegates: Sequence[str]


@dataclass
class Streams:
    """The workers of one delegate. Each is spoken to by one thread at a time."""

    delegate: str
    workers: Sequence[Worker]
    pool: ThreadPoolExecutor
    rounds: list[Round] = field(default_factory=list)
    pace_ms: float = 0.0
    """Time per frame and stream at the end of the warm-up."""
    warmed: int = 0
    memory: tuple[int, ...] | Unread = NOT_LOOKED
    gpu_memory: tuple[int, ...] | Unread = NOT_LOOKED

    @property
    def alive(self) -> bool:
        """True while every stream works."""
        return all(worker.alive for worker in self.workers)

    @property
    def pids(self) -> tuple[int | None, ...]:
        """The processes, as this machine numbers them."""
        return tuple(worker.seen.get("pid") for worker in self.workers)

    def load(self, material: Material) -> bool:
        """Import, create, first frame, in all at once. False where one of them failed."""
        return all(list(self.pool.map(lambda worker: worker.load(material), self.workers)))

    def run(self, first: int, count: int) -> tuple[tuple[tuple[float, ...], ...], int] | None:
        """`count` frames on every stream: times by stream, and frames with a face; None where one failed."""

        def work(worker: Worker) -> tuple[tuple[float, ...], int] | None:
            worker.ask(first, count)
            ran = worker.finish()
            return None if ran is None else (tuple(round(time, 4) for time in ran.times_ms), ran.faces)

        done = [one for one in self.pool.map(work, self.workers) if one is not None]
        if len(done) < len(self.workers):
            return None
        return tuple(times for times, _ in done), sum(faces for _, faces in done)

    def warm_up(self, period: int) -> bool:
        """Work until a period is over and every stream is steady, or the budget is spent. False where one failed.

        On a software rasteriser, which is never recommended, a few frames are enough.
        """
        series: list[list[float]] = [[] for _ in self.workers]
        spent = 0.0
        while not warm_enough(series, (spent,), period):
            if self.warmed >= HOPELESS_FRAMES and self.delegate == "GPU" and hopeless(self.workers[0]):
                break
            done = self.run(self.warmed, WARMUP_STEP)
            if done is None:
                return False
            for known, times in zip(series, done[0], strict=True):
                known.extend(times)
            wall = max(worker.wall_ms for worker in self.workers)
            self.warmed, spent, self.pace_ms = self.warmed + WARMUP_STEP, spent + wall, wall / WARMUP_STEP
        return True

    def time_round(self, pair: int, round_ms: float, sample: Sample) -> bool:
        """One timed round of about `round_ms`. False where a stream failed."""
        count = int(min(MOST, max(FEWEST, round_ms / max(self.pace_ms, 1e-3))))
        before = meters.read_all(self.pids, sample)
        done = self.run(pair * count, count)
        after = meters.read_all(self.pids, sample)
        if done is None:
            return False
        times, faces = done
        self.rounds.append(
            Round(
                pair=pair,
                times_ms=times,
                wall_ms=tuple(worker.wall_ms for worker in self.workers),
                faces=faces,
                cpu_s=meters.cpu_between(before, after),
                gpu_mj=meters.gpu_mj_between(before, after),
                package_mj=meters.package_mj_between(before, after),
            )
        )
        self.pace_ms = median(time for stream in times for time in stream)
        return True

    def weigh(self, sample: Sample) -> None:
        """Note the memory that each stream has, while it is warm."""
        self.memory = meters.memory_of(self.pids)
        self.gpu_memory = meters.gpu_memory_of(sample(), self.pids)

    def stop(self) -> Side:
        """End all; what was seen."""
        return side_of(self, list(self.pool.map(lambda worker: worker.stop(), self.workers)))

    def kill(self) -> None:
        """End all, at once."""
        for worker in self.workers:
            worker.started.kill()


def start(means: Means, delegate: str, pool: ThreadPoolExecutor, count: int = 1) -> Streams:
    """`count` interpreters that wait for their payload."""
    workers = [start_worker(means.python, delegate, means.env, means.deadline_s) for _ in range(count)]
    return Streams(delegate, workers, pool)


def side_of(streams: Streams, runs: Sequence[WorkerRun]) -> Side:
    """The record of streams that have ended."""
    worst = min(runs, key=lambda run: WORST_FIRST.index(run.outcome))
    return Side(
        delegate=streams.delegate,
        outcome=worst.outcome,
        error=what_happened(worst),
        renderer=renderer_of(runs),
        create_ms=tuple(run.create_ms for run in runs if run.create_ms is not None),
        first_ms=tuple(run.first_ms for run in runs if run.first_ms is not None),
        warmup=streams.warmed,
        rounds=tuple(streams.rounds),
        memory=streams.memory,
        gpu_memory=streams.gpu_memory,
    )


def what_happened(run: WorkerRun) -> str:
    """Why a worker did not run to its end, in one line."""
    if run.outcome == "ran":
        return ""
    return ": ".join(part for part in (run.exit, reason_of(run, QUOTE)) if part)


def renderer_of(runs: Sequence[WorkerRun]) -> str:
    """The GL renderer that the first log with one names."""
    lines = (nativelog.gl_line(run.log) for run in runs)
    return next((line.renderer or "" for line in lines if line is not None), "")
