"""Engines: what goes out and comes back, what becomes of every cell, and engines that do not load."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from envcheck.conclude import conclude, conclude_cell
from envcheck.engines import loading, plans
from envcheck.engines.dispatch import Gathered, dispatch, lost
from envcheck.engines.engine import Change, Needs, Run, SilentEngineError, State, Work
from envcheck.engines.local import InterruptedJobError
from envcheck.engines.plans import RefusedError
from envcheck.errors import UsageError
from envcheck.gate import exit_code
from envcheck.model import ModelFile, Verdict
from envcheck.report.progress import Progress
from tests.unit.fleet import HOST, FakeEngine, delivered, done, evidence_of, plan_of, work_of

A, B = work_of("1.2.2"), work_of("1.1.0")
QUIET = Progress(quiet=True)


def run(engine: FakeEngine, *works: Work) -> Gathered:
    return dispatch(engine, works, HOST, QUIET)


# --- plans and deliveries -------------------------------------------------------------------------------------------


def test_a_plan_is_read_as_it_was_written() -> None:
    """With a threshold too that a matrix file would not take, and the command line does."""
    plan = plan_of(driver="560")
    demanding = replace(plan, gate=replace(plan.gate, min_speedup=5000.0))

    assert plans.read_plan(plans.encode(plan), "plan.json") == plan
    assert plans.read_plan(plans.encode(demanding), "plan.json") == demanding


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "0.0.0"}, "install the same on every host"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"deadline_s": "120"}, "Expected `float`"),
        ({"command": "rm -rf /"}, "unknown field `command`"),
        ({"schema": "envcheck.plan/2"}, "envcheck.plan/2"),
        ({"cell": {"id": "x", "axes": {"backend": "venv"}}}, "where the axes make 'venv'"),
        ({"cell": {"id": "venv-py$(id)", "axes": {"backend": "venv", "python": "$(id)"}}}, "no value of a matrix"),
        ({"cell": {"id": "venv-py--help", "axes": {"backend": "venv", "python": "--help"}}}, "no value of a matrix"),
        ({"cell": {"id": "../../x", "axes": {"backend": "../../x"}}}, "no value of a matrix"),
        ({"cell": {"id": "existing", "axes": {"backend": "existing"}}}, "no backend"),
        ({"gate": {"confidence": 5}}, "gate.confidence: 5.0 is greater than"),
        ({"gate": {"min_speedup": 0}}, "gate.min_speedup: 0.0 is less than"),
        ({"gate": {"max_seconds": 1e308}}, "gate.max_seconds: 1e+308 is greater than"),
        ({"gate": {"runs": 10**30}}, "gate.runs"),
        ({"workload": {"mode": "$(id)"}}, "workload.mode: '$(id)' is not one of"),
        ({"workload": {"resolution": "999999x999999"}}, "workload.resolution"),
        ({"workload": {"faces": -1}}, "workload.faces: -1 is less than"),
        ({"backends": {"docker": {"network": "--privileged"}}}, "backends.docker.network: '--privileged' does not"),
        ({"backends": {"conda": {"channels": ["a b"]}}}, "backends.conda.channels.0"),
    ],
)
def test_a_plan_that_is_none_is_refused_with_its_place(changes: dict[str, Any], words: str) -> None:
    data = msgspec.json.encode(msgspec.to_builtins(plan_of()) | changes)

    with pytest.raises(UsageError, match=r"^plan\.json: ") as caught:
        plans.read_plan(data, "plan.json")
    assert words in caught.value.message


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b" " * (plans.PLAN_LIMIT + 1)])
def test_what_is_no_plan_at_all_is_one_message(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"plan\.json"):
        plans.read_plan(data, "plan.json")


def test_evidence_that_answers_the_plan_is_accepted() -> None:
    assert plans.accept(A.plan, delivered(A.plan)) == evidence_of(A.plan)


NOT_RUN = evidence_of(A.plan).cpu
FORGED = replace(evidence_of(A.plan), host=replace(HOST, platform="linux"), composed="made up")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (delivered(A.plan, run="other"), "another run"),
        (delivered(A.plan, nonce="0" * 16), "another nonce"),
        (delivered(A.plan, plan="0" * 64), "another plan"),
        (delivered(B.plan), "another cell"),
        (delivered(A.plan, evidence=evidence_of(B.plan)), "its cell is not the one"),
        (delivered(A.plan, evidence=FORGED), "not observed by a worker"),
        (delivered(A.plan, evidence=replace(evidence_of(A.plan), lost="gone")), "not observed by a worker"),
        (delivered(A.plan, evidence=replace(evidence_of(A.plan), recorded_at="yesterday")), "no time"),
        (
            delivered(A.plan, evidence=replace(evidence_of(A.plan), host=replace(HOST, cores=10**400))),
            "a number has more digits than any counter",
        ),
        (
            delivered(A.plan, evidence=replace(evidence_of(A.plan), cpu=replace(NOT_RUN, python="9" * 5000))),
            "a number has more digits than any counter",
        ),
        (
            delivered(A.plan, evidence=replace(evidence_of(A.plan), gate=replace(A.plan.gate, min_speedup=0.1))),
            "its gate is not the one",
        ),
        (
            delivered(A.plan, evidence=replace(evidence_of(A.plan), model=ModelFile(name="default", sha256="other"))),
            "another model",
        ),
        (delivered(A.plan, evidence=None, failed="no\x1b[31m disk"), "could not run the cell: no [31m disk"),
        (delivered(A.plan)[:-40], "not what envcheck.delivery/1 should be"),
        (b"", "not what envcheck.delivery/1 should be"),
        (b"[" * 100_000, "not what envcheck.delivery/1 should be"),
        (b" " * (plans.DELIVERY_LIMIT + 1), "larger than 16 MiB"),
    ],
)
def test_what_does_not_answer_the_plan_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(RefusedError) as caught:
        plans.accept(A.plan, data)
    assert words in str(caught.value)


def test_a_worker_on_a_host_with_another_driver_cannot_say_that_the_cell_is_reachable_there() -> None:
    plan = plan_of(driver="560")
    honest = evidence_of(plan)
    claimed = replace(honest, foresight=replace(honest.foresight, state="reachable"))

    assert honest.foresight.state == "unreachable"
    with pytest.raises(RefusedError, match="on a host where it is unreachable"):
        plans.accept(plan, plans.encode(plans.answer(plan, claimed)))


def test_the_driver_is_what_a_cell_needs_of_its_host() -> None:
    assert work_of(driver="560").needs == Needs(driver="560")
    assert work_of(driver="any").needs == work_of().needs == Needs()


# --- what becomes of cells ------------------------------------------------------------------------------------------


def test_every_cell_ends_once_in_the_order_of_the_run() -> None:
    changes = [
        Change(B.plan.cell.id, State.RUNNING, "on n1"),
        done(B),
        done(A),
        done(B),
        Change("stranger", State.DONE),
    ]
    engine = FakeEngine(changes, {one.plan.cell.id: delivered(one.plan) for one in (A, B)})
    gathered = run(engine, A, B)

    assert [one.cell for one in gathered.evidence] == [A.plan.cell, B.plan.cell]
    assert gathered.ended
    assert gathered.lost == ()


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (Change(A.plan.cell.id, State.LOST, "its node is gone"), "its node is gone"),
        (done(A), "was refused: it is of another cell"),
    ],
)
def test_a_lost_or_refused_worker_is_a_row_that_says_unknown_and_why(change: Change, because: str) -> None:
    gathered = run(FakeEngine([change, done(B)], {one.plan.cell.id: delivered(B.plan) for one in (A, B)}), A, B)
    results = conclude(gathered.evidence)
    row = results.cells[0]

    assert (row.verdict, row.met) == (Verdict.UNKNOWN, False)
    assert because in row.because
    assert [finding.code for finding in row.findings] == ["RES612"]
    assert gathered.lost == (A.plan.cell.id,)
    assert results.host == HOST


def test_a_lost_cell_is_never_met_even_where_unknown_is_expected() -> None:
    evidence = lost(A.plan, "gone")
    expecting = replace(
        evidence, cell=replace(A.plan.cell, expected=replace(A.plan.cell.expected, verdict=Verdict.UNKNOWN))
    )

    assert not conclude_cell(expecting).met
    assert exit_code(conclude([expecting]), {A.plan.cell.id}) == 75


def test_a_cell_that_no_host_can_run_is_unreachable_with_the_reason() -> None:
    (evidence,) = run(FakeEngine([Change(A.plan.cell.id, State.UNREACHABLE, "no node has driver-560")]), A).evidence
    row = conclude_cell(evidence)

    assert row.verdict is Verdict.UNREACHABLE
    assert row.because == "no node has driver-560"


def test_the_host_of_the_results_is_one_that_ran_a_cell_and_not_the_one_that_sent_them() -> None:
    far = replace(HOST, glibc="2.39", cores=64)
    answer = plans.encode(plans.answer(B.plan, evidence_of(B.plan, far)))
    changes = [Change(A.plan.cell.id, State.UNREACHABLE, "no node"), done(B)]

    assert conclude(run(FakeEngine(changes, {B.plan.cell.id: answer}), A, B).evidence).host == far


def test_an_engine_that_ends_early_leaves_no_row_out() -> None:
    gathered = run(FakeEngine([done(A)], {A.plan.cell.id: delivered(A.plan)}), A, B)

    assert gathered.lost == (B.plan.cell.id,)


def test_evidence_that_no_judge_can_take_loses_no_other_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of the right form: the next thing that nobody has thought of."""
    monkeypatch.setattr("envcheck.conclude.judge", lambda evidence: 1 / int(evidence.cell == B.plan.cell))
    gathered = run(FakeEngine([done(A)], {A.plan.cell.id: delivered(A.plan)}), A, B)

    assert gathered.evidence[0].lost == (
        "what the worker delivered was refused: it cannot be judged: ZeroDivisionError: division by zero"
    )


