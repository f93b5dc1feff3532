from __future__ import annotations

import errno
import json
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck import store
from envcheck.conclude import conclude
from envcheck.errors import EnvcheckError, UsageError
from envcheck.model import (
    Evidence,
    Host,
    Results,
    Says,
    Unread,
    Verdict,
    Witness,
)
from tests.golden import as_if_seen

GOLDEN = Path(__file__).parents[1] / "golden"
HOST = Host(platform="linux", machine="x86_64", nvml=Unread(reason="no driver"))
LOOKED = (Witness("native-log", Says.NOTHING, "nothing", "a line"),)


def recorded(verdict: str) -> Evidence:
    return as_if_seen(verdict)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- texts -----------------------------------------------------------------------------------------------------------


def test_results_json_is_the_contract() -> None:
    text = store.encode(conclude([recorded("slower"), recorded("impossible")]))
    loaded = json.loads(text)
    slower, impossible = loaded["cells"]

    assert text == json.dumps(loaded, indent=2) + "\n"
    assert loaded["schema"] == "envcheck.results/1"
    assert loaded["summary"] == {"impossible": 1, "slower": 1}
    assert {"id", "axes", "verdict", "status", "expected", "met", "findings", "bench", "evidence"} <= set(slower)
    assert set(slower["findings"][0]) == {"code", "status", "summary", "because", "remedy", "url"}
    assert set(slower["bench"]["gpu"]) == {"median_ms", "p95_ms", "n"}
    assert set(slower["bench"]["speedup"]) == {"estimate", "ci95"}
    assert "bench" not in impossible
    assert (slower["status"], slower["met"], slower["axes"]["backend"]) == ("FAIL", False, "venv")


def test_an_evidence_file_is_json_with_rows_of_numbers_on_one_line() -> None:
    evidence = recorded("slower")
    text = store.encode_evidence(evidence)

    assert json.loads(text)["schema"] == "envcheck.evidence/1"
    assert len(text.splitlines()) < 600
    assert text.endswith("}\n")


@pytest.mark.parametrize("verdict", [verdict.value for verdict in Verdict])
def test_evidence_survives_writing_and_reading(verdict: str, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(store.encode_evidence(recorded(verdict)), encoding="utf-8")

    assert store.load_evidence(file) == (recorded(verdict),)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=values)
def test_the_layout_of_json_does_not_change_its_meaning(value: object) -> None:
    assert json.loads(store.layout(value, "")) == value


@pytest.mark.parametrize("cell", ["venv-py3.11-mp1.2.2-cu12.8-r570", "docker-py3.11-mp1.2.2"])
def test_an_ordinary_id_is_its_own_file_name(cell: str) -> None:
    assert store.evidence_name(cell) == f"{cell}.json"


@given(
    cell=st.text()
    | st.sampled_from(["../../etc/passwd", ".", "..", "", "a/b", "a\0b", "-rf", "x" * 9999, "ghcr.io/a:1"])
)
def test_any_id_gives_a_safe_file_name(cell: str) -> None:
    name = store.evidence_name(cell)

    assert Path(name).name == name
    assert name.endswith(".json")
    assert not name.startswith((".", "-"))
    assert len(name) < 200
    assert name.isascii()


@given(st.text(), st.text())
def test_different_ids_give_different_file_names(one: str, other: str) -> None:
    assert (store.evidence_name(one) == store.evidence_name(other)) == (one == other)


# --- writing ----------------------------------------------------------------------------------------------------


def publish(out: Path, *verdicts: str, extra: dict[str, str] | None = None) -> None:
    evidence = [recorded(verdict) for verdict in verdicts]
    store.publish(out, conclude(evidence), evidence, extra or {})


def test_a_published_folder_holds_results_evidence_and_texts_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    publish(out, "slower", "refused", extra={"report.md": "# report\n", "logs/build.txt": "log"})

    assert files_in(out) == {
        "results.json",
        "report.md",
        "logs/build.txt",
        f"evidence/{recorded('slower').cell.id}.json",
        f"evidence/{recorded('refused').cell.id}.json",
    }
    assert (out / "report.md").read_text() == "# report\n"
    assert store.load_evidence(out) == (recorded("slower"), recorded("refused"))


def test_files_are_readable_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        publish(tmp_path, "slower")
    finally:
        os.umask(before)

    assert (tmp_path / "results.json").stat().st_mode & 0o777 == 0o644


