"""Container engines for tests, and a base image for them: found, or started and made here as root. Nothing is pulled.

A test run has one engine and one base image, whatever its number of processes: the first process that needs them makes
them, and the first process of the run removes them at its end (`begin` and `end`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envcheck.boxes import find

BASE = "envcheck-test/debian:bookworm"
LABEL = "envcheck-test"
"""On the base image, and so on all that are built on it."""
MIRROR = "http://deb.debian.org/debian"
"""Debian's own public archive, which the base image is made from."""
CACHE = "ENVCHECK_TEST_CACHE"
"""Names a folder that keeps the base image between test runs."""
SHARED = "ENVCHECK_TEST_SHARED"
"""Names the folder of a test run; its processes inherit the variable."""
INSTALL = "apt-get install docker.io debootstrap, as root; or set DOCKER_HOST"
INSTALL_PODMAN = "apt-get install podman debootstrap, as root"
START_S = 240
STOP_S = 120


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


# --- what the processes of a test run share ------------------------------------------------------------------------


def begin() -> None:
    """Make the folder of this test run. Its name is short: the name of a socket has at most 107 characters."""
    os.environ[SHARED] = tempfile.mkdtemp(prefix="envcheck-dk-")


def end() -> None:
    """Remove what this test run kept: its engine, or what it has left in one that was set."""
    folder = Path(os.environ.pop(SHARED))
    if (host := os.environ.get("DOCKER_HOST")) and (folder / "import.lock").exists():
        ours = ["docker", "--host", host, "image", "ls", "--quiet", "--filter", f"label={LABEL}"]
        found = subprocess.run(ours, capture_output=True, text=True, check=False).stdout.split()
        subprocess.run(["docker", "--host", host, "image", "rm", "--force", *found], capture_output=True, check=False)
    stop(folder / "engine")
    shutil.rmtree(folder, ignore_errors=True)


def shared() -> Path:
    """The folder of this test run."""
    return Path(os.environ[SHARED])


@contextmanager
def alone(what: str) -> Iterator[None]:
    """One process of the test run at a time does this."""
    import fcntl  # not on Windows

    with (shared() / f"{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- engines -------------------------------------------------------------------------------------------------------


def engine() -> str:
    """DOCKER_HOST of the engine of this test run: the one that is set, or one of our own, started by who asks first."""
    if named := os.environ.get("DOCKER_HOST"):
        return named
    folder = shared() / "engine"
    with alone("engine"):
        if not (folder / "sock").exists():
            start(folder)
    return socket_of(folder)


@contextmanager
def another_engine() -> Iterator[str]:
    """DOCKER_HOST of an engine that nobody else uses."""
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir=shared()))
    with alone("engine"):
        start(folder)
    try:
        yield socket_of(folder)
    finally:
        stop(folder)


def socket_of(folder: Path) -> str:
    """DOCKER_HOST of an engine that lives in a folder."""
    return f"unix://{folder / 'sock'}"


def start(folder: Path) -> None:
    """Start an engine with its own data and socket; it outlives this process.

    All engines of a machine share docker0: two that start at once would both make it, and one would fail. It is not
    switched off, because an engine without a bridge removes docker0, which may be another's.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        subprocess.run(
            ["setsid", "--fork", "dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec",
             "--host", socket_of(folder), "--pidfile", folder / "pid", "--iptables=false", "--ip6tables=false"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
        )  # fmt: skip
    wait_for(socket_of(folder), folder / "log")


def stop(folder: Path) -> None:
    """End the engine that lives in a folder, which another process may have started, and remove what it kept."""
    with suppress(FileNotFoundError, ProcessLookupError):
        number = int((folder / "pid").read_text())
        os.kill(number, signal.SIGTERM)
        until = time.monotonic() + STOP_S
        while runs(number) and time.monotonic() < until:
            time.sleep(0.1)
    for mounted in mounts(folder):
        subprocess.run(["umount", mounted], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def mounts(folder: Path) -> list[str]:
    """What is mounted below a folder, the innermost first: an engine leaves the network of its host there."""
    with suppress(OSError):
        rows = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        return sorted((row.split()[1] for row in rows if row.split()[1].startswith(f"{folder}/")), reverse=True)
    return []


def runs(number: int) -> bool:
    """True for a process that is there and no zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(host: str, log: Path) -> None:
    """Until the engine answers; its own last words where it does not."""
    until = time.monotonic() + START_S
    while subprocess.run(["docker", "--host", host, "info"], capture_output=True, check=False).returncode:
        if time.monotonic() > until:
            raise RuntimeError(f"dockerd does not answer: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def docker(host: str, *words: str, given: bytes | None = None) -> str:
    """What docker prints."""
    done = subprocess.run(["docker", "--host", host, *words], input=given, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.decode()[-2000:]}")
    return done.stdout.decode()


def client_with_buildkit(host: str) -> str:
    """A client that has BuildKit, where there is one beside a first that has not."""
    there = (Path(folder) / "docker" for folder in os.get_exec_path())
    env = {**os.environ, "DOCKER_HOST": host}
    having = (str(one) for one in there if os.access(one, os.X_OK) and find(env, named=str(one)).buildkit)
    return next(having, "docker")


# --- the base image ------------------------------------------------------------------------------------------------


def provide_base(host: str) -> str:
    """The base image, made by debootstrap where the engine has none: Debian with Python 3.11 and no GL."""
    docker = ["docker", "--host", host]
    with alone("import"):
        if subprocess.run([*docker, "image", "inspect", BASE], capture_output=True, check=False).returncode:
            with base_archive().open("rb") as file:
                words = [*docker, "import", "--change", f"LABEL {LABEL}=base", "-", BASE]
                subprocess.run(words, stdin=file, capture_output=True, check=True)
    return BASE


def base_archive() -> Path:
    """The base image as a tar file: the one that is kept, or made now, once for all processes of a test run."""
    archive = Path(os.environ.get(CACHE) or shared()) / "debian-bookworm.tar"
    with alone("base"):
        if not archive.exists():
            make_archive(shared() / "base", archive)
    return archive


SMALL = """force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
"""
"""For dpkg: nothing is written twice for fear of a power cut, and nothing that nobody reads."""


def make_archive(root: Path, archive: Path) -> None:
    """Debian's smallest system and Python, as a tar file. apt adds packages in a third of debootstrap's time."""
    begun = time.monotonic()
    inside, settings = ("chroot", str(root)), root / "etc/dpkg/dpkg.cfg.d/small"
    made("debootstrap", "--variant=minbase", "--foreign", "bookworm", str(root), MIRROR)
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(SMALL, encoding="ascii")
    made(*inside, "/debootstrap/debootstrap", "--second-stage")
    made(*inside, "apt-get", "update")
    made(*inside, "apt-get", "install", "-y", "--no-install-recommends", "ca-certificates", "python3", "python3-venv")
    made(*inside, "apt-get", "clean")
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(".part")
    subprocess.run(["tar", "-C", root, "--one-file-system", "-cf", part, "."], check=True)
    part.replace(archive)
    shutil.rmtree(root, ignore_errors=True)
    print(f"debootstrap took {time.monotonic() - begun:.0f} s")  # noqa: T201


def made(*words: str) -> None:
    """Run a command; its last words where it fails."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} failed: {done.stdout[-2000:]}")
