"""What a block of work costs beside time: CPU seconds, memory, energy. A meter that cannot be read says why.

The environment under test takes no part: processes are read from outside, energy is the driver's and the CPU's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil

from envcheck.model import GpuSample
from envcheck.record import Unread

RAPL = Path("/sys/class/powercap")
PACKAGE = re.compile(r"intel-rapl:\d+")
"""The kernel's name of one CPU package's energy counter, on AMD as well; parts of a package have a further number."""

Value = TypeVar("Value")


class Package(NamedTuple):
    """Energy of a CPU package in microjoules; the counter starts again at zero after `limit`."""

    name: str
    energy: int
    limit: int


class Readings(NamedTuple):
    """All meters at one moment."""

    cpu_s: float | Unread
    gpus: tuple[GpuSample, ...] | Unread
    packages: tuple[Package, ...] | Unread


def read_all(pids: Sequence[int | None], sample: Callable[[], tuple[GpuSample, ...] | Unread]) -> Readings:
    """Every meter, now. `sample` asks NVML."""
    return Readings(cpu_seconds(pids), sample(), packages())


def cpu_seconds(pids: Sequence[int | None]) -> float | Unread:
    """CPU seconds that the processes have used so far, all threads together."""
    return summed(pids, lambda process: sum(process.cpu_times()[:2]))


def memory_of(pids: Sequence[int | None]) -> tuple[int, ...] | Unread:
    """Bytes that each process has for itself (unique set size): what it would give back by ending."""
    return each(pids, lambda process: int(process.memory_full_info().uss))


def summed(pids: Sequence[int | None], read: Callable[[psutil.Process], float]) -> float | Unread:
    """The sum over all processes."""
    found = each(pids, read)
    return found if isinstance(found, Unread) else sum(found)


def each(pids: Sequence[int | None], read: Callable[[psutil.Process], Value]) -> tuple[Value, ...] | Unread:
    """A reading of each process; Unread where one of them cannot be read."""
    try:
        return tuple(read(psutil.Process(pid)) for pid in known(pids))
    except psutil.Error as error:
        return Unread(reason=f"{type(error).__name__}: process {error}".strip())


def known(pids: Iterable[int | None]) -> list[int]:
    """The process ids. Raises psutil's error where one is not known."""
    found = []
    for pid in pids:
        if pid is None:
            raise psutil.NoSuchProcess(-1, msg="its number is not known here")
        found.append(pid)
    return found


def packages(folder: Path = RAPL) -> tuple[Package, ...] | Unread:
    """The energy counters of the CPU packages. Since 2020 the kernel shows them to root alone (CVE-2020-8694)."""
    try:
        names = sorted(place.name for place in folder.iterdir() if PACKAGE.fullmatch(place.name))
        found = tuple(Package(name, *(number_in(folder / name / part) for part in COUNTERS)) for name in names)
    except (OSError, ValueError) as error:
        return Unread(reason=f"{folder}: {getattr(error, 'strerror', None) or error}")
    return found or Unread(reason=f"{folder}: no energy counter of a CPU package")


COUNTERS = ("energy_uj", "max_energy_range_uj")


def number_in(path: Path) -> int:
    """The number that a file holds."""
    return int(path.read_text(encoding="ascii"))


# --- differences -------------------------------------------------------------------------------------------------


def cpu_between(before: Readings, after: Readings) -> float | Unread:
    """CPU seconds spent."""
    if isinstance(before.cpu_s, Unread):
        return before.cpu_s
    return after.cpu_s if isinstance(after.cpu_s, Unread) else round(after.cpu_s - before.cpu_s, 4)


def gpu_mj_between(before: Readings, after: Readings) -> int | Unread:
    """Millijoules that all GPUs have spent."""
    first, last = counters(before.gpus), counters(after.gpus)
    if isinstance(first, Unread):
        return first
    if isinstance(last, Unread):
        return last
    if first.keys() != last.keys() or any(last[index] < first[index] for index in first):
        return Unread(reason="the energy counters do not belong together")
    return sum(last.values()) - sum(first.values())


def counters(gpus: tuple[GpuSample, ...] | Unread) -> dict[int, int] | Unread:
    """The energy counter of each GPU; Unread where one has none, or there is no GPU."""
    if isinstance(gpus, Unread):
        return gpus
    found: dict[int, int] = {}
    for gpu in gpus:
        if isinstance(gpu.energy_mj, Unread):
            return gpu.energy_mj
        found[gpu.index] = gpu.energy_mj
    return found or Unread(reason="no GPU")


def package_mj_between(before: Readings, after: Readings) -> int | Unread:
    """Millijoules that all CPU packages have spent."""
    if isinstance(before.packages, Unread):
        return before.packages
    if isinstance(after.packages, Unread):
        return after.packages
    earlier = {package.name: package.energy for package in before.packages}
    if earlier.keys() != {package.name for package in after.packages}:
        return Unread(reason="a CPU package came or went")
    spent = sum((one.energy - earlier[one.name]) % (one.limit + 1) for one in after.packages)
    return round(spent / 1000)


def gpu_memory_of(gpus: tuple[GpuSample, ...] | Unread, pids: Sequence[int | None]) -> tuple[int, ...] | Unread:
    """Bytes that NVML books to each process, over all GPUs; Unread where it books none to one of them."""
    if isinstance(gpus, Unread):
        return gpus
    booked: dict[int, int] = {}
    for gpu in gpus:
        lists = [one for one in (gpu.compute, gpu.graphics) if not isinstance(one, Unread)]
        per_gpu: dict[int, int] = {}
        for process in (process for one in lists for process in one):
            per_gpu[process.pid] = max(per_gpu.get(process.pid, 0), process.memory or 0)  # listed twice: once
        for pid, size in per_gpu.items():
            booked[pid] = booked.get(pid, 0) + size
    missing = [pid for pid in pids if not booked.get(pid or -1)]
    if missing:
        return Unread(reason="NVML books no memory to the streams")
    return tuple(booked[pid] for pid in pids if pid is not None)