def test_a_folder_holds_one_run_and_leaves_other_peoples_files_alone(tmp_path: Path) -> None:
    publish(tmp_path, "slower", "refused", extra={"junit.xml": "<old/>"})
    (tmp_path / "evidence" / "mine.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    publish(tmp_path, "refused", extra={"report.md": "new"})

    assert files_in(tmp_path) == {
        "results.json",
        "report.md",
        f"evidence/{recorded('refused').cell.id}.json",
        "evidence/mine.json",
        "notes.txt",
    }


def test_a_damaged_results_file_of_the_run_before_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{")
    publish(tmp_path, "refused")

    assert len(store.load_evidence(tmp_path)) == 1


def test_results_that_name_files_elsewhere_cannot_make_them_disappear(tmp_path: Path) -> None:
    victim = tmp_path / "victim.json"
    victim.write_text("mine")
    out = tmp_path / "out"
    publish(out, "slower")
    text = (out / "results.json").read_text()
    (out / "results.json").write_text(text.replace(f"evidence/{recorded('slower').cell.id}.json", "../victim.json"))
    publish(out, "refused")

    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "", "a/../../x", "nul\0"])
def test_a_text_outside_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EnvcheckError, match="inside the results folder"):
        publish(tmp_path / "out", "slower", extra={name: "text"})


def test_two_cells_with_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvcheckError, match="same id"):
        publish(tmp_path, "slower", "slower")
    assert files_in(tmp_path) == set()


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: the kernel answers as for a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [0, 1000, 20_000])
def test_a_write_that_fails_leaves_the_run_before_as_it_was(limit: int, tmp_path: Path) -> None:
    publish(tmp_path, "refused", extra={"report.md": "first"})
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}

    with full_disk(limit), pytest.raises(EnvcheckError, match="cannot write the results") as raised:
        publish(tmp_path, "refused", "accelerated", extra={"report.md": "second"})

    assert raised.value.exit_code == 4
    assert "Free space" in raised.value.remedy
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


def test_a_folder_in_the_place_of_a_file_stops_before_anything_is_replaced(tmp_path: Path) -> None:
    publish(tmp_path, "refused", extra={"report.md": "first"})
    before = files_in(tmp_path)
    (tmp_path / "junit.xml").mkdir()

    with pytest.raises(UsageError, match=r"junit\.xml"):
        publish(tmp_path, "refused", "slower", extra={"report.md": "second", "junit.xml": "<new/>"})

    assert files_in(tmp_path) == before
    assert (tmp_path / "report.md").read_text() == "first"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_during_the_renames_is_obeyed_after_them(number: signal.Signals) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def renames() -> None:
        with store.uninterrupted():
            signal.raise_signal(number)
            done.append("renamed")

    done: list[str] = []
    before = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            renames()
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert done == ["renamed"]


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    with full_disk(1), pytest.raises(OSError, match="File too large"):
        store.stage(tmp_path / "a", b"xyz")
    assert files_in(tmp_path) == set()


def test_two_runs_that_publish_at_once_leave_the_folder_of_one_of_them(tmp_path: Path) -> None:
    runs = [("refused", "slower"), ("slower", "emulated", "broken")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda verdicts: publish(tmp_path, *verdicts), runs * 5))

    found = store.load_evidence(tmp_path)
    assert found in [tuple(recorded(verdict) for verdict in verdicts) for verdicts in runs]
    assert len(files_in(tmp_path)) == len(found) + 1


def test_a_good_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    store.check_writable(out)

    assert out.is_dir()
    assert files_in(out) == set()


def test_checking_a_folder_leaves_its_results_alone(tmp_path: Path) -> None:
    publish(tmp_path, "refused")
    before = files_in(tmp_path)
    store.check_writable(tmp_path)

    assert files_in(tmp_path) == before


def bad_folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "file" / "x")
    (tmp_path / "taken" / "results.json").mkdir(parents=True)
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "evidence").write_text("")
    return {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "out",
        "a symlink loop": tmp_path / "loop",
        "a symlink to nowhere": tmp_path / "nowhere",
        "a name too long": tmp_path / ("x" * 300),
        "results.json is a folder": tmp_path / "taken",
        "evidence is a file": tmp_path / "blocked",
        "no file system for files": Path("/proc/envcheck"),
    }


