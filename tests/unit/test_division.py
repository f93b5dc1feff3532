"""Which cells are run here, and that results and reports of a part say that they are one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envcheck import matrix, store
from envcheck.archive import open_archive
from envcheck.conclude import conclude
from envcheck.division import known_in, portion_of
from envcheck.durations import BY_VERDICT, durations_of, usual
from envcheck.entries import entry_of
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.model import Axes, Cell, Results, Shard, Verdict
from envcheck.report import markdown, terminal
from envcheck.request import Portion
from tests.golden import as_if_seen
from tests.inprocess import ended

TEXT = """
version: 1
axes:
  backend: [venv, docker]
  python: ["3.11", "3.12"]
  mediapipe: ["0.10.35", "1.2.2"]
  driver: ["570", "580", any]
tiers:
  smoke: {backend: venv, driver: any}
"""
CELLS = list(matrix.select(matrix.parse(TEXT, "matrix.yaml")))
SHARD = Shard(index=2, count=5, cells=14, of=70, division="0123456789abcdef")


def part(shard: str | None = None, driver: str | None = None, durations: Path | None = None) -> Portion:
    return Portion(driver, shard, durations)


@pytest.mark.parametrize("driver", [None, "570", "any"])
def test_all_shards_together_are_all_cells_once(driver: str | None) -> None:
    whole, none = portion_of(CELLS, part(driver=driver), {})
    found = [portion_of(CELLS, part(f"{index}/3", driver), {}) for index in (1, 2, 3)]
    assert none is None
    assert sorted(cell.id for cells, _ in found for cell in cells) == sorted(cell.id for cell in whole)
    shards = [shard for _, shard in found if shard]
    assert [(one.index, one.count, one.of, one.driver) for one in shards] == [
        (index, 3, len(whole), driver) for index in (1, 2, 3)
    ]
    assert sum(one.cells for one in shards) == len(whole)
    assert len({one.division for one in shards}) == 1


def test_cells_that_differ_by_driver_alone_are_of_one_shard() -> None:
    for index in (1, 2, 3, 4):
        cells, _ = portion_of(CELLS, part(f"{index}/4"), {})
        environments = {(one.axes.backend, one.axes.python, one.axes.mediapipe) for one in cells}
        assert len(cells) == 3 * len(environments)


def test_cells_stay_in_the_order_of_the_matrix() -> None:
    cells, _ = portion_of(CELLS, part("1/2"), {})
    assert [CELLS.index(one) for one in cells] == sorted(CELLS.index(one) for one in cells)


def test_an_empty_shard_is_nothing_and_no_pass() -> None:
    with pytest.raises(NothingSelectedError, match="shard 3/3 is empty: 1 cells"):
        portion_of(CELLS[:1], part("3/3"), {})


def test_a_driver_that_no_cell_needs_is_named_with_those_that_some_do() -> None:
    with pytest.raises(NothingSelectedError, match="--driver 57") as caught:
        portion_of(CELLS, part(driver="57"), {})
    assert "570, 580, any" in caught.value.remedy


def test_a_cell_without_a_driver_axis_needs_any() -> None:
    cells = [Cell("venv", Axes("venv"))]
    assert portion_of(cells, part(driver="any"), {})[0] == cells


# --- how long they take -----------------------------------------------------------------------------------------


def test_times_are_measured_else_by_verdict_else_by_backend() -> None:
    refused, accelerated, impossible = map(as_if_seen, ("refused", "accelerated", "impossible"))
    entries = [entry_of(refused, seconds=20.0), entry_of(accelerated), entry_of(impossible)]
    assert durations_of(entries).seconds == {
        refused.cell.id: 20.0,
        accelerated.cell.id: usual(accelerated.cell.axes),
        impossible.cell.id: BY_VERDICT[Verdict.IMPOSSIBLE],
    }


def test_an_archive_and_what_was_written_of_it_divide_alike(tmp_path: Path) -> None:
    archive, written = tmp_path / "history.sqlite", tmp_path / "durations.json"
    with open_archive(archive) as opened:
        evidence = as_if_seen("refused")
        opened.add(entry_of(evidence, seconds=1234.0), evidence)
    done = ended("plan", "--format", "durations", "--durations", str(archive), cwd=tmp_path)
    assert done.returncode == 0
    written.write_text(done.stdout, encoding="utf-8")
    assert known_in(archive) == known_in(written) == {evidence.cell.id: 1234.0}


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "envcheck.durations/1", "seconds": {"a": -1}}', "[1]"])
def test_a_file_of_no_times_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "durations.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"durations\.json"):
        known_in(path)


# --- what is told of it -----------------------------------------------------------------------------------------


def a_part() -> Results:
    return conclude([as_if_seen("accelerated")], SHARD)


def test_results_and_every_report_for_people_say_that_they_are_a_part(tmp_path: Path) -> None:
    evidence = [as_if_seen("accelerated")]
    store.publish(tmp_path / "out", a_part(), evidence, {})
    told = "shard 2/5: 14 of 70 cells"
    assert json.loads((tmp_path / "out" / "results.json").read_text())["shard"] == {
        "index": 2, "count": 5, "cells": 14, "of": 70, "division": "0123456789abcdef",
    }  # fmt: skip
    assert told in terminal.render(a_part(), width=100, colour=False, exit_code=0)
    assert "shard 2/5: 14 of 70 cells" in markdown.render(a_part())
    assert told in ended("replay", "out", cwd=tmp_path).stdout
    for form in ("markdown", "html", "summary"):
        assert told in ended("report", "--out", "out", "--format", form, cwd=tmp_path).stdout
    badge = ended("report", "--out", "out", "--format", "badge", cwd=tmp_path)
    assert badge.returncode == 2
    assert told in badge.stderr


def test_a_whole_says_nothing_of_parts(tmp_path: Path) -> None:
    evidence = [as_if_seen("accelerated")]
    store.publish(tmp_path / "out", conclude(evidence), evidence, {})
    assert "shard" not in json.loads((tmp_path / "out" / "results.json").read_text())
    assert "shard" not in ended("replay", "out", cwd=tmp_path).stdout
    assert ended("report", "--out", "out", "--format", "badge", cwd=tmp_path).returncode == 0


# --- the commands -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "matrix.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", [("plan",), ("validate", "--dry-run"), ("nightly",)])
@pytest.mark.parametrize("shard", ["0/4", "5/4", "a/b"])
def test_bad_input_is_one_message_and_exit_code_2(folder: Path, command: tuple[str, ...], shard: str) -> None:
    done = ended(*command, "--shard", shard, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"envcheck: --shard '{shard}' is not I/N")
    assert len(done.stderr.splitlines()) == 2
