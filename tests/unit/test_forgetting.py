"""What a night's policy lets go, what it says of it, and what becomes of the night where nothing can be removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from envcheck.archive import Archive, open_archive
from envcheck.errors import EnvcheckError
from envcheck.kept import Forgotten, Gone, Night
from envcheck.model import Verdict
from envcheck.nightly import after_forgetting, past
from envcheck.report.nightly import render
from tests.unit.nights import CELL
from tests.unit.nights import night as entry_of

NIGHT = Night(
    archive="history.sqlite", run="now", resumed=False, entries=(), changes=(), again=(), left=(), unreachable=(),
    exit_code=0,
)  # fmt: skip


class Full(Archive):
    """An archive on a full disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, open_archive(path).connection)

    def remove(self, digests: object) -> int:
        raise EnvcheckError("the disk is full", remedy="Free space there.")


def test_without_a_policy_nothing_is_said_or_removed(tmp_path: Path) -> None:
    with Full(tmp_path / "a.sqlite") as archive:
        assert after_forgetting(NIGHT, archive, None) == NIGHT
    assert "emoved" not in render(NIGHT)


@pytest.mark.parametrize(("code", "then"), [(0, 4), (1, 1), (75, 75)])
def test_a_failure_is_told_and_takes_nothing_of_the_night_back(tmp_path: Path, code: int, then: int) -> None:
    with Full(tmp_path / "a.sqlite") as archive:
        night = after_forgetting(replace(NIGHT, exit_code=code), archive, (30, 90))
    assert night.exit_code == then
    assert "Nothing was removed by --keep 30 --keep-days 90: the disk is full Free space there." in render(night)


def test_what_went_is_counted_and_dated() -> None:
    gone = tuple(
        Gone(digest=str(day), cell="a", host="h", recorded_at=f"2026-08-{day:02d}T03:00:00", verdict=Verdict.REFUSED)
        for day in (3, 1, 2)
    )
    text = render(replace(NIGHT, forgotten=Forgotten(keep=1, keep_days=0.5, removed=gone)))
    assert "Removed 3 entries of 1 cell with their evidence, from 2026-08-01 to 2026-08-03, by --keep 1 " in text
    none = render(replace(NIGHT, forgotten=Forgotten(keep=1, keep_days=0.5)))
    assert "Nothing was old enough" in none


def test_a_night_is_not_compared_with_what_a_clock_that_was_ahead_has_recorded(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.sqlite") as archive:
        for number in (0, 400_000):
            archive.connection.execute("INSERT INTO evidence VALUES (?, x'00')", (entry_of(number).digest,))
            archive.insert(entry_of(number))
        assert [one.digest for one in past(archive, CELL)] == [entry_of(0).digest]


def test_facts_are_removed_without_reading_every_entry_for_each(tmp_path: Path) -> None:
    """SQLite looks for entries that still have them."""
    with open_archive(tmp_path / "a.sqlite") as archive:
        archive.connection.execute("INSERT INTO evidence VALUES (?, x'00')", (entry_of(0).digest,))
        archive.insert(entry_of(0))
        (plan,) = archive.rows("EXPLAIN QUERY PLAN SELECT 1 FROM entry WHERE facts = 1")
    assert "entry_by_facts" in plan[-1]
