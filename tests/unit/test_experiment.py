"""How long warm-up, blocks and the whole experiment are made: workers that need no process, a clock of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from envcheck import stats
from envcheck.cell import experiment
from envcheck.cell.experiment import Design, design, hopeless, measure, warm_enough, warm_up, watch_gpus
from envcheck.cell.window import MOST, Windows
from envcheck.cell.worker import Worker
from envcheck.judge.baseline import fastest
from envcheck.model import Block, Gate, GpuSample, Landmarks, Unread
from envcheck.pipes import Lines
from envcheck.probes.facemesh import Ran

ROUTINE = 60
"""Frames of a period."""
RASTERISER = "I0 gl_context.cc:369] GL version: 3.2 (OpenGL ES 3.2 Mesa 22.3.6), renderer: llvmpipe (LLVM 15.0.6)"


class Silent:
    """A started worker whose conversation has an empty native log."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    @property
    def conversation(self) -> Silent:
        return self

    def stderr_lines(self) -> Lines:
        return Lines(self.lines, 0)


@dataclass
class Played(Worker):
    """A worker whose frames take what `pace` says of their number since the start; dies after `life` requests."""

    pace: Callable[[int], float] = lambda _: 10.0
    life: int = 1_000_000
    requests: int = 0
    frames: int = 0
    points: Sequence[int] | None = None
    order: list[str] | None = None

    def ask(self, first: int, count: int, *, points: Sequence[int] | None = None, look: bool = False) -> bool:
        self.asked, self.points = count, points
        self.requests += 1
        if self.order is not None:
            self.order.append(self.delegate)
        return True

    def finish(self) -> Ran | None:
        if self.requests > self.life:
            self.end("died")
            return None
        times = tuple(self.pace(self.frames + i) for i in range(self.asked))
        numbers = range(self.frames, self.frames + self.asked) if self.points else ()
        self.frames += self.asked
        self.wall_ms = sum(times)
        landmarks = tuple(Landmarks(number, ((1.0, 1.0),)) for number in numbers)
        return Ran(token="", times_ms=times, faces=self.asked, landmarks=landmarks)


def played(delegate: str, pace: Callable[[int], float] = lambda _: 10.0, **facts: Any) -> Played:
    return Played(delegate=delegate, started=cast("Any", Silent()), deadline_s=1.0, env={}, pace=pace, **facts)


def warmed_up(delegate: str, frame_ms: float, pace_ms: float) -> Worker:
    worker = Worker(delegate=delegate, started=cast("Any", Silent()), deadline_s=1.0, env={})
    worker.warmup += [frame_ms] * 20
    worker.pace_ms = pace_ms
    return worker


def silence(_label: str) -> None:
    """Progress that nobody reads."""


# --- warm-up ----------------------------------------------------------------------------------------------------


def test_warm_up_of_steady_workers_takes_one_period() -> None:
    cpu, gpu = played("CPU"), played("GPU", lambda _: 5.0)

    assert warm_up((cpu, gpu), ROUTINE)
    assert len(cpu.warmup) == len(gpu.warmup) == ROUTINE


def test_warm_up_goes_on_while_one_worker_still_becomes_faster() -> None:
    cpu, gpu = played("CPU"), played("GPU", lambda i: 5.0 + 10.0 * 0.97**i)
    warm_up((cpu, gpu), ROUTINE)

    assert ROUTINE < len(gpu.warmup) == len(cpu.warmup) < 10 * ROUTINE


