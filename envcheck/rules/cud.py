"""CUD7xx: CUDA beside MediaPipe. MediaPipe never uses it; a cell that asks for it must be able to serve it."""

from __future__ import annotations

from envcheck import namesake
from envcheck.facts import LibraryFile, OpenCv, TensorFlow
from envcheck.model import CudaDriver, CudaRuntime, Status, Unread, Verdict
from envcheck.rules.rule import Case, Rule, foreseen
from envcheck.rules.world import (
    default_missed,
    driver_version,
    facts_of,
    looked_only,
    missed,
    module_of,
    on_linux,
    packages_of,
)

COMPATIBILITY = "https://docs.nvidia.com/deploy/cuda-compatibility/"
FORWARD = "https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html"
ERRORS = "https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html"
NOT_SERVED = 804
"""CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE."""


def runtime_unserved(case: Case) -> str | None:
    """The CUDA runtime loads, but no driver here serves it."""
    cuda = case.evidence.cuda
    return f"CUDA {cuda.runtime}, {cuda.error}" if isinstance(cuda, CudaRuntime) and cuda.error else None


def runtime_missing(case: Case) -> str | None:
    """The cell asks for CUDA and its environment has no runtime that loads."""
    ran = case.evidence.cpu.outcome != "not-run"
    cuda = case.evidence.cuda
    return cuda.reason if ran and case.evidence.cell.axes.cuda and isinstance(cuda, Unread) else None


def not_as_named(case: Case) -> str | None:
    """The cell names a CUDA, and what is there is another, or serves nothing."""
    broken = case.judgement.verdict is Verdict.BROKEN and runtime_missing(case) is None
    return namesake.cuda_amiss(case.evidence) or None if broken and not namesake.another_cell(case.evidence) else None


def compat_libraries(case: Case) -> tuple[LibraryFile, ...]:
    """libcuda of a forward-compatibility package."""
    facts = facts_of(case)
    found = facts.cuda.compat if facts else ()
    return found if isinstance(found, tuple) else ()


def compat_in_front(case: Case) -> str | None:
    """A forward-compatibility libcuda is the one that is loaded, and the driver or GPU is none that it serves.

    cuInit's own answer decides where there is one; else the driver branches that the library names.
    """
    driver, facts, module = case.evidence.cuda_driver, facts_of(case), module_of(case)
    if isinstance(driver, CudaDriver):
        if driver.code != NOT_SERVED:
            return None
        return f"{driver.library}, driver {driver_version(case) or 'not known'}, cuInit: {driver.code} {driver.error}"
    front = [one for one in compat_libraries(case) if one.loadable]
    if facts is None or module is None or not front or not isinstance(facts.cuda.compat_branches, tuple):
        return None
    branch = module.version.partition(".")[0]
    served = ", ".join(map(str, facts.cuda.compat_branches))
    if branch in map(str, facts.cuda.compat_branches) or front[0].version.partition(".")[0] == branch:
        return None
    return f"{front[0].target} serves the branches {served}, and the driver is {module.version}"


def compat_status(case: Case) -> Status:
    """MediaPipe does not need CUDA: FAIL only where the cell asks for it and nothing better is proven."""
    wanted = case.evidence.cell.axes.cuda is not None and case.judgement.verdict is not Verdict.ACCELERATED
    return Status.FAIL if wanted else Status.UNKNOWN


def driver_refuses(case: Case) -> str | None:
    """cuInit fails, and not for forward compatibility; or it does not come back."""
    driver = case.evidence.cuda_driver
    if isinstance(driver, Unread) and "inside cuInit" in driver.reason:
        return driver.reason
    if not isinstance(driver, CudaDriver) or driver.code in (None, 0, NOT_SERVED):
        return None
    return f"cuInit: {driver.code} {driver.error} ({driver.library})".replace("  ", " ")


def cuda_beside(case: Case) -> str | None:
    """Packages that come with CUDA, where a user may take them for a reason."""
    packages = packages_of(case)
    if packages is None:
        return None
    seen = [
        f"{one.name} {one.version}"
        for one in packages.distributions
        if one.name.lower() in ("torch", "tensorflow-gpu") and "cpu" not in one.version
    ]
    tensorflow, opencv = packages.tensorflow, packages.opencv
    if isinstance(tensorflow, TensorFlow) and tensorflow.cuda:
        sees = "" if isinstance(tensorflow.gpus, Unread) else f", sees {', '.join(tensorflow.gpus) or 'no GPU'}"
        seen.append(f"TensorFlow {tensorflow.version} for CUDA {tensorflow.cuda}{sees}")
    if isinstance(opencv, OpenCv) and opencv.cuda is True:
        seen.append("OpenCV built with CUDA")
    return ", ".join(seen) or None


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
        remedy="pip install nvidia-cuda-runtime-cu12    # or leave `cuda` out of the matrix",
        url=COMPATIBILITY,
    ),
    Rule(
        code="CUD709",
        title="the CUDA that the cell names is not there, or serves nothing",
        see=not_as_named,
        because="MediaPipe does not use CUDA, and works on the GPU here. The cell stands for MediaPipe beside this CUDA: "
        "programs that share the environment would fail.",
        remedy="nvidia-smi    # is there a driver, and which CUDA does it serve?\n"
        "Or leave `cuda` out of the matrix, where nothing else uses it.",
        url=COMPATIBILITY,
    ),
    Rule(
        code="CUD705",
        title="the CUDA runtime loads, but no driver here serves it",
        see=runtime_unserved,
        because="Other packages of this environment that use CUDA will fail. MediaPipe does not use CUDA; only a cell of a matrix that names CUDA needs it to pass.",
        remedy="nvidia-smi    # is there a driver, and which CUDA does it serve?",
        url=COMPATIBILITY,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="CUD706",
        title="a forward-compatibility libcuda stands before a driver that it does not serve",
        see=compat_in_front,
        scope=on_linux,
        because="cuda-compat packages replace the driver's libcuda, for some driver branches and for data-center GPUs; "
        "elsewhere every CUDA program ends with error 804. MediaPipe does not load libcuda.",
        remedy="apt-get purge -y 'cuda-compat-*'    # or take its folder out of LD_LIBRARY_PATH and /etc/ld.so.conf.d, then: ldconfig",
        url=FORWARD,
        weigh=compat_status,
    ),
    Rule(
        code="CUD707",
        title="CUDA does not initialise",
        see=driver_refuses,
        scope=lambda case: (
            driver_refuses(case) is not None and on_linux(case) and (looked_only(case) or default_missed(case))
        ),
        after=("GPU105", "GPU106", "GPU107", "CTR302", "CTR303"),
        because="Other packages that use CUDA will fail here. MediaPipe does not use CUDA; but the same driver serves its GL.",
        remedy="nvidia-smi    # does the driver answer?\necho $CUDA_VISIBLE_DEVICES    # does it hide every GPU?",
        url=ERRORS,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="CUD708",
        title="packages with CUDA are here, and MediaPipe does not use them",
        see=cuda_beside,
        scope=missed,
        because="MediaPipe's GPU delegate is OpenGL ES through EGL. That TensorFlow, torch or OpenCV see a GPU, or do not, "
        "says nothing of it; installing or changing CUDA, cuDNN or them changes nothing.",
        remedy="envcheck doctor    # the findings before this one are what MediaPipe needs",
        url="https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support",
        status=Status.UNKNOWN,
    ),
)
