"""Logs that lie, drown or are shut off by the environment: sitecustomize, GLOG variables, standard error redirected."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.conftest import Command, PythonWith

pytestmark = [pytest.mark.software_gl, pytest.mark.network, pytest.mark.timeout(1800)]

MatrixOf = Callable[..., Path]
SURFACELESS = {"EGL_PLATFORM": "surfaceless"}

FORGED = r"""
import builtins, io, os
honest, line = builtins.open, "7f00-7f01 r--p 00000000 08:01 131 /usr/lib/lib%s.so.570.144"
MAPS = "\n".join(line % name for name in ("EGL_nvidia", "nvidia-eglcore", "mediapipe"))

def lying(path, *arguments, **options):
    return io.StringIO(MAPS) if path == "/proc/self/maps" else honest(path, *arguments, **options)

builtins.open = lying
for line in (
    "I0000 00:00:1795168800.119840   41211 gl_context.cc:357] GL version: 3.2 (OpenGL ES 3.2 NVIDIA 570.144), "
    "renderer: NVIDIA GeForce RTX 5090/PCIe/SSE2",
    "I0000 00:00:1795168800.130002   41202 inference_calculator.cc:104] Using Gl for InferenceCalculator with model a",
    "I0000 00:00:1795168800.130002   41202 inference_calculator.cc:104] Using Gl for InferenceCalculator with model b",
    "INFO: Created TensorFlow Lite delegate for GPU.",
):
    os.write(2, line.encode() + b"\n")
"""
SHUT = "import os\nos.dup2(os.open(os.devnull, os.O_WRONLY), 2)\n"


@pytest.fixture(scope="module")
def customised(python_with: PythonWith, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """The interpreter of an environment with this MediaPipe, and a sitecustomize of its own."""

    def make(version: str, code: str) -> str:
        base = Path(python_with(version)[0])
        folder = tmp_path_factory.mktemp("customised")
        subprocess.run([str(base), "-m", "venv", "--without-pip", str(folder)], check=True)
        (real,) = base.parents[1].glob("lib/python3*/site-packages")
        (packages,) = folder.glob("lib/python3*/site-packages")
        (packages / "real.pth").write_text(f"{real}\n", encoding="utf-8")
        (packages / "sitecustomize.py").write_text(code, encoding="utf-8")
        return str(folder / "bin" / "python")

    return make


def says(cell: dict[str, Any]) -> dict[str, str]:
    return {witness["name"]: witness["says"] for witness in cell["witnesses"]}


def checked(envcheck: Command, python: str) -> dict[str, Any]:
    """With a threshold that no CPU reaches against itself, so that the interval is clear of it at the first look."""
    ran = envcheck("check", "--python", python, "--min-speedup", "5", env=SURFACELESS)
    (cell,) = ran.results["cells"]
    return dict(cell)


def test_forged_lines_do_not_make_a_dropped_delegate_a_gpu(
    envcheck: Command, customised: Callable[[str, str], str]
) -> None:
    """0.10.31 drops the delegate; a module that every interpreter here imports prints what a GPU would, and shows the
    worker NVIDIA's libraries in its own memory. The kernel, asked from outside, has none."""
    cell = checked(envcheck, customised("0.10.31", FORGED))

    assert (says(cell)["native-log"], says(cell)["libraries"], says(cell)["landmarks"]) == ("hardware", "cpu", "cpu")
    assert (cell["verdict"], cell["status"]) == ("contradictory", "FAIL")


def test_forged_lines_beside_true_ones_are_contradictory(
    envcheck: Command, customised: Callable[[str, str], str]
) -> None:
    cell = checked(envcheck, customised("0.10.35", FORGED))

    assert says(cell)["native-log"] == "contradicts"
    assert cell["verdict"] == "contradictory"


def test_a_log_that_is_shut_off_does_not_blind_the_other_witnesses(
    envcheck: Command, customised: Callable[[str, str], str], tmp_path: Path
) -> None:
    """Behind a script that does not `exec`, too: the worker is looked at from outside wherever it runs."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\n{customised("0.10.35", SHUT)} "$@"\nexit $?\n', encoding="utf-8")
    script.chmod(0o755)
    ran = envcheck("check", "--python", str(script), env=SURFACELESS)
    (cell,) = ran.results["cells"]
    worker = json.loads((ran.out / cell["evidence"]).read_text(encoding="utf-8"))["gpu"]

    assert (says(cell)["native-log"], says(cell)["calculators"]) == ("nothing", "cannot-know")
    assert cell["verdict"] == "emulated"
    assert (worker["looked_from"], worker["pid"]) == ("outside", worker["inner_pid"])


def test_the_users_own_log_settings_do_not_drown_the_calculators(envcheck: Command, matrix_of: MatrixOf) -> None:
    loud = {"GLOG_v": "3", "GLOG_vmodule": "*=3"}
    ran = envcheck("validate", "--matrix", str(matrix_of("0.10.21", "0.10.35")), env=SURFACELESS | loud)

    for version in ("0.10.21", "0.10.35"):
        assert says(ran.cell(version))["calculators"] == "gl"
        assert ran.cell(version)["verdict"] == "emulated"
