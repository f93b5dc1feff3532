"""Shared by all tests: where the real thing is needed, a skip says what would enable it; with CI=true it fails."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tests import containers, slurmcluster
from tests.functional.browsing import browser_missing

# No example has a deadline: that a machine is busy is no fault of ours. Hypothesis' own profile for CI stays below it.
settings.register_profile(
    "patient", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

SOFTWARE_GL = ("libEGL.so.1", "libEGL_mesa.so.0", "libGLESv2.so.2", "libGL.so.1")
INSTALL_GL = "apt-get install libegl1 libgles2 libegl-mesa0 libgl1-mesa-dri libgl1"


def software_gl_missing() -> str:
    """Why software GL cannot be used here, or an empty text."""
    missing = [name for name in SOFTWARE_GL if not loads(name)]
    return f"no {', '.join(missing)} here; enable with: {INSTALL_GL}" if missing else ""


def loads(library: str) -> bool:
    """True where the loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def root_missing() -> str:
    """Why a mount namespace cannot be made here, or an empty text."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root, for a mount namespace; enable with: sudo"
    return "" if shutil.which("unshare") else "needs unshare; enable with: apt-get install util-linux"


def network_missing() -> str:
    """Why the package index cannot be asked, or an empty text."""
    return "ENVCHECK_OFFLINE is set; enable by unsetting it" if os.environ.get("ENVCHECK_OFFLINE") else ""


def client_missing() -> str:
    """Why no API server can be asked, or an empty text."""
    there = importlib.util.find_spec("kubernetes") is not None
    return "" if there else "no official client of Kubernetes here; enable with: pip install 'envcheck[kubernetes]'"


NEEDS: dict[str, Callable[[], str]] = {
    "software_gl": software_gl_missing,
    "root": root_missing,
    "network": network_missing,
    "docker": containers.engine_missing,
    "podman": containers.podman_missing,
    "slurm": slurmcluster.cluster_missing,
    "kubernetes": client_missing,
    "browser": browser_missing,
}


def pytest_configure(config: pytest.Config) -> None:
    """The first process of a test run makes what its workers share."""
    obey_ctrl_c()
    if not hasattr(config, "workerinput"):
        containers.begin()


def obey_ctrl_c() -> None:
    """Programs that tests interrupt inherit whether Ctrl-C is ignored, as it is in jobs that a shell put aside."""
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """And removes it when they are gone."""
    if not hasattr(config, "workerinput"):
        containers.end()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip with the reason what cannot run here; in CI that is a failure, because CI installs what tests need."""
    for marker, missing in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            unable(reason)


def unable(reason: str) -> None:
    """Skip, or fail with CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"must not be skipped in CI: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def sealed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit and golden tests touch no process and no socket."""
    if {"unit", "golden"} & set(request.path.parts):
        monkeypatch.setattr("subprocess.Popen", forbidden("a process"))
        monkeypatch.setattr(socket, "socket", forbidden("a socket"))


def forbidden(what: str) -> Callable[..., None]:
    """A stand-in that fails the test."""

    def fail(*args: object, **kwargs: object) -> None:
        pytest.fail(f"a unit test must not open {what}")

    return fail
