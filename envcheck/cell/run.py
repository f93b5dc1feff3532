"""Runs the probes and the two workers of one cell, and gathers what they saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from statistics import median

from msgspec.structs import replace

from envcheck.cell import surroundings
from envcheck.cell.experiment import design, hopeless, look_at, measure, time_alone, warm_up, watch_gpus
from envcheck.cell.glprobe import observe_gl
from envcheck.cell.observe import NvmlSampler, observe_cuda, observe_cuda_driver, observe_facts
from envcheck.cell.window import Windows
from envcheck.cell.worker import Material, Worker, start_worker
from envcheck.facts import Facts
from envcheck.model import Build, Cell, Evidence, Foresight, Gate, Host, ModelFile, Shown, Unread, WorkerRun

LOOK_MS = 200.0
"""About how long the GPU worker works while NVML is asked."""
FEWEST_FRAMES = 2
"""Frames that a worker does at least before its libraries and device files are looked at."""


@dataclass(frozen=True)
class Setting:
    """What all cells of a run share."""

    host: Host
    gate: Gate
    material: Material
    model: ModelFile
    env: Mapping[str, str]
    deadline_s: float


@dataclass(frozen=True)
class Stage:
    """What the workers of one cell are driven with."""

    setting: Setting
    progress: Callable[[str], None]
    start_legacy: Callable[[], Worker]


def observe_cell(
    cell: Cell,
    foresight: Foresight,
    setting: Setting,
    build: Build | None = None,
    python: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _label: None,
) -> Evidence:
    """The evidence of one cell. Without `python` (not built, or not to be run) nothing is started."""
    facts: dict[str, object] = {"build": build}
    if python:
        progress("asking EGL")
        facts["gl"] = observe_gl(python, setting.env, setting.deadline_s)
        seen = observe_facts(python, setting.env, setting.deadline_s)
        facts["facts"] = seen
        if cell.axes.cuda is not None:
            facts["cuda"] = observe_cuda(python, setting.env, setting.deadline_s)
        if cell.axes.cuda is not None or has_cuda_driver(seen):
            facts["cuda_driver"] = observe_cuda_driver(python, setting.env, setting.deadline_s)
        facts |= run_workers(python, setting, progress)
        kept = facts["cpu"].landmarks if isinstance(facts["cpu"], WorkerRun) else ()
        facts |= {"model": setting.model, "frames": setting.material.frames.record}
        facts["motion"] = shown(setting.material, [one.frame for one in kept])
    evidence = Evidence(
        cell=cell,
        host=setting.host,
        foresight=foresight,
        gate=setting.gate,
        workload=setting.material.workload,
        recorded_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    return replace(evidence, **facts)


def shown(material: Material, frames: Sequence[int]) -> tuple[Shown, ...]:
    """Where the picture lies in these frames; nothing where it may hold several faces, of which any may be found."""
    known = material.frames
    if not known.one_face:
        return ()
    rows = [(frame, [float(number) for number in known.transforms[frame].ravel()]) for frame in frames]
    return tuple(
        Shown(frame=frame, transform=(a, b, c, d, e, f), present=bool(known.present[frame]))
        for frame, (a, b, c, d, e, f) in rows
    )


def has_cuda_driver(facts: Facts | Unread) -> bool:
    """True where the loader finds a libcuda, which may work or not."""
    if isinstance(facts, Unread):
        return False
    looked = [found for found in (facts.driver.libraries, facts.cuda.compat) if not isinstance(found, Unread)]
    return any(file.loadable and file.name == "libcuda.so.1" for found in looked for file in found)


def run_workers(python: Sequence[str], setting: Setting, progress: Callable[[str], None]) -> dict[str, object]:
    """The workers and NVML, from start to stop: the evidence fields they fill."""
    with ExitStack() as stack:
        sampler = stack.enter_context(NvmlSampler.start(setting.env))

        def start(delegate: str, api: str = "tasks") -> Worker:
            worker = start_worker(python, delegate, setting.env, setting.deadline_s, api)
            stack.callback(worker.started.kill)
            return worker

        cpu, gpu = start("CPU"), start("GPU")
        facts: dict[str, object] = {"nvml_idle": sampler.sample()}
        facts |= drive(cpu, gpu, sampler, Stage(setting, progress, partial(start, "CPU", "legacy")))
        progress("closing")
        return facts | {"cpu": cpu.stop(), "gpu": gpu.stop()}


def drive(cpu: Worker, gpu: Worker, sampler: NvmlSampler, stage: Stage) -> dict[str, object]:
    """Load, warm up, look, time; stops where a worker fails. Returns what is not in the workers' own records."""
    material, progress = stage.setting.material, stage.progress
    for worker in (cpu, gpu):
        progress(f"starting FaceLandmarker on the {worker.delegate}")
        if not worker.load(material):
            if cpu.alive:
                progress("timing the CPU, which is what is left")
                time_alone(cpu)
            return {}
    progress("warming up and comparing landmarks")
    if not warm_up((cpu, gpu), len(material.frames.frames), partial(hopeless, gpu)):
        return {}
    look_at(cpu, FEWEST_FRAMES, lambda: Unread(reason="not asked"))
    facts: dict[str, object] = {"nvml_working": look_at(gpu, frames_for(gpu), sampler.sample)}
    if not (cpu.alive and gpu.alive):
        return facts
    windows = Windows(sampler.sample)
    going = watch_gpus(cpu, gpu, windows)
    facts["nvml_windows"] = windows.seen()
    return facts | compare(cpu, gpu, stage) if going else facts


def compare(cpu: Worker, gpu: Worker, stage: Stage) -> dict[str, object]:
    """The timed part: the GPU against every way over the CPU, in pairs of blocks."""
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
    worker = stage.start_legacy()
    if worker.load(stage.setting.material):
        warm_up((worker,), len(stage.setting.material.frames.frames))
    return worker


def frames_for(worker: Worker) -> int:
    """Frames that take the worker about LOOK_MS."""
    return int(min(60, max(FEWEST_FRAMES, LOOK_MS / max(0.1, worker.pace_ms, median(worker.warmup[-10:])))))
