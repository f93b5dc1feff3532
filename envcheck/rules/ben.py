"""BEN5xx: what was measured, and what could not be concluded."""

from __future__ import annotations

from envcheck.model import Evidence, GpuSample, Status, Unread, Verdict
from envcheck.rules.rule import Case, Rule, on_verdict
from envcheck.rules.world import looked_only, timed
from envcheck.steady import FEWEST_FRAMES, steady_after

MEASURED_BY_OTHERS = "https://github.com/google-ai-edge/mediapipe/issues/5742"
DISTURBED_SHARE = 0.15
"""Share of the machine's cores, or of the time, from which on others disturb a measurement."""


def restless(case: Case) -> str | None:
    """Workers whose warm-up was not over when timing began."""
    workers = (case.evidence.cpu, case.evidence.gpu)
    seen = [
        f"{worker.delegate} after {len(worker.warmup_ms)} frames"
        for worker in workers
        if len(worker.warmup_ms) >= FEWEST_FRAMES and steady_after(worker.warmup_ms) is None
    ]
    return ", ".join(seen) or None


def disturbed(case: Case) -> str | None:
    """Others at work while blocks were timed: on the CPU, and on the GPU."""
    return "; ".join([*on_the_cpu(case.evidence), *on_the_gpu(case.evidence)]) or None


def on_the_cpu(evidence: Evidence) -> list[str]:
    """Programs, a hypervisor or a quota that took cores."""
    seen = evidence.disturbance
    if isinstance(seen, Unread):
        return []
    words = (("other programs kept {:.1f} of {} cores busy", seen.others_cores),
             ("the hypervisor took {:.1f} of {} cores", seen.stolen_cores))  # fmt: skip
    said = [
        text.format(cores, seen.cores)
        for text, cores in words
        if isinstance(cores, float) and cores >= DISTURBED_SHARE * seen.cores
    ]
    if seen.throttled_share is not None and seen.throttled_share >= DISTURBED_SHARE:
        said.append(f"the quota of the control group held work back for {seen.throttled_share:.0%} of the time")
    return said


def on_the_gpu(evidence: Evidence) -> list[str]:
    """Clocks that were held down while the GPU worker worked, and processes that came meanwhile."""
    windows = () if isinstance(evidence.nvml_windows, Unread) else evidence.nvml_windows
    reasons = {
        (change.index, reason)
        for window in windows
        if window.worker == "GPU"
        for change in window.gpus
        if isinstance(change.throttle, tuple)
        for reason in change.throttle
    }
    said = [f"GPU {index} was held down by {reason}" for index, reason in sorted(reasons)]
    return said + [f"process {pid} came to GPU {index}" for index, pid in newcomers(evidence)]


def newcomers(evidence: Evidence) -> list[tuple[int, int]]:
    """GPU and process number of those that used a GPU while ours worked, and not before; none in a PID namespace."""
    idle, working = evidence.nvml_idle, evidence.nvml_working
    if isinstance(idle, Unread) or isinstance(working, Unread) or evidence.host.nested_pids is not False:
        return []
    ours = {evidence.cpu.pid, evidence.gpu.pid, evidence.cpu.inner_pid, evidence.gpu.inner_pid}
    here = {(gpu.index, pid) for gpu in idle for pid in pids_of(gpu)}
    return sorted({(gpu.index, pid) for gpu in working for pid in pids_of(gpu) if pid not in ours} - here)


def pids_of(gpu: GpuSample) -> set[int]:
    """The processes on a GPU, as far as NVML tells."""
    return {one.pid for found in (gpu.compute, gpu.graphics) if isinstance(found, tuple) for one in found}


RULES = (
    Rule(
        code="BEN501",
        title="hardware GPU proven, landmarks agree, speed-up above the threshold",
        see=on_verdict(Verdict.ACCELERATED),
        because="Independent witnesses agree, and the whole interval of the speed-up lies above the threshold.",
        remedy="Nothing to do. Keep this check in front of your deployment: drivers and images change.",
        url="https://github.com/google-ai-edge/mediapipe/issues/4988",
        status=Status.PASS,
    ),
    Rule(
        code="BEN502",
        title="the GPU works, but is not faster",
        see=on_verdict(Verdict.SLOWER),
        because="The face models are tiny, each frame is uploaded and its result read back, and one frame is in flight at "
        "a time: a fast CPU can win. The GPU may still free CPU time.",
        remedy="envcheck validate --model official    # or more faces, a larger picture; else use the CPU delegate here",
        url=MEASURED_BY_OTHERS,
    ),
    Rule(
        code="BEN503",
        title="the GPU works; faster or not could not be told",
        see=on_verdict(Verdict.INCONCLUSIVE),
        because="The interval of the speed-up still straddled the threshold when the time budget ran out.",
        remedy="Give it more time (gate.max_seconds in matrix.yaml) on a quiet machine, or accept that the difference is small.",
        url=MEASURED_BY_OTHERS,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="BEN504",
        title="the GPU's landmarks are wrong",
        see=on_verdict(Verdict.WRONG),
        because="The GPU gives other landmarks than the CPU on the same frames, beyond what half precision explains.",
        remedy="Use the CPU delegate, another MediaPipe version or another driver, and report it with the evidence file.",
        url="https://github.com/google-ai-edge/mediapipe/issues/3545",
    ),
    Rule(
        code="BEN505",
        title="could not look",
        see=on_verdict(Verdict.UNKNOWN),
        scope=lambda case: not looked_only(case),
        because="Nothing was proven, and what is not proven is not a pass.",
        remedy="Read the reason; run the cell again where its missing witness can be had (NVML outside a container, an input with a face).",
        url="https://github.com/google-ai-edge/mediapipe/issues/4988",
        status=Status.UNKNOWN,
    ),
    Rule(
        code="BEN506",
        title="warm-up was not over when timing began",
        see=restless,
        scope=timed,
        because="Frames still became faster, or slower, after five seconds. The times are those of a start, not of steady work.",
        remedy="Run it again on a quiet machine; with a slow first minute (clocks, heat) raise gate.max_seconds in matrix.yaml.",
        url=MEASURED_BY_OTHERS,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="BEN507",
        title="others were at work while it was timed",
        see=disturbed,
        scope=timed,
        because="They take turns with what is measured. Pairs of blocks share what is slow, so the ratio suffers less than the "
        "times do; but CPU and GPU need the cores in different measure, and the ratio is that of a shared machine.",
        remedy="top -o %CPU; nvidia-smi    # who it is; measure when it is done",
        url=MEASURED_BY_OTHERS,
        status=Status.UNKNOWN,
    ),
)
