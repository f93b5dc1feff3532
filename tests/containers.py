"""A container engine for tests, and a base image for it: found, or started and made here as root. Nothing is pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = "envcheck-test/debian:bookworm"
MIRROR = "http://deb.debian.org/debian"
CACHE = "ENVCHECK_TEST_CACHE"
"""Names a folder that keeps the base image between test runs."""
INSTALL = "apt-get install docker.io debootstrap, as root; or set DOCKER_HOST"
INSTALL_PODMAN = "apt-get install podman debootstrap, as root"
START_S = 60


def engine_missing() -> str:
    """Why no Docker engine can be used here, or an empty text."""
    if os.environ.get("DOCKER_HOST"):
        return "" if shutil.which("docker") else "DOCKER_HOST is set and there is no docker; enable with: " + INSTALL
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs a Docker engine; enable with: " + INSTALL
    missing = [name for name in ("dockerd", "docker", "debootstrap") if not shutil.which(name)]
    return f"no {', '.join(missing)} here; enable with: {INSTALL}" if missing else ""


def podman_missing() -> str:
    """Why Podman cannot be used here, or an empty text."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root, to make a base image for Podman; enable with: sudo"
    missing = [name for name in ("podman", "debootstrap") if not shutil.which(name)]
    return f"no {', '.join(missing)} here; enable with: {INSTALL_PODMAN}" if missing else ""


@contextmanager
def alone(what: str) -> Iterator[None]:
    """One process at a time does this on this machine."""
    import fcntl  # not on Windows

    with (Path(tempfile.gettempdir()) / f"envcheck-test-{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def engine() -> Iterator[str]:
    """DOCKER_HOST of an engine: the one that is set, or one of our own with its own data and socket."""
    if named := os.environ.get("DOCKER_HOST"):
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="envcheck-dk-"))  # the name of a socket has at most 107 characters
    host = f"unix://{folder / 'sock'}"
    # All engines of a machine share docker0: two that start at once would both make it, and one would fail. It is not
    # switched off, because an engine without a bridge removes docker0, which may be another's.
    with alone("engine"), (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--host", host,
             "--pidfile", folder / "pid", "--iptables=false", "--ip6tables=false"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for(host, daemon, folder / "log")
        except RuntimeError:
            stop(daemon, folder)
            raise
    try:
        yield host
    finally:
        stop(daemon, folder)


def stop(daemon: subprocess.Popen[bytes], folder: Path) -> None:
    """End an engine of our own, and remove what it kept."""
    daemon.terminate()
    try:
        daemon.wait(60)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    shutil.rmtree(folder, ignore_errors=True)


def wait_for(host: str, daemon: subprocess.Popen[bytes], log: Path) -> None:
    """Until the engine answers; its own last words where it does not."""
    until = time.monotonic() + START_S
    while subprocess.run(["docker", "--host", host, "info"], capture_output=True, check=False).returncode:
        if daemon.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"dockerd does not answer: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def provide_base(host: str) -> str:
    """The base image, made by debootstrap where the engine has none: Debian with Python 3.11 and no GL."""
    docker = ["docker", "--host", host]
    if subprocess.run([*docker, "image", "inspect", BASE], capture_output=True, check=False).returncode == 0:
        return BASE
    with base_archive() as archive, archive.open("rb") as file:
        subprocess.run([*docker, "import", "-", BASE], stdin=file, capture_output=True, check=True)
    return BASE


@contextmanager
def base_archive() -> Iterator[Path]:
    """The base image as a tar file: the one that is kept, or made now, by one process at a time."""
    kept = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory(prefix="envcheck-base-") as made:
        archive = Path(kept or made) / "debian-bookworm.tar"
        with alone("base"):
            if not archive.exists():
                make_archive(Path(made), archive)
        yield archive


def make_archive(folder: Path, archive: Path) -> None:
    """Debian's smallest system and Python, as a tar file."""
    root = folder / "root"
    begun = time.monotonic()
    include = "--include=ca-certificates,python3,python3-venv"
    words = ["debootstrap", "--variant=minbase", include, "bookworm", str(root), MIRROR]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"debootstrap failed: {done.stdout[-2000:]}")
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(".part")
    subprocess.run(["tar", "-C", root, "--one-file-system", "-cf", part, "."], check=True)
    part.replace(archive)
    print(f"debootstrap took {time.monotonic() - begun:.0f} s")  # noqa: T201
