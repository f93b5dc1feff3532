"""GPU1xx: the state that a GPU is in, and who else uses it. Mostly remarks beside a measurement."""

from __future__ import annotations

from collections.abc import Callable

from envcheck.model import Gpu, Status
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import driver_missed, gpus_of, measured

RESTRICTED = ("prohibited", "exclusive-process")
MANY = 5
"""So many processes are named; the rest is counted."""
NVIDIA_SMI = "https://man.archlinux.org/man/extra/nvidia-utils/nvidia-smi.1.en"


def restricted(case: Case) -> str | None:
    """GPUs that compute programs may not share, or not use."""
    modes = {gpu.index: gpu.compute_mode for gpu in gpus_of(case) if gpu.compute_mode in RESTRICTED}
    return ", ".join(f"GPU {index}: {mode}" for index, mode in modes.items()) or None


def restriction(case: Case) -> Status:
    """FAIL where no GPU was reached and one is closed to programs. The mode itself is about CUDA only."""
    prohibited = any(gpu.compute_mode == "prohibited" for gpu in gpus_of(case))
    return Status.FAIL if prohibited and driver_missed(case) else Status.UNKNOWN


def throttled(case: Case) -> str | None:
    """GPUs whose clocks are held down now."""
    return each(case, held_down)


def held_down(gpu: Gpu) -> str:
    """NVML's reasons, with the clocks; an empty text where there are none."""
    reasons = gpu.throttle if isinstance(gpu.throttle, tuple) else ()
    return f"{' and '.join(reasons)}{clocks(gpu)}" if reasons else ""


def clocks(gpu: Gpu) -> str:
    """The clock now and the highest, where both are known."""
    both = isinstance(gpu.sm_mhz, int) and isinstance(gpu.sm_max_mhz, int)
    return f" ({gpu.sm_mhz} of {gpu.sm_max_mhz} MHz)" if both else ""


def with_errors(case: Case) -> str | None:
    """GPUs with uncorrected memory errors."""
    return each(case, lambda gpu: f"{gpu.ecc_errors}" if isinstance(gpu.ecc_errors, int) and gpu.ecc_errors else "")


def shared(case: Case) -> str | None:
    """GPUs that other processes use."""
    return each(case, lambda gpu: users(gpu) if isinstance(gpu.processes, tuple) else "")


def users(gpu: Gpu) -> str:
    """The processes on a GPU, with their memory."""
    if not isinstance(gpu.processes, tuple):
        return ""
    names = [
        f"{one.pid}" + (f" ({one.memory >> 20} MiB)" if one.memory else "") for one in gpu.processes[:MANY]
    ]  # fmt: skip
    more = len(gpu.processes) - len(names)
    return ("processes " + ", ".join(names) + (f" and {more} more" if more else "")) if names else ""


def several(case: Case) -> str | None:
    """More than one GPU: EGL's default display is the first."""
    gpus = gpus_of(case)
    if len(gpus) < 2:
        return None
    chosen = case.evidence.host.steering.get("CUDA_VISIBLE_DEVICES")
    names = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in gpus)
    return names + (f"; CUDA_VISIBLE_DEVICES={chosen} does not choose among them" if chosen else "")


def each(case: Case, words: Callable[[Gpu], str]) -> str | None:
    """What `words` says of each GPU, with its number; None where it says nothing of any."""
    said = {gpu.index: text for gpu in gpus_of(case) if (text := words(gpu))}
    return "; ".join(f"GPU {index}: {text}" for index, text in said.items()) or None


RULES = (
    Rule(
        code="GPU109",
        title="the compute mode keeps programs from this GPU",
        see=restricted,
        scope=lambda case: measured(case) or driver_missed(case),
        because="Prohibited: no CUDA program may use the GPU; exclusive-process: one at a time. The mode is about CUDA, "
        "and MediaPipe uses OpenGL ES; but whoever set it keeps this GPU for other work.",
        remedy="sudo nvidia-smi -i 0 -c DEFAULT    # if it is yours to change",
        url=NVIDIA_SMI,
        weigh=restriction,
    ),
    Rule(
        code="GPU119",
        title="several GPUs: MediaPipe takes EGL's first",
        see=several,
        scope=lambda case: measured(case) or driver_missed(case),
        because="MediaPipe asks for EGL's default display, which is on the first GPU. No option and no CUDA variable chooses "
        "another one.",
        remedy="docker run --gpus device=1 -e NVIDIA_DRIVER_CAPABILITIES=all …    # a container that has one GPU only",
        url="https://github.com/google-ai-edge/mediapipe/issues/2472",
        status=Status.UNKNOWN,
    ),
    Rule(
        code="GPU110",
        title="GPU clocks are held down",
        see=throttled,
        scope=measured,
        because="Heat, power or a setting keeps the GPU below its clocks now: its times are longer than they could be.",
        remedy="nvidia-smi -q -d CLOCK,PERFORMANCE,TEMPERATURE,POWER    # then cool it, or measure when it is idle",
        url="https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html",
        status=Status.UNKNOWN,
    ),
    Rule(
        code="GPU111",
        title="uncorrected memory errors on the GPU",
        see=with_errors,
        scope=measured,
        because="Memory of this GPU gave wrong data since the driver was loaded: results and crashes may come from there.",
        remedy="nvidia-smi -q -d ECC,ROW_REMAPPER,PAGE_RETIREMENT\nsudo nvidia-smi --gpu-reset    # with every program off it",
        url=NVIDIA_SMI,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="GPU112",
        title="other processes work on this GPU",
        see=shared,
        scope=measured,
        because="They take turns with MediaPipe: its times then say as much of them as of MediaPipe.",
        remedy="nvidia-smi    # who they are; measure when the GPU is free",
        url="https://github.com/google-ai-edge/mediapipe/issues/5742",
        status=Status.UNKNOWN,
    ),
)
