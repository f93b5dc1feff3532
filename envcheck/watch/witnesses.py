"""The witnesses of a watched program: what each saw, what it would have to see, and when it cannot know."""

from __future__ import annotations

import re
from collections.abc import Iterable

from envcheck.judge.witnesses.devices import TEGRA_DEVICE
from envcheck.model import Says, Unread, Witness
from envcheck.probes import nativelog, renderer
from envcheck.watch.proc import COMPUTE_POOL, MEDIAPIPE_GL, RASTER_THREAD
from envcheck.watched import GpuSeen, GpuWorker, ProcessSeen, Watched

MEDIAPIPE = re.compile(r"(libmediapipe|_framework_bindings)[^/]*$")
NVIDIA_CORE = re.compile(r"libnvidia-(egl|gl)core\.so[^/]*$")
"""Mapped only once NVIDIA's GL driver has been initialised; libEGL_nvidia alone was only asked."""
NVIDIA_EGL_CORE = re.compile(r"libnvidia-eglcore\.so[^/]*$")
"""The one that EGL uses, MediaPipe's only road; libnvidia-glcore draws a window through GLX."""
NVIDIA_FRONT = re.compile(r"lib(EGL|GLESv2|GLX)_nvidia\.so[^/]*$")
NVIDIA_VERSION = re.compile(r"\.so\.(\d+\.\d+(?:\.\d+)?)$")
CUDA = re.compile(r"libcuda\.so[^/]*$")
NVIDIA_ANY = re.compile(r"lib(cuda\.so|nvidia-|EGL_nvidia|GLESv2_nvidia|GLX_nvidia)[^/]*$")
MESA_DRIVER = re.compile(r"(libgallium[^/]*\.so|_dri\.so|libvk_swiftshader|libswiftshader|libGLESv2_swiftshader)[^/]*$")
SOFTWARE_DRIVER = re.compile(r"(swrast_dri|swiftshader)[^/]*$")
NVIDIA_DEVICE = re.compile(r"^/dev/nvidia\d+$")
OTHER_DEVICE = re.compile(r"^/dev/(dri/(renderD|card)|dxg|kfd|mali)")

BUSY_SHARE = 0.1
"""Rasteriser threads with at least this share of a process' CPU time do its work."""
BUSY_S = 0.1
IDLE_SHARE = 0.02
"""Rasteriser threads with less than this share are idle."""
MIN_SAMPLES = 3
"""At so many of NVML's samples must a process be at work: making a context leaves a trace in one, or in two."""
MIN_SHARE = 0.25
"""And in this part of the samples since the first: one that worked for a moment and gave it up is not at work."""


def subjects(watched: Watched) -> tuple[ProcessSeen, ...]:
    """The processes that are asked about: those with MediaPipe's library, or all where none has it."""
    with_mediapipe = tuple(process for process in watched.processes if has(process, MEDIAPIPE))
    return with_mediapipe or watched.processes


def plain(watched: Watched) -> int:
    """How many of those that are only counted were asked about too: all, unless MediaPipe's are asked alone."""
    return 0 if any(has(process, MEDIAPIPE) for process in watched.processes) else watched.folded


def has(process: ProcessSeen, pattern: re.Pattern[str]) -> bool:
    """True where a library of that name was mapped."""
    return not isinstance(process.libraries, Unread) and any(pattern.search(path) for path in process.libraries)


def opened(process: ProcessSeen, pattern: re.Pattern[str]) -> bool:
    """True where such a device file was open."""
    return not isinstance(process.devices, Unread) and any(pattern.match(path) for path in process.devices)


def draws_for_others(process: ProcessSeen) -> bool:
    """True where a process with MediaPipe's library has no GL thread of MediaPipe's: the GL is another part's."""
    return has(process, MEDIAPIPE) and not any(MEDIAPIPE_GL.match(thread.name) for thread in process.threads)


