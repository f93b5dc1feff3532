"""The archive in one process: one row per evidence, what comes back is what was put in, and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from envcheck.archive import VERSION, Archive, Policy, digest_of, going, open_archive, schema
from envcheck.errors import EnvcheckError, UsageError
from envcheck.kept import Entry
from envcheck.model import Axes, Evidence, Status, Verdict
from tests.unit.worlds import looked_at

NIGHT = "2026-11-{:02d}T03:00:00+00:00"


def evidence(night: int = 1) -> Evidence:
    return looked_at(recorded_at=NIGHT.format(night))


def entry(seen: Evidence, cell: str = "here", host: str = "a host", verdict: Verdict = Verdict.UNKNOWN) -> Entry:
    return Entry(
        digest=digest_of(seen),
        cell=cell,
        axes=Axes(backend="here"),
        recorded_at=seen.recorded_at,
        host=host,
        verdict=verdict,
        status=Status.UNKNOWN,
        expected=Verdict.ACCELERATED,
        met=False,
        facts={"driver": "570.124.06"},
    )


def night(number: int, verdict: Verdict = Verdict.UNKNOWN, cell: str = "here") -> Entry:
    return entry(evidence(number), cell=cell, verdict=verdict)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "history.sqlite") as opened:
        yield opened


def test_what_was_added_comes_back(archive: Archive) -> None:
    seen = evidence()
    assert archive.add(entry(seen), seen)
    assert list(archive.entries()) == [entry(seen)]
    assert archive.evidence(digest_of(seen)) == seen
    assert archive.cells() == ("here",)


def test_the_same_evidence_is_one_row(archive: Archive) -> None:
    seen = evidence()
    assert [archive.add(entry(seen), seen) for _ in range(3)] == [True, False, False]
    assert archive.count() == 1


def test_an_entry_with_the_digest_of_other_evidence_is_refused(archive: Archive) -> None:
    with pytest.raises(EnvcheckError, match="digest"):
        archive.add(entry(evidence(1)), evidence(2))
    assert archive.count() == 0


def test_entries_are_asked_for_by_cell_host_and_time(archive: Archive) -> None:
    for number, (cell, host) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")], 1):
        seen = evidence(number)
        archive.add(entry(seen, cell, host), seen)
    assert [one.recorded_at for one in archive.entries(cell="a", host="x")] == [NIGHT.format(1), NIGHT.format(4)]
    assert {one.cell for one in archive.entries(since=NIGHT.format(3))} == {"a", "b"}
    assert [(one.cell, one.host, one.recorded_at) for one in archive.latest()] == [
        ("a", "x", NIGHT.format(4)), ("a", "y", NIGHT.format(2)), ("b", "x", NIGHT.format(3)),
    ]  # fmt: skip


def test_entries_of_a_run_come_as_they_were_stored_though_the_clock_went_back(archive: Archive) -> None:
    for number in (2, 3, 1):
        seen = evidence(number)
        archive.add(replace(entry(seen, cell=f"cell {number}"), run="a run"), seen)

    assert [one.cell for one in archive.of_run("a run")] == ["cell 2", "cell 3", "cell 1"]
    assert list(archive.of_run("another run")) == []


def test_another_content_for_the_same_cell_host_and_time_is_a_clash(archive: Archive) -> None:
    seen = evidence()
    other = replace(seen, composed="changed by hand")
    archive.add(entry(seen), seen)
    found = archive.clash(entry(other))
    assert found is not None
    assert (found.kept, found.other) == (digest_of(seen), digest_of(other))
    assert archive.clash(entry(seen)) is None


def test_a_digest_may_be_named_by_its_beginning(archive: Archive) -> None:
    for number in range(1, 9):
        archive.add(night(number), evidence(number))
    wanted = night(5)
    assert archive.entry(wanted.digest[:12]) == wanted
    assert archive.entry("") is None
    assert archive.entry("%") is None


def test_what_is_removed_takes_its_evidence_along(archive: Archive) -> None:
    for number in (1, 2):
        archive.add(night(number), evidence(number))
    assert archive.remove([night(1).digest]) == 1
    assert [one.digest for one in archive.entries()] == [night(2).digest]
    with pytest.raises(UsageError, match="no evidence"):
        archive.evidence(night(1).digest)


def test_a_transaction_that_fails_leaves_nothing(archive: Archive) -> None:
    archive.connection.execute("CREATE TEMP TRIGGER no BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(EnvcheckError, match="no"):
        archive.add(night(1), evidence(1))
    archive.connection.execute("DROP TRIGGER no")
    assert archive.rows("SELECT count(*) FROM evidence")[0][0] == 0
    assert archive.add(night(1), evidence(1))


def test_damaged_evidence_is_named_and_not_returned(archive: Archive) -> None:
    seen = evidence()
    archive.add(entry(seen), seen)
    archive.connection.execute("UPDATE evidence SET body = substr(body, 1, 100)")
    with pytest.raises(EnvcheckError, match="damaged"):
        archive.evidence(digest_of(seen))


# --- files that are none of ours --------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_text("not a database at all, but a text that is long enough to be looked at\n" * 20)
    before = path.read_bytes()
    for readonly in (False, True):
        with pytest.raises(UsageError, match="no archive"):
            open_archive(path, readonly=readonly)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another program"):
        open_archive(path)
    assert path.read_bytes() == before


def test_an_archive_of_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    open_archive(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    for readonly in (False, True):
        with pytest.raises(UsageError, match="newer envcheck") as error:
            open_archive(path, readonly=readonly)
        assert "Update envcheck" in error.value.remedy


def test_a_damaged_archive_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with open_archive(path) as archive:
        for number in range(1, 29):
            archive.add(night(number), evidence(number))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(EnvcheckError, match="damaged") as error, open_archive(path, readonly=True) as archive:
        list(archive.entries())
    assert "merge" in error.value.remedy


def test_what_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such archive"):
        open_archive(tmp_path / "history.sqlite", readonly=True)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_the_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        open_archive(tmp_path)


def test_a_folder_is_made_for_a_new_archive(tmp_path: Path) -> None:
    open_archive(tmp_path / "a" / "b" / "history.sqlite").close()
    assert (tmp_path / "a" / "b" / "history.sqlite").is_file()


def test_a_reader_may_not_write(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    open_archive(path).close()
    with open_archive(path, readonly=True) as archive, pytest.raises(UsageError, match="cannot be opened or written"):
        archive.add(night(1), evidence(1))


# --- older files ------------------------------------------------------------------------------------------------


def as_version_1(path: Path) -> None:
    """A file as the first version of the schema left it, with one entry."""
    connection = sqlite3.connect(path)
    connection.executescript(schema.FIRST)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    connection.execute("PRAGMA user_version = 1")
    with Archive(path, connection) as archive:
        connection.isolation_level = None
        archive.add(night(1), evidence(1))


@pytest.mark.parametrize("readonly", [False, True], ids=["written", "read"])
def test_a_file_of_version_1_is_brought_to_today(tmp_path: Path, readonly: bool) -> None:
    path = tmp_path / "history.sqlite"
    as_version_1(path)
    with open_archive(path, readonly=readonly) as archive:
        assert schema.version_of(archive.connection) == VERSION
        assert list(archive.entries()) == [night(1)]
        assert archive.evidence(night(1).digest) == evidence(1)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.sqlite"
    as_version_1(path)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE new (x TEXT); CREATE TABLE entry (x TEXT)"))
    monkeypatch.setattr(schema, "VERSION", len(schema.STEPS))
    with pytest.raises(EnvcheckError, match="already exists"):
        open_archive(path)
    monkeypatch.undo()
    with open_archive(path) as archive:
        assert archive.count() == 1
        assert not archive.rows("SELECT 1 FROM sqlite_master WHERE name = 'new'")


# --- what may go ------------------------------------------------------------------------------------------------

A, R = Verdict.ACCELERATED, Verdict.REFUSED


def test_the_young_the_newest_and_the_edges_of_spells_stay() -> None:
    verdicts = [A, A, A, A, R, R, R, A, A, A, A, A, A, A]
    nights = [night(number, verdict) for number, verdict in enumerate(verdicts, 1)]
    gone = going(nights, Policy(newest=2, since=NIGHT.format(12)))
    assert [one.recorded_at for one in gone] == [NIGHT.format(number) for number in (2, 3, 6, 9, 10, 11)]


def test_the_newest_stays_whatever_the_policy_says() -> None:
    nights = [night(number) for number in (1, 2, 3)]
    gone = [one.recorded_at for one in going(nights, Policy(newest=0, since="2030"))]
    assert gone == [NIGHT.format(2)]


def test_each_cell_keeps_its_own() -> None:
    nights = [night(number, cell=cell) for cell in "ab" for number in range(1, 7)]
    assert {one.cell for one in going(nights, Policy(newest=3, since="2030"))} == {"a", "b"}
