"""A matrix in parts, from the plan to one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.inprocess import ended
from tests.unit.test_division import TEXT


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
