"""The backends as a matrix sets them up for a host: here they are told what plans may not look up themselves."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck import compat, environments
from envcheck.interpreters import running_version
from envcheck.model import ANY_DRIVER, Nvml
from envcheck.plan import conda

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envcheck.matrix import Backends
    from envcheck.model import Host
    from envcheck.plan import Backend


def configured(settings: Backends, host: Host) -> Mapping[str, Backend]:
    """Every backend by the value of the axis, set up. Raises UsageError for a setting that cannot be followed."""
    return {**environments.BACKENDS, conda.NAME: conda_backend(settings, host)}


def conda_backend(settings: Backends, host: Host) -> conda.Conda:
    """The conda backend for packages that run on this host, whatever driver a cell names."""
    asked = settings.conda
    subdir = conda.subdir_of(host.platform, host.machine)
    return conda.Conda(
        settings=conda.Settings(asked.channels, asked.packages, asked.program),
        subdir=subdir,
        virtual=virtual_packages(host),
        cuda_served=lambda driver: cuda_served(driver, host),
        running_python=running_version(),
        can_solve=importlib.util.find_spec("rattler") is not None,
    )


def virtual_packages(host: Host) -> tuple[str, ...]:
    """This host without its driver, in conda's words: NAME=VERSION=BUILD."""
    if host.platform == "darwin":
        return ("__unix=0=0", f"__osx={platform.mac_ver()[0]}=0", f"__archspec=1={conda.archspec(host.machine, '')}")
    glibc = (f"__glibc={host.glibc}=0",) if host.glibc else ()
    kernel = platform.release().split("-")[0]
    archspec = conda.archspec(host.machine, _cpu_flags())
    return ("__unix=0=0", f"__linux={kernel}=0", *glibc, f"__archspec=1={archspec}")


def cuda_served(driver: str | None, host: Host) -> str | None:
    """The newest CUDA of a cell's driver, or of this host's where the cell leaves it open; None without a driver."""
    if driver is not None and driver != ANY_DRIVER:
        return compat.newest_cuda(driver)
    return host.nvml.cuda if isinstance(host.nvml, Nvml) else None


def _cpu_flags() -> str:
    if not sys.platform.startswith("linux"):
        return ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")
