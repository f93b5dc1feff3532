"""`envcheck cell`: a plan in, a delivery out, whatever is given to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from envcheck.conclude import conclude_cell
from envcheck.engines import plans
from envcheck.engines.plans import Plan, RefusedError
from envcheck.model import Axes, Cell, Verdict, cell_id
from envcheck.validate import job_of
from tests.functional.conftest import environment
from tests.inprocess import ended
from tests.unit.fleet import plan_of
from tests.waiting import HANG_S


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A cell whose Python is nowhere, with the model and the frames that are here."""
    from envcheck.matrix import Matrix
    from envcheck.report.progress import Progress
    from envcheck.request import Request

    axes = Axes(backend="venv", python="3.19", mediapipe="1.2.2")
    setting = job_of(Request(), Matrix(name="m", axes={}), [], Progress(quiet=True)).setting
    return replace(
        plan_of(), cell=Cell(id=cell_id(axes), axes=axes), model_sha256=setting.model.sha256,
        frames_sha256=setting.material.frames.record.sha256,
    )  # fmt: skip


def test_a_plan_on_standard_input_is_answered_on_standard_output(plan: Plan, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "envcheck", "cell", "--plan", "-", "--out", "-", "-q"], input=plans.encode(plan),
        env=environment({"ENVCHECK_CACHE": str(tmp_path), "UV_PYTHON_DOWNLOADS": "never"}), capture_output=True,
        check=False, timeout=HANG_S,
    )  # fmt: skip
    evidence = plans.accept(plan, done.stdout)

    assert (done.returncode, done.stderr) == (0, b"")
    assert conclude_cell(evidence).verdict is Verdict.BROKEN


def test_the_delivery_is_written_whole_and_under_its_name(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(plans.encode(plan))
    env = {"ENVCHECK_CACHE": str(tmp_path / "cache"), "UV_PYTHON_DOWNLOADS": "never"}
    done = ended("cell", "-q", "--plan", "plan.json", "--out", "out.json", cwd=tmp_path, env=env)

    assert done.returncode == 0
    assert plans.accept(plan, (tmp_path / "out.json").read_bytes()).cell == plan.cell
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out.json", "plan.json"]


@pytest.mark.parametrize("field", ["model_sha256", "frames_sha256"])
def test_another_model_or_input_is_a_delivery_that_says_so(plan: Plan, tmp_path: Path, field: str) -> None:
    other = replace(plan, **{field: "0" * 64})
    (tmp_path / "plan.json").write_bytes(plans.encode(other))
    done = ended("cell", "-q", "--plan", "plan.json", "--out", "out.json", cwd=tmp_path)

    assert done.returncode == 2
    with pytest.raises(RefusedError, match=r"could not run the cell: the (model|input) .* here"):
        plans.accept(other, (tmp_path / "out.json").read_bytes())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON, or cut short"),
        ("{}", "missing required field"),
        ('{"schema": "envcheck.plan/1", "run": ""}', "missing required field"),
        ("[" * 100_000, "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_plan_is_one_message_and_2(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    done = ended("cell", "--plan", "plan.json", "--out", "out.json", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("envcheck: plan.json: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


def test_a_plan_that_is_not_there_is_one_message_and_2(tmp_path: Path) -> None:
    done = ended("cell", "--plan", "nowhere.json", "--out", "-", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("envcheck: nowhere.json: No such file or directory\n")
    assert "plan of a cell" in done.stderr
    assert "--out" not in done.stderr


def test_a_plan_of_another_envcheck_is_refused(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(plans.encode(replace(plan, version="0.0.1")))
    done = ended("cell", "--plan", "plan.json", "--out", "-", cwd=tmp_path)

    assert done.returncode == 2
    assert "install the same on every host" in done.stderr


def test_the_help_speaks_of_deliveries_and_not_of_a_gate(tmp_path: Path) -> None:
    """Nothing is judged here: exit code 0 says nothing of an expectation."""
    text = " ".join(ended("cell", "--help", cwd=tmp_path).stdout.split())

    assert "0 evidence was delivered, whatever it shows;" in text
    assert "expectation" not in text
