"""Imports: idempotent, judged again, conflicts named, and what is damaged keeps nothing else out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from envcheck import store
from envcheck.archive import open_archive
from envcheck.conclude import conclude
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.history import difference, evidence_named, forget, history
from envcheck.merge import Terms, merge
from envcheck.model import Evidence, Verdict, cell_id
from envcheck.prune import check_folder
from envcheck.report.history import render, render_difference, render_merged
from tests.golden import as_if_seen
from tests.inprocess import ended
from tests.unit.nights import FIRST_NIGHT

VERDICTS = ("accelerated", "refused", "silent-cpu", "broken")


def results_folder(path: Path, *evidence: Evidence) -> Path:
    store.publish(path, conclude(evidence), evidence, {})
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return results_folder(tmp_path / "elsewhere", *map(as_if_seen, VERDICTS))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / ".envcheck" / "history.sqlite"


def test_a_results_folder_is_imported_once(folder: Path, archive: Path) -> None:
    first, second = (merge([folder], archive) for _ in range(2))
    assert (first.added, first.known) == (4, 0)
    assert (second.added, second.known) == (0, 4)
    assert [(one.conflicts, one.refused) for one in (first, second)] == [((), ()), ((), ())]
    with open_archive(archive, readonly=True) as opened:
        assert {entry.verdict.value for entry in opened.entries()} == set(VERDICTS)


def test_what_came_and_is_not_as_expected_is_told(folder: Path, archive: Path) -> None:
    """The exit code is that of the import: whoever looks at nothing else must not take it for the cells'."""
    found = merge([folder], archive)

    assert found.whole
    assert dict(found.unmet) == {
        as_if_seen(verdict).cell.id: verdict for verdict in VERDICTS if verdict != "accelerated"
    }
    assert "not as expected: 3 of 4 cells that came: " in render_merged(found)
    assert "silent-cpu" in render_merged(found)


def test_evidence_folders_files_archives_and_folders_of_folders_are_sources(
    folder: Path, archive: Path, tmp_path: Path
) -> None:
    one = folder / store.evidence_path(as_if_seen("refused").cell.id)
    assert merge([one], archive).added == 1
    assert merge([folder / store.EVIDENCE], archive).added == 3
    assert merge([tmp_path], tmp_path / "second.sqlite").added == 4
    again = merge([tmp_path / "second.sqlite"], tmp_path / "third.sqlite")
    assert (again.added, again.refused) == (4, ())


def test_what_results_say_against_their_own_evidence_is_named_and_not_kept(folder: Path, archive: Path) -> None:
    path = folder / store.RESULTS
    text = path.read_text(encoding="utf-8").replace('"verdict": "refused"', '"verdict": "accelerated"')
    path.write_text(text, encoding="utf-8")
    found = merge([folder], archive)
    (conflict,) = found.conflicts
    assert "says accelerated" in conflict.what
    assert "judged again says refused" in conflict.what
    with open_archive(archive, readonly=True) as opened:
        (entry,) = opened.entries(cell=conflict.cell)
    assert entry.verdict is Verdict.REFUSED


def test_other_evidence_of_the_same_cell_host_and_time_is_named_and_left_out(archive: Path, tmp_path: Path) -> None:
    seen = as_if_seen("accelerated")
    edited = replace(seen, gate=replace(seen.gate, min_speedup=0.5))
    ours, theirs = results_folder(tmp_path / "a", seen), results_folder(tmp_path / "b", edited)
    found = merge([ours, theirs], archive)
    (conflict,) = found.conflicts
    assert (found.added, conflict.cell) == (1, seen.cell.id)
    assert "left out" in conflict.what
    assert merge([theirs], archive, Terms(keep_both=True)).added == 1
    assert merge([ours, theirs], archive).known == 2


