"""Evidence -> what was measured: times, speed-up, what it was measured against, and on what."""

from __future__ import annotations

from msgspec.structs import replace

from envcheck import stats
from envcheck.judge.baseline import baseline_of, fastest_of
from envcheck.model import Bench, Evidence, Identity, Repeat, Start, Unread, WorkerRun
from envcheck.steady import steady_after


def bench_of(evidence: Evidence) -> Bench | None:
    """The measured comparison of a cell; None where neither delegate was timed."""
    baseline, gpu = baseline_of(evidence), evidence.gpu
    found = stats.bench(baseline.run.blocks, gpu.blocks, evidence.confidence_used or evidence.gate.confidence)
    if found is None:
        return None
    return replace(
        of_all_runs(found, evidence),
        cpu_start=start_of(baseline.run),
        gpu_start=start_of(gpu),
        baseline=baseline.name if found.cpu else "",
        other_cpu=stats.timing(baseline.other.blocks) if baseline.other else None,
        other_baseline=baseline.other_name,
        identity=identity_of(evidence),
    )


def of_all_runs(first: Bench, evidence: Evidence) -> Bench:
    """The first run's figures with a speed-up over all runs of fresh processes; none where one of them gave none."""
    if not evidence.repeats:
        return first
    benches = [first, *(bench_of_repeat(one, evidence.gate.confidence) for one in evidence.repeats)]
    medians = [one.speedup if one else None for one in benches]
    tails = [one.speedup_p95 if one else None for one in benches]
    runs = tuple(one for one in medians if one)
    return replace(first, speedup=stats.spanning(medians), speedup_p95=stats.spanning(tails), runs=runs)


def bench_of_repeat(again: Repeat, confidence: float) -> Bench | None:
    """What one further run measured, against the way over the CPU that was the fastest in it."""
    return stats.bench(fastest_of(again), again.gpu.blocks, again.confidence_used or confidence)


def start_of(run: WorkerRun) -> Start | None:
    """What it took a worker to get to steady work; None where it did not get that far."""
    if run.first_ms is None:
        return None
    return Start(create_ms=run.create_ms, first_ms=run.first_ms, warmup_frames=steady_after(run.warmup_ms))


def identity_of(evidence: Evidence) -> Identity:
    """Everything that has to be alike before two measurements may be compared."""
    host, workload = evidence.host, evidence.workload
    nvml = None if isinstance(host.nvml, Unread) else host.nvml
    resources = None if isinstance(evidence.facts, Unread) else evidence.facts.resources
    allowed = (host.cores, resources and resources.cores, resources and resources.quota_cores)
    governor = resources.governor if resources else None
    return Identity(
        machine=f"{host.platform} {host.machine}",
        cpu=host.cpu,
        cores=min((float(one) for one in allowed if isinstance(one, (int, float))), default=None),
        governor=governor if isinstance(governor, str) else None,
        gpus=tuple(gpu.name for gpu in nvml.gpus) if nvml else (),
        gpu_mhz=tuple(gpu.sm_max_mhz for gpu in nvml.gpus if isinstance(gpu.sm_max_mhz, int)) if nvml else (),
        driver=nvml.driver if nvml else None,
        mediapipe=evidence.gpu.mediapipe or evidence.cpu.mediapipe,
        python=evidence.gpu.python or evidence.cpu.python,
        model=evidence.model.sha256 if evidence.model else None,
        input=evidence.frames.sha256 if evidence.frames else None,
        workload=f"{workload.resolution}, {workload.faces} face{'s' * (workload.faces != 1)}, {workload.mode}",
    )