def driver_of(process: ProcessSeen) -> Says:
    """What the GL driver that a process has mapped speaks for; NOTHING where NVIDIA's was only asked."""
    if isinstance(process.libraries, Unread):
        return Says.CANNOT_KNOW
    if has(process, NVIDIA_CORE):
        return Says.HARDWARE
    if has(process, MESA_DRIVER):
        software = has(process, SOFTWARE_DRIVER) or not opened(process, OTHER_DEVICE)
        return Says.SOFTWARE if software else Says.OTHER_GPU
    return Says.NOTHING if has(process, NVIDIA_FRONT) else Says.CPU


def rasteriser_share(process: ProcessSeen) -> float | None:
    """The share of the process' CPU time that the software rasteriser's threads used; None where it has none."""
    spent = [
        thread.cpu_s for thread in process.threads if RASTER_THREAD.match(thread.name) or thread.name == COMPUTE_POOL
    ]
    if not spent or process.cpu_s <= 0:
        return None
    return min(1.0, sum(spent) / process.cpu_s)


def rasteriser_works(process: ProcessSeen) -> bool:
    """True where the rasteriser's threads do a good part of the work."""
    share = rasteriser_share(process)
    return share is not None and share >= BUSY_SHARE and share * process.cpu_s >= BUSY_S


def gpus_of(watched: Watched) -> tuple[GpuSeen, ...]:
    """The GPUs, none where NVML did not answer."""
    return () if isinstance(watched.gpus, Unread) else watched.gpus


def pids_told(watched: Watched) -> bool:
    """True where NVML's process ids can be compared with ours, and its lists were read."""
    lists = [entry for gpu in gpus_of(watched) for entry in (gpu.compute, gpu.graphics)]
    return watched.nested_pids is False and bool(lists) and not any(isinstance(entry, Unread) for entry in lists)


def listed(watched: Watched, pids: Iterable[int], *, kinds: tuple[str, ...] = ("graphics", "compute")) -> bool:
    """True where NVML lists any of the processes."""
    if watched.nested_pids is not False:
        return False
    wanted = set(pids)
    entries = [getattr(gpu, kind) for gpu in gpus_of(watched) for kind in kinds]
    return any(process.pid in wanted for entry in entries if not isinstance(entry, Unread) for process in entry)


def works(watched: Watched, pid: int) -> bool:
    """True where NVML says that the process works on a GPU; or where its GPU does, and nobody else is on it."""
    if watched.nested_pids is not False:
        return False
    for gpu in gpus_of(watched):
        if isinstance(gpu.working, Unread):
            if keeps_on(gpu.busier, gpu.samples) and gpu.others == 0 and listed(watched, [pid]):
                return True
        elif any(worker.pid == pid and keeps_on(worker.at_work, worker.asked) for worker in gpu.working):
            return True
    return False


def keeps_on(at_work: int, asked: int) -> bool:
    """True where work was seen often enough to be no trace of a beginning."""
    return at_work >= MIN_SAMPLES and at_work >= MIN_SHARE * asked


# --- the statements ---------------------------------------------------------------------------------------------


def testify(watched: Watched) -> tuple[Witness, ...]:
    """Every witness' statement, in the order in which a person would ask."""
    log = () if watched.log is None else (calculators(watched), context(watched))
    return (libraries(watched), devices(watched), nvml_process(watched), gpu_work(watched), rasteriser(watched), *log)


def libraries(watched: Watched) -> Witness:
    """GL drivers mapped."""
    needs = "libnvidia-eglcore mapped: NVIDIA's GL driver, initialised through EGL"
    asked = subjects(watched)
    for says in (Says.HARDWARE, Says.SOFTWARE, Says.OTHER_GPU, Says.NOTHING):
        for process in asked:
            if driver_of(process) is says:
                return Witness("libraries", says, f"{named(process)}: {names_in(process)}", needs)
    unread = [process.libraries for process in asked if isinstance(process.libraries, Unread)]
    if unread or not asked:
        return Witness("libraries", Says.CANNOT_KNOW, unread[0].reason if unread else "no process was seen", needs)
    return Witness("libraries", Says.CPU, f"no GL driver in {counted(asked, more=plain(watched))}", needs)


