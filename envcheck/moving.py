"""Evidence -> everything that may move between two nights, by name, as text. What was not seen is absent.

These are what a change is attributed to and what two environments are told apart by. No name of a host, a user or a
folder is among them, and no process id: two nights on one machine give the same text unless something has moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

from envcheck import __version__
from envcheck.facts import Facts, Packages
from envcheck.model import Disturbance, Evidence, GlContext, Gpu, GpuChange, Host, Nvml, Unread, WorkerRun

Pairs = Iterator[tuple[str, object]]

LONGEST = 400
"""Characters of one fact: evidence from elsewhere may hold anything."""
BUSY, VERY_BUSY = 0.05, 0.25
"""Shares of the machine that others kept at work; below the first it is called quiet."""
NOTICED = 0.02
"""A share of time or cores that is called more than nothing."""
OPENCV = "opencv-"
GROUPS = frozenset({"render", "video"})


def facts_of(evidence: Evidence) -> dict[str, str]:
    """The facts of one cell of one night, sorted by name."""
    parts = (software(evidence), environment(evidence), material(evidence), host(evidence.host), surroundings(evidence))
    pairs = ((name, text_of(value)) for part in parts for name, value in part)
    return dict(sorted((name, text[:LONGEST]) for name, text in pairs if text))


def text_of(value: object) -> str:
    """A fact as text; empty for what nobody could see."""
    if value is None or isinstance(value, Unread):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def listed(values: Iterable[object]) -> str:
    """Several things as one text; looked, and there was none, is a fact too."""
    return ", ".join(str(value) for value in values) or "none"


# --- what was run -----------------------------------------------------------------------------------------------


def software(evidence: Evidence) -> Pairs:
    """Versions in the environment under test, and of envcheck, which judged."""
    runs = (evidence.gpu, evidence.cpu)
    yield "envcheck", __version__
    yield "MediaPipe", said(runs, "mediapipe")
    yield "Python", said(runs, "python") or (evidence.build and evidence.build.python)
    yield "numpy", said(runs, "numpy")
    if not isinstance(evidence.facts, Unread) and not isinstance(evidence.facts.packages, Unread):
        yield from packages(evidence.facts.packages)


def said(runs: Iterable[WorkerRun], name: str) -> object:
    """What the first worker that knows says of itself."""
    return next((value for run in runs if (value := getattr(run, name))), None)


def packages(found: Packages) -> Pairs:
    """What is installed that matters here."""
    known = {one.name.lower(): one.version for one in found.distributions}
    yield "OpenCV", listed(f"{name} {version}" for name, version in sorted(known.items()) if name.startswith(OPENCV))
    for name, version in known.items():
        if not name.startswith(OPENCV) and name not in ("mediapipe", "numpy"):
            yield f"package {name}", version
    yield "shadowing module", bool(found.shadowed)


def environment(evidence: Evidence) -> Pairs:
    """How the environment came to be, as it was built or handed in."""
    build, image = evidence.build, evidence.image
    if build is not None:
        yield "lock", build.lock_sha256
        yield "MediaPipe wheel", wheel_of(build.lock or "")
        yield "image digest", build.image
        yield "base image digest", build.base_digest
        yield "GPU injection", build.injection
    if image is not None:
        yield "image digest", image.id
        yield "GPU injection", image.injection


def wheel_of(lock: str) -> str:
    """The hashes of the MediaPipe wheel that a lock names."""
    lines = lock.replace("\\\n", " ").splitlines()
    line = next((line for line in lines if line.lower().startswith("mediapipe==")), "")
    return " ".join(sorted(word.removeprefix("--hash=") for word in line.split() if word.startswith("--hash=")))


def material(evidence: Evidence) -> Pairs:
    """What the workers were given."""
    workload = evidence.workload
    faces = f"{workload.faces} face{'s' * (workload.faces != 1)}"
    yield "workload", f"{workload.resolution}, {faces}, {workload.mode}"
    yield "model", evidence.model and evidence.model.sha256
    yield "input", evidence.frames and evidence.frames.sha256


# --- on what ----------------------------------------------------------------------------------------------------


def host(seen: Host) -> Pairs:
    """The machine and its driver."""
    yield "system", f"{seen.platform} {seen.machine}"
    yield "glibc", seen.glibc
    yield "CPU", seen.cpu
    yield "cores", seen.cores
    yield "kernel module", seen.kernel_driver if seen.kernel_driver != "" else "none"
    for name, value in sorted(seen.steering.items()):
        yield f"variable {name}", value or "set, empty"
    if isinstance(seen.nvml, Nvml):
        yield from driver(seen.nvml)


def driver(nvml: Nvml) -> Pairs:
    """What NVML says of the driver and its GPUs."""
    yield "driver", nvml.driver
    yield "CUDA of the driver", nvml.cuda
    yield "GPUs", listed(gpu.name for gpu in nvml.gpus)
    yield "GPU units", listed(gpu.uuid for gpu in nvml.gpus)
    for name, field in (
        ("GPU highest clock (MHz)", "sm_max_mhz"),
        ("MIG", "mig"),
        ("persistence mode", "persistence"),
        ("compute mode", "compute_mode"),
        ("uncorrected ECC errors", "ecc_errors"),
    ):
        yield name, of_each(nvml.gpus, field)
    counts = [len(gpu.processes) for gpu in nvml.gpus if not isinstance(gpu.processes, Unread)]
    yield "foreign GPU processes", sum(counts) if counts else None


def of_each(gpus: Iterable[Gpu], field: str) -> str:
    """One property of all GPUs that tell it."""
    values = (getattr(gpu, field) for gpu in gpus)
    return ", ".join(text_of(value) for value in values if not isinstance(value, Unread))


# --- in which surroundings --------------------------------------------------------------------------------------


def surroundings(evidence: Evidence) -> Pairs:
    """GL, CUDA and files as the environment saw them, and what went on while it worked."""
    if isinstance(evidence.gl, GlContext):
        yield from graphics(evidence.gl)
    if not isinstance(evidence.cuda, Unread):
        yield "CUDA runtime", evidence.cuda.runtime
    if not isinstance(evidence.facts, Unread):
        yield from inside(evidence.facts)
    yield from working(evidence)
    if isinstance(evidence.disturbance, Disturbance):
        yield from disturbed(evidence.disturbance)


def graphics(gl: GlContext) -> Pairs:
    """The context that MediaPipe's request gives."""
    yield "GL renderer", gl.renderer or "none"
    yield "GL version", gl.version
    yield "GL display", gl.path
    yield "EGL vendor", gl.egl_vendor
    if not isinstance(gl.egl_devices, Unread):
        yield "EGL devices", len(gl.egl_devices)


