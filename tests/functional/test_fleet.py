"""A matrix in parts, from the plan to one table: the shell of the workflows that people copy, run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from envcheck.archive import open_archive
from envcheck.kept import NOT_DELIVERED
from tests.functional.conftest import environment
from tests.functional.test_nightly_examples import linted
from tests.inprocess import ended
from tests.unit.test_division import TEXT
from tests.waiting import HANG_S

EXAMPLES = Path(__file__).parents[2] / "examples" / "fleet"
CHEAP = """
version: 1
axes:
  python: ["3.11"]
  mediapipe: ["0.10.5", "0.10.7", "1.0.0"]
  driver: [any]
tiers:
  nightly: {}
expect:
  - when: {mediapipe: "1.0.0"}
    verdict: impossible
    because: its Linux wheel was built without GPU support
  - when: {mediapipe: "<0.10.8"}
    verdict: impossible
    because: no GPU code in these wheels
"""
"""Cells that nothing is built for: known not to work, and expected so."""
VALUE = re.compile(r"\$\{\{ *([a-z_.]+).*?\}\}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "matrix.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_plan_and_validate_mean_the_same_cells(folder: Path) -> None:
    planned = ended("plan", "--tier", "smoke", "--shard", "1/2", "--format", "json", cwd=folder)
    dry = ended("validate", "--shard", "1/2", "--dry-run", cwd=folder)
    ids = [cell["id"] for cell in json.loads(planned.stdout)["cells"]]
    assert [line.split()[1].rstrip(":") for line in dry.stdout.splitlines() if line.startswith("== ")] == ids
    assert len(ids) == 2
    assert "# shard 1/2: 2 of 4 cells" in dry.stdout
    assert "shard 1/2: 2 of 4 cells" in ended("plan", "--tier", "smoke", "--shard", "1/2", cwd=folder).stdout
    assert ended("plan", "--driver", "570", cwd=folder).stdout.count("-r570") == 8


def test_actionlint_has_nothing_to_say() -> None:
    done = linted(EXAMPLES / "github.yml")
    assert (done.returncode, done.stdout) == (0, "")


# --- the shell of the workflows ---------------------------------------------------------------------------------


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


class Runner:
    """A machine for steps: a folder, a command named envcheck on the path, and what the platform sets."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "envcheck").write_text(f'#!/bin/sh\nexec {sys.executable} -m envcheck "$@"\n', encoding="utf-8")
        (programs / "envcheck").chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.env = environment({"PATH": path, "ENVCHECK_CACHE": str(cache), "RUNNER_TEMP": str(folder)})

    def bash(self, script: str, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """As both platforms start it: an error ends the script."""
        cwd.mkdir(exist_ok=True)
        if not (cwd / "matrix.yaml").exists():
            (cwd / "matrix.yaml").write_text(CHEAP, encoding="utf-8")
        argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            argv, env=self.env | dict(env), cwd=cwd, capture_output=True, text=True, check=False, timeout=HANG_S
        )


@pytest.fixture
def runner(tmp_path: Path, cache: Path) -> Runner:
    return Runner(tmp_path, cache)