def test_a_damaged_file_is_named_and_the_rest_is_imported(folder: Path, archive: Path) -> None:
    damaged = folder / store.evidence_path(as_if_seen("refused").cell.id)
    damaged.write_text(damaged.read_text(encoding="utf-8")[:500], encoding="utf-8")
    found = merge([folder], archive)
    assert found.added == 3
    assert [Path(one.source) for one in found.refused] == [damaged]


def test_evidence_of_another_cell_than_results_name_is_refused(folder: Path, archive: Path) -> None:
    paths = [folder / store.evidence_path(as_if_seen(verdict).cell.id) for verdict in ("refused", "broken")]
    paths[0].write_bytes(paths[1].read_bytes())
    assert [Path(one.source) for one in merge([folder], archive).refused] == [paths[0]]


def test_evidence_without_a_time_is_refused(archive: Path, tmp_path: Path) -> None:
    folder = results_folder(tmp_path / "a", replace(as_if_seen("refused"), recorded_at="yesterday"))
    found = merge([folder], archive)
    assert "yesterday" in found.refused[0].why


def test_evidence_of_a_clock_that_is_ahead_is_refused(archive: Path, tmp_path: Path) -> None:
    folder = results_folder(tmp_path / "a", replace(as_if_seen("accelerated"), recorded_at="2999-01-01T00:00:00Z"))
    found = merge([folder], archive)
    assert (found.added, len(found.refused)) == (0, 1)
    assert "yet to come" in found.refused[0].why


def test_a_damaged_row_of_another_archive_keeps_nothing_else_out(folder: Path, archive: Path, tmp_path: Path) -> None:
    merge([folder], archive)
    with open_archive(archive) as opened:
        opened.connection.execute("UPDATE evidence SET body = x'00' WHERE digest = (SELECT min(digest) FROM evidence)")
    found = merge([archive], tmp_path / "other.sqlite")
    assert (found.added, len(found.refused)) == (3, 1)


def test_what_is_not_there_is_wrong_use_and_nothing_of_the_rest_is_imported(
    folder: Path, archive: Path, tmp_path: Path
) -> None:
    for name in ("nowhere", "n" * 5000, "nul\0"):
        with pytest.raises(UsageError, match="no such file or folder"):
            merge([folder, tmp_path / name], archive)
    assert not archive.exists()


def test_a_folder_without_evidence_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no evidence file" in merge([tmp_path / "empty"], archive).refused[0].why


def test_an_archive_whose_rows_another_program_wrote_is_damaged(folder: Path, archive: Path, tmp_path: Path) -> None:
    merge([folder], archive)
    with open_archive(archive) as opened:
        opened.connection.execute("UPDATE entry SET record = 'nonsense' WHERE id = 2")
    for arguments in (("history",), ("merge", str(archive), "--history", "other.sqlite")):
        done = ended(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("is not what envcheck wrote")) == (4, 1), done.stderr


def test_an_archive_with_nothing_in_it_is_nothing(archive: Path, tmp_path: Path) -> None:
    open_archive(archive).close()
    with pytest.raises(NothingSelectedError):
        merge([archive], tmp_path / "other.sqlite")


def test_a_new_run_in_the_folder_leaves_the_archive(folder: Path, archive: Path) -> None:
    merge([folder], archive)
    store.publish(archive.parent, conclude([as_if_seen("refused")]), [as_if_seen("refused")], {})
    store.publish(archive.parent, conclude([as_if_seen("broken")]), [as_if_seen("broken")], {})
    with open_archive(archive, readonly=True) as opened:
        assert opened.count() == 4


def test_an_archive_in_the_cache_would_be_refused_by_prune_and_not_removed(tmp_path: Path) -> None:
    open_archive(tmp_path / "cache" / "history.sqlite").close()
    with pytest.raises(UsageError, match="not envcheck's"):
        check_folder(tmp_path / "cache", {"HOME": "/home/nobody"})


# --- asking -----------------------------------------------------------------------------------------------------