def devices(watched: Watched) -> Witness:
    """GPU device files open."""
    needs = "/dev/nvidia0 (or another number) open"
    asked = subjects(watched)
    patterns = ((NVIDIA_DEVICE, Says.HARDWARE), (TEGRA_DEVICE, Says.NOTHING), (OTHER_DEVICE, Says.OTHER_GPU))
    for pattern, says in patterns:
        for process in asked:
            if opened(process, pattern) and not isinstance(process.devices, Unread):
                return Witness("devices", says, f"{named(process)}: {', '.join(process.devices)}", needs)
    unread = [process.devices for process in asked if isinstance(process.devices, Unread)]
    if unread or not asked:
        return Witness("devices", Says.CANNOT_KNOW, unread[0].reason if unread else "no process was seen", needs)
    return Witness("devices", Says.CPU, f"no GPU device file open in {counted(asked, more=plain(watched))}", needs)


def nvml_process(watched: Watched) -> Witness:
    """NVML's process lists."""
    needs = "NVML lists the process"
    pids = [process.pid for process in subjects(watched)]
    if isinstance(watched.gpus, Unread):
        return Witness("nvml-process", Says.CANNOT_KNOW, watched.gpus.reason, needs)
    if watched.nested_pids is not False:
        why = "a PID namespace of our own hides the host's numbers"
        seen = watched.nested_pids
        return Witness("nvml-process", Says.CANNOT_KNOW, seen.reason if isinstance(seen, Unread) else why, needs)
    if listed(watched, pids):
        kinds = [kind for kind in ("graphics", "compute") if listed(watched, pids, kinds=(kind,))]
        return Witness("nvml-process", Says.HARDWARE, f"listed: {', '.join(kinds)}", needs)
    if not pids_told(watched):
        return Witness("nvml-process", Says.CANNOT_KNOW, why_no_lists(watched), needs)
    return Witness("nvml-process", Says.CPU, "no process of the program is on any GPU's list", needs)


def why_no_lists(watched: Watched) -> str:
    """Why NVML's lists say nothing."""
    entries = [entry for gpu in gpus_of(watched) for entry in (gpu.compute, gpu.graphics)]
    reasons = [entry.reason for entry in entries if isinstance(entry, Unread)]
    return reasons[0] if reasons else "NVML sees no GPU"


def gpu_work(watched: Watched) -> Witness:
    """Work on a GPU by NVML's account."""
    needs = f"NVML sees the process at work in {MIN_SAMPLES} samples and in a quarter of them"
    gpus = gpus_of(watched)
    if isinstance(watched.gpus, Unread) or watched.nested_pids is not False or not gpus:
        return Witness("gpu-work", Says.CANNOT_KNOW, nvml_process(watched).saw, needs)
    saw = "; ".join(utilised(gpu) for gpu in gpus)
    if any(works(watched, process.pid) for process in subjects(watched)):
        return Witness("gpu-work", Says.HARDWARE, saw, needs)
    unread = all(isinstance(gpu.working, Unread) for gpu in gpus)
    return Witness("gpu-work", Says.CANNOT_KNOW if unread else Says.NOTHING, saw, needs)


def utilised(gpu: GpuSeen) -> str:
    """What a GPU did, in numbers."""
    told = own_work(gpu.working)
    busy = "" if isinstance(gpu.utilisation, Unread) else f", GPU up to {gpu.utilisation} %"
    before = "" if isinstance(gpu.utilisation_before, Unread) else f" ({gpu.utilisation_before} % before)"
    power = "" if isinstance(gpu.power, Unread) else f", {gpu.power:.0f} W"
    idle = "" if isinstance(gpu.power_before, Unread) else f" ({gpu.power_before:.0f} W before)"
    return f"GPU {gpu.index}: {told}{busy}{before}{power}{idle if power else ''}"