@pytest.mark.parametrize(
    ("deliveries", "because"),
    [
        ({}, "cannot be read: the engine failed: KeyError: 'venv-py3.11-mp1.2.2'"),
        ({A.plan.cell.id: "text"}, "cannot be read: the engine failed: TypeError"),
        ({A.plan.cell.id: None}, "cannot be read: the engine failed: TypeError"),
    ],
)
def test_an_engine_that_fails_over_one_cell_loses_no_other(deliveries: dict[str, Any], because: str) -> None:
    gathered = run(FakeEngine([done(A), done(B)], {B.plan.cell.id: delivered(B.plan)} | deliveries), A, B)

    assert because in gathered.evidence[0].lost
    assert gathered.lost == (A.plan.cell.id,)


def test_an_engine_that_falls_silent_leaves_rows_and_may_be_gone_on_with() -> None:
    gathered = run(FakeEngine(ended=SilentEngineError("no answer for 15 min")), A, B)

    assert not gathered.ended
    assert [one.lost for one in gathered.evidence] == ["no answer for 15 min"] * 2


def test_an_interrupt_cancels_and_keeps_what_was_finished() -> None:
    engine = FakeEngine([done(A)], {A.plan.cell.id: delivered(A.plan)}, ended=KeyboardInterrupt())

    with pytest.raises(InterruptedJobError) as caught:
        run(engine, A, B)
    assert [one.cell for one in caught.value.evidence] == [A.plan.cell]
    assert engine.calls == ["submit 2", "cancel"]


