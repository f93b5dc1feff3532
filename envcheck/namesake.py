"""Is the environment that was measured the one that the cell names?

A cell's name is what a row of the compatibility table claims. A kept environment that somebody changed, or an image
that was pushed again under the same tag, runs well and is another cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from envcheck.model import ANY_DRIVER, CudaRuntime, Evidence, Nvml, Unread, WorkerRun

NUMBERS = re.compile(r"\d+(\.\d+)*")


def another_cell(evidence: Evidence) -> str:
    """Where the workers saw something else than the cell names, or an empty text. What is not told is no difference."""
    return "; ".join(dict.fromkeys(differences(evidence)))


def differences(evidence: Evidence) -> Iterator[str]:
    """Each axis on which a worker, or the driver, says something else than the cell; twice where both workers do."""
    axes = evidence.cell.axes
    for worker in (evidence.cpu, evidence.gpu):
        if axes.python and worker.python and not within(worker.python, axes.python):
            yield f"Python {worker.python} ran, and the cell names {axes.python}"
        if axes.mediapipe and worker.mediapipe and not same_version(worker.mediapipe, axes.mediapipe):
            yield f"MediaPipe {worker.mediapipe} was imported, and the cell names {axes.mediapipe}"
    driver = driver_of(evidence)
    if axes.driver not in (None, ANY_DRIVER) and driver and not within(driver, axes.driver or ""):
        yield f"the driver is {driver}, and the cell names {axes.driver}"


def unlike_workers(cpu: WorkerRun, gpu: WorkerRun) -> str:
    """Why the two workers are not of one environment, or an empty text."""
    for what in ("python", "mediapipe", "numpy"):
        ours, theirs = getattr(cpu, what), getattr(gpu, what)
        if ours != theirs and None not in (ours, theirs):
            return f"the CPU worker has {what} {ours} and the GPU worker {theirs}"
    return ""


def not_shown(evidence: Evidence) -> str:
    """What the cell names and nobody told, or an empty text."""
    axes, worker = evidence.cell.axes, evidence.gpu
    told = {"Python": (axes.python, worker.python), "MediaPipe": (axes.mediapipe, worker.mediapipe)}
    for what, (named, seen) in told.items():
        if named and not seen:
            return f"the cell names {what} {named}, and the worker did not say which it has"
    if axes.driver not in (None, ANY_DRIVER) and not driver_of(evidence):
        return f"the cell names driver {axes.driver}, and which one is loaded is not known"
    return ""


def cuda_amiss(evidence: Evidence) -> str:
    """Why the CUDA that a cell of a matrix names is not there beside MediaPipe, or an empty text.

    The name of an environment that was there before says what is installed in it, and asks for nothing.
    """
    named, cuda = evidence.cell.axes.cuda, evidence.cuda
    if named is None or (evidence.build is not None and evidence.build.outcome == "existing"):
        return ""
    if isinstance(cuda, Unread):
        return f"the cell names CUDA {named}, and its runtime was not seen: {cuda.reason}"
    return cuda_fault(named, cuda)


def cuda_fault(named: str, cuda: CudaRuntime) -> str:
    """What is wrong with a CUDA runtime that loads, or an empty text."""
    if release(cuda.runtime)[:2] != release(named)[:2]:
        return f"the cell names CUDA {named}, and its runtime is {cuda.runtime} ({cuda.library})"
    if cuda.error or not cuda.devices:
        return f"no device serves CUDA {cuda.runtime}: {cuda.error or 'it counts none'}"
    return ""


def driver_of(evidence: Evidence) -> str:
    """The loaded driver's version, by NVML or by the kernel; empty where neither tells."""
    host = evidence.host
    if isinstance(host.nvml, Nvml):
        return host.nvml.driver
    return host.kernel_driver if isinstance(host.kernel_driver, str) else ""


def within(version: str, named: str) -> bool:
    """The version begins as the named one: 3.11.9 is within 3.11, and 570.144 within 570."""
    wanted = release(named)
    return release(version)[: len(wanted)] == wanted


def release(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with: (3, 14, 0) of 3.14.0a1+."""
    found = NUMBERS.match(version.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def same_version(version: str, named: str) -> bool:
    """The versions are one; a local part, such as 0.10.18+gpu, counts only where the cell names one."""
    try:
        ours, theirs = Version(version), Version(named)
    except InvalidVersion:
        return version == named
    return theirs in (ours, Version(ours.public))
