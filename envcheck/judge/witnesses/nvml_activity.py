"""What the GPU did while the GPU worker worked, against what it did while the CPU worker worked.

Energy is a counter of the GPU, utilisation a share of the last sample period, up to a second, so short windows blur it.
Fooled by: other programs whose work happens to fall into our windows. Against that: windows alternate, and every window
of the GPU worker must lie above every window of the CPU worker. No rise proves nothing: the models are tiny.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from envcheck.judge.witnesses.common import NVML
from envcheck.model import Evidence, GpuChange, NvmlWindow, Says, Unread, Witness

Measure = Callable[[NvmlWindow, GpuChange], float | None]

NAME = "nvml-activity"
NEEDS = "in every window of the GPU worker more power, or more utilisation, than in any of the CPU worker's"
MIN_WINDOWS = 2
"""Windows of each worker; one of each could be chance."""
POWER_SHARE, POWER_WATTS, UTILISATION_POINTS = 1.05, 2.0, 5
"""By so much the lowest of the GPU worker's must lie above the highest of the CPU worker's."""


def testify(evidence: Evidence) -> Witness:
    """Whether the GPU was busier in the GPU worker's windows."""
    says, saw = statement(evidence.nvml_windows)
    return Witness(NAME, says, saw, NEEDS, NVML)


def statement(windows: tuple[NvmlWindow, ...] | Unread) -> tuple[Says, str]:
    """What the windows say, and what they show."""
    if isinstance(windows, Unread):
        return Says.CANNOT_KNOW, windows.reason
    seen = list(compared(windows))
    if not seen:
        return Says.CANNOT_KNOW, "too few windows in which NVML gave power or utilisation"
    risen = [text for rose, text in seen if rose]
    return (Says.HARDWARE, "; ".join(risen)) if risen else (Says.NOTHING, "; ".join(text for _, text in seen))


def compared(windows: Sequence[NvmlWindow]) -> Iterator[tuple[bool, str]]:
    """For each GPU and each measure: whether it rose, and in words."""
    for index in sorted({change.index for window in windows for change in window.gpus}):
        watts, busy = of_workers(windows, index, power), of_workers(windows, index, utilisation)
        yield from judged(f"GPU {index}: W", watts, POWER_SHARE, POWER_WATTS)
        yield from judged(f"GPU {index}: % utilisation", busy, 1.0, UTILISATION_POINTS)


def of_workers(windows: Sequence[NvmlWindow], index: int, measure: Measure) -> tuple[list[float], list[float]]:
    """What a measure gave for one GPU in the CPU worker's windows and in the GPU worker's, without what is unread."""
    cpu, gpu = (
        [
            measure(window, change)
            for window in windows
            if window.worker == name
            for change in window.gpus
            if change.index == index
        ]
        for name in ("CPU", "GPU")
    )
    return [value for value in cpu if value is not None], [value for value in gpu if value is not None]


def judged(
    unit: str, values: tuple[list[float], list[float]], share: float, points: float
) -> Iterator[tuple[bool, str]]:
    """One measure over all windows; nothing where too few of them have it."""
    cpu, gpu = values
    if min(len(cpu), len(gpu)) < MIN_WINDOWS:
        return
    rose = min(gpu) > max(cpu) * share and min(gpu) > max(cpu) + points
    yield rose, f"{unit} {min(gpu):.0f} to {max(gpu):.0f}, with the CPU worker {min(cpu):.0f} to {max(cpu):.0f}"


def power(window: NvmlWindow, change: GpuChange) -> float | None:
    """Mean power of one GPU over a window, in watts."""
    return change.energy_mj / 1e3 / window.seconds if isinstance(change.energy_mj, int) and window.seconds > 0 else None


def utilisation(_window: NvmlWindow, change: GpuChange) -> float | None:
    """Utilisation of one GPU at the end of a window, in percent."""
    return float(change.utilisation) if isinstance(change.utilisation, int) else None
