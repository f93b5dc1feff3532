"""The backends as a matrix sets them up for a host: here they are told what plans may not look up themselves."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck import __version__, boxes, compat, environments
from envcheck.errors import UsageError
from envcheck.interpreters import running_version
from envcheck.model import ANY_DRIVER, Nvml
from envcheck.plan import conda, docker

REVISION = "ENVCHECK_REVISION"
"""Names the source revision that images are labelled with."""

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envcheck.matrix import Backends
    from envcheck.model import Host
    from envcheck.plan import Backend


def configured(settings: Backends, host: Host, env: Mapping[str, str]) -> Mapping[str, Backend]:
    """Every backend by the value of the axis, set up. Raises UsageError for a setting that cannot be followed."""
    return {
        **environments.BACKENDS,
        docker.NAME: docker_backend(settings, host, env),
        conda.NAME: conda_backend(settings, host, env),
    }


def docker_backend(settings: Backends, host: Host, env: Mapping[str, str]) -> docker.Docker:
    """The docker backend; the engine is looked for when the first cell needs it, once."""
    asked = settings.docker
    labels = (("org.opencontainers.image.version", __version__),)
    revision = env.get(REVISION, "")
    return docker.Docker(
        settings=docker.Settings(
            images=asked.images,
            mirror=asked.mirror,
            network=asked.network,
            apt_mirror=asked.apt_mirror,
            ca_bundle=certificates(asked.ca_bundle),
            software_gl=asked.software_gl,
            managed_python=asked.managed_python,
            environment=tuple(sorted(asked.environment.items())),
        ),
        engine=Once(lambda: boxes.find(env, named=asked.engine)),
        running_python=running_version(),
        machine=host.machine,
        proxies=tuple(name for name in docker.PROXIES if env.get(name)),
        labels=(*labels, ("org.opencontainers.image.revision", revision)) if revision else labels,
    )


class Once:
    """The engine, looked for once; builds ask from several threads."""

    def __init__(self, find: Callable[[], boxes.Engine]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._found: boxes.Engine | None = None

    def __call__(self) -> boxes.Engine:
        """The engine. Raises EngineMissingError."""
        with self._lock:
            if self._found is None:
                self._found = self._find()
            return self._found


def certificates(named: str | None) -> str | None:
    """The file with certificates for builds, absolute. Raises UsageError where there is none."""
    if named is None:
        return None
    path = Path(named).expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"backends.docker.ca_bundle: {path} is no file", remedy="Name a file of PEM certificates.")
    return str(path)


def conda_backend(settings: Backends, host: Host, env: Mapping[str, str]) -> conda.Conda:
    """The conda backend for packages that run on this host, whatever driver a cell names."""
    asked = settings.conda
    subdir = conda.subdir_of(host.platform, host.machine)
    return conda.Conda(
        settings=conda.Settings(asked.channels, asked.packages, asked.program),
        subdir=subdir,
        virtual=virtual_packages(host),
        cuda_served=lambda driver: cuda_served(driver, host),
        running_python=running_version(),
        can_solve=can_solve(asked.program, env),
    )


def can_solve(program: str | None, env: Mapping[str, str]) -> bool:
    """Whether what solves is here: the conda program that is named, else py-rattler."""
    if program is None:
        return importlib.util.find_spec("rattler") is not None
    return shutil.which(program, path=env.get("PATH")) is not None


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
        found = compat.newest_cuda(driver)
        if found is None:
            raise UsageError(
                f"axis driver: no table says which CUDA driver {driver} serves",
                remedy="Name a branch such as 570; docs/compatibility.md says how a table gets a row.",
            )
        return found
    return host.nvml.cuda if isinstance(host.nvml, Nvml) else None


def _cpu_flags() -> str:
    if not sys.platform.startswith("linux"):
        return ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")
