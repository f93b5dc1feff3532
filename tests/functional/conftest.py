"""The command as a user runs it: a process of its own, in a folder of its own, on real wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envcheck import environments
from envcheck.model import Axes, Cell, cell_id
from tests import containers
from tests.children import compile_imports

STEERING = ("EGL_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY", "__EGL_VENDOR_LIBRARY_FILENAMES", "ENVCHECK_TABLES")
OF_THE_MOMENT = {"RES604", "RES605", "RES606", "RES607"}
"""Remarks on how busy, small or hot the machine is just now; they come and go with it."""
OPENCV = {"0.10.31": "4.11.0.86"}
"""The one version used here that does not bring OpenCV with it."""
COMMAND_DEADLINE_S = 1700
"""A dozen cells from empty caches over a slow network, on a busy machine; what takes this long hangs."""


@dataclass(frozen=True)
class Ran:
    """What one run of the command left."""

    code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def results(self) -> dict[str, Any]:
        """results.json as it was written."""
        loaded: dict[str, Any] = json.loads((self.out / "results.json").read_text(encoding="utf-8"))
        return loaded

    def cell(self, version: str) -> dict[str, Any]:
        """The row of one MediaPipe version."""
        rows: list[dict[str, Any]] = self.results["cells"]
        return next(row for row in rows if row["axes"]["mediapipe"] == version)

    def codes(self, version: str) -> list[str]:
        """Codes of the findings of one MediaPipe version, the root cause first; without those that wait for another."""
        found = self.cell(version)["findings"]
        return [one["code"] for one in found if one["status"] != "SKIP" and one["code"] not in OF_THE_MOMENT]


Command = Callable[..., Ran]
PythonWith = Callable[[str], Sequence[str]]


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process' environment without what steers GL, plus `changes`."""
    return {name: value for name, value in os.environ.items() if name not in STEERING} | dict(changes)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of environments for all functional tests, so that each cell is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def envcheck(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run `envcheck ARGUMENTS` in a new folder; `env` changes the environment, `wrapper` comes before the command."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, wrapper: Sequence[str] = (), cwd: Path | None = None
    ) -> Ran:
        folder = cwd or tmp_path_factory.mktemp("run")
        done = subprocess.run(
            [*wrapper, sys.executable, "-m", "envcheck", *arguments],
            cwd=folder,
            env=environment({"ENVCHECK_CACHE": str(cache), **(env or {})}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr, folder / ".envcheck")

    return run


@pytest.fixture(scope="session")
def python_with(cache: Path) -> PythonWith:
    """The argv of a Python 3.11 with that MediaPipe and OpenCV: an environment of the tests' cache."""

    def prepared(version: str) -> Sequence[str]:
        axes = Axes(backend="venv", python="3.11", mediapipe=version, opencv=OPENCV.get(version))
        made = environments.prepare(Cell(id=cell_id(axes), axes=axes), cache=cache, env=dict(os.environ))
        assert made.python, made.build
        if not list(Path(made.python[0]).parent.parent.glob("lib/*/site-packages/mediapipe/__pycache__")):
            compile_imports(made.python[0])
        return made.python

    return prepared


@pytest.fixture(scope="session")
def docker_host() -> str:
    """DOCKER_HOST of the engine that all tests share, with the base image. Its tests bear the mark docker."""
    host = containers.engine()
    containers.provide_base(host)
    return host


@pytest.fixture(scope="session")
def matrix_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A matrix file with the given MediaPipe versions on Python 3.11, and a short time to measure.

    Its cells are told apart by which device did the work, not by how exactly the times are known.
    """

    def write(*versions: str, axes: str = "") -> Path:
        path = tmp_path_factory.mktemp("matrix") / "matrix.yaml"
        listed = ", ".join(f'"{version}"' for version in versions)
        text = f'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: [{listed}]\n{axes}gate: {{max_seconds: 10}}\n'
        path.write_text(text, encoding="utf-8")
        return path

    return write