BAD_FOLDERS = (
    "a file",
    "below a file",
    "a symlink loop",
    "a symlink to nowhere",
    "a name too long",
    "results.json is a folder",
    "evidence is a file",
    "no file system for files",
)


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_a_folder_that_cannot_be_written_is_a_usage_error_before_anything_runs(kind: str, tmp_path: Path) -> None:
    out = bad_folders(tmp_path)[kind]

    with pytest.raises(UsageError) as raised:
        store.check_writable(out)
    assert str(out) in raised.value.message
    assert "--out" in raised.value.remedy


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_publishing_into_such_a_folder_is_the_same_error(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        publish(bad_folders(tmp_path)[kind], "refused")


def test_other_errors_of_the_disk_are_not_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvcheckError, match="Input/output error") as raised, store.explained(tmp_path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(tmp_path / "evidence"))
    assert raised.value.exit_code == 4


# --- reading ----------------------------------------------------------------------------------------------------


def test_a_folder_of_evidence_files_is_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, verdict in (("b", "refused"), ("a", "slower")):
        (tmp_path / f"{name}.json").write_text(store.encode_evidence(recorded(verdict)))
    (tmp_path / ".a.json.123.tmp").write_text("half")
    (tmp_path / "notes.txt").write_text("mine")

    assert store.load_evidence(tmp_path) == (recorded("slower"), recorded("refused"))


def test_an_out_folder_without_results_is_read_by_its_evidence(tmp_path: Path) -> None:
    publish(tmp_path, "refused", "slower")
    (tmp_path / "results.json").unlink()

    assert len(store.load_evidence(tmp_path)) == 2


def test_only_what_results_json_names_is_read(tmp_path: Path) -> None:
    publish(tmp_path, "refused")
    (tmp_path / "evidence" / "old.json").write_text(store.encode_evidence(recorded("accelerated")))

    assert store.load_evidence(tmp_path) == (recorded("refused"),)


