"""Composes the evidence files of this folder that no machine recorded: `python -m tests.golden.compose`.

What an NVIDIA GPU, its driver and MediaPipe would have said comes from published logs and reports; times are drawn
around published medians. Every file says in `composed` what it was made from, so that a recorded one can replace it:
give a recorded file the name of its verdict and take its name out of CELLS.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from envcheck import stats, store
from envcheck.judge.parity import INDICES
from envcheck.model import (
    NOT_LOOKED,
    Axes,
    Block,
    Build,
    Cell,
    EglDevice,
    Evidence,
    Expectation,
    Foresight,
    Frames,
    Gate,
    GlContext,
    Gpu,
    GpuChange,
    GpuProcess,
    GpuSample,
    Host,
    Landmarks,
    LoadedVendor,
    ModelFile,
    Nvml,
    NvmlWindow,
    Unread,
    WorkerRun,
    Workload,
    cell_id,
)

HERE = Path(__file__).parent
DATE = "2026-11-20"
SOURCES = (
    "the log lines of google-ai-edge/mediapipe and of its wheels from the Python Package Index, livepeer/comfystream "
    "pull request 205 (RTX 5090, driver 570.144), google-ai-edge/mediapipe issues 3353, 4712, 5742 and 6180"
)
COMPOSED = f"composed on {DATE} from published facts, not recorded: {SOURCES}"

CPU_PID, GPU_PID = 41201, 41202
PERIOD = 120
KEPT_FRAMES = (0, 30, 60, 90)
PAIRS, FRAMES_PER_BLOCK = 16, 8
WINDOW_MS = 250
CPU_WINDOW, GPU_WINDOW = ("CPU", 41, 2), ("GPU", 96, 31)
DRIVER = "570.144"

NVIDIA_GL = ("OpenGL ES 3.2 NVIDIA 570.144", "NVIDIA GeForce RTX 5090/PCIe/SSE2")
LLVMPIPE_GL = ("OpenGL ES 3.2 Mesa 22.3.6", "llvmpipe (LLVM 15.0.6, 256 bits)")
INTEL_GL = ("OpenGL ES 3.2 Mesa 24.0.9", "Mesa Intel(R) UHD Graphics 770 (ADL-S GT1)")

LIB = "/usr/lib/x86_64-linux-gnu/"
GLVND = (f"{LIB}libEGL.so.1.1.0", f"{LIB}libGLESv2.so.2.1.0", f"{LIB}libGLdispatch.so.0.0.0")
NVIDIA_LIBRARIES = (
    f"{LIB}libEGL_nvidia.so.{DRIVER}",
    f"{LIB}libGLESv2_nvidia.so.{DRIVER}",
    f"{LIB}libnvidia-eglcore.so.{DRIVER}",
    f"{LIB}libnvidia-glsi.so.{DRIVER}",
    f"{LIB}libnvidia-tls.so.{DRIVER}",
)
SWRAST_LIBRARIES = (
    f"{LIB}dri/swrast_dri.so",
    f"{LIB}libEGL_mesa.so.0.0.0",
    f"{LIB}libLLVM-15.so.1",
    f"{LIB}libgbm.so.1.0.0",
)
IRIS_LIBRARIES = (f"{LIB}dri/iris_dri.so", f"{LIB}libEGL_mesa.so.0.0.0", f"{LIB}libdrm_intel.so.1.123.0")
NVIDIA_DEVICES = ("/dev/nvidia-modeset", "/dev/nvidia0", "/dev/nvidiactl")
NVIDIA_NUMBERS = {"/dev/nvidia-modeset": "195:254", "/dev/nvidia0": "195:0", "/dev/nvidiactl": "195:255"}

EGL_READY = (
    "I0000 00:00:1795168800.101201   41210 gl_context_egl.cc:85] Successfully initialized EGL. Major : 1 Minor: 5"
)
XNNPACK = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
FEEDBACK = (
    "W0000 00:00:1795168800.140318   41214 inference_feedback_manager.cc:114] Feedback manager requires a model with a "
    "single signature inference. Disabling support for feedback tensors."
)
SERVICE = 'Service "kGpuService", required by node mediapipe_tasks_vision_face_landmarker_facelandmarkergraph__'


def context_line(gl: tuple[str, str]) -> str:
    """The native log's line for a GL context of (version, renderer)."""
    return f"I0000 00:00:1795168800.119840   41211 gl_context.cc:357] GL version: 3.2 ({gl[0]}), renderer: {gl[1]}"


