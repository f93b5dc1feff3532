"""The timed part of a cell: the GPU against every way over the CPU, and once more with fresh processes.

What lies in a process for as long as it lives (where its memory came to lie, which cores it got) favours one side in
all pairs of a run alike; only other processes tell. What is far from the threshold is not run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from envcheck import stats
from envcheck.cell import surroundings
from envcheck.cell.experiment import design, hopeless, measure, warm_up
from envcheck.cell.stage import Stage
from envcheck.cell.worker import Worker
from envcheck.judge.baseline import fastest_of
from envcheck.model import Gate, Repeat, Speedup, WorkerRun


def compare(cpu: Worker, gpu: Worker, stage: Stage) -> dict[str, object]:
    """The GPU against every way over the CPU, in pairs of blocks: the evidence fields that it fills."""
    setting, lost = stage.setting, hopeless(gpu)
    legacy = None if lost else legacy_of(cpu, stage)
    baselines = (cpu, legacy) if legacy and legacy.alive else (cpu,)
    look = partial(surroundings.read, [worker.started.pid() for worker in (*baselines, gpu)])
    waited_s, quiet = (0.0, True) if lost else surroundings.wait_for_quiet(look, setting.gate.max_seconds)
    plan = design(baselines, gpu, setting.gate, quiet=quiet)
    stage.progress(f"timing: up to {plan.looks[-1]} pairs of blocks of {plan.frames} frames")
    before = look()
    measure(baselines, gpu, setting.gate, plan, stage.progress)
    disturbance = surroundings.between(before, look(), waited_s)
    facts = {"confidence_used": plan.confidence, "disturbance": disturbance}
    return facts | ({"legacy": legacy.stop()} if legacy else {})


def legacy_of(cpu: Worker, stage: Stage) -> Worker | None:
    """The legacy FaceMesh, warmed up where it works; None where this MediaPipe has none."""
    if not cpu.solutions:
        return None
    stage.progress("starting the legacy FaceMesh, which may be the faster way over the CPU")
    worker = stage.start("CPU", api="legacy")
    if worker.load(stage.setting.material):
        warm_up((worker,), len(stage.setting.material.frames.frames))
    return worker


def repeats(first: Mapping[str, object], stage: Stage) -> tuple[Repeat, ...]:
    """Further runs of fresh processes where the first is close to the threshold, as long as they agree with it.

    `first` is what the first run left.
    """
    known = {name: first[name] for name in Repeat.__struct_fields__ if name in first}
    gate, done = stage.setting.gate, list[Repeat]()
    found = speedup(Repeat(**known), gate)  # type: ignore[arg-type] # fields of the evidence, by name
    going, expected = stats.close(found, gate.min_speedup), stats.side(found, gate.min_speedup)
    while going and len(done) + 1 < gate.runs:
        done.append(repeat(stage, len(done) + 2))
        going = stats.side(speedup(done[-1], gate), gate.min_speedup) == expected
    return tuple(done)


def speedup(run: Repeat, gate: Gate) -> Speedup | None:
    """What this run alone shows."""
    return stats.speedup(fastest_of(run), run.gpu.blocks, run.confidence_used or gate.confidence)


def repeat(stage: Stage, number: int) -> Repeat:
    """Fresh processes from start to stop. In every other run the GPU's is first, as it was second in the first run."""
    stage.progress(f"run {number} of {stage.setting.gate.runs}, with fresh processes")
    workers = {delegate: stage.start(delegate) for delegate in (("CPU", "GPU") if number % 2 else ("GPU", "CPU"))}
    material, facts = stage.setting.material, {}
    cpu, gpu = workers["CPU"], workers["GPU"]
    loaded = [worker.load(material) for worker in workers.values()]
    if all(loaded) and warm_up(tuple(workers.values()), len(material.frames.frames)):
        facts = compare(cpu, gpu, stage)
    facts.pop("disturbance", None)
    return Repeat(cpu=brief(cpu.stop()), gpu=brief(gpu.stop()), **facts)  # type: ignore[arg-type] # as above


def brief(run: WorkerRun) -> WorkerRun:
    """Without what the first run has told: the landmarks; and the log, except of a worker that failed."""
    return replace(run, landmarks=(), log=() if run.outcome == "ran" else run.log)
