"""Runs the probes and the two workers of one cell, and gathers what they saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from statistics import median

from msgspec.structs import replace

from envcheck.cell.comparing import compare, repeats
from envcheck.cell.experiment import hopeless, look_at, time_alone, warm_up, watch_gpus
from envcheck.cell.glprobe import observe_gl
from envcheck.cell.observe import NvmlSampler, observe_cuda, observe_cuda_driver, observe_facts
from envcheck.cell.stage import Setting, Stage
from envcheck.cell.window import Windows
from envcheck.cell.worker import Material, Worker, start_worker
from envcheck.facts import Facts
from envcheck.model import Build, Cell, Evidence, Foresight, Shown, Unread, WorkerRun

LOOK_MS = 200.0
"""About how long the GPU worker works while NVML is asked."""
FEWEST_FRAMES = 2
"""Frames that a worker does at least before its libraries and device files are looked at."""


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

        stage = Stage(setting, progress, start)
        cpu, gpu = start("CPU"), start("GPU")
        facts: dict[str, object] = {"nvml_idle": sampler.sample()}
        facts |= drive(cpu, gpu, sampler, stage)
        lost = hopeless(gpu)
        progress("closing")
        facts |= {"cpu": cpu.stop(), "gpu": gpu.stop()}
        return facts if lost else facts | {"repeats": repeats(facts, stage)}


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


def frames_for(worker: Worker) -> int:
    """Frames that take the worker about LOOK_MS."""
    return int(min(60, max(FEWEST_FRAMES, LOOK_MS / max(0.1, worker.pace_ms, median(worker.warmup[-10:])))))
