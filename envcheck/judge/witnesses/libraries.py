"""Vendor libraries that the worker had mapped while it worked, and their driver version.

libEGL loads the libraries of all vendors, so NVIDIA's front library alone proves nothing; the library that holds its GL
is loaded when a context is made. Mesa's vendor library brings libgallium and LLVM with it, used or not, and since 24.2
its drivers are no files of their own: those names do not tell which of them works, if any does.

Fooled by: a file that bears NVIDIA's name. Against that: the version in its name must be the kernel module's, and
descriptors and NVML are other origins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from envcheck.judge.witnesses.common import MAPS, contrasted, module_versions, names_of, of_another_driver
from envcheck.judge.witnesses.devices import OTHER_DEVICE
from envcheck.model import Evidence, Says, Unread, Witness, WorkerRun

NAME = "libraries"
NEEDS = "libEGL_nvidia and libnvidia-eglcore mapped, both of the kernel module's version, and no Mesa driver in use"

NVIDIA_FRONT = re.compile(r"libEGL_nvidia\.so[^/]*$")
NVIDIA_GL = re.compile(r"libnvidia-eglcore\.so[^/]*$")
"""EGL's, MediaPipe's only road; libnvidia-glcore is for windows (GLX) and for Vulkan, on which Mesa's zink draws."""
NVIDIA_VULKAN = re.compile(r"libnvidia-glcore\.so[^/]*$")
GRAPHICS = re.compile(
    r"lib(EGL_nvidia|GLESv\d\w*_nvidia|nvidia-(eglcore|glcore|glsi|tls|gpucomp))\.so\.(?P<version>\d+\.\d+(\.\d+)*)$"
)
"""The graphics half. CUDA's libraries may be newer than the kernel module, where forward compatibility is installed."""
MESA_GL = re.compile(r"(libEGL_mesa|libgallium|_dri\.so|swrast)[^/]*$")
MESA_DRIVER = re.compile(r"(_dri\.so|swrast)[^/]*$")
SOFTWARE_GL = re.compile(r"(swrast|swiftshader)[^/]*$")


def testify(evidence: Evidence) -> Witness:
    """What the GPU worker's libraries speak for."""
    seen = contrasted(evidence, (NAME, NEEDS, MAPS), sign)
    if seen.says is not Says.HARDWARE or isinstance(evidence.gpu.libraries, Unread):
        return seen
    versions = driver_versions(evidence.gpu.libraries)
    if amiss := of_another_driver(evidence, versions):
        return Witness(NAME, Says.CONTRADICTS, f"{seen.saw}; {amiss}", NEEDS, MAPS)
    if not (versions and module_versions(evidence)):
        why = "the kernel module's version is not known" if versions else "they bear no driver version"
        return Witness(NAME, Says.CANNOT_KNOW, f"{seen.saw}; {why}", NEEDS, MAPS)
    return seen


def sign(worker: WorkerRun) -> tuple[Says, str]:
    """What the libraries of one worker speak for, and the telling ones among them."""
    return sign_of(worker.libraries, worker.devices)


def sign_of(mapped: Sequence[str] | Unread, devices: Sequence[str] | Unread) -> tuple[Says, str]:
    """What the libraries that a process has mapped speak for, and the telling ones among them. Of Mesa's drivers the
    device files that it has open tell more than names do."""
    if isinstance(mapped, Unread):
        return Says.CANNOT_KNOW, mapped.reason
    nvidia = [path for path in mapped if any(part.search(path) for part in (NVIDIA_FRONT, NVIDIA_GL, NVIDIA_VULKAN))]
    mesa = [path for path in mapped if MESA_GL.search(path)]
    if any(NVIDIA_GL.search(path) for path in nvidia) and any(NVIDIA_FRONT.search(path) for path in nvidia):
        drivers = [path for path in mesa if MESA_DRIVER.search(path)]
        if drivers:
            return Says.NOTHING, f"{names_of(nvidia)}, and a driver of Mesa's in use: {names_of(drivers)}"
        return Says.HARDWARE, names_of(nvidia)
    if mesa:
        return (Says.SOFTWARE if is_software(mapped, devices) else Says.OTHER_GPU), names_of(mesa)
    if nvidia:
        return Says.NOTHING, f"{names_of(nvidia)} without the other half of NVIDIA's GL"
    return Says.CPU, "no vendor's GL driver is mapped"


def is_software(mapped: Sequence[str], devices: Sequence[str] | Unread) -> bool:
    """True where Mesa's driver in use is the rasteriser: by its own name, or because no GPU's device file is open."""
    if any(SOFTWARE_GL.search(path) for path in mapped):
        return True
    named = any(MESA_DRIVER.search(path) or NVIDIA_VULKAN.search(path) for path in mapped)
    opened = not isinstance(devices, Unread) and any(OTHER_DEVICE.match(path) for path in devices)
    return not (named or opened)


def driver_versions(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Driver versions in the names of NVIDIA's graphics libraries, each once."""
    found = (GRAPHICS.search(path) for path in paths)
    return tuple(dict.fromkeys(match["version"] for match in found if match))