# --- engines that do not load ---------------------------------------------------------------------------------------


def brought(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    entry = EntryPoint("theirs", value, loading.GROUP)
    monkeypatch.setattr(loading, "entry_points", lambda group: [entry] if group == loading.GROUP else [])


def a_run() -> Run:
    return Run("run", job=None, options={}, out=Path(), progress=QUIET)  # type: ignore[arg-type]


def test_an_engine_of_another_package_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("theirs")
    module.make = lambda run: FakeEngine(nonce=run.name)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "theirs", module)
    brought(monkeypatch, "theirs:make")

    assert loading.make("theirs", a_run()).nonce == "run"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("not_there_at_all:make", "ModuleNotFoundError"),
        ("envcheck.engines.loading:nothing", "AttributeError"),
        ("envcheck.engines.loading:GROUP", "cannot be called"),
        ("builtins:dict", "could not be made: TypeError"),
        ("builtins:str", "has no nonce, submit, follow, collect, cancel, forget"),
    ],
)
def test_an_engine_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    brought(monkeypatch, value)

    with pytest.raises(UsageError, match=f"engine theirs .{value}. ") as caught:
        loading.make("theirs", a_run())
    assert words in caught.value.message
    assert caught.value.exit_code == 2


def test_an_engine_of_another_package_that_fails_amid_a_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    brought(monkeypatch, "theirs:make")

    with (
        pytest.raises(UsageError, match=r"engine theirs .theirs:make. failed: ZeroDivisionError"),
        loading.named("theirs"),
    ):
        run(FakeEngine(ended=ZeroDivisionError("1/0")), A)
    with pytest.raises(ZeroDivisionError), loading.named("slurm"):
        run(FakeEngine(ended=ZeroDivisionError("1/0")), A)


def test_an_unknown_engine_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match="'sluurm' is none of kubernetes, local, slurm"):
        loading.maker_of("sluurm")


@pytest.mark.parametrize("name", loading.OURS)
def test_our_own_engines_load(name: str) -> None:
    assert callable(loading.maker_of(name))


def test_the_local_engine_has_no_options() -> None:
    run = Run("run", job=None, options={"partition": "gpu"}, out=Path(), progress=QUIET)  # type: ignore[arg-type]

    with pytest.raises(UsageError, match="no option partition"):
        loading.make("local", run)
