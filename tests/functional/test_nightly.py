"""`envcheck nightly` as a process, with cells that take milliseconds: compared, killed, locked, out of time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envcheck.archive import open_archive
from envcheck.kept import Entry
from tests.children import child
from tests.functional.conftest import Command, environment
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "tests.functional.nightly_program")
CELL = "venv-py3.11-mp0.10.35-cv4.8.0.{}"


@dataclass(frozen=True)
class Ran:
    code: int
    night: dict[str, Any]
    stderr: str

    @property
    def kinds(self) -> list[tuple[str, bool]]:
        return [(change["kind"], change.get("confirmed", True)) for change in self.night["changes"]]


def matrix(folder: Path, cells: int, extra: str = "") -> Path:
    versions = ", ".join(f'"4.8.0.{number}"' for number in range(1, cells + 1))
    path = folder / "matrix.yaml"
    text = f'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: ["0.10.35"]\n  opencv: [{versions}]\n{extra}'
    path.write_text(text, encoding="utf-8")
    return path


def variables(folder: Path, **changes: str) -> dict[str, str]:
    return environment({"ENVCHECK_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), **changes})


@pytest.fixture
def nightly(tmp_path: Path) -> Callable[..., Ran]:
    """Run a night in a folder of its own; `verdicts` say how cells come out."""
    matrix(tmp_path, 3)

    def run(*arguments: str, verdicts: Mapping[str, Any] | None = None) -> Ran:
        steering = tmp_path / "verdicts.json"
        steering.write_text(json.dumps(verdicts or {}), encoding="utf-8")
        done = subprocess.run(
            [*PROGRAM, "nightly", "--json", *arguments], cwd=tmp_path, env=variables(tmp_path, STAND_IN=str(steering)),
            capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return Ran(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    return run


def entries(folder: Path) -> list[Entry]:
    path = folder / ".envcheck" / "history.sqlite"
    if not path.exists():
        return []
    with open_archive(path, readonly=True) as archive:
        return list(archive.entries())


# --- what is said -----------------------------------------------------------------------------------------------


def test_nights_are_stored_and_compared(nightly: Callable[..., Ran], tmp_path: Path) -> None:
    first = nightly()
    assert (first.code, len(first.night["entries"]), first.kinds) == (0, 3, [])
    second = nightly(verdicts={CELL.format(2): "emulated"})
    assert (second.code, second.kinds) == (1, [("regression", True)])
    assert second.night["again"] == [CELL.format(2)]
    third = nightly(verdicts={CELL.format(2): "emulated"})
    assert (third.code, third.kinds, third.night["again"]) == (1, [], [])
    fourth = nightly()
    assert (fourth.code, fourth.kinds) == (0, [("improvement", True)])
    counts = Counter(entry.run for entry in entries(tmp_path))
    assert [counts[one.night["run"]] for one in (first, second, third, fourth)] == [3, 4, 3, 4]
    assert (tmp_path / ".envcheck" / "results.json").is_file()


def test_what_fails_once_and_not_again_is_no_regression(nightly: Callable[..., Ran]) -> None:
    nightly()
    second = nightly(verdicts={CELL.format(2): ["crashed", "accelerated"]})
    assert (second.code, second.kinds, second.night["again"]) == (0, [], [CELL.format(2)])


def test_an_expected_failure_that_passes_is_news(nightly: Callable[..., Ran], tmp_path: Path) -> None:
    matrix(tmp_path, 3, 'expect:\n  - when: {opencv: "4.8.0.2"}\n    verdict: emulated\n    because: a test\n')
    assert nightly(verdicts={CELL.format(2): "emulated"}).code == 0
    second = nightly()
    assert (second.code, second.kinds) == (1, [("unexpected-pass", True)])


def test_the_text_says_what_changed_and_what_moved(nightly: Callable[..., Ran], tmp_path: Path) -> None:
    nightly()
    steering = tmp_path / "verdicts.json"
    steering.write_text(json.dumps({CELL.format(1): "emulated"}), encoding="utf-8")
    done = subprocess.run(
        [*PROGRAM, "nightly"], cwd=tmp_path, env=variables(tmp_path, STAND_IN=str(steering)), capture_output=True,
        text=True, check=False, timeout=2 * PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert "moved" in done.stdout
    assert "regression: venv-py3.11-mp0.10.35-cv4.8.0.1" in done.stdout
    assert "accelerated became emulated" in done.stdout
    assert "Measured again" in done.stdout
    assert "measured again before it is reported" in done.stderr


# --- time -------------------------------------------------------------------------------------------------------


def test_a_budget_is_spent_on_the_stalest_and_what_did_not_fit_is_named(
    nightly: Callable[..., Ran], tmp_path: Path
) -> None:
    assert nightly("--budget", "1.9").code == 3  # of a cell that never ran two minutes are expected
    nightly("--select", CELL.format(1))
    nightly("--select", CELL.format(3))
    short = nightly("--budget", "1.9")
    assert short.code == 0
    assert [entry["cell"] for entry in short.night["entries"]] == [CELL.format(1), CELL.format(3)]
    assert short.night["left"] == [CELL.format(2)]
    assert nightly("--budget", "10", "--jobs", "1").night["entries"][0]["cell"] == CELL.format(2)


# --- alone ------------------------------------------------------------------------------------------------------


def test_a_policy_removes_what_is_old_and_says_so_and_without_one_nothing_goes(
    nightly: Callable[..., Ran], tmp_path: Path
) -> None:
    """All but the first of a spell, the newest, and what this very night has stored."""
    nights = [nightly() for _ in range(3)]
    assert [one.night["forgotten"] for one in nights] == [None] * 3
    assert len(entries(tmp_path)) == 9
    time.sleep(2)
    night = nightly("--keep", "1", "--keep-days", "0.00001").night

    forgotten = night["forgotten"]
    assert {one["cell"] for one in forgotten["removed"]} == {CELL.format(number) for number in (1, 2, 3)}
    assert len(forgotten["removed"]) == 6
    left = Counter(entry.run for entry in entries(tmp_path))
    assert left == {nights[0].night["run"]: 3, night["run"]: 3}
    again = nightly("--keep", "100", "--keep-days", "100")
    assert (again.night["forgotten"]["removed"], len(entries(tmp_path))) == ([], 9)


@pytest.mark.parametrize("words", ["--keep 3", "--keep-days 3", "--keep 0 --keep-days 1", "--keep 1 --keep-days 1e9"])
def test_half_a_policy_is_wrong_use_before_anything_runs(
    nightly: Callable[..., Ran], tmp_path: Path, words: str
) -> None:
    assert nightly(*words.split()).code == 2
    assert not (tmp_path / ".envcheck").exists()


EXPECTED_IMPOSSIBLE = (
    'expect:\n  - {when: {mediapipe: "1.0.0"}, verdict: impossible, because: built without GPU code}\n'
)


def test_a_night_on_a_machine_that_has_lost_its_driver_is_none(nightly: Callable[..., Ran], tmp_path: Path) -> None:
    axes = 'axes: {python: ["3.11"], mediapipe: ["1.0.0", "1.2.2"], driver: ["999"]}'
    (tmp_path / "matrix.yaml").write_text(f"version: 1\n{axes}\n{EXPECTED_IMPOSSIBLE}", encoding="utf-8")

    ran = nightly()

    assert ran.code == 3
    assert "no cell can be run on this host: 1 are impossible, the others out of reach" in ran.stderr
    assert not entries(tmp_path)


def test_a_night_of_cells_that_are_impossible_everywhere_ends_well(nightly: Callable[..., Ran], tmp_path: Path) -> None:
    axes = 'axes: {python: ["3.11"], mediapipe: ["1.0.0"], driver: ["999"]}'
    (tmp_path / "matrix.yaml").write_text(f"version: 1\n{axes}\n{EXPECTED_IMPOSSIBLE}", encoding="utf-8")

    ran = nightly(verdicts={"venv-py3.11-mp1.0.0-r999": "impossible"})

    assert ran.code == 0


def test_a_second_night_at_once_is_told_who_holds_the_machine(tmp_path: Path) -> None:
    matrix(tmp_path, 3)
    slow = variables(tmp_path, STAND_IN_MS="900000")
    with child([*PROGRAM, "nightly"], cwd=tmp_path, env=slow, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert any("cells done" in line for line in first.stderr)
        second = subprocess.run(
            [*PROGRAM, "nightly"],
            cwd=tmp_path,
            env=variables(tmp_path),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        first.kill()
    assert second.returncode == 75
    assert f"process {first.pid}, since 20" in second.stderr


def cut_off(folder: Path) -> int:
    """A night that is interrupted before it has measured all three cells; how many are stored."""
    slow = variables(folder, STAND_IN_MS="1,900000")
    with child([*PROGRAM, "nightly", "--jobs", "1"], cwd=folder, env=slow, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert any(": accelerated" in line for line in first.stderr)
        first.send_signal(signal.SIGTERM)
        rest = first.stderr.read()
        assert first.wait(PATIENCE_S) == 130
    assert "Cells of this run that are stored: " in rest
    return len(entries(folder))


def test_an_interrupt_says_what_is_stored_and_the_next_run_goes_on(nightly: Callable[..., Ran], tmp_path: Path) -> None:
    kept = cut_off(tmp_path)
    second = nightly()
    assert (kept < 3, second.code, second.night["resumed"], len(entries(tmp_path))) == (True, 0, True, 3)


@pytest.mark.parametrize(
    ("more", "arguments"),
    [("backends: {conda: {channels: [bioconda]}}\n", ()), ("", ("--relock",))],
    ids=["other settings of a backend", "resolved anew"],
)
def test_what_is_built_another_way_is_no_run_to_go_on_with(
    nightly: Callable[..., Ran], tmp_path: Path, more: str, arguments: tuple[str, ...]
) -> None:
    kept = cut_off(tmp_path)
    matrix(tmp_path, 3, more)
    second = nightly(*arguments)
    assert (second.code, second.night["resumed"], len(entries(tmp_path))) == (0, False, kept + 3)


# --- killed -----------------------------------------------------------------------------------------------------

KILLS, CELLS = 100, 40


@pytest.mark.timeout(1800)
def test_a_night_that_is_killed_at_a_hundred_moments_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Where all cells of a run are stored, the next process is left alone, and has to end the run.

    The moments lie within the time that a whole night takes here and now, and soon after its start.
    """
    matrix(tmp_path, CELLS)
    chance, before, ended, resumed = random.Random(20261129), [], 0, 0  # type: ignore[var-annotated]
    env = variables(tmp_path, STAND_IN_MS="15")
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    argv = [*PROGRAM, "--warm", "nightly", "-q"]
    with (
        (tmp_path / "stderr").open("w") as stderr,
        child(argv, cwd=tmp_path, env=env, stderr=stderr, **pipes) as program,
    ):
        assert program.stdout is not None
        assert any(line == "warm\n" for line in program.stdout)
        killed, code, longest = 0, 0, min(1.2, whole_night(program))
        while killed < KILLS or resumed <= 20 or ended < 2:
            spare = bool(before) and unfinished(before) == 0 and code != 0  # all is stored, and not published
            code = attempt(program, None if spare else chance.uniform(0, longest))
            assert code in (0, -signal.SIGKILL), (tmp_path / "stderr").read_text(encoding="utf-8")[-2000:]
            after = entries(tmp_path)
            assert set(stored(before)) <= set(stored(after)), "something stored is lost"
            assert max(Counter((entry.run, entry.cell) for entry in after).values(), default=1) == 1
            runs = Counter(entry.run for entry in after)
            assert sum(count < CELLS for count in runs.values()) <= 1, (
                "a run was begun before the last one was finished"
            )
            resumed += bool(before) and 0 < unfinished(before) < CELLS and len(after) > len(before)
            killed += code == -signal.SIGKILL
            ended += code == 0
            if spare:
                assert code == 0
            before = after
        assert attempt(program, None) == 0
    assert set(Counter(entry.run for entry in entries(tmp_path)).values()) == {CELLS}
    with open_archive(tmp_path / ".envcheck" / "history.sqlite", readonly=True) as archive:
        assert archive.rows("PRAGMA integrity_check") == [("ok",)]
        assert all(archive.evidence(entry.digest) for entry in before[:20])


