"""An interpreter that the user has: found, asked who it is, and started as in its activated environment.

Nothing is installed or written in it: it runs with -B, so that not even compiled modules are left behind.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from envcheck.errors import UsageError
from envcheck.outcomes import Completed
from envcheck.process import run
from envcheck.record import Record

OLDEST = (3, 8)
"""The oldest Python that payloads run on, and the oldest that a MediaPipe with GPU code was ever published for."""
QUOTE = 200
NO_PYTHON = "Name an interpreter, such as --python .venv/bin/python, or an environment's folder with --prefix."
PLACES = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe", "python3.exe")
"""Where environments keep their interpreter: venv and conda on Linux and macOS, venv on Windows, conda on Windows."""

IDENTIFY = """
import sys
sys.path = [place for place in sys.path if place]
import json
answer = {"version": list(sys.version_info[:3]), "prefix": sys.prefix}
try:
    from importlib import metadata
    names = ("mediapipe", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    answer["found"] = found
except ImportError:
    pass
print("\\n" + json.dumps(answer))
"""
"""Runs on any Python since 2.6, so that one that is too old can say so."""


class Identity(Record, frozen=True):
    """What an interpreter says of itself: version, prefix, and the versions of the distributions that make an axis."""

    version: tuple[int, int, int]
    prefix: str
    found: dict[str, str] = {}  # noqa: RUF012 - records are frozen

    @property
    def python(self) -> str:
        """Major and minor version."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def mediapipe(self) -> str | None:
        """MediaPipe's version, None where no distribution of that name is installed."""
        return self.found.get("mediapipe")

    @property
    def cuda(self) -> str | None:
        """The CUDA release of NVIDIA's runtime wheel, such as "12.8"; None without one."""
        versions = (version for name, version in self.found.items() if name.startswith("nvidia-cuda-runtime"))
        return next((".".join(version.split(".")[:2]) for version in versions), None)


class Choice(NamedTuple):
    """An interpreter, and why this one."""

    python: Path
    because: str


def named(python: Path | None, prefix: Path | None) -> Choice:
    """The interpreter that the user names, in one of two ways. Raises UsageError."""
    if (python is None) == (prefix is None):
        given = "neither --python nor --prefix is given" if python is None else "--python and --prefix are both given"
        raise UsageError(f"{given}; one of them names the environment", remedy=NO_PYTHON)
    if prefix is not None:
        return Choice(inside(prefix), f"named by --prefix {prefix}")
    return Choice(executable(Path(str(python))), "named by --python")


def active(env: Mapping[str, str]) -> Choice:
    """The interpreter of the active virtual environment or conda environment, else the one that runs envcheck."""
    without = []
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := env.get(variable):
            found = interpreter_of(Path(folder))
            if found is not None:
                return Choice(found, f"{variable} names its environment")
            without.append(f"{variable}={folder} has no Python")
    return Choice(Path(sys.executable), f"envcheck's own; {'; '.join(without) or 'no environment is active'}")


def executable(python: Path) -> Path:
    """The file itself; a bare name is looked for as the shell would. A link stays one: it says which environment."""
    if len(python.parts) == 1 and not python.exists() and (found := shutil.which(str(python))):
        return Path(found)
    if python.is_dir():
        raise UsageError(f"--python {python} is a folder", remedy=f"For an environment's folder: --prefix {python}")
    if not exists(python):
        raise orphaned(python) or UsageError(f"--python {python}: no such file", remedy=NO_PYTHON)
    if not os.access(python, os.X_OK):
        raise UsageError(f"--python {python} is not executable", remedy=NO_PYTHON)
    return python.absolute()


def inside(prefix: Path) -> Path:
    """The interpreter of an environment's folder."""
    if not exists(prefix):
        raise UsageError(f"--prefix {prefix}: no such folder", remedy=NO_PYTHON)
    if not prefix.is_dir():
        raise UsageError(f"--prefix {prefix} is no folder", remedy=f"For an interpreter: --python {prefix}")
    found = interpreter_of(prefix)
    if found is None:
        nowhere = next(filter(None, (orphaned(prefix / place) for place in PLACES)), None)
        looked = ", ".join(PLACES)
        raise nowhere or UsageError(
            f"--prefix {prefix}: no Python in this folder (looked for {looked})", remedy=NO_PYTHON
        )
    return found


def orphaned(python: Path) -> UsageError | None:
    """The error for a link that leads nowhere: an environment whose Python was removed or updated away."""
    try:
        target = python.readlink()
    except (OSError, ValueError):
        return None
    return UsageError(
        f"{python} is a link to {target}, which is not there: the Python that this environment was made from is gone",
        remedy="Make the environment anew, or name another one.",
    )


def interpreter_of(prefix: Path) -> Path | None:
    """The interpreter in an environment's folder, or None."""
    return next(((prefix / place).absolute() for place in PLACES if exists(prefix / place)), None)


def exists(path: Path) -> bool:
    """Whether something is there that can be followed to its end; a path that no system call takes is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def identify(python: Path, env: Mapping[str, str], deadline_s: float) -> Identity:
    """Ask an interpreter who it is. Raises UsageError for what is no Python, or one that is too old."""
    done = run([str(python), "-E", "-s", "-B", "-c", IDENTIFY], env=env, deadline_s=deadline_s)
    return identity_in(done, str(python))


def identity_in(done: Completed, python: str) -> Identity:
    """What an interpreter that was given IDENTIFY has answered. Raises UsageError."""
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        identity = msgspec.json.decode(lines[-1] if lines else "", type=Identity)
    except msgspec.MsgspecError:
        said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[:QUOTE]
        how = f"{done.describe()}{'; it said: ' + said if said else ''}"
        raise UsageError(f"{python} is no working Python interpreter ({how})", remedy=NO_PYTHON) from None
    if identity.version[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(
            f"{python} is Python {identity.python}; it must be {oldest} or newer",
            remedy="No MediaPipe with GPU code was published for an older one.",
        )
    return identity


def activated(env: Mapping[str, str], python: Path) -> dict[str, str]:
    """`env` as activating the interpreter's environment leaves it: PATH, and the variable that names it.

    Scripts that packages add to conda's activation are not run.
    """
    prefix = python.parent if python.name.startswith("python") and python.suffix == ".exe" else python.parent.parent
    prefix = prefix.parent if prefix.name == "Scripts" else prefix
    conda, venv = (prefix / "conda-meta").is_dir(), (prefix / "pyvenv.cfg").is_file()
    if not (conda or venv):
        return dict(env)
    kept = {name: value for name, value in env.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME")}
    path = os.pathsep.join([str(python.parent), *filter(None, [env.get("PATH")])])
    return kept | {"PATH": path, "CONDA_PREFIX" if conda else "VIRTUAL_ENV": str(prefix)}
