"""A worker's libraries and device files as the kernel shows them to envcheck: nothing in the worker can change them.

Only where the process that holds MediaPipe is the one that envcheck started, or one below it. A container's client has
its container elsewhere, and then the worker's own account is what there is.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

LIBRARY = re.compile(
    r"(lib(EGL|GLES|GLX|GLdispatch|GL\.|OpenGL|gbm|drm|nvidia|cuda|gallium|OpenCL|LLVM|vulkan|d3d12|swiftshader|mediapipe)"
    r"|swrast_|kms_swrast|zink_|iris_|i965_|radeonsi_|nouveau_|d3d12_|_framework_bindings|virtio_gpu)[^/]*$"
)
DEVICE = re.compile(r"^/dev/(nvidia|nvhost-|nvgpu/|nvmap|dri/|dxg|kfd|mali|udmabuf|vgem)")
FLAGS = re.compile(r"^flags:\s*([0-7]+)$", re.MULTILINE)
O_PATH = 0o10000000
MEDIAPIPE = re.compile(r"libmediapipe|_framework_bindings")


def look(pid: int | None, proc: Path = Path("/proc")) -> dict[str, object]:
    """The fields of a WorkerRun that tell of process `pid`; none where it cannot be read or holds no MediaPipe."""
    try:
        paths = mapped((proc / str(pid) / "maps").read_text("utf-8", "replace"))
        numbers = open_devices(proc / str(pid) / "fd")
    except OSError:
        return {}
    if not any(MEDIAPIPE.search(path) for path in paths):
        return {}
    return {
        "libraries": paths,
        "devices": tuple(sorted(numbers)),
        "device_numbers": numbers,
        "looked_from": "outside",
    }


def interpreter(started: int | None, inner: int, proc: Path = Path("/proc")) -> int | None:
    """The worker's interpreter as this machine numbers it.

    It is `inner`, as it numbers itself, where that process comes from the one that was started: a script in the place
    of `python` need not `exec` it. Else it is the one that was started.
    """
    above: int | None = inner
    while above is not None and above != started:
        above = parent(above, proc)
    return started if above is None else inner


def parent(pid: int, proc: Path) -> int | None:
    """The process that a process comes from; None at the top, and where that cannot be read."""
    try:
        status = (proc / str(pid) / "stat").read_text("utf-8", "replace")
        above = int(status.rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return above or None


def mapped(maps: str) -> tuple[str, ...]:
    """Libraries of GL, CUDA, drivers and MediaPipe among the files that a process maps."""
    fields = (line.split(None, 5) for line in maps.splitlines())
    paths = {parts[5].strip() for parts in fields if len(parts) == 6 and parts[5].startswith("/")}
    return tuple(sorted(path for path in paths if LIBRARY.search(path.rsplit("/", 1)[-1])))


def open_devices(folder: Path) -> dict[str, str]:
    """GPU device files among the open files of a process, each with its MAJOR:MINOR, "" for one that is no device."""
    return dict(seen for link in folder.iterdir() if (seen := device(link)))


def device(link: Path) -> tuple[str, str] | None:
    """Path and number of the GPU device file behind a descriptor; None for any other, or one closed meanwhile.

    A descriptor that only names the file (O_PATH) has not opened it: the driver knows nothing of that.
    """
    try:
        path = str(link.readlink())
        return (path, number(link.stat())) if DEVICE.match(path) and is_opened(link) else None
    except OSError:
        return None


def is_opened(link: Path) -> bool:
    """Whether a descriptor was opened to read or write, by its flags. Where those alone may not be read, it counts."""
    try:
        flags = FLAGS.search((link.parent.parent / "fdinfo" / link.name).read_text("ascii", "replace"))
    except PermissionError:
        return True
    return flags is not None and not int(flags[1], 8) & O_PATH


def number(seen: os.stat_result) -> str:
    """MAJOR:MINOR of a character device, "" for anything else."""
    return f"{os.major(seen.st_rdev)}:{os.minor(seen.st_rdev)}" if stat.S_ISCHR(seen.st_mode) else ""
