"""What Linux' /proc tells of one process: bytes in, records out, and the few reads that bring the bytes.

A file that is gone means that the process is; one that may not be read is Unread, with the reason.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from envcheck.cell.outside import is_opened
from envcheck.record import Unread

PROC = "/proc"
PF_KTHREAD = 0x00200000
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

PATH = re.compile(rb" (/[^\n]+)$", re.MULTILINE)
TELLING = re.compile(
    r"(lib(EGL|GLES|GLX|GLdispatch|GL\.|OpenGL|gbm|nvidia|cuda|gallium|OpenCL|LLVM|vulkan|vk_|d3d12|swiftshader|mediapipe)"
    r"|swrast_|kms_swrast|zink_|iris_|i915_|i965_|crocus_|radeonsi_|r[36]00_|nouveau_|d3d12_|virtio_gpu|vmwgfx_|_framework_bindings)"
    r"[^/]*$"
)
"""Names of libraries that say something: GL and its drivers, CUDA's, MediaPipe's own."""
DEVICE = re.compile(r"^/dev/(nvidia|dri/|dxg|kfd|mali|nvhost|nvgpu/|nvmap)")
OF_NVIDIA = re.compile(r"^/dev/nvidia(\d+|ctl|-modeset)$")
NVIDIA_MAJOR = 195
"""Assigned for good: https://www.kernel.org/doc/Documentation/admin-guide/devices.txt"""
OF_MEDIAPIPE = ("mediapipe", "drishti")
"""How MediaPipe's own threads begin: to 0.10.35, and from 1.0.1 on."""
GL_THREAD = re.compile(r"^(llvmpipe-\d|softpipe|Marl|(mediapipe|drishti)_gl)")
MEDIAPIPE_GL = re.compile(r"^(mediapipe|drishti)_gl")
"""The thread that MediaPipe does all its GL work in; without it there is none."""
RASTER_THREAD = re.compile(r"^llvmpipe-\d")
COMPUTE_POOL = "llvmpipe compute"
"""The name given here to llvmpipe's compute threads. They have none of their own: Mesa starts as many of them as it has
rasteriser threads, right after those, so they are the next in the order of thread ids."""


class Stat(NamedTuple):
    """The telling fields of /proc/PID/stat; times in ticks. `start` with the pid names a process for good."""

    pid: int
    name: str
    state: str
    parent: int
    ticks: int
    """Of the process itself, user and system."""
    children_ticks: int
    """Of children that ended and were waited for."""
    threads: int
    start: int
    size: int
    """Bytes of virtual memory."""
    of_kernel: bool = False
    """A thread of the kernel, which has no memory of its own."""


def parse_stat(text: bytes) -> Stat | None:
    """The fields of a stat file; a name may hold spaces and parentheses. None where it is none."""
    head, _, rest = text.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = rest.split()
    try:
        user, system, children_user, children_system = (int(field) for field in fields[11:15])
        return Stat(
            pid=int(pid),
            name=name.decode(errors="replace"),
            state=fields[0].decode(errors="replace"),
            parent=int(fields[1]),
            ticks=user + system,
            children_ticks=children_user + children_system,
            threads=int(fields[17]),
            start=int(fields[19]),
            size=int(fields[20]),
            of_kernel=bool(int(fields[6]) & PF_KTHREAD),
        )
    except (ValueError, IndexError):
        return None


def telling_libraries(maps: bytes) -> frozenset[str]:
    """The paths of telling libraries in a maps file."""
    paths = (path.decode(errors="replace").removesuffix(" (deleted)") for path in set(PATH.findall(maps)))
    return frozenset(path for path in paths if TELLING.match(path.rsplit("/", 1)[-1]))


def telling_threads(names: dict[int, str]) -> dict[int, str]:
    """The threads that belong to GL, by id; llvmpipe's compute threads among them, which have no name of their own."""
    order = sorted(names)
    telling = {tid: names[tid] for tid in order if GL_THREAD.match(names[tid])}
    raster = [tid for tid in order if RASTER_THREAD.match(names[tid])]
    after = [tid for tid in order if raster and tid > raster[-1]][: len(raster)]
    return telling | {
        tid: COMPUTE_POOL for tid in after if not names[tid].startswith(OF_MEDIAPIPE) and ":" not in names[tid]
    }


