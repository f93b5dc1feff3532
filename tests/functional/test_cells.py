"""Axes other than MediaPipe: CUDA really installed and asked, drivers matched, Pythons that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.conftest import Command

pytestmark = pytest.mark.network


def matrix(folder: Path, axes: str) -> str:
    path = folder / "matrix.yaml"
    path.write_text(f"version: 1\naxes: {{{axes}}}\n", encoding="utf-8")
    return str(path)


@pytest.mark.software_gl
def test_the_cuda_runtime_of_a_cell_is_installed_loaded_and_asked(envcheck: Command, tmp_path: Path) -> None:
    """CUDA is beside the question: the reason for the verdict stays MediaPipe's, and comes first."""
    axes = 'python: ["3.11"], mediapipe: ["1.2.2"], cuda: ["12.8"]'
    ran = envcheck("validate", "--matrix", matrix(tmp_path, axes))
    evidence = json.loads((ran.out / "evidence" / "venv-py3.11-mp1.2.2-cu12.8.json").read_text(encoding="utf-8"))

    assert evidence["cuda"]["runtime"] == "12.8"
    assert "libcudart.so.12" in evidence["cuda"]["library"]
    assert ran.cell("1.2.2")["verdict"] == "refused"
    assert ran.codes("1.2.2")[0] == "GPU105"
    assert ran.codes("1.2.2")[-1] == "CUD705"


def test_a_driver_that_is_not_here_is_unreachable_and_nothing_ran(envcheck: Command, tmp_path: Path) -> None:
    axes = 'python: ["3.11"], mediapipe: ["1.2.2"], driver: ["570"]'
    ran = envcheck("validate", "--matrix", matrix(tmp_path, axes))

    assert ran.code == 3
    assert ran.cell("1.2.2")["verdict"] == "unreachable"
    assert ran.codes("1.2.2") == ["GPU101"]


@pytest.mark.software_gl
def test_a_python_that_is_not_here_breaks_its_cell_alone(envcheck: Command, tmp_path: Path) -> None:
    axes = 'python: ["3.11", "3.19"], mediapipe: ["1.0.1"]'
    ran = envcheck("validate", "--matrix", matrix(tmp_path, axes), env={"UV_PYTHON_DOWNLOADS": "never"})
    rows = {row["axes"]["python"]: row for row in ran.results["cells"]}

    assert ran.code == 1
    assert rows["3.19"]["verdict"] == "broken"
    assert rows["3.19"]["findings"][0]["code"] == "MPP406"
    assert "uv python install 3.19" in rows["3.19"]["findings"][0]["remedy"]
    assert rows["3.11"]["verdict"] == "refused"


def test_a_version_with_no_wheel_is_impossible_with_the_resolvers_reason(
    envcheck: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With empty tables nothing is foreseen; the resolver says it."""
    env = {"ENVCHECK_TABLES": str(tmp_path_factory.mktemp("tables"))}
    ran = envcheck("validate", "--matrix", matrix(tmp_path, 'python: ["3.11"], mediapipe: ["0.10.29"]'), env=env)

    assert ran.code == 1
    assert ran.cell("0.10.29")["verdict"] == "impossible"
    assert ran.codes("0.10.29")[0] == "MPP403"
    assert "0.10.29" in ran.cell("0.10.29")["because"]


def test_an_index_that_does_not_answer_is_75(envcheck: Command, tmp_path: Path) -> None:
    env = {
        "UV_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    ran = envcheck(
        "validate", "--relock", "--matrix", matrix(tmp_path, 'python: ["3.11"], mediapipe: ["1.1.0"]'), env=env
    )

    assert ran.code == 75
    assert ran.cell("1.1.0")["verdict"] == "unknown"
    assert ran.codes("1.1.0")[0] == "MPP408"