def github_step(
    runner: Runner, job: str, step: str, values: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run one step of the workflow with what its expressions stand for."""
    workflow = read(EXAMPLES / "github.yml")
    found = next(one for one in workflow["jobs"][job]["steps"] if one.get("name") == step)
    given = workflow["env"] | found.get("env", {})
    env = {name: VALUE.sub(lambda match: values.get(match[1], ""), str(text)) for name, text in given.items()}
    files = {name: str(runner.folder / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    return runner.bash(found["run"], env | files, cwd)


KEY = "0123456789abcdef" * 4
INPUTS = {"inputs.matrix": "matrix.yaml", "inputs.tier": "nightly", "inputs.shards": "2", "secrets.sign_key": KEY}


def move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def test_the_workflow_for_github_plans_two_shards_and_merges_them(runner: Runner, tmp_path: Path) -> None:
    planner, merger = tmp_path / "planner", tmp_path / "merger"
    done = github_step(runner, "plan", "Plan", INPUTS, planner)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "github_output").read_text().removeprefix("matrix="))["include"]
    assert [(row["driver"], row["runs_on"]) for row in rows] == [("any", ["self-hosted", "linux", "gpu"])] * 2
    merger.mkdir()
    for number, row in enumerate(rows):
        worker = tmp_path / f"worker{number}"
        worker.mkdir()
        (worker / "durations.json").write_bytes((planner / "durations.json").read_bytes())
        values = INPUTS | {"matrix.driver": row["driver"], "matrix.shard": row["shard"]}
        done = github_step(runner, "cells", "Validate", values, worker)
        assert done.returncode == 0, done.stderr
        assert f"shard {row['shard']} of driver any: {row['cells']} of 3 cells" in done.stdout
        assert not (tmp_path / "sign.key").exists()
        move(worker / "results", merger / "results" / f"envcheck-cells-{row['id']}")
    (planner / "plan.json").rename(merger / "plan.json")
    done = github_step(runner, "merge", "Merge", INPUTS, merger)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "history.sqlite: 3 entries added, 0 known already.")
    assert github_step(runner, "merge", "Report", INPUTS, merger).returncode == 0
    assert (tmp_path / "github_step_summary").read_text(encoding="utf-8").count("impossible") >= 3
    assert (merger / "table.html").stat().st_size > 10_000

    (lost, *_) = [one for one in (merger / "results").iterdir() if one.name.endswith("of2")]
    lost.rename(tmp_path / "lost")  # a worker that was lost, and one whose evidence was changed on its way
    done = github_step(runner, "merge", "Merge", INPUTS, merger)
    assert done.returncode == 1
    assert done.stdout.count("unknown: venv-py3.11-mp") == 2
    assert "missing: shard" in done.stdout
    evidence = next((merger / "results").glob("*/evidence/*.json"))
    evidence.write_bytes(evidence.read_bytes().replace(b"impossible", b"reachable!", 1))
    done = github_step(runner, "merge", "Merge", INPUTS, merger)
    assert (done.returncode, done.stdout.count("it was changed")) == (1, 1)
    with open_archive(merger / "history.sqlite", readonly=True) as archive:
        assert sum(entry.host == NOT_DELIVERED for entry in archive.latest()) == 3


def test_a_pod_without_a_volume_delivers_by_its_log(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(CHEAP, encoding="utf-8")
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    planned = ended("plan", "--format", "fleet", "--tier", "nightly", "--shards", "1", cwd=tmp_path)
    (tmp_path / "plan.json").write_text(planned.stdout, encoding="utf-8")
    pod = {"JOB_COMPLETION_INDEX": "0", "ENVCHECK_SHARDS": "1", "ENVCHECK_CACHE": str(cache)}
    arguments = ("--tier", "nightly", "--driver", "any", "--shard", "env", "--sign-key", "key", "--parcel")
    done = ended("validate", "--quiet", *arguments, cwd=tmp_path, env=pod)
    assert done.returncode == 0, done.stderr
    log = "".join(f"[pod/envcheck-any-venv-1/envcheck] {line}\n" for line in done.stdout.splitlines())
    (tmp_path / "pods.log").write_text(log, encoding="utf-8")
    merged = ended("merge", "pods.log", "--expected", "plan.json", "--verify-key", "key", cwd=tmp_path)
    assert (merged.returncode, merged.stdout.splitlines()[0]) == (
        0, ".envcheck/history.sqlite: 3 entries added, 0 known already.",
    )  # fmt: skip
    assert ended("validate", "--parcel", "--json", cwd=tmp_path).returncode == 2


def gitlab_job(
    runner: Runner, job: Mapping[str, Any], env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run the script of one job, with the program where its own first lines would have put it."""
    (cwd / ".venv").mkdir(parents=True, exist_ok=True)
    if not (cwd / ".venv" / "bin").exists():
        (cwd / ".venv" / "bin").symlink_to(runner.folder / "bin")
    return runner.bash("\n".join(job["script"]), env, cwd)


def test_the_pipeline_for_gitlab_plans_a_child_that_merges(runner: Runner, tmp_path: Path) -> None:
    parent = read(EXAMPLES / "gitlab-ci.yml")
    cwd = tmp_path / "work"  # one folder for all: artifacts are fetched to where they came from
    variables = parent["variables"] | {"HISTORY": "nowhere", "ENVCHECK_KEY_FILE": str(tmp_path / "key")}
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    done = gitlab_job(runner, parent["plan"], variables, cwd)
    assert done.returncode == 0, done.stderr
    child = read(cwd / "cells.yml")
    (name,) = [one for one in child if one.startswith("cells-")]
    shards = child[name]["parallel"]["matrix"][0]["SHARD"]
    assert shards == ["1/3", "2/3", "3/3"]
    for number, shard in enumerate(shards[:2], 1):
        env = variables | child[name]["variables"] | {"SHARD": shard, "CI_NODE_INDEX": str(number)}
        done = gitlab_job(runner, child[".cells"], env, cwd)
        assert done.returncode == 0, done.stderr
    done = gitlab_job(runner, child["merge"], variables, cwd)
    assert done.returncode == 1
    assert "missing: shard 3 of 3 of driver any" in done.stdout
    assert done.stdout.count("unknown: venv-py3.11-mp") == 1
    assert "Run again on any host: envcheck validate --select venv-py3.11-mp" in done.stdout
    assert (cwd / "junit.xml").stat().st_size
    assert (cwd / "table.html").stat().st_size
