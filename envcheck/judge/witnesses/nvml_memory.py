"""GPU memory that NVML books to the GPU worker's process.

Cannot know where NVML lists no numbers that are ours, or gives no memory. Fooled by: memory that is held and not used.
"""

from __future__ import annotations

from envcheck.judge.witnesses.common import NVML, contrasted
from envcheck.judge.witnesses.nvml_process import blind, entries, samples
from envcheck.model import Evidence, GpuSample, Says, Witness, WorkerRun

NAME = "nvml-memory"
NEEDS = "NVML books GPU memory to the GPU worker's process as graphics"
MIB = 1024 * 1024


def testify(evidence: Evidence) -> Witness:
    """How much memory NVML books to the GPU worker."""
    if why := blind(evidence):
        return Witness(NAME, Says.CANNOT_KNOW, why, NEEDS, NVML)
    return contrasted(evidence, (NAME, NEEDS, NVML), lambda worker: sign(samples(evidence), worker))


def sign(seen: tuple[GpuSample, ...], worker: WorkerRun) -> tuple[Says, str]:
    """What one worker's own entry tells."""
    booked = [one.memory for _, kind, one in entries(seen, worker) if kind == "graphics"]
    known = [memory for memory in booked if memory is not None]
    if not booked:
        return Says.NOTHING, "no entry of this process to read"
    if not known:
        return Says.CANNOT_KNOW, "the process is listed, and its memory is not told"
    if max(known) < MIB:
        return Says.NOTHING, "the process is listed with no memory"
    return Says.HARDWARE, f"{max(known) // MIB} MiB"