def inside(facts: Facts) -> Pairs:
    """What the interpreter under test saw around itself."""
    yield "operating system", facts.system.name
    yield "kernel", facts.system.release
    yield "graphics groups", listed(sorted(GROUPS & set(facts.system.groups)))
    yield "governor", facts.resources.governor
    yield "usable cores", facts.resources.cores
    yield "CPU quota (cores)", facts.resources.quota_cores
    if not isinstance(facts.container, Unread):
        yield "container", facts.container.runtime or "none"
        yield "GPU injection", facts.container.injection
    if not isinstance(facts.devices, Unread):
        yield "usable device files", listed(sorted(one.path for one in facts.devices if one.usable))
    if not isinstance(facts.driver.libraries, Unread):
        names = sorted({f"{one.name} {one.version}".strip() for one in facts.driver.libraries if one.loadable})
        yield "driver libraries", listed(names)
    if not isinstance(facts.gl.vendors, Unread):
        yield "EGL vendor files", listed(one.path.rpartition("/")[2] for one in facts.gl.vendors if not one.error)


def working(evidence: Evidence) -> Pairs:
    """Clock and throttling of the GPUs while the GPU worker was at work."""
    windows = () if isinstance(evidence.nvml_windows, Unread) else evidence.nvml_windows
    seen = [change for window in windows if window.worker == "GPU" for change in window.gpus]
    busiest = by_gpu(seen)
    clocks = [one.sm_mhz for one in busiest if isinstance(one.sm_mhz, int)]
    yield "GPU clock at work (MHz)", round(median(clocks)) if clocks else None
    reasons = [one.throttle for one in busiest if not isinstance(one.throttle, Unread)]
    yield "GPU throttling", listed(sorted({reason for each in reasons for reason in each})) if reasons else None


def by_gpu(changes: Iterable[GpuChange]) -> list[GpuChange]:
    """What was seen of the GPU that spent the most energy, which is the one that worked."""
    every = list(changes)
    spent: dict[int, int] = {}
    for one in every:
        spent[one.index] = spent.get(one.index, 0) + (one.energy_mj if isinstance(one.energy_mj, int) else 0)
    worked = max(spent, key=lambda index: (spent[index], -index), default=None)
    return [one for one in every if one.index == worked]


def disturbed(seen: Disturbance) -> Pairs:
    """Who else was at work, in words: exact shares differ every night."""
    share = None if isinstance(seen.others_cores, Unread) else seen.others_cores / max(1, seen.cores)
    yield "other programs", None if share is None else word_for(share)
    yield "cores taken by other machines", "some" if seen.stolen_cores > NOTICED * seen.cores else "none"
    if seen.throttled_share is not None:
        yield "held back by a CPU quota", seen.throttled_share > NOTICED


def word_for(share: float) -> str:
    """How busy others kept the machine."""
    return "very busy" if share >= VERY_BUSY else "busy" if share >= BUSY else "quiet"