def stat_of(pid: int, thread: int | None = None) -> Stat | None:
    """A process' or a thread's stat; None where there is no such process."""
    path = f"{PROC}/{pid}/stat" if thread is None else f"{PROC}/{pid}/task/{thread}/stat"
    try:
        return parse_stat(contents(path))
    except OSError:
        return None


def libraries_of(pid: int) -> frozenset[str] | Unread:
    """Telling libraries that a process has mapped now, or why nobody can look."""
    try:
        return telling_libraries(contents(f"{PROC}/{pid}/maps"))
    except OSError as error:
        return denied(error, pid)


def devices_of(pid: int) -> frozenset[str] | Unread:
    """GPU device files that a process has open now, or why nobody can look."""
    folder = f"{PROC}/{pid}/fd"
    found = set()
    try:
        for descriptor in os.listdir(folder):  # noqa: PTH208 - a hundred Path objects a second are not free
            target = target_of(f"{folder}/{descriptor}")
            if DEVICE.match(target) and (seen := as_device(pid, descriptor, target)):
                found.add(printable(seen))
    except OSError as error:
        return denied(error, pid)
    return frozenset(found)


def as_device(pid: int, descriptor: str, target: str) -> str:
    """The device file that a descriptor has open, with a word on one that only bears the name of NVIDIA's.

    Empty where it only names the file (O_PATH), or was closed meanwhile.
    """
    try:
        if not is_opened(Path(PROC, str(pid), "fd", descriptor)):
            return ""
        status = os.stat(f"{PROC}/{pid}/fd/{descriptor}")  # noqa: PTH116 - see above
    except OSError:
        return ""
    genuine = stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == NVIDIA_MAJOR
    return target if genuine or not OF_NVIDIA.match(target) else f"{target} (no device of NVIDIA's driver)"


def target_of(link: str) -> str:
    """What a descriptor leads to; empty where it was closed meanwhile."""
    try:
        return os.readlink(link)  # noqa: PTH115 - see above
    except OSError:
        return ""


def threads_of(pid: int) -> dict[int, str]:
    """Telling threads by id; none where they cannot be read."""
    names = {}
    for tid in numbers_in(f"{PROC}/{pid}/task"):
        with suppress(OSError):
            names[tid] = contents(f"{PROC}/{pid}/task/{tid}/comm").decode(errors="replace").rstrip("\n")
    return telling_threads(names)


def denied(error: OSError, pid: int) -> Unread:
    """Why a process cannot be looked into."""
    if isinstance(error, PermissionError):
        who = "root" if os.geteuid() == 0 else "this user"
        return Unread(reason=f"process {pid} is {owner_of(pid)}, and the system does not let {who} look into it")
    return Unread(reason=f"process {pid}: {error.strerror or error}")


def owner_of(pid: int) -> str:
    """Whose a process is, in words."""
    try:
        uid = Path(f"{PROC}/{pid}").stat().st_uid
    except OSError:
        return "another user's"
    return "protected (not dumpable)" if uid == os.getuid() else f"user {uid}'s"


def elsewhere() -> str:
    """Why the numbers in /proc are not those that we know our children by; empty where they are."""
    try:
        shown = os.readlink(f"{PROC}/self")  # noqa: PTH115 - see above
    except OSError as error:
        return f"{PROC} cannot be read: {error.strerror or error}"
    return "" if shown == str(os.getpid()) else f"{PROC} shows the processes of another PID namespace"


def printable(text: str) -> str:
    """An argument or a path as text that can be written down; bytes that are no UTF-8 are replaced."""
    return os.fsencode(text).decode(errors="replace")


def numbers_in(folder: str) -> list[int]:
    """The numbers among the names of a folder of /proc; none where it cannot be listed."""
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]  # noqa: PTH208 - see above
    except OSError:
        return []


def contents(path: str) -> bytes:
    """The bytes of a file of /proc, which has no size to ask for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 18):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
