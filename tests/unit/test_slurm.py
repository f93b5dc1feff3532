"""The Slurm engine's decisions: options, which nodes serve a cell, how cells become tasks, the fate of lost ones."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import pytest
from msgspec import structs

from envcheck.engines.engine import Needs, Run, SilentEngineError, State
from envcheck.engines.slurm import commands
from envcheck.engines.slurm.batching import jobs_of, placed
from envcheck.engines.slurm.commands import Slurm, Task, argv_of, parse_tasks
from envcheck.engines.slurm.engine import SlurmEngine, begun, make
from envcheck.engines.slurm.fate import Fate, Trace, fate_of
from envcheck.engines.slurm.folder import Folder, Sent, read_file
from envcheck.engines.slurm.nodes import Place, parse_nodes, place_of, seconds_of
from envcheck.engines.slurm.options import Options, parse
from envcheck.errors import EnvcheckError, InfrastructureError, UsageError
from envcheck.outcomes import Completed
from envcheck.report.progress import Progress
from tests.unit.fleet import work_of

SINFO = """\
n1|gpu*|driver-560,a100|gpu:a100:4(S:0-1)|1-00:00:00|idle
n2|gpu*|driver-560.35.03|gpu:1|1-00:00:00|mixed
n3|long|driver-550.54.15|(null)|infinite|idle
n4|gpu*|driver-470|gpu:1|30:00|down*
a line of something else
"""
NODES = parse_nodes(SINFO)


def options(**given: str) -> Options:
    return parse(given, Path("/out"))


# --- options --------------------------------------------------------------------------------------------------------


def test_the_shared_folder_is_in_the_results_folder_unless_it_is_named() -> None:
    assert options().folder == Path("/out/slurm")
    assert options(folder="/shared/x").folder == Path("/shared/x")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("partitoin", "gpu", "no option partitoin; it has folder, partition"),
        ("partition", "gpu --wrap=id", "not a name"),
        ("partition", "-x", "not a name"),
        ("constraint", "a;b", "not a feature"),
        ("driver.560", "$(id)", "not a feature"),
        ("driver_feature", "driver", "with {} in place of the driver"),
        ("folder", "/shared/%j", "not a path that Slurm takes as it is"),
        ("folder", "/shared/a\nb", "not a path that Slurm takes as it is"),
        ("minutes", "0", "not a number from 0.01 on"),
        ("minutes", "nan", "not a number"),
        ("requeue", "-1", "not a number from 0 on"),
        ("exclusive", "true", "not yes or no"),
        ("command", "'", "No closing quotation"),
        ("command", "", "empty"),
    ],
)
def test_an_option_that_cannot_be_followed_is_an_error_before_anything_is_sent(
    key: str, value: str, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse({key: value}, Path("/out"))
    assert words in caught.value.message


# --- which nodes serve a cell ---------------------------------------------------------------------------------------


def test_a_driver_is_matched_to_features_component_by_component() -> None:
    place = place_of(Needs("560"), NODES, options())

    assert place == Place(("gpu",), "driver-560|driver-560.35.03", "gpu:1", 2, 86400.0)
    assert isinstance(found := place_of(Needs("560.35"), NODES, options()), Place)
    assert found.constraint == "driver-560.35.03"


def test_a_gpu_is_requested_only_where_nodes_offer_some() -> None:
    place = place_of(Needs("550"), NODES, options())

    assert isinstance(place, Place)
    assert (place.partitions, place.gres, place.limit_s) == (("long",), "", None)


def test_any_driver_goes_to_whatever_has_a_gpu() -> None:
    place = place_of(Needs(), NODES, options())

    assert isinstance(place, Place)
    assert (place.partitions, place.constraint, place.gres) == (("gpu",), "", "gpu:1")


@pytest.mark.parametrize(
    ("driver", "given", "because"),
    [
        ("600", {}, "needs driver 600, and no node in this cluster has the feature driver-600 (there: driver-470, "),
        ("56", {}, "has the feature driver-56 (there: "),
        ("550", {"partition": "gpu"}, "no node in partition gpu has the feature driver-550"),
        (None, {"partition": "none"}, "no node in partition none"),
        (None, {"constraint": "h200"}, "no node in this cluster has the features h200"),
        ("999", {"driver.999": "new"}, "has the feature new"),
        ("560", {"driver_feature": "nv{}"}, "has the feature nv560, nor one like it"),
    ],
)
def test_a_cell_that_nothing_can_serve_is_told_why(driver: str | None, given: dict[str, str], because: str) -> None:
    found = place_of(Needs(driver), NODES, parse(given, Path("/out")))

    assert isinstance(found, str)
    assert because in found


def test_features_that_every_node_must_have_go_with_the_drivers() -> None:
    found = place_of(Needs("560"), NODES, options(constraint="a100"))

    assert isinstance(found, Place)
    assert found.constraint == "a100&driver-560"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-00:00:00", 86400.0), ("30:00", 1800.0), ("2:00:00", 7200.0), ("infinite", None), ("n/a", None)],
)
def test_times_are_read_as_slurm_writes_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


# --- cells -> tasks -------------------------------------------------------------------------------------------------


def tasks(count: int, slots: int, most: int = 1000, limit_s: float | None = None, **given: str) -> list[list[int]]:
    works = [work_of("1.2.2") for _ in range(count)]
    place = Place(("gpu",), "", "", slots, limit_s)
    return [[len(task) for task in job] for job in jobs_of(range(count), works, place, most, options(**given))]


def test_a_few_tasks_to_each_node() -> None:
    assert tasks(200, 4) == [[13] * 15 + [5]]
    assert tasks(3, 4) == [[1, 1, 1]]


def test_no_task_is_longer_than_the_partition_lets_it_be() -> None:
    assert tasks(8, 1, limit_s=3600.0, minutes="29") == [[2, 2, 2, 2]]
    assert tasks(2, 1, limit_s=60.0, minutes="29") == [[1, 1]]


def test_no_job_has_more_tasks_than_slurm_takes() -> None:
    assert [len(job) for job in tasks(25, 1, most=10, batch="1")] == [10, 10, 5]


def test_cells_of_one_environment_are_together() -> None:
    works = [work_of("1.2.2"), work_of("1.1.0"), work_of("1.2.2"), work_of("1.1.0")]

    assert list(jobs_of(range(4), works, Place((), "", "", 1, None), 9, options(batch="2"))) == [((1, 3), (0, 2))]


def test_cells_are_sent_by_where_they_can_run() -> None:
    works = [work_of(driver="560"), work_of(driver="550"), work_of(driver="600"), work_of(driver="560")]
    groups, nowhere = placed(range(4), works, NODES, options())

    assert list(groups.values()) == [[0, 3], [1]]
    assert list(nowhere) == [2]


def test_sbatch_is_given_arguments_and_never_a_shell_line() -> None:
    place = Place(("gpu", "long"), "driver-560|driver-560.35.03", "gpu:1", 2, None)
    argv = argv_of("envcheck-run-3", 5, 2, place, options(minutes="10", throttle="2"), Path("/shared/run"))

    assert argv[0] == "sbatch"
    assert {"--array=0-4%2", "--partition=gpu,long", "--constraint=driver-560|driver-560.35.03", "--gres=gpu:1"} <= set(
        argv
    )
    assert {"--time=23", "--exclusive", "--no-requeue", "--job-name=envcheck-run-3"} <= set(argv)
    script = argv.index("/shared/run/batch.sh")
    assert argv[script + 1 : script + 4] == ["/shared/run", "3", "600.0"]
    assert argv[script + 4 :][1:] == ["-m", "envcheck", "cell"]
    assert not any(one.startswith("--wrap") for one in argv)


def test_a_job_asks_for_no_more_time_than_its_partition_gives() -> None:
    place = Place(("debug",), "", "", 2, 600.0)

    assert "--time=10" in argv_of("envcheck-run-0", 1, 1, place, options(), Path("/shared/run"))


def test_the_script_is_one_text_that_nothing_is_put_into() -> None:
    text = resources.files("envcheck.engines.slurm").joinpath("batch.sh").read_text(encoding="utf-8")

    assert "eval" not in text
    assert "{" not in text.replace("${SLURMD_NODENAME:-?}", "")


# --- what became of tasks -------------------------------------------------------------------------------------------


def test_tasks_are_read_by_name_and_place() -> None:
    text = (
        "envcheck-r-0|17|3|RUNNING|n1|None\nother|18|N/A|PENDING||Resources\nnonsense\nenvcheck-r-1|19|0|PENDING||a|b\n"
    )

    assert parse_tasks(text) == {
        ("envcheck-r-0", 3): Task("17", "RUNNING", "n1", "None"),
        ("envcheck-r-1", 0): Task("19", "PENDING", "", "a|b"),
    }


FULL = "is the shared folder full, or not shared?"
BEGUN, NOT_BEGUN = {"started_on": "n1"}, {"node": "n1"}


@pytest.mark.parametrize(
    ("state", "marks", "tries", "fate"),
    [
        ("NODE_FAIL", BEGUN, 1, Fate(True, "the job was killed or lost its node on node n1 (NODE_FAIL)")),
        ("NODE_FAIL", BEGUN, 2, Fate(True, "the job was killed or lost its node on node n1 (NODE_FAIL)")),
        (
            "NODE_FAIL", BEGUN, 3,
            Fate(False, "the job was killed or lost its node on node n1 (NODE_FAIL); it was sent 3 times"),
        ),
        ("FAILED", BEGUN, 1, Fate(True, "the job was killed or lost its node on node n1 (FAILED)")),
        ("GONE", BEGUN, 1, Fate(True, "Slurm no longer knows the job on node n1, and nothing was delivered")),
        ("TIMEOUT", BEGUN, 1, Fate(False, "the job was ended at its time limit on node n1 (TIMEOUT)")),
        ("TIMEOUT", NOT_BEGUN, 1, Fate(True, "the job was ended at its time limit on node n1 (TIMEOUT)")),
        ("CANCELLED", NOT_BEGUN, 1, Fate(False, "the job ended on node n1 (CANCELLED), and nothing was delivered")),
        (
            "COMPLETED", BEGUN | {"status": "124"}, 1,
            Fate(False, "the cell took longer than its 30 min on node n1"),
        ),
        (
            "COMPLETED", BEGUN | {"status": "2", "words": "no room"}, 1,
            Fate(False, "the worker ended with exit status 2 on node n1 and delivered nothing: no room"),
        ),
        (
            "COMPLETED", NOT_BEGUN, 1,
            Fate(True, f"the job ended on node n1, and left no trace of the cell; {FULL}"),
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_a_cell_that_delivered_nothing(
    state: str, marks: dict[str, str], tries: int, fate: Fate
) -> None:
    assert fate_of(Trace(state, **marks), tries, limit=2, minutes=30.0) == fate


# --- asking ---------------------------------------------------------------------------------------------------------

DOWN = Completed(argv=(), returncode=1, stderr=b"slurm_load_jobs error: Unable to contact slurm controller")
REFUSED = Completed(argv=(), returncode=1, stderr=b"sbatch: error: Invalid qos\x1b[31m")


def slurm(*answers: Completed, patience_s: float = 60.0) -> Slurm:
    left = list(answers)
    return Slurm(
        {}, patience_s, run=lambda *_args, **_more: left.pop(0) if left else answers[-1], sleep=lambda _s: None
    )


def printed(text: str) -> Completed:
    return Completed(argv=(), returncode=0, stdout=text.encode())


def test_a_controller_that_is_restarted_is_asked_again() -> None:
    assert slurm(DOWN, DOWN, printed("a")).insist(["sinfo"]) == "a"


def test_a_controller_that_never_answers_is_silence() -> None:
    with pytest.raises(SilentEngineError, match="Slurm has not answered for 0 min: slurm_load_jobs error"):
        slurm(DOWN, patience_s=0.0).insist(["sinfo"])


def test_a_refusal_is_not_repeated_and_is_shown_without_what_steers_a_terminal() -> None:
    with pytest.raises(EnvcheckError, match=r"^sbatch refused: sbatch: error: Invalid qos \[31m$"):
        slurm(REFUSED).insist(["sbatch"])


def test_a_host_that_belongs_to_no_cluster_is_an_error_of_use() -> None:
    with pytest.raises(UsageError, match="Slurm does not say what there is: sinfo refused") as caught:
        slurm(REFUSED).nodes()
    assert "a host of the cluster" in caught.value.remedy


def test_a_job_that_was_taken_without_an_answer_is_not_sent_twice() -> None:
    listed = printed("envcheck-r-0|17|0|PENDING||Resources\n")

    assert slurm(DOWN, listed).submit("envcheck-r-0", ["sbatch"]) == "17"


NONE = printed("")


def counting(*answers: Completed) -> tuple[Slurm, list[str]]:
    """Slurm, and the programs that were started."""
    left, asked = list(answers), []

    def run(argv: Sequence[str], **_more: object) -> Completed:
        asked.append(argv[0])
        return left.pop(0)

    return Slurm({}, 60.0, run=run, sleep=lambda _s: None), asked


def test_a_job_is_not_sent_again_while_nobody_tells_whether_it_was_taken() -> None:
    """The controller takes it, is killed before it answers, and is up again a little later."""
    slurm, asked = counting(DOWN, DOWN, DOWN, printed("envcheck-r-0|17|0|RUNNING|n1|None\n"))

    assert slurm.submit("envcheck-r-0", ["sbatch"]) == "17"
    assert asked == ["sbatch", "squeue", "squeue", "squeue"]


def test_a_job_that_was_not_taken_is_sent_again() -> None:
    slurm, asked = counting(DOWN, DOWN, NONE, NONE, printed("17\n"))

    assert slurm.submit("envcheck-r-0", ["sbatch"]) == "17"
    assert asked == ["sbatch", "squeue", "squeue", "squeue", "sbatch"]


def test_a_job_that_a_controller_reads_only_after_it_has_answered_is_not_sent_twice() -> None:
    slurm, asked = counting(DOWN, NONE, printed("envcheck-r-0|17|0|PENDING||None\n"))

    assert slurm.submit("envcheck-r-0", ["sbatch"]) == "17"
    assert asked == ["sbatch", "squeue", "squeue"]


@pytest.mark.parametrize(
    "answer",
    [REFUSED, printed("no number"), Completed(argv=(), signal="SIGKILL")],
    ids=["refused", "garbage", "killed"],
)
def test_a_job_that_was_taken_whatever_sbatch_said_is_known_by_its_name(answer: Completed) -> None:
    slurm, _ = counting(answer, printed("envcheck-r-0|17|0|PENDING||Resources\n"))

    assert slurm.submit("envcheck-r-0", ["sbatch"]) == "17"


def test_a_job_that_was_refused_is_none_although_squeue_shows_it() -> None:
    shown = printed("envcheck-r-0|17|0|FAILED||BadConstraints\n")
    slurm, _ = counting(REFUSED, shown, shown)

    with pytest.raises(EnvcheckError, match="sbatch refused: sbatch: error: Invalid qos"):
        slurm.submit("envcheck-r-0", ["sbatch"])


@pytest.mark.parametrize(
    "answer",
    [
        printed("<html>a proxy</html>"),
        Completed(argv=(), returncode=0, stdout=b"envcheck-r-0|17|0|PENDING||None\n", stdout_dropped=5),
    ],
    ids=["garbage", "cut"],
)
def test_an_answer_of_squeue_that_is_none_is_no_news_of_any_task(answer: Completed) -> None:
    assert slurm(answer).tasks(["envcheck-r-0"]) is answer
    assert slurm(NONE).tasks(["envcheck-r-0"]) == {}


def test_a_cluster_that_answers_nonsense_is_not_one_without_nodes() -> None:
    with pytest.raises(UsageError, match="sinfo answered 'nonsense'"):
        parse_nodes("nonsense\nand more\n")
    assert parse_nodes("") == ()


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        (Completed(argv=(), returncode=0), True),
        (Completed(argv=(), returncode=1), True),
        (DOWN, False),
        (Completed(argv=(), returncode=1, timed_out=True), False),
        (Completed(argv=(), signal="SIGKILL"), False),
        (Completed(argv=(), started=False), False),
    ],
    ids=["ended", "nothing-there", "down", "hangs", "killed", "no-scancel"],
)
def test_a_job_is_cancelled_where_slurm_says_so_and_where_there_is_none(answer: Completed, ended: bool) -> None:
    assert slurm(answer).cancel("envcheck-r-0") is ended


def test_a_munge_that_is_restarted_is_silence_for_sbatch_too() -> None:
    words = (
        b"sbatch: error: Munge encode failed\nsbatch: error: Batch job submission failed: Protocol authentication error"
    )
    assert commands.is_silence(Completed(argv=(), returncode=1, stderr=words))


def test_numbers_that_no_cluster_has_are_none() -> None:
    assert parse_tasks(f"envcheck-r-0|1|{DIGITS}|RUNNING||\nenvcheck-r-0|{DIGITS}|1|RUNNING||\n") == {}
    assert seconds_of(f"{DIGITS}:00") is None
    assert seconds_of(f"{DIGITS}-00:00:00") is None
    assert slurm(printed(f"MaxArraySize = {DIGITS}")).most_tasks() == 1000


def test_who_waits_for_a_controller_is_told_so_once() -> None:
    said: list[str] = []
    asked = slurm(DOWN, DOWN, DOWN, printed("a"))

    assert replace(asked, tell=said.append).insist(["sinfo"]) == "a"
    assert said == [
        "Slurm does not answer: slurm_load_jobs error: Unable to contact slurm controller; it is asked again for 1 min"
    ]


@pytest.mark.parametrize(("text", "most"), [("MaxArraySize            = 501\n", 500), ("nothing", 1000)])
def test_how_many_tasks_a_job_may_have(text: str, most: int) -> None:
    assert slurm(printed(text)).most_tasks() == most


@pytest.mark.parametrize("answer", [printed("no number"), printed("")])
def test_a_number_that_is_none_is_an_error(answer: Completed) -> None:
    with pytest.raises(EnvcheckError, match="no job's number"):
        slurm(answer).submit("envcheck-r-0", ["sbatch"])


# --- the shared folder ----------------------------------------------------------------------------------------------


def test_a_run_has_one_follower(tmp_path: Path) -> None:
    folder, same = Folder(tmp_path / "run"), Folder(tmp_path / "run")

    with folder.alone(), pytest.raises(InfrastructureError, match="another envcheck follows the run"), same.alone():
        pass


def test_what_was_sent_is_read_as_it_was_written_and_a_new_run_has_a_new_nonce(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    first = folder.begin("run")
    folder.put_batches(Sent(0, ((0, 2), (1,)), 1.0))

    assert folder.read() == first
    assert (tmp_path / "batches" / "0-0").read_text() == "0\n2\n"
    assert folder.begin("run").nonce != first.nonce
    assert not list((tmp_path / "batches").iterdir())


def test_a_damaged_state_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")

    with pytest.raises(UsageError, match=r"run\.json: not the state of a run"):
        Folder(tmp_path).read()


@pytest.mark.parametrize(
    "changes",
    [
        {"jobs": [[0, [[0]], 1.0, "--user=root"]]},
        {"jobs": [[1, [[0]], 1.0]]},
        {"jobs": [[0, [[7]], 1.0]]},
        {"jobs": [[0, [[-1]], 1.0]]},
        {"nonce": "x"},
        {"run": "../x"},
        {"cells": 5},
    ],
)
def test_a_state_that_no_run_has_written_is_refused_before_it_reaches_slurm(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    folder = Folder(tmp_path)
    state = {"schema": "envcheck.slurm/1", "run": "run", "nonce": "0" * 32, "begun_at": 1.0, "cells": ["a"]} | changes
    state["jobs"] = [
        dict(zip(("number", "tasks", "sent_at", "id"), job, strict=False))
        for job in state.get("jobs", ())  # type: ignore[attr-defined]
    ]
    (tmp_path / "run.json").write_text(json.dumps(state))

    with pytest.raises(UsageError, match=r"run\.json: not the state of a run: "):
        folder.read()


def test_a_folder_that_others_may_change_is_closed_to_them_or_refused(tmp_path: Path) -> None:
    """Who can change the script that is sent runs what he likes as us."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "run")

    with Folder(tmp_path / "run").alone():
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
    with pytest.raises(UsageError, match="is a link or belongs to another user"), Folder(tmp_path / "link").alone():
        pass


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "run").stat().st_uid + 1)

    with pytest.raises(UsageError, match="belongs to another user"), Folder(tmp_path / "run").alone():
        pass