def own_work(working: tuple[GpuWorker, ...] | Unread) -> str:
    """What the program's own processes did, in numbers."""
    if isinstance(working, Unread):
        return "own work not told"
    if not working:
        return "no own work"
    most = max(working, key=lambda worker: worker.at_work)
    return f"own work up to {most.sm} % in {most.at_work} of {most.asked} samples"


def rasteriser(watched: Watched) -> Witness:
    """Threads of the software rasteriser."""
    needs = "no rasteriser thread at work"
    shares = [(share, process) for process in subjects(watched) if (share := rasteriser_share(process)) is not None]
    if not shares:
        return Witness("rasteriser", Says.NOTHING, "no rasteriser threads", needs)
    share, process = max(shares, key=lambda pair: pair[0])
    says = Says.SOFTWARE if rasteriser_works(process) else Says.NOTHING
    return Witness("rasteriser", says, f"{share:.0%} of the CPU time of {named(process)} is llvmpipe's", needs)


def calculators(watched: Watched) -> Witness:
    """Which inference calculators ran, by the native log."""
    needs = "detection and landmarks run on a Gl calculator"
    log = watched.log
    if log is None or not (log.calculators or log.on_cpu):
        return Witness("calculators", Says.CANNOT_KNOW, "the native log names no calculator", needs)
    saw = ", ".join(log.calculators) or "no calculator, and a model got an interpreter on the CPU"
    if mixed(watched) or not log.delegated:
        return Witness("calculators", Says.NOTHING, saw, needs)
    partly = Says.NOTHING if asked_for_gl(watched) else Says.CPU
    return Witness("calculators", Says.GL if nativelog.ran_on_gl(log.delegated) else partly, saw, needs)


def asked_for_gl(watched: Watched) -> bool:
    """True where the native log names a GL calculator: the GPU delegate was asked for, which is not yet work."""
    return watched.log is not None and any(name.startswith("Gl") for name in watched.log.delegated)


def mixed(watched: Watched) -> bool:
    """True where models that follow the delegate were given to GL and to the CPU: which of them worked is not told.

    A MediaPipe that names no calculators names a GL context only where the GPU delegate was asked for.
    """
    log = watched.log
    if log is None:
        return False
    if not log.calculators:
        return log.on_cpu and bool(log.renderer)
    return asked_for_gl(watched) and any(not name.startswith("Gl") for name in log.delegated)


def context(watched: Watched) -> Witness:
    """The GL context that the native log names."""
    needs = 'a "GL version" line that names NVIDIA\'s own driver'
    log = watched.log
    if log is None or not log.version:
        return Witness("native-log", Says.NOTHING, "no GL context is named", needs)
    saw = f"{log.renderer or 'no renderer'} ({log.version})"
    return Witness("native-log", renderer.classify(log.renderer or None, log.version), saw, needs)


def named(process: ProcessSeen) -> str:
    """A process, for people."""
    return f"{process.name} ({process.pid})"


def counted(processes: tuple[ProcessSeen, ...], more: int = 0) -> str:
    """How many, in words; `more` are those that ended and had nothing telling."""
    total = len(processes) + more
    return named(processes[0]) if total == 1 else f"{total} processes"


def names_in(process: ProcessSeen) -> str:
    """File names of the libraries that matter most."""
    if isinstance(process.libraries, Unread):
        return ""
    ranks = (NVIDIA_CORE, NVIDIA_FRONT, MESA_DRIVER)
    found = [path for rank in ranks for path in process.libraries if rank.search(path)]
    return ", ".join(dict.fromkeys(path.rsplit("/", 1)[-1] for path in found[:4]))


def driver_version(process: ProcessSeen) -> str:
    """The version of NVIDIA's GL driver that a process has mapped, from its file's name; empty where it has none."""
    if isinstance(process.libraries, Unread):
        return ""
    cores = (NVIDIA_VERSION.search(path) for path in process.libraries if NVIDIA_CORE.search(path))
    return next((match[1] for match in cores if match), "")
