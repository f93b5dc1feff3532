"""NVML before and after: what the GPU did while the GPU worker worked, and while the CPU worker did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from envcheck.model import GpuChange, GpuSample, NvmlWindow, Unread

Sample = Callable[[], tuple[GpuSample, ...] | Unread]

MOST = 4
"""Windows that are kept: two of each worker."""
WINDOW_MS = 250.0
"""How long a window is; NVML's counters move up to every 100 ms."""


@dataclass
class Windows:
    """Collects windows until there are enough. Not thread-safe."""

    sample: Sample
    kept: list[NvmlWindow] = field(default_factory=list)
    unread: Unread | None = None

    @property
    def wanted(self) -> bool:
        """True while more windows would tell more."""
        return self.unread is None and len(self.kept) < MOST

    def around(self, worker: str, work: Callable[[], bool]) -> bool:
        """Do `work`, which keeps only `worker` busy, and what it returns; with NVML asked before and after.

        Where NVML says nothing, there is nothing to do.
        """
        before = self.sample()
        if isinstance(before, Unread):
            self.unread = before
            return True
        begun = time.perf_counter()
        done = work()
        seconds = round(time.perf_counter() - begun, 4)
        after = self.sample()
        if isinstance(after, Unread):
            self.unread = after
        else:
            self.kept.append(NvmlWindow(worker=worker, seconds=seconds, gpus=changes(before, after)))
        return done

    def seen(self) -> tuple[NvmlWindow, ...] | Unread:
        """The windows, or why there is none."""
        return tuple(self.kept) if self.kept or self.unread is None else self.unread


def changes(before: tuple[GpuSample, ...], after: tuple[GpuSample, ...]) -> tuple[GpuChange, ...]:
    """What each GPU spent between two samples, and how it was at the second."""
    earlier = {sample.index: sample.energy_mj for sample in before}
    return tuple(
        GpuChange(
            index=sample.index,
            energy_mj=spent(earlier.get(sample.index, Unread(reason="the GPU came meanwhile")), sample.energy_mj),
            utilisation=sample.utilisation,
            memory_used=sample.memory_used,
            throttle=sample.throttle,
            sm_mhz=sample.sm_mhz,
        )
        for sample in after
    )


def spent(before: int | Unread, after: int | Unread) -> int | Unread:
    """The difference of two readings of a counter that only grows."""
    if isinstance(before, Unread):
        return before
    if isinstance(after, Unread):
        return after
    return after - before if after >= before else Unread(reason="the energy counter ran backwards")
