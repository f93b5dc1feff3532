"""The witnesses: each one observation of which device did the work, none believed alone.

A sign that the CPU worker shows as well proves nothing about the GPU worker: MediaPipe 0.10.8 to 0.10.35 open a GL
context on the CPU delegate too. Such a sign is reported as NOTHING unless the log names a GL calculator.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from envcheck.judge import parity
from envcheck.model import Evidence, GpuSample, Says, Unread, Witness, WorkerRun
from envcheck.probes import nativelog, renderer

NVIDIA_GL = re.compile(r"lib(EGL_nvidia|GLESv2_nvidia|nvidia-(egl|gl)(core|si))[^/]*$")
MESA_GL = re.compile(r"(libEGL_mesa|libgallium|_dri\.so|swrast)[^/]*$")
SOFTWARE_GL = re.compile(r"(swrast|libLLVM|swiftshader)[^/]*$")
NVIDIA_DEVICE = re.compile(r"^/dev/nvidia\d+$")
OTHER_DEVICE = re.compile(r"^/dev/(dri/|dxg|kfd)")


def testify(evidence: Evidence) -> tuple[Witness, ...]:
    """Every witness' statement on the GPU worker's run, in the order in which a person would ask."""
    return tuple(witness(evidence) for witness in WITNESSES)


def context_line(evidence: Evidence) -> Witness:
    """The GL context named in the native log of the very run."""
    needs = 'a "GL version" line that names NVIDIA\'s own driver'
    line = nativelog.gl_line(evidence.gpu.log)
    if line is None:
        lost = evidence.gpu.log_dropped > 0
        says = Says.CANNOT_KNOW if lost else Says.NOTHING
        return Witness("native-log", says, "no GL context is named" + (" (log was cut)" if lost else ""), needs)
    return Witness(
        "native-log", renderer.classify(line.renderer, line.version), f"{line.renderer} ({line.version})", needs
    )


def environment_context(evidence: Evidence) -> Witness:
    """The context that the same EGL request gave to a process of our own in this environment."""
    needs = "the same EGL request gives a context of NVIDIA's own driver"
    gl = evidence.gl
    if isinstance(gl, Unread):
        return Witness("gl-context", Says.CANNOT_KNOW, gl.reason, needs)
    if gl.path == "none":
        return Witness("gl-context", Says.NOTHING, f"no context: {gl.error}", needs)
    saw = f"{gl.renderer} ({gl.version}), vendor {gl.vendor}"
    return Witness("gl-context", renderer.classify(gl.renderer, gl.version, gl.vendor), saw, needs)


def calculators(evidence: Evidence) -> Witness:
    """Which inference calculators ran, where this MediaPipe says so."""
    needs = "face detection and landmarks run on a Gl calculator"
    names = nativelog.calculators(evidence.gpu.log)
    if not names:
        return Witness("calculators", Says.CANNOT_KNOW, "this MediaPipe does not name its calculators", needs)
    partly = Says.NOTHING if any(name.startswith("Gl") for name in names) else Says.CPU
    says = Says.GL if nativelog.ran_on_gl(names) else partly
    return Witness("calculators", says, ", ".join(names), needs)


def libraries(evidence: Evidence) -> Witness:
    """Vendor libraries mapped by the worker while it worked."""
    return contrasted(evidence, "libraries", "libEGL_nvidia and libnvidia-eglcore mapped", library_sign)


def library_sign(worker: WorkerRun) -> tuple[Says, str]:
    """What the libraries of one worker speak for, and the telling ones among them."""
    if isinstance(worker.libraries, Unread):
        return Says.CANNOT_KNOW, worker.libraries.reason
    nvidia = [path for path in worker.libraries if NVIDIA_GL.search(path)]
    mesa = [path for path in worker.libraries if MESA_GL.search(path)]
    if nvidia:
        return Says.HARDWARE, names_of(nvidia)
    if mesa:
        software = any(SOFTWARE_GL.search(path) for path in worker.libraries)
        return (Says.SOFTWARE if software else Says.OTHER_GPU), names_of(mesa)
    return Says.CPU, "no vendor's GL driver is mapped"


def devices(evidence: Evidence) -> Witness:
    """GPU device files that the worker held open while it worked."""
    return contrasted(evidence, "devices", "/dev/nvidia0 (or another number) open", device_sign)


def device_sign(worker: WorkerRun) -> tuple[Says, str]:
    """What the open device files of one worker speak for."""
    if isinstance(worker.devices, Unread):
        return Says.CANNOT_KNOW, worker.devices.reason
    if any(NVIDIA_DEVICE.match(path) for path in worker.devices):
        return Says.HARDWARE, ", ".join(worker.devices)
    if any(OTHER_DEVICE.match(path) for path in worker.devices):
        return Says.OTHER_GPU, ", ".join(worker.devices)
    return Says.CPU, "no GPU device file is open"


def nvml_process(evidence: Evidence) -> Witness:
    """NVML's process lists while the GPU worker worked."""
    needs = "NVML lists the GPU worker's process"
    samples = evidence.nvml_working
    if isinstance(samples, Unread):
        return Witness("nvml-process", Says.CANNOT_KNOW, samples.reason, needs)
    nested = evidence.host.nested_pids
    if nested is not False:
        why = nested.reason if isinstance(nested, Unread) else "a PID namespace of our own hides the host's numbers"
        return Witness("nvml-process", Says.CANNOT_KNOW, why, needs)
    return contrasted(evidence, "nvml-process", needs, lambda worker: nvml_sign(samples, worker))


