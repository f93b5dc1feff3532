"""A worker that ended with its container engine is no fault of what was in the container."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from envcheck import boxes, process
from envcheck.boxes import Engine, RunOptions
from envcheck.conclude import conclude_cell
from envcheck.engines.local import engine_gone
from envcheck.environments import or_engine_gone
from envcheck.model import Build, Evidence, Verdict, WorkerRun
from envcheck.outcomes import Completed
from envcheck.plan import Diagnosis, docker, venv
from tests.golden import as_if_seen

ENGINE = Engine(("docker", "--context", "lab"), "docker", "28")
IN_A_CELL = boxes.argv(ENGINE, RunOptions(image="cell", command=("python3", "-I")))
IN_AN_IMAGE = boxes.entering(ENGINE, "a" * 64, "/usr/bin/python3", ())
ANSWERS = b'{"ServerVersion": "28"}'
DIED = WorkerRun("CPU", "died", stage="import", exit="exit status 255")


def answering(monkeypatch: pytest.MonkeyPatch, stdout: bytes) -> list[Sequence[str]]:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], **_: object) -> Completed:
        asked.append(argv)
        return Completed(argv=tuple(argv), returncode=1, stdout=stdout, stderr=b"Cannot connect to the Docker daemon")

    monkeypatch.setattr(boxes.silence, "__defaults__", (run,))
    monkeypatch.setattr(process, "run", run)
    return asked


def with_worker(worker: WorkerRun) -> Evidence:
    return replace(as_if_seen("crashed"), cpu=worker)


@pytest.mark.parametrize("python", [IN_A_CELL, IN_AN_IMAGE])
def test_the_engine_is_asked_where_a_worker_ended_badly(monkeypatch: pytest.MonkeyPatch, python: Sequence[str]) -> None:
    asked = answering(monkeypatch, b"")
    assert "stopped answering meanwhile: Cannot connect" in engine_gone(with_worker(DIED), python, {})
    assert asked[0][:4] == ["docker", "--context", "lab", "info"]
    answering(monkeypatch, ANSWERS)
    assert engine_gone(with_worker(DIED), python, {}) == ""


def test_nobody_is_asked_for_a_worker_that_ended_well_or_in_no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, b"")
    assert engine_gone(as_if_seen("refused"), IN_A_CELL, {}) == ""
    assert engine_gone(with_worker(DIED), ("/venv/bin/python", "-B"), {}) == ""
    assert asked == []


@pytest.mark.parametrize(("said", "outcome"), [(b"", "no-engine"), (ANSWERS, "failed")])
def test_a_build_that_failed_with_its_engine_is_no_fault_of_the_cell(
    monkeypatch: pytest.MonkeyPatch, said: bytes, outcome: str
) -> None:
    answering(monkeypatch, said)
    backend = docker.Docker(engine=lambda: ENGINE)
    failed = Diagnosis("failed", "unexpected EOF")

    assert or_engine_gone(failed, backend, {}).outcome == outcome
    assert or_engine_gone(failed, venv, {}) is failed
    assert or_engine_gone(Diagnosis("no-wheel", "x"), backend, {}).outcome == "no-wheel"


@pytest.mark.parametrize(("outcome", "code"), [("no-engine", "RES615"), ("unavailable", "MPP408")])
def test_an_engine_that_is_away_is_told_as_one_and_an_index_as_one(outcome: str, code: str) -> None:
    crashed = as_if_seen("crashed")
    blank = Evidence(
        cell=crashed.cell, host=crashed.host, foresight=crashed.foresight, gate=crashed.gate,
        workload=crashed.workload, build=Build(outcome=outcome, because="it does not answer"),
    )  # fmt: skip
    row = conclude_cell(blank)
    assert (row.verdict, row.findings[0].code) == (Verdict.UNKNOWN, code)
    assert {"RES615", "MPP408"} - {one.code for one in row.findings} == {"RES615", "MPP408"} - {code}


def test_a_base_image_that_cannot_be_had_is_asked_of_a_registry() -> None:
    crashed = as_if_seen("crashed")
    build = Build(outcome="unavailable", because="the base image cannot be had (no such host)")
    blank = Evidence(
        cell=replace(crashed.cell, axes=replace(crashed.cell.axes, backend="docker")), host=crashed.host,
        foresight=crashed.foresight, gate=crashed.gate, workload=crashed.workload, build=build,
    )  # fmt: skip
    (finding,) = (one for one in conclude_cell(blank).findings if one.code == "MPP408")
    assert "backends.docker.mirror" in finding.remedy
