from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envcheck.conclude import conclude_cell
from envcheck.judge import judge
from envcheck.model import Bench, Build, Evidence, Expectation, Judgement, Landmarks, Timing, Verdict
from envcheck.rules import findings
from envcheck.suite.arguments import suite_argv, suite_env
from envcheck.suite.claims import ORDER, Claim, contradicted_by, explain, failed_claim, holds
from envcheck.suite.recorded import Measured, Recorded
from tests.golden import as_if_seen

GOLDEN = Path(__file__).parents[1] / "golden"


def load(verdict: str) -> Evidence:
    return as_if_seen(verdict)


def recorded(verdict: str, expect: Verdict | None = None, because: str = "") -> Recorded:
    evidence = load(verdict)
    if expect is not None:
        evidence = replace(evidence, cell=replace(evidence.cell, expected=Expectation(expect, because)))
    return Recorded(evidence, conclude_cell(evidence))


def outcome(cell: Recorded, claim: Claim) -> str:
    """What the claim's test comes to."""
    try:
        cell.uphold(claim)
    except pytest.xfail.Exception:  # before its base class
        return "xfailed"
    except pytest.fail.Exception:
        return "failed"
    except pytest.skip.Exception:
        return "skipped"
    return "passed"


# --- which claim fails ------------------------------------------------------------------------------------------

FAILED = {
    "accelerated": None,
    "slower": Claim.FASTER,
    "inconclusive": Claim.FASTER,
    "wrong": Claim.AGREE,
    "emulated": Claim.HARDWARE,
    "other-gpu": Claim.HARDWARE,
    "silent-cpu": Claim.ON_GPU,
    "refused": Claim.INITIALISES,
    "contradictory": Claim.HARDWARE,
    "crashed": Claim.INITIALISES,
    "broken": Claim.CPU_RUNS,
    "impossible": Claim.BUILT,
    "unknown": Claim.HARDWARE,
}


@pytest.mark.parametrize("verdict", FAILED)
def test_each_verdict_fails_the_claim_that_it_contradicts(verdict: str) -> None:
    evidence = load(verdict)

    assert failed_claim(evidence, judge(evidence)) is FAILED[verdict]


def changed(**facts: object) -> Evidence:
    return replace(load("accelerated"), **facts)


ACCELERATED = load("accelerated")
DETAILS = {
    "the environment could not be built": (
        replace(load("broken"), build=Build(outcome="failed", because="x"), cpu=changed().cpu),
        Claim.BUILT,
    ),
    "the index did not answer": (replace(load("impossible"), build=Build(outcome="unavailable")), Claim.BUILT),
    "nothing was run": (changed(cpu=replace(ACCELERATED.cpu, outcome="not-run")), Claim.CPU_RUNS),
    "the CPU worker hung": (changed(cpu=replace(ACCELERATED.cpu, outcome="hung")), Claim.CPU_RUNS),
    "the GPU worker was not run": (
        changed(gpu=replace(ACCELERATED.gpu, outcome="not-run", stage="start")),
        Claim.INITIALISES,
    ),
    "the GPU worker died while working": (
        changed(gpu=replace(ACCELERATED.gpu, outcome="died", stage="frames")),
        Claim.ON_GPU,
    ),
    "no face": (changed(cpu=replace(ACCELERATED.cpu, landmarks=(Landmarks(0, ()),))), Claim.ON_GPU),
    "no frames to compare": (changed(gpu=replace(ACCELERATED.gpu, landmarks=())), Claim.AGREE),
    "not timed": (changed(gpu=replace(ACCELERATED.gpu, blocks=())), Claim.FASTER),
    "an environment that was there before": (changed(build=None), None),
}


@pytest.mark.parametrize("detail", DETAILS)
def test_the_failed_claim_is_the_first_that_the_evidence_does_not_show(detail: str) -> None:
    evidence, claim = DETAILS[detail]

    assert failed_claim(evidence, judge(evidence)) is claim


@pytest.mark.parametrize("verdict", FAILED)
def test_all_claims_hold_exactly_where_the_verdict_is_accelerated(verdict: str) -> None:
    evidence = load(verdict)
    failed = failed_claim(evidence, judge(evidence))

    assert all(holds(claim, failed) for claim in ORDER) == (verdict == "accelerated")


def test_where_nothing_ran_on_a_gpu_none_is_called_hardware() -> None:
    assert not holds(Claim.HARDWARE, Claim.ON_GPU)
    assert holds(Claim.INITIALISES, Claim.ON_GPU)


# --- what becomes of a claim's test -----------------------------------------------------------------------------


def test_claims_before_the_failed_one_pass_and_those_after_it_are_skipped() -> None:
    cell = recorded("emulated")

    assert [outcome(cell, claim) for claim in ORDER] == ["passed"] * 3 + ["failed"] + ["skipped"] * 3


def test_a_skip_names_the_claim_that_failed() -> None:
    with pytest.raises(pytest.skip.Exception, match="this does not hold: the GPU delegate initialises"):
        recorded("refused").uphold(Claim.FASTER)


def test_a_failure_is_the_finding_without_a_traceback() -> None:
    with pytest.raises(pytest.fail.Exception) as raised:
        recorded("silent-cpu").uphold(Claim.ON_GPU)

    message = str(raised.value)
    assert not raised.value.pytrace
    assert message.startswith(
        "this does not hold: inference ran on the GPU\nMPP402 delegate=GPU is accepted and ignored: "
    )
    assert "\n  why: The work stays on the CPU" in message
    assert "\n  do:\n    pip install 'mediapipe>=1.0.1'" in message
    assert "\n  source: https://" in message


