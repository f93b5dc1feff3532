"""CUD7xx: CUDA beside MediaPipe. MediaPipe never uses it; a cell that asks for it must be able to serve it."""

from __future__ import annotations

from envcheck.model import CudaRuntime, Status, Unread
from envcheck.rules.rule import Case, Rule, foreseen

COMPATIBILITY = "https://docs.nvidia.com/deploy/cuda-compatibility/"


def runtime_unserved(case: Case) -> str | None:
    """The CUDA runtime loads, but no driver here serves it."""
    cuda = case.evidence.cuda
    return f"CUDA {cuda.runtime}, {cuda.error}" if isinstance(cuda, CudaRuntime) and cuda.error else None


def runtime_missing(case: Case) -> str | None:
    """The cell asks for CUDA and its environment has no runtime that loads."""
    ran = case.evidence.cpu.outcome != "not-run"
    cuda = case.evidence.cuda
    return cuda.reason if ran and case.evidence.cell.axes.cuda and isinstance(cuda, Unread) else None


BUILD = (
    Rule(
        code="CUD701",
        title="the driver is too old for this CUDA",
        see=foreseen("CUD701"),
        because="A CUDA runtime starts only on a driver at or above its family's floor.",
        remedy="Update the driver on the host, or choose an older CUDA in matrix.yaml.",
        url=COMPATIBILITY,
    ),
    Rule(
        code="CUD702",
        title="this CUDA and this GPU or driver do not go together",
        see=foreseen("CUD702"),
        because="CUDA drops old architectures and drivers drop old GPUs; each new architecture needs a CUDA that knows it.",
        remedy="Choose a CUDA version between the first and the last that supports the GPU: docs/compatibility.md.",
        url="https://docs.nvidia.com/datacenter/tesla/drivers/cuda-toolkit-driver-and-architecture-matrix.html",
    ),
    Rule(
        code="CUD703",
        title="this CUDA version was never released",
        see=foreseen("CUD703"),
        because="Nothing can be installed for it.",
        remedy="Correct `axes.cuda` in matrix.yaml.",
        url="https://developer.nvidia.com/cuda-toolkit-archive",
    ),
)

RUN = (
    Rule(
        code="CUD704",
        title="the CUDA runtime does not load in this environment",
        see=runtime_missing,
        because="The cell asks for CUDA beside MediaPipe, and the environment cannot give it. MediaPipe itself does not need it.",
        remedy="Leave `cuda` out of the matrix, or install the runtime: pip install nvidia-cuda-runtime-cu12",
        url=COMPATIBILITY,
    ),
    Rule(
        code="CUD705",
        title="the CUDA runtime loads, but no driver here serves it",
        see=runtime_unserved,
        because="Other packages of this environment that use CUDA will fail. MediaPipe does not use CUDA, so its verdict is its own.",
        remedy="nvidia-smi    # is there a driver, and which CUDA does it serve?",
        url=COMPATIBILITY,
        status=Status.UNKNOWN,
    ),
)