def nvml_sign(samples: tuple[GpuSample, ...], worker: WorkerRun) -> tuple[Says, str]:
    """Whether NVML lists the worker on any GPU."""
    listed, unread = set(), []
    for sample in samples:
        for kind, processes in (("compute", sample.compute), ("graphics", sample.graphics)):
            if isinstance(processes, Unread):
                unread.append(processes.reason)
            elif any(process.pid == worker.pid for process in processes):
                listed.add(f"GPU {sample.index} {kind}")
    if listed:
        return Says.HARDWARE, "process listed: " + ", ".join(sorted(listed))
    if unread or not samples:
        return Says.CANNOT_KNOW, unread[0] if unread else "NVML sees no GPU"
    return Says.CPU, f"process {worker.pid} is on no GPU's list"


def landmarks(evidence: Evidence) -> Witness:
    """Landmarks of both workers on the same frames: a GPU's arithmetic never repeats the CPU's to the last digit."""
    needs = "landmarks close to the CPU's, but not identical with them"
    seen = parity.compare(evidence.cpu.landmarks, evidence.gpu.landmarks)
    if seen.nme is None or seen.compared < parity.MIN_FRAMES:
        return Witness("landmarks", Says.CANNOT_KNOW, f"{seen.compared} frames with a face on both sides", needs)
    if seen.nme == 0.0:
        return Witness("landmarks", Says.CPU, f"identical with the CPU's in {seen.compared} frames", needs)
    saw = f"median distance {seen.nme:.4f} of the eye distance in {seen.compared} frames"
    return Witness("landmarks", Says.NOTHING, saw, needs)


def contrasted(evidence: Evidence, name: str, needs: str, sign: Callable[[WorkerRun], tuple[Says, str]]) -> Witness:
    """The GPU worker's sign, weighed against the CPU worker's: what both show proves nothing by itself."""
    says, saw = sign(evidence.gpu)
    on_gl = nativelog.ran_on_gl(nativelog.calculators(evidence.gpu.log))
    if says is Says.HARDWARE and not on_gl and sign(evidence.cpu)[0] is Says.HARDWARE:
        return Witness(name, Says.NOTHING, f"{saw}; the CPU worker shows the same", needs)
    return Witness(name, says, saw, needs)


def names_of(paths: list[str]) -> str:
    """File names of a few paths, in order."""
    return ", ".join(dict.fromkeys(path.rsplit("/", 1)[-1] for path in paths[:4]))


WITNESSES: tuple[Callable[[Evidence], Witness], ...] = (
    context_line,
    environment_context,
    calculators,
    libraries,
    devices,
    nvml_process,
    landmarks,
)
