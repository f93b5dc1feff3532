"""The fastest way over the CPU is what the GPU is compared with: workers of wheels with and without the legacy API.

No hardware GPU is here, so a second worker on the CPU takes the GPU's place, which is hopeless by its own log; that the
experiment sees so is switched off.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from envcheck.cell import comparing
from envcheck.cell.experiment import warm_up
from envcheck.cell.run import run_workers
from envcheck.cell.stage import Setting, Stage
from envcheck.cell.worker import Material, Worker, start_worker
from envcheck.judge.measured import bench_of
from envcheck.model import Gate, Repeat, WorkerRun, Workload
from envcheck.workload import build_frames, resolve_model
from tests.functional.conftest import PythonWith
from tests.golden import as_if_seen

pytestmark = [pytest.mark.network, pytest.mark.timeout(1800)]
ACCELERATED = as_if_seen("accelerated")
DEADLINE_S = 600.0


@pytest.fixture(scope="module")
def material() -> Material:
    work = Workload()
    return Material(resolve_model("default", Path())[0], build_frames(work), work)


def compared(
    python: tuple[str, ...], material: Material, monkeypatch: pytest.MonkeyPatch
) -> tuple[Worker, Worker, dict[str, object]]:
    monkeypatch.setattr(comparing, "hopeless", lambda _worker: False)

    def start(delegate: str, api: str = "tasks") -> Worker:
        return start_worker(python, "CPU", os.environ, DEADLINE_S, api)

    cpu, other = start("CPU"), start("GPU")
    assert cpu.load(material)
    assert other.load(material)
    other.delegate = "GPU"
    setting = Setting(ACCELERATED.host, Gate(max_seconds=5), material, ACCELERATED.model, os.environ, DEADLINE_S)  # type: ignore[arg-type]
    stage = Stage(setting, lambda _label: None, start)
    try:
        assert warm_up((cpu, other), len(material.frames.frames))
        return cpu, other, comparing.compare(cpu, other, stage)
    finally:
        cpu.stop()
        other.stop()


def test_the_legacy_facemesh_is_timed_beside_facelandmarker_and_the_faster_one_is_the_baseline(
    python_with: PythonWith, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu, other, facts = compared(tuple(python_with("0.10.21")), material, monkeypatch)
    legacy = facts["legacy"]

    assert isinstance(legacy, WorkerRun)
    assert (legacy.outcome, legacy.mediapipe) == ("ran", "0.10.21")
    assert len(legacy.blocks) == len(cpu.blocks) == len(other.blocks)
    found = [sum(block.faces for block in blocks) for blocks in (cpu.blocks, legacy.blocks)]
    assert found[1] >= 0.9 * found[0] > 0
    ran = structs.replace(ACCELERATED.cpu, mediapipe="0.10.21", blocks=tuple(cpu.blocks))
    gpu = structs.replace(ACCELERATED.gpu, blocks=tuple(other.blocks))
    bench = bench_of(structs.replace(ACCELERATED, cpu=ran, gpu=gpu, legacy=legacy))
    assert bench is not None
    assert bench.cpu is not None
    assert bench.other_cpu is not None
    assert bench.cpu.median_ms <= bench.other_cpu.median_ms
    names = {"FaceLandmarker, CPU delegate, MediaPipe 0.10.21", "legacy FaceMesh, MediaPipe 0.10.21"}
    assert {bench.baseline, bench.other_baseline} == names


def test_a_wheel_without_the_legacy_api_starts_no_third_worker(
    python_with: PythonWith, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu, other, facts = compared(tuple(python_with("1.2.2")), material, monkeypatch)

    assert not cpu.solutions
    assert "legacy" not in facts
    assert cpu.blocks
    assert other.blocks


@pytest.mark.software_gl
def test_what_is_close_to_the_threshold_is_run_again_with_fresh_processes_and_nothing_else_is(
    python_with: PythonWith, material: Material
) -> None:
    python, env = tuple(python_with("0.10.35")), {**os.environ, "EGL_PLATFORM": "surfaceless"}
    gate = Gate(max_seconds=5, runs=2)
    setting = Setting(ACCELERATED.host, gate, material, ACCELERATED.model, env, DEADLINE_S)  # type: ignore[arg-type]
    facts = run_workers(python, setting, lambda _label: None)
    cpu, gpu = facts["cpu"], facts["gpu"]
    assert isinstance(cpu, WorkerRun)
    assert isinstance(gpu, WorkerRun)
    assert "repeats" not in facts  # no speed-up would make a rasteriser pass
    found = comparing.speedup(Repeat(cpu=cpu, gpu=gpu), gate)
    assert found is not None
    started: list[Worker] = []

    def start(delegate: str, api: str = "tasks") -> Worker:
        started.append(start_worker(python, delegate, env, DEADLINE_S, api))
        return started[-1]

    lower = replace(setting, gate=Gate(min_speedup=found.ci95[0] / 1.1, max_seconds=5, runs=2))
    (again,) = comparing.repeats(facts, Stage(lower, lambda _label: None, start))
    higher = replace(setting, gate=Gate(min_speedup=found.ci95[1] * 1.1, max_seconds=5, runs=2))
    (too,) = comparing.repeats(facts, Stage(higher, lambda _label: None, start))

    assert (too.cpu.outcome, too.gpu.outcome) == ("ran", "ran")
    assert (again.cpu.outcome, again.gpu.outcome) == ("ran", "ran")
    assert len(again.cpu.blocks) == len(again.gpu.blocks) >= 5
    assert len({run.pid for run in (cpu, gpu, again.cpu, again.gpu, too.cpu, too.gpu)}) == 6
    assert [worker.delegate for worker in started] == ["GPU", "CPU"] * 2  # the first run began with the CPU's