def calculator_line(name: str, model: str) -> str:
    """The native log's line that names an inference calculator."""
    place = "I0000 00:00:1795168800.130002   41202 inference_calculator.cc:104]"
    return f"{place} Using {name} for InferenceCalculator with model {model}"


def log_of(gl: tuple[str, str] | None, calculator: str) -> tuple[str, ...]:
    """The native log of one worker of 0.10.8 to 0.10.35."""
    context = () if gl is None else (EGL_READY, context_line(gl))
    models = tuple(calculator_line(calculator, f"face_{name}.tflite") for name in ("detector", "landmarks_detector"))
    ending = (FEEDBACK, FEEDBACK) if calculator == "Cpu" else ()
    return (*context, *models, XNNPACK, *ending)


# --- hosts ------------------------------------------------------------------------------------------------------

RTX_5090 = Gpu(
    index=0,
    name="NVIDIA GeForce RTX 5090",
    uuid="GPU-00000000-0000-0000-0000-000000005090",
    compute_capability="12.0",
    memory_total=34190917632,
)
GPU_HOST = Host(
    platform="linux",
    machine="x86_64",
    nvml=Nvml(driver=DRIVER, cuda="12.8", gpus=(RTX_5090,)),
    glibc="2.39",
    cpu="AMD Ryzen 7 9800X3D 8-Core Processor",
    cores=16,
    kernel_driver=DRIVER,
    nested_pids=False,
    steering={"NVIDIA_DRIVER_CAPABILITIES": "all", "NVIDIA_VISIBLE_DEVICES": "all"},
)
NO_NVIDIA = Unread(reason="NVML could not be loaded: libnvidia-ml.so.1: cannot open shared object file")
NOT_REACHED = Unread(reason="not reached")
NOT_THAT_FAR = Unread(reason="the worker did not get that far")
PLAIN_HOST = Host(
    platform="linux",
    machine="x86_64",
    nvml=NO_NVIDIA,
    glibc="2.36",
    cpu="Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
    cores=2,
    kernel_driver=Unread(reason="/proc/driver/nvidia/version: No such file or directory"),
    nested_pids=False,
    steering={"EGL_PLATFORM": "surfaceless"},
)


def sample(*workers: int, utilisation: int) -> tuple[GpuSample, ...]:
    """NVML's view of the RTX 5090 with these workers on its graphics list."""
    return (
        GpuSample(
            index=0,
            utilisation=utilisation,
            memory_used=612_368_384 + 186_646_528 * len(workers),
            energy_mj=48_213_077 + 9_000 * utilisation,
            compute=(),
            graphics=tuple(GpuProcess(pid=pid, memory=186_646_528) for pid in workers),
        ),
    )


def windows() -> tuple[NvmlWindow, ...]:
    """Four windows of each worker: 41 W while the CPU works, 96 W while the GPU does."""
    return tuple(
        NvmlWindow(
            worker=name,
            seconds=WINDOW_MS / 1e3,
            gpus=(GpuChange(index=0, energy_mj=watts * WINDOW_MS, utilisation=busy, memory_used=985_661_440),),
        )
        for name, watts, busy in (CPU_WINDOW, GPU_WINDOW, GPU_WINDOW, CPU_WINDOW) * 2
    )


# --- workers ----------------------------------------------------------------------------------------------------


def blocks(median_ms: float, spread: float, seed: int, pairs: int = PAIRS) -> tuple[Block, ...]:
    """Timed blocks: log-normal frame times around a median, with a drift that is a pair's own."""
    drawn = random.Random(seed)
    return tuple(
        Block(pair=pair, times_ms=times, faces=FRAMES_PER_BLOCK, wall_ms=round(sum(times) * 1.04 + 0.6, 3))
        for pair in range(pairs)
        for drift in (drawn.lognormvariate(0.0, spread),)
        for times in (
            tuple(round(median_ms * drift * drawn.lognormvariate(0.0, spread / 2), 4) for _ in range(FRAMES_PER_BLOCK)),
        )
    )


