"""NVML's process lists while the GPU worker worked.

GL shows on the graphics list; a process on the compute list alone has a CUDA context, which MediaPipe never makes but a
library beside it may. Fooled by: a GL context that does nothing. Against that: the CPU worker's contrast, the results.
"""

from __future__ import annotations

from collections.abc import Iterator

from envcheck.judge.witnesses.common import NVML, contrasted
from envcheck.model import Evidence, GpuProcess, GpuSample, Says, Unread, Witness, WorkerRun

NAME = "nvml-process"
NEEDS = "NVML lists the GPU worker's process among those that do graphics"


def testify(evidence: Evidence) -> Witness:
    """Whether NVML lists the GPU worker."""
    if why := blind(evidence):
        return Witness(NAME, Says.CANNOT_KNOW, why, NEEDS, NVML)
    return contrasted(evidence, (NAME, NEEDS, NVML), lambda worker: sign(samples(evidence), worker))


def samples(evidence: Evidence) -> tuple[GpuSample, ...]:
    """NVML's view while the GPU worker worked, empty where there is none."""
    return () if isinstance(evidence.nvml_working, Unread) else evidence.nvml_working


def blind(evidence: Evidence) -> str:
    """Why NVML's lists cannot be matched with our processes, or an empty text."""
    if isinstance(evidence.nvml_working, Unread):
        return evidence.nvml_working.reason
    nested = evidence.host.nested_pids
    if isinstance(nested, Unread):
        return nested.reason
    return "a PID namespace of our own hides the host's numbers" if nested else ""


def sign(seen: tuple[GpuSample, ...], worker: WorkerRun) -> tuple[Says, str]:
    """Whether NVML lists one worker, on which GPU and how."""
    found = {(sample.index, kind) for sample, kind, _ in entries(seen, worker)}
    unread = [
        processes.reason
        for sample in seen
        for processes in (sample.compute, sample.graphics)
        if isinstance(processes, Unread)
    ]
    saw = "process listed: " + ", ".join(f"GPU {index} {kind}" for index, kind in sorted(found))
    if any(kind == "graphics" for _, kind in found):
        return Says.HARDWARE, saw
    if unread or not seen:
        return Says.CANNOT_KNOW, unread[0] if unread else "NVML sees no GPU"
    if found:
        return Says.NOTHING, f"{saw}, and not graphics: that is CUDA, not GL"
    return Says.CPU, f"process {worker.pid} is on no GPU's list"


def entries(seen: tuple[GpuSample, ...], worker: WorkerRun) -> Iterator[tuple[GpuSample, str, GpuProcess]]:
    """The worker's own entries in the lists."""
    for sample in seen:
        for kind, processes in (("compute", sample.compute), ("graphics", sample.graphics)):
            if not isinstance(processes, Unread):
                yield from (
                    (sample, kind, one) for one in processes if worker.pid is not None and one.pid == worker.pid
                )