def test_landmarks_are_of_the_first_period_however_long_warm_up_takes() -> None:
    cpu, gpu = played("CPU"), played("GPU", lambda i: 5.0 + 10.0 * 0.97**i)
    warm_up((cpu, gpu), ROUTINE)

    assert [one.frame for one in gpu.landmarks] == list(range(0, ROUTINE, ROUTINE // experiment.LANDMARK_FRAMES))
    assert [one.frame for one in cpu.landmarks] == [one.frame for one in gpu.landmarks]


def test_a_fast_gpu_works_long_enough_to_raise_its_clocks() -> None:
    cpu, gpu = played("CPU"), played("GPU", lambda _: 2.0)
    warm_up((cpu, gpu), ROUTINE)

    assert sum(gpu.warmup) >= experiment.WARMUP_MIN_MS


def test_warm_up_that_never_ends_is_ended() -> None:
    cpu, gpu = played("CPU"), played("GPU", lambda i: 1000.0 / (1 + i / 50))

    assert warm_up((cpu, gpu), ROUTINE)
    assert experiment.WARMUP_BUDGET_MS < sum(gpu.warmup) < 4 * experiment.WARMUP_BUDGET_MS


def test_warm_up_beside_a_rasteriser_is_short() -> None:
    cpu, gpu = played("CPU"), played("GPU", lambda _: 100.0)
    gpu.started = cast("Any", Silent(RASTERISER))

    assert warm_up((cpu, gpu), ROUTINE, lambda: hopeless(gpu))
    assert len(gpu.warmup) == len(cpu.warmup) == experiment.HOPELESS_FRAMES
    assert [one.frame for one in gpu.landmarks] == [one.frame for one in cpu.landmarks]
    assert len(gpu.landmarks) == experiment.HOPELESS_FRAMES


@pytest.mark.parametrize(
    ("log", "libraries", "expected"),
    [
        ((RASTERISER,), ("/usr/lib/libEGL_nvidia.so.0",), True),
        ((), ("/usr/lib/libc.so.6", "/site-packages/mediapipe/libmediapipe.so"), True),
        ((), ("/usr/lib/libEGL_nvidia.so.0", "/usr/lib/libnvidia-eglcore.so.560.35.03"), False),
        ((), ("/usr/lib/libEGL_nvidia.so.0",), False),
        ((), ("/usr/lib/dri/iris_dri.so",), False),
        ((), (), True),
        ((), Unread(reason="denied"), False),
        ((), None, False),
    ],
    ids=["rasteriser", "no GL", "NVIDIA", "half of NVIDIA", "another GPU", "none at all", "unreadable", "not looked"],
)
def test_only_what_shows_no_gl_or_a_rasteriser_is_hopeless(
    log: tuple[str, ...], libraries: tuple[str, ...] | Unread | None, expected: bool
) -> None:
    """A worker that silently works on the CPU is not timed for a minute; one that may be on a GPU is."""
    gpu = played("GPU")
    gpu.started = cast("Any", Silent(*log))
    if libraries is not None:
        gpu.seen["libraries"] = libraries

    assert hopeless(gpu) is expected


def test_a_worker_that_fails_ends_the_warm_up() -> None:
    assert not warm_up((played("CPU"), played("GPU", life=2)), ROUTINE)


def test_fewer_frames_than_a_period_are_enough_only_where_time_is_over() -> None:
    assert not warm_enough(([1.0] * 40,) * 2, (4000.0, 4000.0), ROUTINE)
    assert warm_enough(([300.0] * 20,) * 2, (6000.0, 6000.0), ROUTINE)


# --- the plan ---------------------------------------------------------------------------------------------------


def test_a_pair_of_blocks_takes_about_the_same_time_at_any_pace() -> None:
    plan = design((warmed_up("CPU", 10.0, 10.5),), warmed_up("GPU", 10.0, 10.5), Gate(max_seconds=60))

    assert plan.frames == int(experiment.PAIR_MS / 21)
    assert plan.looks == stats.looks(int(60_000 / (plan.frames * 21)))


def test_a_machine_that_others_use_is_looked_at_later() -> None:
    plan = design((warmed_up("CPU", 10.0, 10.0),), warmed_up("GPU", 10.0, 10.0), Gate(), quiet=False)

    assert plan.looks[0] == stats.FIRST_LOOK_DISTURBED


def test_a_short_budget_allows_one_look() -> None:
    assert design((warmed_up("CPU", 10.0, 10.0),), warmed_up("GPU", 10.0, 10.0), Gate(max_seconds=0.01)).looks == (5,)


def test_a_rasteriser_in_the_log_makes_the_experiment_short() -> None:
    gpu = warmed_up("GPU", 100.0, 100.0)
    gpu.started = cast("Any", Silent(RASTERISER))

    assert design((warmed_up("CPU", 10.0, 10.0),), gpu, Gate()).looks == (experiment.HOPELESS_PAIRS,)


def test_a_worker_whose_clock_stands_almost_still_gets_no_more_frames() -> None:
    honest = design((warmed_up("CPU", 10.0, 10.0),), warmed_up("GPU", 200.0, 200.0), Gate(max_seconds=60))
    lying = design((warmed_up("CPU", 0.2, 10.0),), warmed_up("GPU", 4.0, 200.0), Gate(max_seconds=60))

    assert lying == honest


# --- the pairs --------------------------------------------------------------------------------------------------


def timed(cpu_ms: float, gpu_ms: Callable[[int], float], gate: Gate | None = None) -> tuple[Played, Played, Design]:
    """The workers after warm-up, plan and timed blocks; CPU frames differ by a percent from one to the next."""
    gate = gate or Gate()
    cpu, gpu = played("CPU", lambda i: cpu_ms * (1 + i % 2 / 100)), played("GPU", gpu_ms)
    warm_up((cpu, gpu), ROUTINE)
    plan = design((cpu,), gpu, gate)
    measure((cpu,), gpu, gate, plan, silence)
    return cpu, gpu, plan


def spent_ms(*workers: Worker) -> float:
    return sum(sum(block.times_ms) for worker in workers for block in worker.blocks)


@pytest.mark.parametrize("factor", [0.5, 2.0], ids=["twice as fast", "half as fast"])
@pytest.mark.parametrize("cpu_ms", [4.0, 10.0, 60.0])
def test_a_clear_case_takes_5_seconds_at_most_and_a_tenth_of_10000_frames(cpu_ms: float, factor: float) -> None:
    gpu_ms = cpu_ms * factor
    cpu, gpu, _ = timed(cpu_ms, lambda i: gpu_ms * (1 + i % 3 / 100))

    assert spent_ms(cpu, gpu) <= 5000
    assert spent_ms(cpu, gpu) * 10 <= 10_000 * (cpu_ms + gpu_ms)


def test_what_cannot_be_told_takes_the_whole_budget_and_no_more() -> None:
    cpu, gpu, plan = timed(10.0, lambda i: 10.0 * (1 + i % 2 / 100), Gate(max_seconds=20))

    assert len(cpu.blocks) == len(gpu.blocks) == plan.looks[-1]
    assert spent_ms(cpu, gpu) <= 20_000


def test_a_machine_that_becomes_slower_does_not_make_the_experiment_longer() -> None:
    cpu, gpu, plan = timed(10.0, lambda i: 10.0 if i < 200 else 100.0, Gate(max_seconds=20, min_speedup=0.3))

    assert len(cpu.blocks) < plan.looks[-1]
    assert spent_ms(cpu, gpu) <= 25_000


def test_each_delegate_comes_first_in_every_other_pair() -> None:
    order: list[str] = []
    cpu, gpu = played("CPU", order=order), played("GPU", order=order)
    measure((cpu,), gpu, Gate(), Design(frames=2, looks=(4,), confidence=0.95), silence)

    assert order == ["CPU", "GPU", "GPU", "CPU"] * 2


def test_a_worker_that_fails_ends_the_experiment_with_what_was_timed() -> None:
    cpu, gpu = played("CPU"), played("GPU", life=7)
    measure((cpu,), gpu, Gate(), Design(frames=2, looks=(20,), confidence=0.95), silence)

    assert len(gpu.blocks) == 7
    assert not gpu.alive


def test_the_gpu_has_to_beat_the_fastest_way_over_the_cpu() -> None:
    cpu, legacy, gpu = played("CPU"), played("CPU", lambda i: 4.0 * (1 + i % 2 / 100)), played("GPU", lambda _: 6.0)
    plan = Design(frames=4, looks=(12, 24), confidence=0.95)
    measure((cpu, legacy), gpu, Gate(), plan, silence)
    alone_cpu, alone_gpu = played("CPU"), played("GPU", lambda _: 6.0)
    measure((alone_cpu,), alone_gpu, Gate(), plan, silence)

    assert stats.speedup(legacy.blocks, gpu.blocks, 0.95).ci95[1] < 1  # type: ignore[union-attr]
    assert stats.speedup(alone_cpu.blocks, alone_gpu.blocks, 0.95).ci95[0] > 1  # type: ignore[union-attr]
    assert len(gpu.blocks) == len(cpu.blocks) == len(legacy.blocks) == 12


def test_a_second_way_over_the_cpu_may_fail_without_costing_the_rest() -> None:
    cpu, legacy, gpu = played("CPU"), played("CPU", lambda _: 1.0, life=3), played("GPU", lambda _: 5.0)
    measure((cpu, legacy), gpu, Gate(), Design(frames=2, looks=(12,), confidence=0.95), silence)

    assert (len(cpu.blocks), len(legacy.blocks), len(gpu.blocks)) == (12, 3, 12)
    assert fastest([cpu.blocks, legacy.blocks]) == 0


def test_a_way_that_loses_the_face_is_fast_for_nothing() -> None:
    seen = [Block(pair=number, times_ms=(9.0, 9.0), faces=2) for number in range(6)]
    blind = [Block(pair=number, times_ms=(2.0, 2.0), faces=0) for number in range(6)]
    quick = [Block(pair=number, times_ms=(8.0, 8.0), faces=2) for number in range(6)]

    assert fastest([seen, blind]) == 0
    assert fastest([seen, quick]) == 1


# --- NVML's windows ---------------------------------------------------------------------------------------------


def test_each_worker_has_its_windows_and_no_block() -> None:
    sample = (GpuSample(index=0, utilisation=5, memory_used=1, energy_mj=1, compute=(), graphics=()),)
    cpu, gpu, windows = played("CPU", pace_ms=10.0), played("GPU", pace_ms=5.0), Windows(lambda: sample)

    assert watch_gpus(cpu, gpu, windows)
    seen = windows.seen()
    assert not isinstance(seen, Unread)
    assert [window.worker for window in seen] == ["CPU", "GPU"] * (MOST // 2)
    assert (cpu.blocks, gpu.blocks) == ([], [])
    assert (cpu.frames, gpu.frames) == (50, 100)


def test_where_nvml_says_nothing_windows_cost_one_question() -> None:
    cpu, gpu, windows = (
        played("CPU", pace_ms=10.0),
        played("GPU", pace_ms=5.0),
        Windows(lambda: Unread(reason="no NVML")),
    )
    watch_gpus(cpu, gpu, windows)

    assert windows.seen() == Unread(reason="no NVML")
    assert (cpu.requests, gpu.requests) == (0, 0)