def damaged(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """A path to read for each kind of damage, and words of the message."""
    good = store.encode_evidence(recorded("refused"))
    texts = {
        "empty": ("", "empty"),
        "blank": (" \n\n", "empty"),
        "truncated": (good[: len(good) // 2], "cut short"),
        "garbage": ("\x00\x01\x02 garbage", "not JSON"),
        "a list": ("[]", "not what envcheck.evidence/1 should be"),
        "another schema": (good.replace("evidence/1", "evidence/2"), "evidence/2"),
        "no schema": ("{}", "schema"),
        "results": (store.encode(conclude([recorded("refused")])), "results/1"),
        "a wrong type": (good.replace("48.2", '"fast"'), "create_ms"),
        "an unknown verdict": (good.replace('"expected": {}', '"expected": {"verdict": "fine"}'), "fine"),
        "deep": ('{"schema": "envcheck.evidence/1", "x": ' + "[" * 200_000, "not JSON"),
        "infinite": (good.replace("48.2", "1e999"), "range"),
    }
    found = {}
    for kind, (text, words) in texts.items():
        path = tmp_path / f"{kind.replace(' ', '-')}.json"
        path.write_text(text, encoding="utf-8")
        found[kind] = (path, words)
    latin = tmp_path / "latin.json"
    latin.write_bytes(good.encode().replace(b"linux", b"lin\xfcx"))
    fifo = tmp_path / "fifo.json"
    os.mkfifo(fifo)
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "nothing").mkdir()
    return found | {
        "not UTF-8": (latin, "latin.json"),
        "a pipe": (fifo, "not a regular file"),
        "a device": (Path("/dev/zero"), "not a regular file"),
        "a symlink loop": (tmp_path / "loop.json", "symbolic links"),
        "missing": (tmp_path / "missing.json", "No such file"),
        "a NUL in the path": (tmp_path / "a\0b", "null"),
        "an empty folder": (tmp_path / "nothing", "no results.json"),
    }


DAMAGE = (
    "empty",
    "blank",
    "truncated",
    "garbage",
    "a list",
    "another schema",
    "no schema",
    "results",
    "a wrong type",
    "an unknown verdict",
    "deep",
    "infinite",
    "not UTF-8",
    "a pipe",
    "a device",
    "a symlink loop",
    "missing",
    "a NUL in the path",
    "an empty folder",
)


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_evidence_is_a_usage_error_that_names_file_and_reason(kind: str, tmp_path: Path) -> None:
    path, words = damaged(tmp_path)[kind]

    with pytest.raises(UsageError) as raised:
        store.load_evidence(path)
    assert path.name in raised.value.message
    assert words in raised.value.message


IMPLAUSIBLE = {
    "confidence of 2": ('"confidence": 0.95', '"confidence": 2.0', "confidence"),
    "confidence of 0": ('"confidence": 0.95', '"confidence": 0.0', "confidence"),
    "a confidence below a coin's": ('"confidence": 0.95', '"confidence": 0.3', "confidence"),
    "a look less sure than the gate": ('"confidence_used": 0.98', '"confidence_used": 0.58', "below the gate's"),
    "more faces than frames": ('"faces": 8', '"faces": 9', "more frames than there were"),
    "a threshold of 0": ('"min_speedup": 1.0', '"min_speedup": 0.0', "min_speedup"),
    "a negative time": ('"times_ms": [', '"times_ms": [-1.0, ', "time of a frame"),
    "a time of no length": ('"times_ms": [', '"times_ms": [5e-324, ', "time of a frame"),
    "a time without end": ('"times_ms": [', '"times_ms": [1e308, ', "time of a frame"),
    "a face of one point": ('"landmarks": [', '"landmarks": [{"frame": 7, "points": [[1.0, 2.0]]}, ', "landmark"),
}


@pytest.mark.parametrize("kind", IMPLAUSIBLE)
def test_evidence_that_nobody_can_have_seen_is_refused(kind: str, tmp_path: Path) -> None:
    before, after, words = IMPLAUSIBLE[kind]
    file = tmp_path / "forged.json"
    file.write_text(store.encode_evidence(recorded("accelerated")).replace(before, after, 1))

    with pytest.raises(UsageError, match=rf"forged\.json.*{words}"):
        store.load_evidence(file)


def test_what_is_forged_above_stands_in_the_file() -> None:
    text = store.encode_evidence(recorded("accelerated"))

    assert all(before in text for before, _, _ in IMPLAUSIBLE.values())


def test_evidence_of_one_cell_is_none_of_another(tmp_path: Path) -> None:
    publish(tmp_path, "refused", "accelerated")
    folder = tmp_path / "evidence"
    refused, accelerated = (folder / f"{recorded(name).cell.id}.json" for name in ("refused", "accelerated"))
    accelerated.replace(refused)

    with pytest.raises(UsageError, match=f"evidence of the cell {accelerated.stem}, named by .* for {refused.stem}"):
        store.load_evidence(tmp_path)


def test_a_huge_file_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(store.MAX_BYTES * 100)

    with pytest.raises(UsageError, match="larger than 64 MiB"):
        store.load_evidence(huge)


def test_one_bad_file_in_a_folder_is_named(tmp_path: Path) -> None:
    publish(tmp_path, "refused", "slower")
    victim = tmp_path / "evidence" / f"{recorded('slower').cell.id}.json"
    victim.write_text("{")

    with pytest.raises(UsageError, match=victim.name):
        store.load_evidence(tmp_path)


def test_evidence_that_results_json_names_and_is_gone_is_an_error(tmp_path: Path) -> None:
    publish(tmp_path, "refused", "slower")
    (tmp_path / "evidence" / f"{recorded('slower').cell.id}.json").unlink()

    with pytest.raises(UsageError, match="No such file"):
        store.load_evidence(tmp_path)


@pytest.mark.parametrize("named", ['"../x.json"', '"/etc/passwd"', "null", '""'])
def test_results_json_cannot_name_evidence_outside_its_folder(named: str, tmp_path: Path) -> None:
    publish(tmp_path, "refused")
    text = (tmp_path / "results.json").read_text()
    right = json.dumps(f"evidence/{recorded('refused').cell.id}.json")
    (tmp_path / "results.json").write_text(text.replace(right, named))

    with pytest.raises(UsageError, match="inside this folder"):
        store.load_evidence(tmp_path)


def test_results_without_a_cell_are_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(store.encode(Results(host=HOST, cells=(), summary={})))

    with pytest.raises(UsageError, match="no cell"):
        store.load_evidence(tmp_path)


def test_two_files_of_one_cell_are_an_error_that_names_both(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(store.encode_evidence(recorded("refused")))

    with pytest.raises(UsageError, match=r"two\.json and .*one\.json"):
        store.load_evidence(tmp_path)


@settings(max_examples=300)
@given(data=st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_never_end_in_anything_but_a_usage_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "one.json"
    file.write_bytes(data)

    with pytest.raises(UsageError):
        store.load_evidence(file)


DOCUMENT = (GOLDEN / "refused.json").read_bytes()


@settings(max_examples=500)
@given(at=st.integers(0, len(DOCUMENT) - 1), length=st.integers(0, 40), patch=st.binary(max_size=20))
def test_a_damaged_document_is_evidence_or_a_usage_error(
    at: int, length: int, patch: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.json"
    file.write_bytes(DOCUMENT[:at] + patch + DOCUMENT[at + length :])
    try:
        loaded = store.load_evidence(file)
    except UsageError:
        return
    assert isinstance(loaded[0], Evidence)