def whole_night(program: subprocess.Popen[str]) -> float:
    """How many seconds a night takes that nobody kills."""
    begun = time.monotonic()
    assert attempt(program, None) == 0
    return time.monotonic() - begun


def attempt(program: subprocess.Popen[str], seconds: float | None) -> int:
    """Start a night and kill it after so many seconds, or wait for its end; its exit code."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write("\n")
    program.stdin.flush()
    pid = int(program.stdout.readline())
    if seconds is not None:
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # it has ended already
            os.kill(pid, signal.SIGKILL)
    return int(program.stdout.readline())


def stored(found: list[Entry]) -> list[str]:
    return [entry.digest for entry in found]


def unfinished(found: list[Entry]) -> int:
    """Cells that the newest run has not stored."""
    newest = max(entry.run for entry in found)
    return CELLS - len({entry.cell for entry in found if entry.run == newest})


# --- on a real wheel --------------------------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.timeout(1800)
def test_a_real_cell_is_stored_by_nightly_and_by_validate(envcheck: Command, matrix_of: Callable[..., Path]) -> None:
    asked = ("--matrix", str(matrix_of("1.0.0")), "--no-preflight")
    first = envcheck("nightly", "--json", *asked[:2])
    night = json.loads(first.stdout)
    (entry,) = night["entries"]
    assert first.code == night["exit_code"] == 1
    assert entry["seconds"] >= 0
    folder = first.out.parent
    assert envcheck("validate", *asked, "--history", ".envcheck/history.sqlite", cwd=folder).code == 1
    found = json.loads(envcheck("history", "--json", entry["cell"], cwd=folder).stdout)
    assert [one.get("run", "") for one in found["entries"]] == [night["run"], ""]
    assert envcheck("diff", entry["cell"], entry["digest"][:12], cwd=folder).code == 0


@pytest.mark.network
@pytest.mark.timeout(1800)
def test_a_night_that_is_interrupted_amid_a_real_cell_goes_on_with_it(
    envcheck: Command, matrix_of: Callable[..., Path], cache: Path, tmp_path: Path
) -> None:
    asked = ("nightly", "--matrix", str(matrix_of("1.0.1", "1.2.2", axes="tiers: {nightly: {}}\n")))
    argv = [sys.executable, "-m", "envcheck", *asked]
    env = environment({"ENVCHECK_CACHE": str(cache)})
    with child(argv, cwd=tmp_path, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr is not None
        assert any("mp1.2.2: starting FaceLandmarker" in line for line in running.stderr)
        running.send_signal(signal.SIGTERM)
        said = running.stderr.read()
        assert running.wait(PATIENCE_S) == 130
    assert "Cells of this run that are stored: 1." in said

    night = json.loads(envcheck(*asked, "--json", cwd=tmp_path).stdout)
    assert night["resumed"]
    assert [entry["verdict"] for entry in night["entries"]] == ["refused", "refused"]
