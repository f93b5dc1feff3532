"""What comes from other machines: foreign or changed evidence is refused, and what does not come is `unknown`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from envcheck import parcel, seal, store
from envcheck.archive import open_archive
from envcheck.conclude import conclude
from envcheck.entries import since_of
from envcheck.errors import UsageError
from envcheck.kept import NOT_DELIVERED, Merged
from envcheck.merge import Terms, merge
from envcheck.model import Evidence, Nvml, Shard, Verdict
from envcheck.pipelines import Fleet, FleetCell
from envcheck.publishing import seals_of
from envcheck.report.history import render_merged
from tests.golden import as_if_seen
from tests.inprocess import ended

VERDICTS = ("accelerated", "refused", "broken")
KEY = b"k" * 32


def delivered(path: Path, *evidence: Evidence, key: bytes | None = None, shard: Shard | None = None) -> Path:
    """A results folder as a run leaves it, with its list of digests."""
    results = conclude(evidence, shard)
    store.publish(path, results, evidence, seals_of(results, evidence, key))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY + b"\n")
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return delivered(tmp_path / "signed", *map(as_if_seen, VERDICTS), key=KEY)


def evidence_file(folder: Path, verdict: str = "refused") -> Path:
    return folder / store.evidence_path(as_if_seen(verdict).cell.id)


# --- digests and signatures -------------------------------------------------------------------------------------


def test_what_is_signed_with_the_key_is_taken(folder: Path, archive: Path, key: Path) -> None:
    found = merge([folder], archive, Terms(verify_key=key))
    assert (found.added, found.whole) == (3, True)


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_changed_byte_is_refused_with_and_without_a_key(
    folder: Path, archive: Path, key: Path, at: float, verify: bool
) -> None:
    path = evidence_file(folder)
    data = bytearray(path.read_bytes())
    place = next(i for i in range(int(at * len(data)), len(data)) if chr(data[i]).isdigit())
    data[place] = ord("7") if data[place] != ord("7") else ord("8")
    path.write_bytes(data)
    found = merge([folder], archive, Terms(verify_key=key if verify else None))
    assert (found.added, [Path(one.source) for one in found.refused]) == (2, [path])
    assert "it was changed" in found.refused[0].why


def test_even_a_blank_that_changes_no_meaning_is_a_change(folder: Path, archive: Path) -> None:
    path = evidence_file(folder)
    path.write_bytes(path.read_bytes() + b"\n")
    assert merge([folder], archive).added == 2


def test_another_key_is_refused(folder: Path, archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"o" * 32)
    found = merge([folder], archive, Terms(verify_key=other))
    assert (found.added, len(found.refused)) == (0, 1)
    assert "not that of the key" in found.refused[0].why


def forge(folder: Path) -> None:
    """The list is written anew to fit what was changed, without the key."""
    path = evidence_file(folder)
    path.write_bytes(path.read_bytes() + b"\n")
    names = [evidence_file(folder, one) for one in VERDICTS] + [folder / store.RESULTS]
    sums = seal.sums_of({one.relative_to(folder).as_posix(): one.read_bytes() for one in names})
    (folder / seal.SUMS).write_text(sums, encoding="utf-8")


def unsign(folder: Path) -> None:
    (folder / seal.SIGNATURE).unlink()


def unlist(folder: Path) -> None:
    (folder / seal.SUMS).unlink()


def resign_with_nothing(folder: Path) -> None:
    (folder / seal.SIGNATURE).write_text("", encoding="utf-8")


@pytest.mark.parametrize("attack", [forge, unsign, unlist, resign_with_nothing])
def test_without_the_key_nothing_fits_a_demanded_signature(
    folder: Path, archive: Path, key: Path, attack: Callable[[Path], None]
) -> None:
    attack(folder)
    found = merge([folder], archive, Terms(verify_key=key))
    assert (found.added, len(found.refused)) == (0, 1)


def test_single_files_and_the_evidence_folder_are_held_to_the_list_too(folder: Path, archive: Path, key: Path) -> None:
    assert merge([evidence_file(folder)], archive, Terms(verify_key=key)).added == 1
    assert merge([folder / store.EVIDENCE], archive, Terms(verify_key=key)).added == 2
    evidence_file(folder).write_bytes(evidence_file(folder).read_bytes() + b" ")
    assert merge([evidence_file(folder)], archive).refused
    assert len(merge([folder / store.EVIDENCE], archive, Terms(verify_key=key)).refused) == 1


def test_an_archive_has_no_signatures(folder: Path, archive: Path, key: Path, tmp_path: Path) -> None:
    merge([folder], archive)
    found = merge([archive], tmp_path / "other.sqlite", Terms(verify_key=key))
    assert "carries no signatures" in found.refused[0].why


def test_evidence_that_was_put_in_or_taken_out_is_named(folder: Path, archive: Path) -> None:
    results = folder / store.RESULTS
    for document in (folder / seal.SUMS,):  # nobody has listed it
        document.write_text(
            "".join(line for line in document.read_text().splitlines(keepends=True) if "0.10.33" not in line),
            encoding="utf-8",
        )
    listed = seal.parsed((folder / seal.SUMS).read_bytes()) or {}
    unlisted = [one for one in VERDICTS if store.evidence_path(as_if_seen(one).cell.id) not in listed]
    found = merge([folder], archive)
    assert results.exists()
    assert len(found.refused) == len(unlisted) > 0
    assert all("does not list it" in one.why for one in found.refused)


def test_evidence_that_is_listed_and_not_there_is_named(folder: Path, archive: Path) -> None:
    evidence_file(folder).unlink()
    (folder / store.RESULTS).unlink()
    found = merge([folder], archive)
    assert found.added == 2
    assert [one.why for one in found.refused] == ["it is listed, and not there"]


def test_results_that_leave_a_cell_out_are_refused(folder: Path, archive: Path) -> None:
    path = folder / store.RESULTS
    document = json.loads(path.read_text(encoding="utf-8"))
    document["cells"].pop()
    path.write_text(json.dumps(document), encoding="utf-8")
    found = merge([folder], archive)
    assert (found.added, [one.source for one in found.refused]) == (0, [str(folder)])


def test_a_foreign_schema_is_refused(folder: Path, archive: Path, tmp_path: Path) -> None:
    text = evidence_file(folder).read_text(encoding="utf-8")
    foreign = tmp_path / "foreign" / "one.json"
    foreign.parent.mkdir()
    foreign.write_text(text.replace("envcheck.evidence/1", "other.evidence/1"), encoding="utf-8")
    found = merge([foreign], archive)
    assert found.added == 0
    assert "not what envcheck.evidence/1 should be" in found.refused[0].why


@pytest.mark.parametrize("content", [b"", b"short", b"k" * 5000])
def test_a_key_that_is_none_is_an_error_before_anything_is_read(
    folder: Path, archive: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="--verify-key"):
        merge([folder], archive, Terms(verify_key=path))
    with pytest.raises(UsageError, match="--verify-key"):
        merge([folder], archive, Terms(verify_key=tmp_path / "nowhere"))


def test_a_run_without_a_key_leaves_no_signature_of_an_older_run(folder: Path) -> None:
    delivered(folder, as_if_seen("refused"))
    assert not (folder / seal.SIGNATURE).exists()


# --- shards -----------------------------------------------------------------------------------------------------


def shard(index: int, cells: int = 1, count: int = 3, driver: str | None = None) -> Shard:
    return Shard(index=index, count=count, cells=cells, of=3, division="d" * 16, driver=driver)


def test_all_shards_are_the_whole_and_a_missing_one_is_named(archive: Path, tmp_path: Path) -> None:
    for index, verdict in enumerate(VERDICTS, 1):
        delivered(tmp_path / "all" / "deep" / str(index), as_if_seen(verdict), shard=shard(index))
    assert merge([tmp_path / "all"], archive).whole
    found = merge([tmp_path / "all" / "deep" / "1", tmp_path / "all" / "deep" / "3"], archive)
    assert [(one.absent, one.partial) for one in found.missing] == [((2,), ())]
    assert not found.whole
    assert "missing: shard 2 of 3; together they have 3 cells." in render_merged(found)


def test_shards_that_have_no_cells_are_not_missed(archive: Path, tmp_path: Path) -> None:
    for index, verdict in enumerate(VERDICTS, 1):
        delivered(tmp_path / str(index), as_if_seen(verdict), shard=shard(index, count=5))
    assert merge([tmp_path / "1", tmp_path / "2", tmp_path / "3"], archive).whole
    assert [one.absent for one in merge([tmp_path / "1", tmp_path / "2"], archive).missing] == [(3, 4, 5)]


def test_a_shard_that_came_in_part_is_named(archive: Path, tmp_path: Path) -> None:
    for index, verdict in enumerate(VERDICTS, 1):
        delivered(tmp_path / str(index), as_if_seen(verdict), shard=shard(index, cells=index, driver="570"))
    found = merge([tmp_path / "1", tmp_path / "2", tmp_path / "3"], archive)
    assert [(one.absent, one.partial) for one in found.missing] == [((), (2, 3))]
    assert "incomplete: shard 2, 3 of 3 of driver 570" in render_merged(found)


def test_shards_of_two_divisions_are_no_whole(archive: Path, tmp_path: Path) -> None:
    for index, verdict in enumerate(VERDICTS, 1):
        division = "d" if index == 1 else "e"
        delivered(tmp_path / str(index), as_if_seen(verdict), shard=replace(shard(index), division=division))
    assert [one.absent for one in merge([tmp_path / "1", tmp_path / "2", tmp_path / "3"], archive).missing] == [
        (2, 3), (1,),
    ]  # fmt: skip


# --- what was planned and did not come --------------------------------------------------------------------------


def plan_of(path: Path, *verdicts: str) -> Path:
    cells = [as_if_seen(verdict).cell for verdict in verdicts]
    path.write_bytes(msgspec.json.encode(Fleet((), tuple(FleetCell(one.id, one.axes, "r570-1of2") for one in cells))))
    return path


def states(archive: Path) -> dict[tuple[str, str], Verdict]:
    with open_archive(archive, readonly=True) as opened:
        return {(entry.cell, entry.host): entry.verdict for entry in opened.latest()}


@pytest.fixture
def lost(folder: Path, archive: Path, tmp_path: Path) -> Merged:
    evidence_file(folder).unlink()
    return merge([folder], archive, Terms(expected=plan_of(tmp_path / "plan.json", *VERDICTS)))


def test_a_cell_that_did_not_come_is_unknown_and_listed_for_another_run(lost: Merged, archive: Path) -> None:
    cell = as_if_seen("refused").cell
    assert [one.cell for one in lost.lost] == [cell.id]
    assert states(archive)[cell.id, NOT_DELIVERED] is Verdict.UNKNOWN
    told = render_merged(lost)
    assert f"unknown: {cell.id}: planned in the job r570-1of2, and not delivered." in told
    assert f"Run again on any host: envcheck validate --select {cell.id}" in told


def test_what_is_to_be_run_again_is_told_by_driver(archive: Path, tmp_path: Path) -> None:
    found = merge([tmp_path / "nowhere"], archive, Terms(expected=plan_of(tmp_path / "plan.json", *VERDICTS)))
    told = [line for line in render_merged(found).splitlines() if line.startswith("Run again")]
    assert any(line.startswith("Run again on a host with driver 570: envcheck validate --select ") for line in told)


def test_it_is_a_row_of_every_table(lost: Merged, archive: Path, tmp_path: Path) -> None:
    for form in ("markdown", "html", "json", "csv", "junit", "prometheus"):
        shown = ended("report", "--history", str(archive), "--format", form, cwd=tmp_path).stdout
        assert form == "html" or "unknown" in shown
    table = json.loads(ended("report", "--history", str(archive), "--format", "json", cwd=tmp_path).stdout)
    assert NOT_DELIVERED in json.dumps(table)


def test_it_stays_one_row_until_it_is_delivered(lost: Merged, archive: Path, tmp_path: Path) -> None:
    plan, refused = tmp_path / "plan.json", as_if_seen("refused")
    merge([tmp_path / "signed"], archive, Terms(expected=plan))
    with open_archive(archive, readonly=True) as opened:
        assert len(list(opened.entries(host=NOT_DELIVERED))) == 1
    found = merge([delivered(tmp_path / "again", refused)], archive)
    assert found.lost == ()
    assert NOT_DELIVERED not in {host for _, host in states(archive)}


def test_what_is_unreachable_where_it_ran_was_not_delivered(archive: Path, tmp_path: Path) -> None:
    elsewhere = as_if_seen("unreachable")
    plan = plan_of(tmp_path / "plan.json", "unreachable")
    assert [one.cell for one in merge([delivered(tmp_path / "a", elsewhere)], archive, Terms(expected=plan)).lost] == [
        elsewhere.cell.id
    ]


def test_what_an_engine_gave_up_has_not_come_and_is_no_row_of_its_host(archive: Path, tmp_path: Path) -> None:
    given_up = replace(as_if_seen("refused"), lost="its node went away")
    plan, shards = plan_of(tmp_path / "plan.json", "refused"), shard(1, count=1)
    found = merge([delivered(tmp_path / "a", given_up, shard=shards)], archive, Terms(expected=plan))
    assert [one.cell for one in found.lost] == [given_up.cell.id]
    assert [one.cell for one in merge([tmp_path / "a"], archive).lost] == [given_up.cell.id]
    assert states(archive) == {(given_up.cell.id, NOT_DELIVERED): Verdict.UNKNOWN}


def test_a_mark_of_another_archive_that_is_older_than_the_delivery_here_is_no_news(
    archive: Path, tmp_path: Path
) -> None:
    seen = as_if_seen("refused")
    other = tmp_path / "other.sqlite"
    gone = replace(seen, lost="its node went away", recorded_at="2026-11-01T00:00:00+00:00")
    merge([delivered(tmp_path / "gone", gone)], other)
    merge([delivered(tmp_path / "seen", seen)], archive)
    assert merge([other], archive).whole
    assert NOT_DELIVERED not in {host for _, host in states(archive)}


def test_nothing_that_came_at_all_leaves_every_cell_unknown(archive: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "plan.json", *VERDICTS)
    found = merge([tmp_path / "nowhere"], archive, Terms(expected=plan))
    assert (len(found.lost), found.whole) == (3, False)


def test_the_plan_in_json_will_do_without_what_it_excludes(folder: Path, archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    cell = {"axes": {"backend": "venv"}, "because": ""}
    cells = [cell | {"id": "venv-a", "state": "unreachable"}, cell | {"id": "venv-b", "state": "excluded"}]
    path.write_text(json.dumps({"cells": cells, "summary": {}}), encoding="utf-8")
    assert [one.cell for one in merge([folder], archive, Terms(expected=path)).lost] == ["venv-a"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": []}', '{"schema": "envcheck.fleet/1", "cells": [1]}'])
def test_what_is_no_plan_is_an_error(folder: Path, archive: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"plan\.json"):
        merge([folder], archive, Terms(expected=path))


# --- one table --------------------------------------------------------------------------------------------------


def on_host(evidence: Evidence, driver: str, at: str) -> Evidence:
    assert isinstance(evidence.host.nvml, Nvml)
    host = replace(evidence.host, nvml=replace(evidence.host.nvml, driver=driver))
    return replace(evidence, host=host, recorded_at=at)


def test_one_cell_of_two_kinds_of_hosts_is_two_rows_and_the_newest_of_each_holds(archive: Path, tmp_path: Path) -> None:
    seen = as_if_seen("accelerated")
    nights = [
        ("570.144", "2026-11-20"),
        ("580.65.06", "2026-11-20"),
        ("570.144", "2026-11-22"),
        ("570.144", "2026-11-21"),
    ]
    for number, (driver, day) in enumerate(nights):
        merge([delivered(tmp_path / str(number), on_host(seen, driver, f"{day}T03:00:00+00:00"))], archive)
    with open_archive(archive, readonly=True) as opened:
        assert sorted((one.host.split(", ")[1], one.recorded_at[:10]) for one in opened.latest()) == [
            ("driver 570.144", "2026-11-22"),
            ("driver 580.65.06", "2026-11-20"),
        ]


def test_the_command_ends_by_what_is_missing(folder: Path, key: Path, tmp_path: Path) -> None:
    plan = str(plan_of(tmp_path / "plan.json", *VERDICTS))
    assert ended("merge", "signed", "--expected", plan, "--verify-key", "key", cwd=tmp_path).returncode == 0
    evidence_file(folder).unlink()
    done = ended("merge", "signed", "--expected", plan, "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert [one["job"] for one in json.loads(done.stdout)["lost"]] == ["r570-1of2"]
    assert ended("merge", "signed", "--expected", "nowhere", cwd=tmp_path).returncode == 2
    assert ended("merge", "signed", "--verify-key", "nowhere", cwd=tmp_path).returncode == 2


# --- by a log ---------------------------------------------------------------------------------------------------


def log_of(path: Path, *folders: Path, before: str = "") -> Path:
    lines = [f"{before}{line}" for folder in folders for line in parcel.lines_of(folder)]
    path.write_text("\n".join(["the table", *lines, "the end"]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("before", ["", "[pod/envcheck-570-venv-x/envcheck] ", "2026-11-20T10:00:00Z stdout F "])
def test_a_log_is_as_good_as_the_folders(folder: Path, archive: Path, key: Path, tmp_path: Path, before: str) -> None:
    other = delivered(tmp_path / "other", as_if_seen("crashed"), key=KEY, shard=shard(2))
    log = log_of(tmp_path / "pods.log", folder, other, before=before)
    found = merge([log], archive, Terms(verify_key=key))
    assert (found.added, found.refused, found.missing[0].absent) == (4, (), (1, 3))
    assert merge([folder, other], archive).known == 4
    assert max(len(line) for line in log.read_text().splitlines()) < 8300


def test_a_piece_that_is_missing_or_changed_is_named(folder: Path, archive: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "pods.log", folder)
    name = evidence_file(folder).relative_to(folder).as_posix()
    lines = log.read_text().splitlines()
    log.write_text("\n".join(line for line in lines if f"{name} 1/" not in line), encoding="utf-8")
    found = merge([log], archive)
    assert found.added == 2
    assert [Path(one.source).name for one in found.refused] == [Path(name).name]
    log.write_text("\n".join(line.replace("eJ", "eK", 1) if f"{name} 1/" in line else line for line in lines))
    assert any("it is damaged" in one.why for one in merge([log], archive).refused)


def test_a_log_that_was_cut_off_is_no_parcel(folder: Path, archive: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "pods.log", folder)
    lines = [line for line in log.read_text().splitlines() if seal.SUMS not in line]
    log.write_text("\n".join(lines), encoding="utf-8")
    found = merge([log], archive)
    assert found.added == 0
    assert "its list of digests is not there" in found.refused[0].why


def test_what_unpacks_to_more_than_a_log_may_hold_is_not_unpacked(
    folder: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(tmp_path / "pods.log", folder)
    monkeypatch.setattr(parcel, "LARGEST_LOG", log.stat().st_size)
    found = merge([log], archive)
    assert found.added < len(VERDICTS)
    assert any("would be unpacked" in one.why for one in found.refused)


def test_pieces_of_a_long_file_are_counted(tmp_path: Path) -> None:
    log = tmp_path / "pods.log"
    log.write_text(f"envcheck-parcel {'a' * 16} evidence.sha256 1/3 eJwDAAAAAAE=\n", encoding="utf-8")
    folders, faults = parcel.unpack(log, tmp_path / "into")
    assert folders == []
    assert faults[0] == f"parcel {'a' * 16}: evidence.sha256: 2 of 3 pieces are missing"


@pytest.mark.parametrize("name", ["../../stolen", "/tmp/stolen", "evidence/../../stolen", "stolen", "evidence/.stolen"])
def test_a_log_writes_nothing_but_what_a_parcel_holds(archive: Path, tmp_path: Path, name: str) -> None:
    log = tmp_path / "pods.log"
    log.write_text(f"envcheck-parcel {'a' * 16} {name} 1/1 eJwDAAAAAAE=\n", encoding="utf-8")
    found = merge([log], archive)
    assert "not JSON" in found.refused[0].why  # no line of it is one of ours
    assert not list(tmp_path.parent.rglob("stolen"))


# --- what is not there --------------------------------------------------------------------------------------------


def test_where_a_plan_is_named_what_is_not_there_has_not_come(archive: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "plan.json", *VERDICTS)
    found = merge([tmp_path / "results", tmp_path / ("n" * 5000)], archive, Terms(expected=plan))
    assert [one.why for one in found.refused] == ["no such file or folder"] * 2
    assert len(found.lost) == len(VERDICTS)
    with open_archive(archive, readonly=True) as opened:
        assert {entry.host for entry in opened.entries()} == {NOT_DELIVERED}


def test_a_plan_that_is_not_there_is_told_as_a_plan(folder: Path, tmp_path: Path) -> None:
    done = ended("merge", str(folder), "--expected", "nowhere.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "--expected FILE" in done.stderr
    assert "--out" not in done.stderr


# --- what is too old to have come ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "lost"),
    [("2026-11-20", 0), ("2026-11-20T10:00Z", 0), ("2026-11-20T10:00:01Z", 3), ("2026-11-21", 3)],
)
def test_what_a_volume_holds_of_earlier_runs_has_not_come(
    folder: Path, archive: Path, tmp_path: Path, since: str, lost: int
) -> None:
    plan = plan_of(tmp_path / "plan.json", *VERDICTS)
    found = merge([folder], archive, Terms(expected=plan, since=since_of(since)))
    assert (found.added, len(found.lost)) == (3, lost)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-20T10:00:00", "20-11"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        since_of(text)


def test_a_lost_cell_keeps_a_badge_from_being_green(archive: Path, tmp_path: Path) -> None:
    seen, plan = delivered(tmp_path / "seen", as_if_seen("accelerated")), plan_of(tmp_path / "plan.json", *VERDICTS[:2])

    def badge() -> str:
        return ended("report", "--history", str(archive), "--format", "badge", cwd=tmp_path).stdout

    merge([seen], archive)
    assert "#1a7f37" in badge()
    merge([seen], archive, Terms(expected=plan))
    assert "#1a7f37" not in badge()


# --- what no judge can take -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cores", [10**400, -(10**30)], ids=["large", "small"])
def test_a_number_that_no_machine_counts_to_is_refused_and_the_rest_is_taken(
    archive: Path, folder: Path, tmp_path: Path, cores: int
) -> None:
    odd = as_if_seen("broken")
    odd = replace(odd, host=replace(odd.host, cores=cores))
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "odd.json").write_bytes(msgspec.json.encode(odd))
    found = merge([tmp_path / "odd", folder], archive)

    assert [one.why for one in found.refused] == ["a number has more digits than any counter"]
    assert found.added == len(VERDICTS)


def test_evidence_that_ends_a_judge_is_refused_and_the_rest_is_taken(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(evidence: Evidence) -> object:
        if evidence.cell.id == as_if_seen("refused").cell.id:
            raise ZeroDivisionError("division by zero")
        return judged(evidence)

    from envcheck.judge import judge as judged

    monkeypatch.setattr("envcheck.conclude.judge", judge)
    found = merge([folder], archive)

    assert [one.why for one in found.refused] == ["it cannot be judged: ZeroDivisionError: division by zero"]
    assert found.added == len(VERDICTS) - 1


def test_evidence_under_the_name_of_another_cell_is_refused(archive: Path, tmp_path: Path) -> None:
    """That cell would count as delivered, with a verdict that is not its own."""
    good = as_if_seen("accelerated")
    renamed = replace(good, cell=replace(good.cell, id="venv-py3.11-mp1.0.0"))
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "odd.json").write_bytes(msgspec.json.encode(renamed))
    found = merge([tmp_path / "odd"], archive)

    assert [one.why for one in found.refused] == [
        f"it is named 'venv-py3.11-mp1.0.0', and its axes make {good.cell.id!r}"
    ]
    assert found.added == 0


def test_pieces_of_a_log_are_counted_and_not_those_that_it_claims_to_have() -> None:
    """A log of a few lines must not keep a merge busy for hours."""

    class Counted(dict[int, bytes]):
        looked = 0

        def __contains__(self, key: object) -> bool:
            Counted.looked += 1
            return super().__contains__(key)

    with pytest.raises(UsageError, match=r"^999998 of 999999 pieces are missing$"):
        parcel.joined(999_999, Counted({5: b"", 10**6: b""}))
    assert Counted.looked == 0
