"""What the tables and this host say of a cell before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from envcheck.compat import codes
from envcheck.compat.cuda import CudaKind, CudaSupport, cuda_support
from envcheck.compat.gpus import driver_match, gpu_prediction
from envcheck.compat.tables import Tables, load_tables
from envcheck.compat.wheels import host_platform, wheel_platform, wheel_reason
from envcheck.model import ANY_DRIVER, Axes, Foresight, Gpu, Host, Nvml

Judge = Callable[[Axes], Foresight | None]

REACHABLE = Foresight(state="reachable")

_CODE_OF = {
    CudaKind.TOO_OLD: codes.DRIVER_TOO_OLD,
    CudaKind.DROPPED: codes.ARCHITECTURE,
    CudaKind.TOO_NEW: codes.ARCHITECTURE,
}
_OWN_C_LIBRARY = ("docker",)
"""Backends whose environments bring their own C library and run Linux whatever the host runs."""


def plan_rules(host: Host, tables: Tables | None = None) -> tuple[tuple[tuple[str, ...], Judge], ...]:
    """(axes, judge) pairs: the axes a judge reads, and the judge. The first that answers decides; else reachable.

    What is impossible everywhere comes first, then what is impossible here, then what is only on another host.
    """
    known = tables or load_tables()
    return (
        (("backend", "python", "mediapipe"), partial(_wheel, host, known)),
        (("cuda",), partial(_released, known)),
        (("cuda", "driver"), partial(_cuda, host, known)),
        (("driver",), partial(_gpus, host, known)),
        (("driver",), partial(_driver, host)),
    )


def foresee(axes: Axes, host: Host, tables: Tables | None = None) -> Foresight:
    """What is foreseen of one cell on this host."""
    answers = (judge(axes) for _, judge in plan_rules(host, tables))
    return next((answer for answer in answers if answer is not None), REACHABLE)


def _wheel(host: Host, tables: Tables, axes: Axes) -> Foresight | None:
    own = axes.backend in _OWN_C_LIBRARY
    platform = wheel_platform("linux", host.machine) if own else host_platform(host)
    return wheel_reason(axes, platform, None if own else host.glibc, tables)


def _released(tables: Tables, axes: Axes) -> Foresight | None:
    # No driver is old or new enough for a toolkit that does not exist, so any will do to ask.
    support = cuda_support(axes.cuda, "0", tables=tables) if axes.cuda is not None else None
    if support is None or support.kind is not CudaKind.NEVER_RELEASED:
        return None
    return _impossible(codes.CUDA_NEVER_RELEASED, support, tables)


def _cuda(host: Host, tables: Tables, axes: Axes) -> Foresight | None:
    """Impossible where no GPU of the cell's host can be served. The tables hold Linux drivers only."""
    if axes.cuda is None or host.platform != "linux":
        return None
    for support in (answers := _supports(axes.cuda, axes.driver, host, tables)):
        if support.kind not in _CODE_OF:
            return None
    return _impossible(_CODE_OF[answers[0].kind], answers[0], tables) if answers else None


def _supports(cuda: str, driver: str | None, host: Host, tables: Tables) -> list[CudaSupport]:
    """One answer per GPU of this host if the cell runs here, one for the driver alone if elsewhere, else none."""
    if driver_match(driver, host) is not None:
        return [cuda_support(cuda, driver or ANY_DRIVER, tables=tables)]
    if not isinstance(host.nvml, Nvml):
        return []
    here = host.nvml.driver
    return [_on_gpu(cuda, here, gpu, tables) for gpu in host.nvml.gpus] or [cuda_support(cuda, here, tables=tables)]


def _on_gpu(cuda: str, driver: str, gpu: Gpu, tables: Tables) -> CudaSupport:
    capability = gpu.compute_capability if isinstance(gpu.compute_capability, str) else None
    return cuda_support(cuda, driver, capability, tables, gpu_name=gpu.name)


def _gpus(host: Host, tables: Tables, axes: Axes) -> Foresight | None:
    return gpu_prediction(host, tables) if driver_match(axes.driver, host) is None else None


def _driver(host: Host, axes: Axes) -> Foresight | None:
    return driver_match(axes.driver, host)


def _impossible(code: str, support: CudaSupport, tables: Tables) -> Foresight:
    because = support.because
    return Foresight(state="impossible", because=because, code=code, source=tables.cite(support.source))
