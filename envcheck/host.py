"""Facts of the host this process runs on, read from files and the environment. Native libraries are not touched."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from envcheck.model import Host, Nvml, Unread
from envcheck.redact import redact

STEERING = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "EGL_PLATFORM",
    "__EGL_VENDOR_LIBRARY_FILENAMES",
    "__EGL_VENDOR_LIBRARY_DIRS",
    "LIBGL_ALWAYS_SOFTWARE",
    "GALLIUM_DRIVER",
    "MESA_LOADER_DRIVER_OVERRIDE",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_VISIBLE_DEVICES",
)
"""Variables that decide which GL driver is loaded, or what a container gets to see."""

INITIAL_PID_NAMESPACE = "pid:[4026531836]"
"""The kernel's fixed inode of the initial PID namespace (PROC_PID_INIT_INO in include/linux/proc_ns.h)."""


def observe_host(nvml: Nvml | Unread, env: Mapping[str, str]) -> Host:
    """The host as this process sees it; `nvml` is what the sampler found."""
    libc, version = platform.libc_ver()
    return Host(
        platform=platform.system().lower(),
        machine=platform.machine(),
        nvml=nvml,
        glibc=version if libc == "glibc" else None,
        cpu=cpu_model(read(Path("/proc/cpuinfo"))),
        cores=allowed_cores(),
        kernel_driver=loaded_driver(),
        nested_pids=nested_pids(),
        steering={name: redact(env[name], env) for name in STEERING if name in env},
    )


def read(path: Path) -> str | Unread:
    """A file's text, or why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return Unread(reason=f"{path}: {error.strerror or error}")


def cpu_model(cpuinfo: str | Unread) -> str | None:
    """The model name of the first processor in /proc/cpuinfo."""
    match = None if isinstance(cpuinfo, Unread) else re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match[1].strip() if match else None


def loaded_driver() -> str | Unread:
    """The version of the NVIDIA kernel module that is loaded."""
    version, sysfs = read(Path("/proc/driver/nvidia/version")), read(Path("/sys/module/nvidia/version"))
    return kernel_driver(version, sysfs, listed(Path("/sys/module")))


def listed(folder: Path) -> frozenset[str]:
    """Names in a folder; none where it is not there or may not be read."""
    try:
        return frozenset(path.name for path in folder.iterdir())
    except OSError:
        return frozenset()


def kernel_driver(text: str | Unread, sysfs: str | Unread, modules: Collection[str]) -> str | Unread:
    """The version of the NVIDIA kernel module from /proc/driver/nvidia/version, or from /sys where that is masked.

    Empty where the kernel's list of modules does not have it; an empty list is none that could be read.
    """
    if isinstance(text, Unread):
        if modules and "nvidia" not in modules:
            return ""
        return text if isinstance(sysfs, Unread) else sysfs.strip() or text
    match = re.search(r"^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s", text, re.MULTILINE)
    return match[1] if match else Unread(reason="no version in /proc/driver/nvidia/version")


def allowed_cores() -> int | None:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def nested_pids() -> bool | Unread:
    """True in a PID namespace of our own, where process numbers differ from the driver's."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()) != INITIAL_PID_NAMESPACE
    except OSError as error:
        return Unread(reason=f"/proc/self/ns/pid: {error.strerror or error}")