def test_the_evidence_of_an_entry_comes_by_the_beginning_of_its_digest(folder: Path, archive: Path) -> None:
    merge([folder], archive)
    for entry in history(archive).entries:
        assert evidence_named(archive, entry.digest[:12]).cell.id == entry.cell
    for nobodys in ("", "abc", "0" * 12, "../evidence"):
        with pytest.raises(UsageError, match="exactly one digest"):
            evidence_named(archive, nobodys)


def test_history_shows_a_cell_or_the_newest_of_all(folder: Path, archive: Path) -> None:
    merge([folder], archive)
    cell = as_if_seen("refused").cell.id
    assert [entry.verdict for entry in history(archive, cell).entries] == [Verdict.REFUSED]
    every = history(archive)
    assert len(every.entries) == 4
    assert all(entry.cell in render(every) for entry in every.entries)
    with pytest.raises(NothingSelectedError, match="no entry of nope"):
        history(archive, "nope")


def test_what_nobody_has_seen_is_marked_in_a_history(archive: Path, tmp_path: Path) -> None:
    composed = replace(as_if_seen("accelerated"), composed="from published facts")
    merge([results_folder(tmp_path / "a", composed)], archive)
    for text in (render(history(archive)), render(history(archive, composed.cell.id))):
        assert "accelerated (composed)" in text


def test_a_difference_names_entries_by_cell_digest_and_file(folder: Path, archive: Path) -> None:
    merge([folder], archive)
    refused, broken = as_if_seen("refused"), as_if_seen("broken")
    file = str(folder / store.evidence_path(broken.cell.id))
    with open_archive(archive, readonly=True) as opened:
        digest = next(opened.entries(cell=refused.cell.id)).digest
    found = difference(archive, digest[:10], file)
    assert (found.before.cell, found.after.cell) == (refused.cell.id, broken.cell.id)
    assert found.moved
    assert "nothing was timed" in render_difference(found)
    with pytest.raises(UsageError, match="no file"):
        difference(archive, "nope", file)


def test_unlike_measurements_are_refused_with_the_difference_named(archive: Path, tmp_path: Path) -> None:
    seen = replace(as_if_seen("accelerated"), composed="")
    other = replace(seen, host=replace(seen.host, cpu="another CPU"), recorded_at="2026-11-21T10:00:00+00:00")
    merge([results_folder(tmp_path / "a", seen), results_folder(tmp_path / "b", other)], archive)
    found = difference(archive, *(entry.digest for entry in history(archive, seen.cell.id).entries))
    assert found.measured is None
    assert "another CPU" in " ".join(found.unlike)
    assert [move.fact for move in found.moved] == ["CPU"]


def test_like_measurements_are_compared(archive: Path, tmp_path: Path) -> None:
    seen = as_if_seen("accelerated")
    later = replace(seen, recorded_at="2026-11-21T10:00:00+00:00")
    merge([results_folder(tmp_path / "a", seen), results_folder(tmp_path / "b", later)], archive)
    found = difference(archive, *(entry.digest for entry in history(archive, seen.cell.id).entries))
    assert found.measured is not None
    assert found.measured.speedup == 1.0
    assert "it may be noise" in render_difference(found)


def test_a_policy_is_shown_first_and_obeyed_when_told(folder: Path, archive: Path, tmp_path: Path) -> None:
    nights = [replace(as_if_seen("refused"), recorded_at=f"2026-08-{day:02d}T03:00:00+00:00") for day in range(1, 11)]
    for number, night in enumerate(nights):
        merge([results_folder(tmp_path / str(number), night)], archive)
    shown = forget(archive, 3, 20, yes=False, now=FIRST_NIGHT)
    assert (len(shown.going or ()), shown.removed) == (6, 0)
    assert "--yes removes it" in render(shown)
    assert len(history(archive, nights[0].cell.id).entries) == 10
    assert forget(archive, 3, 60, yes=True, now=FIRST_NIGHT).removed == 0
    assert forget(archive, 3, 20, yes=True, now=FIRST_NIGHT).removed == 6
    assert len(history(archive, nights[0].cell.id).entries) == 4