def face(frame: int, noise: float, seed: int) -> Landmarks:
    """A made-up face: the outer eye corners 96 pixels apart, the other points in rows; it moves from frame to frame."""
    drawn = random.Random(seed * 1000 + frame)
    x, y = 320 + 40 * (frame / PERIOD), 240 - 25 * (frame / PERIOD)
    corners = [(x - 48.0, y - 20.0), (x + 48.0, y - 20.0)]
    rows = [(x + (n % 17) * 6.0 - 48.0, y + (n // 17) * 14.0 - 40.0) for n in range(len(INDICES) - len(corners))]
    points = ((px + drawn.gauss(0, noise), py + drawn.gauss(0, noise)) for px, py in corners + rows)
    return Landmarks(frame=frame, points=tuple((round(px, 2), round(py, 2)) for px, py in points))


def worker(delegate: str, version: str, median_ms: float, **changes: object) -> WorkerRun:
    """A worker that ran from start to stop."""
    on_gpu = delegate == "GPU"
    members = {"DEFAULT": 0, "CPU": 1, "GPU": 2} if version == "1.2.2" else {"CPU": 0, "GPU": 1}
    seed = 2 if on_gpu else 1
    run = WorkerRun(
        delegate=delegate,
        outcome="ran",
        stage="done",
        pid=GPU_PID if on_gpu else CPU_PID,
        inner_pid=GPU_PID if on_gpu else CPU_PID,
        python="3.11.9",
        mediapipe=version,
        numpy="2.3.4",
        delegate_value=members[delegate],
        delegate_members=members,
        import_s=1.42,
        create_ms=310.5 if on_gpu else 48.2,
        first_ms=round(median_ms * 6, 2),
        warmup_ms=tuple(block.times_ms[0] for block in blocks(median_ms, 0.05, seed + 10)),
        blocks=blocks(median_ms, 0.03, seed),
        landmarks=tuple(face(frame, noise=0.4 if on_gpu else 0.0, seed=seed) for frame in KEPT_FRAMES),
        libraries=GLVND,
        devices=(),
    )
    return replace(run, **changes)


@dataclass(frozen=True)
class Case:
    """One file: the verdict is its name."""

    mediapipe: str
    change: Callable[[Evidence], Evidence]
    driver: str | None = None
    backend: str = "venv"
    python: str = "3.11"


def base(case: Case, host: Host) -> Evidence:
    """What every cell of a run has before anything was started."""
    axes = Axes(backend=case.backend, python=case.python, mediapipe=case.mediapipe, driver=case.driver)
    return Evidence(
        cell=Cell(id=cell_id(axes), axes=axes, expected=Expectation()),
        host=host,
        foresight=Foresight(state="reachable"),
        gate=Gate(),
        workload=Workload(),
        recorded_at=f"{DATE}T10:00:00+00:00",
        composed=COMPOSED,
    )


def ready(evidence: Evidence) -> Evidence:
    """Built, with model and frames."""
    return replace(
        evidence,
        build=Build(
            outcome="reused",
            key=hashlib.sha256(evidence.cell.id.encode()).hexdigest()[:16],
            lock_sha256=hashlib.sha256(f"lock of {evidence.cell.id}".encode()).hexdigest(),
            python="3.11.9",
            seconds=0.01,
        ),
        model=ModelFile(name="default", sha256="4f1c4a38a5d3df3462c7aca31c3b3d3b93c70c27c183aead02278a791b480576"),
        frames=Frames(
            input="portrait", resolution="640x480", count=PERIOD, sha256=hashlib.sha256(b"composed").hexdigest()
        ),
    )


def on_nvidia(evidence: Evidence, cpu_ms: float, gpu_ms: float) -> Evidence:
    """0.10.35 on the RTX 5090: the CPU worker opens a GL context as well, as 0.10.8 to 0.10.35 do."""
    version = evidence.cell.axes.mediapipe or ""
    shared: dict[str, object] = {
        "libraries": (*GLVND, *NVIDIA_LIBRARIES),
        "devices": NVIDIA_DEVICES,
        "device_numbers": NVIDIA_NUMBERS,
        "looked_from": "outside",
    }
    return replace(
        ready(evidence),
        host=GPU_HOST,
        gl=GlContext(
            path="default",
            vendor="NVIDIA Corporation",
            renderer=NVIDIA_GL[1],
            version=NVIDIA_GL[0],
            egl_vendor="NVIDIA",
            egl_version="1.5",
            egl_library=GLVND[0],
            devices=1,
            egl_devices=(
                EglDevice(
                    index=0,
                    drm="/dev/dri/card0",
                    render_node="/dev/dri/renderD128",
                    cuda=0,
                    renderer=NVIDIA_GL[1],
                    version=NVIDIA_GL[0],
                    vendor="NVIDIA Corporation",
                ),
            ),
            vendors=(LoadedVendor(library="libEGL_nvidia.so.0"),),
        ),
        cpu=worker("CPU", version, cpu_ms, log=log_of(NVIDIA_GL, "Cpu"), **shared),
        gpu=worker("GPU", version, gpu_ms, log=log_of(NVIDIA_GL, "GlAdvanced"), **shared),
        nvml_idle=sample(utilisation=0),
        nvml_working=sample(CPU_PID, GPU_PID, utilisation=31),
        nvml_windows=windows(),
        confidence_used=stats.per_look(0.95, 3),
    )


def on_mesa(evidence: Evidence, gl: tuple[str, str], libraries: tuple[str, ...], gpu_ms: float) -> Evidence:
    """0.10.35 on Mesa, no NVIDIA driver."""
    version = evidence.cell.axes.mediapipe or ""
    return replace(
        ready(evidence),
        gl=GlContext(
            path="default",
            vendor="Mesa" if gl is LLVMPIPE_GL else "Intel",
            renderer=gl[1],
            version=gl[0],
            egl_vendor="Mesa Project",
            egl_version="1.5",
            egl_library=GLVND[0],
        ),
        cpu=worker("CPU", version, 12.4, log=log_of(gl, "Cpu"), libraries=(*GLVND, *libraries)),
        gpu=worker("GPU", version, gpu_ms, log=log_of(gl, "GlAdvanced"), libraries=(*GLVND, *libraries)),
        nvml_idle=NO_NVIDIA,
        nvml_working=NO_NVIDIA,
        confidence_used=0.95,
    )


# --- one function per verdict -----------------------------------------------------------------------------------


def accelerated(evidence: Evidence) -> Evidence:
    """The GPU five and a half times as fast."""
    return on_nvidia(evidence, cpu_ms=14.3, gpu_ms=2.6)


def slower(evidence: Evidence) -> Evidence:
    """A fast CPU wins against upload and read-back."""
    return on_nvidia(evidence, cpu_ms=3.1, gpu_ms=4.4)


def inconclusive(evidence: Evidence) -> Evidence:
    """47 against 50 frames per second, on a machine with other load."""
    seen = on_nvidia(evidence, cpu_ms=21.3, gpu_ms=21.0)
    return replace(
        seen,
        cpu=replace(seen.cpu, blocks=blocks(21.3, 0.15, 5, pairs=64)),
        gpu=replace(seen.gpu, blocks=blocks(21.0, 0.15, 6, pairs=64)),
    )


def wrong(evidence: Evidence) -> Evidence:
    """Every point off by a third of the eye distance."""
    seen = on_nvidia(evidence, cpu_ms=14.3, gpu_ms=2.6)
    shifted = tuple(
        replace(one, points=tuple((round(x + 31.7, 2), round(y - 9.4, 2)) for x, y in one.points))
        for one in seen.gpu.landmarks
    )
    return replace(seen, gpu=replace(seen.gpu, landmarks=shifted))


def emulated(evidence: Evidence) -> Evidence:
    """Mesa's llvmpipe takes the delegate, and is slow."""
    seen = on_mesa(evidence, LLVMPIPE_GL, SWRAST_LIBRARIES, gpu_ms=61.8)
    return replace(
        seen, gpu=replace(seen.gpu, blocks=seen.gpu.blocks[:8]), cpu=replace(seen.cpu, blocks=seen.cpu.blocks[:8])
    )


def other_gpu(evidence: Evidence) -> Evidence:
    """Mesa on an integrated Intel GPU."""
    seen = on_mesa(evidence, INTEL_GL, IRIS_LIBRARIES, gpu_ms=28.0)
    render_node = ("/dev/dri/renderD128",)
    return replace(
        seen,
        host=replace(seen.host, steering={}, cpu="12th Gen Intel(R) Core(TM) i7-12700", cores=20),
        cpu=replace(seen.cpu, devices=render_node),
        gpu=replace(seen.gpu, devices=render_node),
    )


def silent_cpu(evidence: Evidence) -> Evidence:
    """0.10.31 takes delegate=GPU and drops it."""
    version = evidence.cell.axes.mediapipe or ""
    library = ("/opt/venv/lib/python3.11/site-packages/mediapipe/tasks/c/libmediapipe.so",)
    log = log_of(None, "Cpu")
    seen = on_mesa(evidence, LLVMPIPE_GL, SWRAST_LIBRARIES, gpu_ms=12.5)
    cpu = worker("CPU", version, 12.4, log=log, libraries=library)
    gpu = worker("GPU", version, 12.5, log=log, libraries=library, landmarks=cpu.landmarks)
    return replace(seen, cpu=cpu, gpu=gpu)


def loaded(version: str, **facts: object) -> WorkerRun:
    """A CPU worker of 1.0.1 or later that had its first frame and waited for the other: it opens no GL context."""
    log = (XNNPACK, FEEDBACK, FEEDBACK)
    run = worker("CPU", version, 12.4, log=log, warmup_ms=(), blocks=(), landmarks=())
    return replace(run, libraries=NOT_THAT_FAR, devices=NOT_THAT_FAR, **facts)


def failed(delegate: str, version: str, **facts: object) -> WorkerRun:
    """A worker that got as far as creating the FaceLandmarker."""
    run = worker(delegate, version, 12.4, stage="create", create_ms=None, first_ms=None, warmup_ms=(), blocks=())
    return replace(run, landmarks=(), libraries=NOT_THAT_FAR, devices=NOT_THAT_FAR, **facts)


def refused(evidence: Evidence) -> Evidence:
    """1.2.2 recognises software GL."""
    tail = "GPU emulation detected, but not supported. Please run in an environment that exposes a physical GPU."
    gpu = failed(
        "GPU",
        "1.2.2",
        outcome="refused",
        error_type="RuntimeError",
        error=f"{SERVICE}InferenceCalculator, was not provided and cannot be created: {tail}",
        log=(EGL_READY, context_line(LLVMPIPE_GL)),
    )
    seen = on_mesa(evidence, LLVMPIPE_GL, SWRAST_LIBRARIES, gpu_ms=12.0)
    return replace(seen, cpu=loaded("1.2.2"), gpu=gpu, nvml_working=NOT_REACHED, confidence_used=None)


def contradictory(evidence: Evidence) -> Evidence:
    """The log names NVIDIA; the kernel shows Mesa's rasteriser in the process and no device open."""
    seen = on_nvidia(evidence, cpu_ms=12.4, gpu_ms=61.8)
    mesa: dict[str, object] = {"libraries": (*GLVND, *SWRAST_LIBRARIES), "devices": (), "device_numbers": {}}
    return replace(
        seen, cpu=replace(seen.cpu, **mesa), gpu=replace(seen.gpu, **mesa), nvml_working=sample(utilisation=0)
    )


def crashed(evidence: Evidence) -> Evidence:
    """The GPU worker dies in its first frame."""
    gpu = failed("GPU", "1.1.1", outcome="died", exit="killed by SIGSEGV", log=(EGL_READY, context_line(NVIDIA_GL)))
    gpu = replace(gpu, stage="first-frame", create_ms=310.5)
    seen = on_nvidia(evidence, cpu_ms=14.3, gpu_ms=2.6)
    unseen: dict[str, object] = {"nvml_working": NOT_REACHED, "nvml_windows": NOT_LOOKED, "confidence_used": None}
    return replace(seen, cpu=loaded("1.1.1"), gpu=gpu, **unseen)


def broken(evidence: Evidence) -> Evidence:
    """From 0.10.33 on the system's libGLESv2 is needed, even on the CPU."""
    cpu = failed(
        "CPU",
        "0.10.33",
        outcome="refused",
        error_type="OSError",
        error="libGLESv2.so.2: cannot open shared object file: No such file or directory",
    )
    no_egl = Unread(reason="OSError: libEGL.so.1: cannot open shared object file: No such file or directory")
    return replace(ready(evidence), cpu=cpu, gl=no_egl, nvml_idle=NO_NVIDIA)


def impossible(evidence: Evidence) -> Evidence:
    """1.0.0 has no GPU code in its Linux wheel; known before anything is built."""
    return replace(
        evidence,
        foresight=Foresight(
            state="impossible",
            because="the Linux wheel of MediaPipe 1.0.0 was built without GPU code",
            code="MPP401",
            source="https://github.com/google-ai-edge/mediapipe/issues/6231",
        ),
    )


def unreachable(evidence: Evidence) -> Evidence:
    """A driver that this host does not have."""
    because = f"needs an NVIDIA driver of branch 580; this host has {DRIVER}"
    return replace(evidence, host=GPU_HOST, foresight=Foresight(state="unreachable", because=because, code="GPU101"))


def unknown(evidence: Evidence) -> Evidence:
    """A sandbox hides the process: neither libraries nor devices can be read, and NVML counts other numbers."""
    seen = on_nvidia(evidence, cpu_ms=14.3, gpu_ms=2.6)
    hidden = Unread(reason="PermissionError: [Errno 13] Permission denied: '/proc/self/maps'")
    unread: dict[str, object] = {
        "libraries": hidden,
        "devices": hidden,
        "device_numbers": None,
        "looked_from": "inside",
    }
    return replace(
        seen,
        host=replace(seen.host, nested_pids=True),
        cpu=replace(seen.cpu, **unread),
        gpu=replace(seen.gpu, **unread),
        nvml_working=sample(utilisation=31),
    )


CELLS: dict[str, Case] = {
    "accelerated": Case("0.10.35", accelerated, driver="570"),
    "slower": Case("0.10.35", slower, driver="570", python="3.12"),
    "inconclusive": Case("0.10.35", inconclusive, driver="570", python="3.13"),
    "wrong": Case("0.10.33", wrong, driver="570"),
    "emulated": Case("0.10.35", emulated),
    "other-gpu": Case("0.10.35", other_gpu, driver="any"),
    "silent-cpu": Case("0.10.31", silent_cpu),
    "refused": Case("1.2.2", refused),
    "contradictory": Case("0.10.35", contradictory, driver="any", python="3.12"),
    "crashed": Case("1.1.1", crashed, driver="570"),
    "broken": Case("0.10.33", broken),
    "impossible": Case("1.0.0", impossible),
    "unreachable": Case("1.2.2", unreachable, driver="580"),
    "unknown": Case("0.10.35", unknown, driver="570", python="3.10"),
}
"""Files that this script makes, by verdict."""


def compose(verdict: str) -> Evidence:
    """The composed evidence for one verdict."""
    case = CELLS[verdict]
    return named(case.change(base(case, PLAIN_HOST)), f"{case.python}.9")


def named(evidence: Evidence, python: str) -> Evidence:
    """The evidence where everybody who was asked ran on `python`."""
    build = evidence.build
    if build is not None and build.python:
        build = replace(build, python=python)
    cpu, gpu = (replace(one, python=python) if one.python else one for one in (evidence.cpu, evidence.gpu))
    return replace(evidence, build=build, cpu=cpu, gpu=gpu)


if __name__ == "__main__":
    for name in CELLS:
        (HERE / f"{name}.json").write_text(store.encode_evidence(compose(name)), encoding="utf-8")