@pytest.mark.parametrize("verdict", [verdict for verdict in FAILED if verdict != "accelerated"])
def test_what_was_expected_to_fail_is_xfailed_with_the_reason(verdict: str) -> None:
    cell = recorded(verdict, Verdict(verdict), because="no GPU on this runner")
    failed = FAILED[verdict]
    assert failed is not None

    with pytest.raises(pytest.xfail.Exception, match=f"expected {verdict}: no GPU on this runner"):
        cell.uphold(failed)
    assert "failed" not in {outcome(cell, claim) for claim in ORDER}
    cell.uphold_expectation()


@pytest.mark.parametrize("seen", FAILED)
@pytest.mark.parametrize("expected", Verdict)
def test_the_expectation_is_upheld_exactly_where_the_verdict_is_the_expected_one(seen: str, expected: Verdict) -> None:
    cell = recorded(seen, expected)

    if expected.value == seen:
        cell.uphold_expectation()
    else:
        with pytest.raises(pytest.fail.Exception, match=f"^{seen}, expected {expected.value}"):
            cell.uphold_expectation()


def test_an_expectation_of_a_later_failure_does_not_excuse_an_earlier_one() -> None:
    cell = recorded("refused", Verdict.EMULATED)

    assert outcome(cell, Claim.INITIALISES) == "failed"


def test_better_than_expected_passes_its_claims_and_fails_the_expectation() -> None:
    cell = recorded("accelerated", Verdict.REFUSED)

    assert {outcome(cell, claim) for claim in ORDER} == {"passed"}
    with pytest.raises(pytest.fail.Exception, match="accelerated, expected refused"):
        cell.uphold_expectation()


@pytest.mark.parametrize("verdict", FAILED)
def test_what_an_expectation_excuses_covers_what_that_verdict_fails(verdict: str) -> None:
    failed = FAILED[verdict]

    assert failed is None or failed in contradicted_by(Verdict(verdict))


def test_accelerated_excuses_nothing() -> None:
    assert contradicted_by(Verdict.ACCELERATED) == ()
    assert all(contradicted_by(verdict) for verdict in Verdict if verdict is not Verdict.ACCELERATED)


@given(text=st.text())
def test_an_explanation_shows_hostile_text_and_does_not_obey_it(text: str) -> None:
    evidence = load("refused")
    judgement = judge(evidence)
    found = tuple(
        replace(one, summary=text, because=text, remedy=text, url=text) for one in findings(evidence, judgement)
    )

    shown = explain(replace(judgement, because=text), found)
    assert not any(ord(character) < 32 and character != "\n" for character in shown)


def test_without_a_finding_the_judges_reason_explains() -> None:
    assert explain(Judgement(verdict=Verdict.UNKNOWN, because="nothing was run"), ()) == "nothing was run"


# --- measurements -----------------------------------------------------------------------------------------------


def test_measurements_read_like_numbers() -> None:
    bench = Measured(recorded("accelerated"))

    assert 2 < bench.gpu.median_ms <= bench.gpu.p95_ms < 4
    assert bench.cpu.n == 128
    assert bench.speedup.ci95[0] > 1


@pytest.mark.parametrize("verdict", ["impossible", "broken", "refused", "crashed"])
@pytest.mark.parametrize("part", ["cpu", "gpu", "speedup"])
def test_what_was_not_measured_fails_with_a_sentence_and_is_never_none(verdict: str, part: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"(timed|measured): .* came out as {verdict}\n") as raised:
        getattr(Measured(recorded(verdict)), part)
    assert not raised.value.pytrace


def test_half_a_measurement_gives_its_half() -> None:
    cell = recorded("accelerated")
    timing = Timing(median_ms=1.0, p95_ms=2.0, n=3)
    half = Measured(Recorded(cell.evidence, replace(cell.result, bench=Bench(cpu=timing))))

    assert half.cpu == timing
    with pytest.raises(pytest.fail.Exception, match="the GPU delegate was not timed"):
        _ = half.gpu


# --- how pytest is started --------------------------------------------------------------------------------------


def test_the_suite_listens_to_no_configuration_but_its_own(tmp_path: Path) -> None:
    argv = suite_argv(tmp_path / "out", tmp_path / "junit.xml", ())

    assert Path(argv[argv.index("-c") + 1]).read_text().startswith("[pytest]")
    assert "--noconftest" in argv
    assert f"--envcheck-results={tmp_path / 'out'}" in argv
    assert f"--junit-xml={tmp_path / 'junit.xml'}" in argv
    assert "no:cacheprovider" in argv


def test_the_users_own_tests_bring_their_conftest() -> None:
    argv = suite_argv(Path("out"), Path("junit.xml"), (Path("mine"), Path("-odd")))

    assert "--noconftest" not in argv
    assert argv[-2:] == [str(Path("mine").absolute()), str(Path("-odd").absolute())]


def test_the_environment_cannot_steer_pytest() -> None:
    env = {"PATH": "/bin", "PYTEST_ADDOPTS": "--collect-only", "PYTEST_PLUGINS": "evil"}

    alone = suite_env(env, ())
    assert not {"PYTEST_ADDOPTS", "PYTEST_PLUGINS"} & set(alone)
    assert (alone["PATH"], alone["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]) == ("/bin", "1")
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in suite_env(env, (Path("mine"),))