def test_a_policy_for_one_class_of_hosts_takes_nothing_of_another(archive: Path, tmp_path: Path) -> None:
    seen = as_if_seen("refused")
    hosts = (seen.host, replace(seen.host, machine="aarch64"))
    for day in range(1, 6):
        nights = [replace(seen, host=host, recorded_at=f"2026-08-{day:02d}T03:00:00+00:00") for host in hosts]
        for number, night in enumerate(nights):
            merge([results_folder(tmp_path / f"{day}-{number}", night)], archive)
    named = history(archive, seen.cell.id).entries[0].host
    policy = ("history", "--history", str(archive), "--keep", "1", "--keep-days", "1", "--host", named, "--yes")
    assert ended(*policy, cwd=tmp_path).returncode == 0
    left = [one.host for one in history(archive, seen.cell.id).entries]
    assert (left.count(named), len(left)) == (2, 7)  # the first and the last of its spell
    done = ended(*policy[:-3], "--since", "2026-08-01", cwd=tmp_path)
    assert done.returncode == 2


@pytest.mark.parametrize(
    "words",
    ["--keep 1 --keep-days 1e9", "--keep 1 --keep-days 1e300", "--keep 1 --keep-days nan", "--since yesterday"],
)
def test_days_beyond_the_calendar_and_times_that_are_none_are_wrong_use(
    folder: Path, archive: Path, tmp_path: Path, words: str
) -> None:
    merge([folder], archive)
    done = ended("history", "--history", str(archive), *words.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert words.split()[-2] in done.stderr


HOSTILE = "\x1b[2J\u202e<script>\n"


def test_nothing_of_the_evidence_steers_a_terminal(archive: Path, tmp_path: Path) -> None:
    seen = as_if_seen("refused")
    host = replace(seen.host, cpu=HOSTILE, machine=HOSTILE)
    axes = replace(seen.cell.axes, mediapipe=f"x{HOSTILE}")
    cell = replace(seen.cell, id=cell_id(axes), axes=axes)
    bad = replace(seen, host=host, cell=cell)
    merged = merge([results_folder(tmp_path / "a", bad)], archive)
    texts = [
        render(history(archive)), render(history(archive, cell.id)), render_merged(merged),
        render_difference(difference(archive, cell.id, str(next((tmp_path / "a" / "evidence").iterdir())))),
        render(forget(archive, 1, 1, yes=False, now=FIRST_NIGHT)),
    ]  # fmt: skip
    assert not [text for text in texts if "\x1b" in text or "\u202e" in text]


# --- the commands -----------------------------------------------------------------------------------------------


def test_the_commands_end_as_documented(folder: Path, tmp_path: Path) -> None:
    def ran(*arguments: str) -> tuple[int, str]:
        done = ended(*arguments, cwd=tmp_path)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    assert ran("history")[0] == 2
    assert ran("merge", str(folder))[0] == 0
    assert json.loads(ran("merge", "--json", str(folder))[1])["known"] == 4
    assert ran("merge", "/nowhere")[0] == 2
    assert ran("merge")[0] == 2
    assert ran("history", "nope")[0] == 3
    cell = as_if_seen("refused").cell.id
    assert json.loads(ran("history", "--json", cell)[1])["entries"][0]["verdict"] == "refused"
    assert ran("diff", cell, as_if_seen("broken").cell.id)[0] == 0
    assert json.loads(ran("diff", "--json", cell, cell)[1])["moved"] == []
    assert ran("diff", cell, "nope")[0] == 2
    assert ran("history", "--keep", "3")[0] == 2
    assert ran("history", "--yes")[0] == 2
    assert ran("history", "--keep", "3", "--keep-days", "1")[0] == 0