def test_a_link_or_a_pipe_in_place_of_a_delivery_is_not_opened(tmp_path: Path) -> None:
    import os

    (tmp_path / "secret").write_text("x")
    (tmp_path / "0.json").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "1.json")

    for name in ("0.json", "1.json", "2.json"):
        with pytest.raises(EnvcheckError):
            read_file(tmp_path / name, 10)


def test_names_that_are_no_numbers_are_nobodys_cells(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.begin("run")
    for name in ("0.json", ".1.json.tmp", "../x.json".replace("/", "_"), "1e3.json", "12345678901.json"):
        (tmp_path / "deliveries" / name).write_bytes(b"")

    assert folder.delivered() == {0}


def test_marks_of_another_job_do_not_count(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.begin("run")
    (tmp_path / "started" / "0").write_text("1 n\x1b7\n")

    assert folder.mark("started", 0, 1) == "n 7"
    assert folder.mark("started", 0, 2) == ""
    assert folder.mark("started", 5, 1) == ""


def test_a_run_that_is_not_there_cannot_be_gone_on_with(tmp_path: Path) -> None:
    from types import SimpleNamespace

    job = SimpleNamespace(setting=SimpleNamespace(env={}))
    run = Run("abc", job, {"folder": str(tmp_path)}, tmp_path, Progress(quiet=True), resume=True)  # type: ignore[arg-type]

    with pytest.raises(UsageError, match="--resume abc: there is no such run"):
        make(run)
    assert not list(tmp_path.iterdir())


def test_silence_is_told_from_refusal() -> None:
    assert commands.is_silence(DOWN)
    assert not commands.is_silence(REFUSED)


# --- following a run ------------------------------------------------------------------------------------------------


@dataclass
class FakeSlurm:
    """A cluster that is data: what `squeue` says, one answer after the other, and what was sent and cancelled."""

    answers: list[dict[tuple[str, int], Task] | Completed]
    sent: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    accounting: str = ""
    patience_s: float = 0.0
    cancels: bool = True
    said: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        self.said.append(text)

    def nodes(self) -> str:
        return SINFO

    def most_tasks(self) -> int:
        return 1000

    def submit(self, name: str, argv: list[str]) -> str:
        self.sent.append(name)
        return str(16 + len(self.sent))

    def tasks(self, names: list[str]) -> dict[tuple[str, int], Task] | Completed:
        """What is said of jobs `0`, `1`, … of the run whose names are asked for."""
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(said, Completed):
            return said
        known = {name.rpartition("-")[2]: name for name in names}
        return {(known[job], task): what for (job, task), what in said.items() if job in known}

    def recorded(self, job: str, task: int) -> str:
        return self.accounting

    def cancel(self, name: str, tasks: Sequence[str] = ()) -> bool:
        if self.cancels:
            self.cancelled += tasks or [name]
        return self.cancels

    def sleep(self, seconds: float) -> None:
        """No time passes but that of the clock."""


NO_ANSWER = Completed(argv=(), returncode=1, stderr=b"Unable to contact slurm controller")


def engine_on(tmp_path: Path, slurm: FakeSlurm, *, quiet: bool = True, **given: str) -> SlurmEngine:
    """The engine of a new run of one cell, or of one that is in the folder already."""
    folder = Folder(tmp_path / "run")
    with ExitStack() as stack:
        stack.enter_context(folder.alone())
        kept = folder.read() or folder.begin("run")
        run = Run("run", job=None, options={}, out=tmp_path, progress=Progress(quiet=quiet))  # type: ignore[arg-type]
        settings = options(settle="0", **given)
        engine = SlurmEngine(run, settings, folder, slurm, kept, stack.pop_all())  # type: ignore[arg-type]
    engine.submit([work_of(driver="560")])
    return engine


def told(engine: SlurmEngine) -> list[tuple[State, str]]:
    return [(change.state, change.because) for change in engine.follow()]


def at(state: str) -> dict[tuple[str, int], Task]:
    """The only task of the first two jobs."""
    return {(str(number), 0): Task(str(17 + number), state, "n1") for number in range(2)}


def named(engine: SlurmEngine, *numbers: int) -> list[str]:
    """Jobs of a run, as Slurm knows them."""
    return [f"envcheck-run-{engine.nonce[:8]}-{number}" for number in numbers]


def test_a_task_that_nobody_knows_is_sent_again_and_then_lost(tmp_path: Path) -> None:
    slurm = FakeSlurm([{}])
    engine = engine_on(tmp_path, slurm, requeue="1")
    changes = told(engine)

    assert [state for state, _ in changes] == [State.WAITING, State.LOST]
    assert changes[1][1] == "Slurm no longer knows the job, and nothing was delivered; it was sent 2 times"
    assert slurm.sent == named(engine, 0, 1)


def test_a_cell_that_cannot_be_sent_again_is_lost_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_on(tmp_path, FakeSlurm([{}]))

    def full(job: Sent) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engine.folder, "put_batches", full)

    assert told(engine)[-1][0] is State.LOST
    assert not engine.open


def test_what_accounting_takes_for_running_and_the_controller_does_not_know_is_gone(tmp_path: Path) -> None:
    changes = told(engine_on(tmp_path, FakeSlurm([{}], accounting="RUNNING"), requeue="0"))

    assert changes == [(State.LOST, "Slurm no longer knows the job, and nothing was delivered")]


def test_accounting_says_how_a_task_ended_that_the_controller_has_forgotten(tmp_path: Path) -> None:
    changes = told(engine_on(tmp_path, FakeSlurm([{}], accounting="CANCELLED")))

    assert changes == [(State.LOST, "the job ended (CANCELLED), and nothing was delivered")]


def test_a_task_that_waits_for_too_long_is_cancelled_and_lost(tmp_path: Path) -> None:
    slurm = FakeSlurm([at("PENDING")])
    engine = engine_on(tmp_path, slurm, wait="0")

    assert told(engine) == [(State.LOST, "no node took it within 0 min; Slurm says: nothing")]
    assert slurm.cancelled == ["17_0"]


def test_a_controller_that_stays_away_ends_the_following_and_not_the_run(tmp_path: Path) -> None:
    with pytest.raises(SilentEngineError):
        told(engine_on(tmp_path, FakeSlurm([NO_ANSWER])))
    assert Folder(tmp_path / "run").read() is not None


def test_who_follows_a_run_is_told_once_that_nobody_answers_and_again_after_an_answer(tmp_path: Path) -> None:
    answers: list[dict[tuple[str, int], Task] | Completed] = [NO_ANSWER, NO_ANSWER, at("RUNNING"), NO_ANSWER]
    slurm = FakeSlurm(answers, patience_s=60.0)
    engine = engine_on(tmp_path, slurm)
    for _ in range(5):
        engine.look(time.monotonic())

    assert len(slurm.said) == 2
    assert slurm.said[0] == "Slurm does not answer: Unable to contact slurm controller; it is asked again for 1 min"


def test_what_was_cancelled_by_us_is_sent_again_by_the_next_call(tmp_path: Path) -> None:
    slurm = FakeSlurm([at("CANCELLED")])
    engine_on(tmp_path, slurm).cancel()
    again = engine_on(tmp_path, slurm)

    assert slurm.cancelled == named(again, 0)
    assert slurm.sent == named(again, 0, 1)


def test_what_was_delivered_before_an_interrupt_is_done_even_while_the_folder_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in no job any more, and a network file system may fail to list what is in it for a moment."""
    slurm = FakeSlurm([at("CANCELLED")])
    engine_on(tmp_path, slurm).cancel()
    (tmp_path / "run" / "deliveries" / "0.json").write_bytes(b"data")
    again = engine_on(tmp_path, slurm)
    monkeypatch.setattr(again.folder, "delivered", set)

    assert told(again) == [(State.DONE, "")]
    assert slurm.sent == named(again, 0)


@pytest.mark.parametrize(("patience_s", "last"), [(60.0, State.DONE), (0.0, State.LOST)], ids=["back", "gone"])
def test_a_folder_that_cannot_be_listed_for_a_moment_loses_no_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float, last: State
) -> None:
    """Not to see deliveries is not to see that there are none; one that stays away ends the run all the same."""
    engine = engine_on(tmp_path, FakeSlurm([at("COMPLETED")], patience_s=patience_s), requeue="0")
    (tmp_path / "run" / "deliveries" / "0.json").write_bytes(b"data")
    until = time.monotonic() + (0.3 if patience_s else 3600)

    def delivered() -> set[int]:
        if time.monotonic() < until:
            raise OSError(errno.ESTALE, "Stale file handle")
        return {0}

    monkeypatch.setattr(engine.folder, "delivered", delivered)

    assert told(engine)[-1][0] is last


def test_what_could_not_be_cancelled_is_told_and_cancelled_by_the_next_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cells would be run twice, and the job stay on the cluster."""
    slurm = FakeSlurm([at("RUNNING")], cancels=False)
    first = engine_on(tmp_path, slurm, quiet=False)
    first.cancel()
    assert f"scancel --name={named(first, 0)[0]}" in capsys.readouterr().err

    with pytest.raises(SilentEngineError, match=f"Slurm does not cancel {named(first, 0)[0]}"):
        engine_on(tmp_path, slurm)
    slurm.cancels = True
    again = engine_on(tmp_path, slurm)

    assert slurm.cancelled == named(first, 0)
    assert slurm.sent == named(again, 0, 1)


def test_an_interrupt_while_a_job_is_sent_cancels_it_by_its_name(tmp_path: Path) -> None:
    """It has no number yet, and may be there all the same."""
    slurm = FakeSlurm([at("PENDING")])
    engine = engine_on(tmp_path, slurm)
    engine.keep(structs.replace(engine.kept, jobs=(structs.replace(engine.kept.jobs[0], id=""),)))
    engine.cancel()

    assert slurm.cancelled == named(engine, 0)


def test_jobs_of_a_run_are_named_as_none_was_before(tmp_path: Path) -> None:
    """Slurm remembers what has ended: the same command again would take the old run's tasks for its own."""
    first = engine_on(tmp_path, FakeSlurm([at("RUNNING")]))
    first.forget()
    second = engine_on(tmp_path, FakeSlurm([at("RUNNING")]))

    assert named(first, 0) != named(second, 0)
    assert second.slurm.sent == named(second, 0)  # type: ignore[attr-defined]


def test_what_is_under_way_is_not_sent_again_by_the_next_call(tmp_path: Path) -> None:
    slurm = FakeSlurm([at("RUNNING")])
    engine_on(tmp_path, slurm).held.close()
    again = engine_on(tmp_path, slurm)

    assert slurm.sent == named(again, 0)


def test_a_job_without_a_number_is_looked_for_by_its_name(tmp_path: Path) -> None:
    slurm = FakeSlurm([at("RUNNING")])
    first = engine_on(tmp_path, slurm)
    first.keep(structs.replace(first.kept, jobs=(structs.replace(first.kept.jobs[0], id=""),)))
    first.held.close()
    again = engine_on(tmp_path, slurm)

    assert slurm.sent == named(again, 0)
    assert [job.id for job in again.kept.jobs] == ["17"]


@pytest.mark.parametrize(("age_s", "resume", "same"), [(60.0, False, True), (1e6, False, False), (1e6, True, True)])
def test_an_old_run_is_gone_on_with_only_where_it_is_named(
    tmp_path: Path, age_s: float, resume: bool, same: bool
) -> None:
    slurm = FakeSlurm([at("RUNNING")])
    engine = engine_on(tmp_path, slurm)
    engine.keep(structs.replace(engine.kept, begun_at=time.time() - age_s))
    engine.held.close()
    run = Run("run", job=None, options={}, out=tmp_path, progress=Progress(quiet=True), resume=resume)  # type: ignore[arg-type]
    kept = begun(run, engine.folder, slurm)  # type: ignore[arg-type]

    assert (kept.nonce == engine.nonce) is same
    assert slurm.cancelled == ([] if same else named(engine, 0))


def test_a_run_is_not_begun_anew_while_jobs_of_the_old_one_may_be_alive(tmp_path: Path) -> None:
    engine = engine_on(tmp_path, FakeSlurm([at("RUNNING")]))
    engine.keep(structs.replace(engine.kept, begun_at=time.time() - 1e6))
    engine.held.close()

    with pytest.raises(InfrastructureError, match="could not be cancelled") as caught:
        begun(engine.run, engine.folder, FakeSlurm([{}], cancels=False))  # type: ignore[arg-type]
    assert "--resume run" in caught.value.remedy
    assert engine.folder.read() == engine.kept


def test_what_was_delivered_meanwhile_is_done_and_a_run_that_is_over_leaves_nothing(tmp_path: Path) -> None:
    engine = engine_on(tmp_path, FakeSlurm([{}]))
    (tmp_path / "run" / "deliveries" / "0.json").write_bytes(b"data")

    assert told(engine) == [(State.DONE, "")]
    assert engine.collect(work_of(driver="560").plan.cell.id) == b"data"
    engine.forget()
    assert not (tmp_path / "run").exists()
