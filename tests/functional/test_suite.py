"""The suite and the plugin in a pytest of their own, as `validate` and as a user start them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from envcheck import store
from envcheck.conclude import conclude
from envcheck.errors import EnvcheckError
from envcheck.gate import exit_code
from envcheck.model import Evidence, Expectation, Verdict
from envcheck.publishing import Target, run_suite
from envcheck.suite.arguments import suite_argv, suite_env
from tests.golden import as_if_seen
from tests.waiting import HANG_S

GOLDEN = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True)
class Outcome:
    """What one pytest left."""

    code: int
    text: str
    junit: Path

    @property
    def outcomes(self) -> dict[str, str]:
        """Test id -> passed, failed, error or skipped (an xfail is a skip in JUnit), as JUnit has it."""
        found = {}
        for case in ET.parse(self.junit).getroot().iter("testcase"):
            kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
            found[case.attrib["name"]] = {"failure": "failed"}.get(kinds[0], kinds[0]) if kinds else "passed"
        return found

    def message(self, test: str) -> str:
        """What JUnit says of a test that did not pass."""
        case = next(case for case in ET.parse(self.junit).getroot().iter("testcase") if case.attrib["name"] == test)
        return next(f"{child.attrib['message']}\n{child.text}" for child in case)


def evidence_of(*verdicts: str, expect: Verdict | None = None) -> list[Evidence]:
    found = [as_if_seen(verdict) for verdict in verdicts]
    if expect is None:
        return found
    expected = Expectation(expect, "no GPU on this runner")
    return [replace(one, cell=replace(one.cell, expected=expected)) for one in found]


def published(tmp_path: Path, *verdicts: str, expect: Verdict | None = None) -> Path:
    evidence = evidence_of(*verdicts, expect=expect)
    store.publish(tmp_path / "out", conclude(evidence), evidence, {})
    return tmp_path / "out"


def pytest_run(arguments: Sequence[str], cwd: Path, junit: Path, env: Mapping[str, str] | None = None) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=cwd,
        env=dict(os.environ if env is None else env),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout + done.stderr, junit)


def suite(out: Path, *folders: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Outcome:
    """The suite as `validate` starts it."""
    junit = out.parent / "junit.xml"
    environment = suite_env({**os.environ, **(env or {})}, folders)
    return pytest_run(suite_argv(out, junit, folders), cwd or out.parent, junit, environment)


def user_pytest(folder: Path, *arguments: str) -> Outcome:
    """pytest as a user starts it, in a folder of the user's."""
    junit = folder / "junit.xml"
    return pytest_run([*arguments, "-p", "no:cacheprovider", f"--junit-xml={junit}"], folder, junit)


IN_TURN = """
import contextlib, io, json, sys
import pytest
for argv in json.load(sys.stdin):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = int(pytest.main(argv))
    print(json.dumps([code, text.getvalue()]), flush=True)
"""
"""Several runs in one process, where starting one takes longer than the run."""


def suites(outs: Mapping[str, Path]) -> dict[str, Outcome]:
    """The suite on each of these results, with the arguments and the environment of `validate`."""
    junits = [out.parent / "junit.xml" for out in outs.values()]
    argvs = [suite_argv(out, junit, ()) for out, junit in zip(outs.values(), junits, strict=True)]
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN],
        input=json.dumps(argvs),
        env=suite_env(os.environ, ()),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    ran = map(json.loads, done.stdout.splitlines())
    return {name: Outcome(code, text, junit) for name, (code, text), junit in zip(outs, ran, junits, strict=True)}


VERDICTS = tuple(verdict.value for verdict in Verdict)
EXPECTED = ("slower", "emulated", "silent-cpu", "refused", "crashed", "broken", "impossible")
FORETOLD = "impossible as expected, and unreachable"
BAD_RESULTS = {"missing": None, "nothing": {}, "no cells": {"results.json": ""}, "garbage": {"results.json": "garbage"}}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The suite on each verdict by its name, on some as expected, on two cells at once, and on what holds no cell."""

    def folder() -> Path:
        return tmp_path_factory.mktemp("suite")

    outs = {verdict: published(folder(), verdict) for verdict in VERDICTS}
    outs |= {f"{verdict} as expected": published(folder(), verdict, expect=Verdict(verdict)) for verdict in EXPECTED}
    for verdicts in (("emulated", "refused"), ("accelerated", "unreachable")):
        outs[" and ".join(verdicts)] = published(folder(), *verdicts)
    outs[FORETOLD] = published(folder(), "impossible", "unreachable", expect=Verdict.IMPOSSIBLE)
    empty = store.encode(replace(conclude(evidence_of("refused")), cells=(), summary={}))
    for name, files in BAD_RESULTS.items():
        outs[name] = folder() / "out"
        if files is not None:
            outs[name].mkdir()
        for file, text in (files or {}).items():
            (outs[name] / file).write_text(text or empty, encoding="utf-8")
    return suites(outs)


def test_an_accelerated_cell_passes_every_claim(ran: dict[str, Outcome]) -> None:
    accelerated = ran["accelerated"]

    assert accelerated.code == 0
    assert set(accelerated.outcomes.values()) == {"passed"}
    assert len(accelerated.outcomes) == 9


def test_claims_have_ids_that_read(ran: dict[str, Outcome]) -> None:
    outcomes = ran["emulated and refused"].outcomes

    cell = "[venv-py3.11-mp0.10.35]"
    assert outcomes[f"test_environment_was_built{cell}"] == "passed"
    assert outcomes[f"test_face_landmarker_runs_on_cpu{cell}"] == "passed"
    assert outcomes[f"test_gpu_delegate_initialises{cell}"] == "passed"
    assert outcomes[f"test_gpu_is_hardware{cell}"] == "failed"
    assert outcomes[f"test_inference_ran_on_gpu{cell}"] == "skipped"
    assert outcomes[f"test_landmarks_agree{cell}"] == "skipped"
    assert outcomes[f"test_faster_than_cpu{cell}"] == "skipped"
    assert outcomes[f"test_verdict_is_expected{cell}"] == "failed"
    assert outcomes["test_gpu_delegate_initialises[venv-py3.11-mp1.2.2]"] == "failed"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_suite_fails_exactly_where_the_gate_does(verdict: str, ran: dict[str, Outcome]) -> None:
    gate = exit_code(conclude(evidence_of(verdict)))

    assert ran[verdict].code == (0 if gate == 0 else 1)


@pytest.mark.parametrize("verdict", ["accelerated", "refused"])
def test_in_a_process_of_its_own_as_validate_starts_it_the_suite_says_the_same(
    verdict: str, ran: dict[str, Outcome], tmp_path: Path
) -> None:
    alone = suite(published(tmp_path, verdict))

    assert (alone.code, alone.outcomes) == (ran[verdict].code, ran[verdict].outcomes)


@pytest.mark.parametrize("verdict", EXPECTED)
def test_an_expectation_that_is_met_passes_with_its_reason(verdict: str, ran: dict[str, Outcome]) -> None:
    met = ran[f"{verdict} as expected"]

    assert met.code == 0
    assert "failed" not in met.outcomes.values()
    assert "no GPU on this runner" in met.text
    assert [test for test, outcome in met.outcomes.items() if "verdict_is_expected" in test and outcome == "passed"]


def test_a_failure_shows_the_finding_and_no_traceback(ran: dict[str, Outcome]) -> None:
    silent = ran["silent-cpu"]
    message = silent.message("test_inference_ran_on_gpu[venv-py3.11-mp0.10.31]")

    assert "MPP402" in message
    assert "pip install 'mediapipe>=1.0.1'" in message
    assert "Traceback" not in silent.text
    assert "recorded.py:" not in silent.text.partition("short test summary")[0]


def test_where_every_cell_is_unreachable_the_suite_fails(ran: dict[str, Outcome]) -> None:
    unreachable = ran["unreachable"]

    assert unreachable.code == 1
    assert unreachable.outcomes["test_something_ran"] == "failed"
    assert unreachable.outcomes["test_verdict_is_expected[venv-py3.11-mp1.2.2-r580]"] == "skipped"


def test_where_all_is_unreachable_but_what_was_foretold_the_suite_fails(ran: dict[str, Outcome]) -> None:
    assert ran[FORETOLD].code == 1
    assert ran[FORETOLD].outcomes["test_something_ran"] == "failed"
    assert ran["impossible as expected"].code == 0


def test_an_unreachable_cell_beside_a_good_one_is_skipped(ran: dict[str, Outcome]) -> None:
    beside = ran["accelerated and unreachable"]

    assert beside.code == 0
    assert beside.outcomes["test_gpu_is_hardware[venv-py3.11-mp1.2.2-r580]"] == "skipped"


@pytest.mark.parametrize("content", BAD_RESULTS)
def test_results_without_a_cell_never_pass(content: str, ran: dict[str, Outcome]) -> None:
    assert ran[content].code == 4
    assert "ERROR: --envcheck-results: " in ran[content].text
    assert "Traceback" not in ran[content].text


def test_nothing_of_the_current_folder_gets_a_say(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    for name, text in {
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        "conftest.py": "raise SystemExit(0)\n",
        "pytest.py": "raise SystemExit(0)\n",
        "sitecustomize.py": "raise SystemExit(0)\n",
    }.items():
        if name != "pytest.py" or sys.version_info >= (
            3,
            11,
        ):  # before 3.11 Python itself looks into the current folder
            (trap / name).write_text(text)
    ran = suite(published(tmp_path, "refused"), cwd=trap, env={"PYTEST_ADDOPTS": "--collect-only -k nothing"})

    assert ran.code == 1
    assert len(ran.outcomes) == 9


def test_running_the_suite_leaves_nothing_in_the_results_folder(tmp_path: Path) -> None:
    out = published(tmp_path, "refused")
    before = sorted(out.rglob("*"))
    suite(out)

    assert sorted(out.rglob("*")) == before
    assert not list(tmp_path.rglob(".pytest_cache"))


# --- tests of the user ------------------------------------------------------------------------------------------

OWN = """
def test_my_latency(bench):
    assert bench.gpu.p95_ms < 8


def test_my_speedup(bench):
    assert bench.speedup.ci95[0] > 2


def test_my_cell(cell, evidence, judgement, findings):
    assert cell.axes.backend == "venv"
    assert evidence.cell == cell
    assert judgement.verdict.value == "accelerated", findings[0].summary
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "test_mine.py").write_text(OWN)
    return folder


def test_the_users_own_folder_runs_with_the_suite_and_with_its_conftest(tmp_path: Path, mine: Path) -> None:
    (mine / "conftest.py").write_text("import pytest\n\n\n@pytest.fixture\ndef limit():\n    return 8\n")
    (mine / "test_limit.py").write_text("def test_limit(bench, limit):\n    assert bench.gpu.p95_ms < limit\n")
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 0
    assert ran.outcomes["test_my_latency[venv-py3.11-mp0.10.35-r570]"] == "passed"
    assert ran.outcomes["test_limit[venv-py3.11-mp0.10.35-r570]"] == "passed"
    assert len(ran.outcomes) == 13


def test_the_users_own_tests_decide_too(tmp_path: Path, mine: Path) -> None:
    (mine / "test_strict.py").write_text("def test_strict(bench):\n    assert bench.gpu.median_ms < 0.5\n")
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 1
    assert ran.outcomes["test_strict[venv-py3.11-mp0.10.35-r570]"] == "failed"


def test_a_file_that_pytest_alone_would_take_for_tests_is_one_here_too(tmp_path: Path, mine: Path) -> None:
    (mine / "latency_test.py").write_text("def test_strict(bench):\n    assert bench.gpu.median_ms < 0.5\n")
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 1
    assert ran.outcomes["test_strict[venv-py3.11-mp0.10.35-r570]"] == "failed"


DROPPED = (
    "def pytest_collection_modifyitems(items):\n    items[:] = [one for one in items if 'mine' not in str(one.path)]\n"
)


@pytest.mark.parametrize(
    "files",
    [{}, {"latency.py": OWN}, {"test_mine.py": "LIMIT = 8\n"}, {"test_mine.py": OWN, "conftest.py": DROPPED}],
    ids=["empty", "a name that is none of a test", "no test in it", "all taken away"],
)
def test_a_folder_of_which_no_test_comes_does_not_end_well(tmp_path: Path, files: Mapping[str, str]) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, text in files.items():
        (mine / name).write_text(text)
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 4
    assert f"no test was collected from {mine}" in ran.text


@pytest.mark.parametrize("file", ["conftest.py", "test_mine.py"])
def test_a_suite_that_ends_the_process_with_0_did_not_run(tmp_path: Path, mine: Path, file: str) -> None:
    (mine / file).write_text(f"import os\n\n{OWN}\n\nos._exit(0)\n")
    out = published(tmp_path, "accelerated")

    with pytest.raises(EnvcheckError, match="the acceptance suite did not run"):
        run_suite(Target(out, [mine], os.environ))
    assert not list(out.glob(".junit*"))


def test_what_a_failing_test_of_the_users_printed_is_shown_and_silent_reports_are_forgotten(
    tmp_path: Path, mine: Path
) -> None:
    """pytest looks through all of them for every failure, which of thousands of cells would take hours."""
    (mine / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef speaking():\n    yield\n    print('said at the end')\n\n\n"
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_terminal_summary(terminalreporter):\n"
        "    print('kept', len(terminalreporter.stats['']))\n    return (yield)\n"
    )
    (mine / "test_loud.py").write_text("def test_loud(speaking, cell):\n    assert False\n")
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 1
    assert "said at the end" in ran.text
    assert "kept 1\n" in ran.text


def test_a_users_pytest_takes_results_as_an_option(tmp_path: Path, mine: Path) -> None:
    ran = user_pytest(mine, f"--envcheck-results={published(tmp_path, 'accelerated')}")

    assert f"envcheck: recorded cells: 1, seen {as_if_seen('accelerated').recorded_at}\n" in ran.text

    assert ran.code == 0
    assert "recorded cells: 1" in ran.text
    assert len(ran.outcomes) == 3


def test_a_measurement_that_was_not_made_fails_with_a_sentence_and_a_slow_one_by_itself(
    tmp_path: Path, mine: Path
) -> None:
    ran = user_pytest(mine, f"--envcheck-results={published(tmp_path, 'refused', 'emulated')}")
    message = ran.message("test_my_latency[venv-py3.11-mp1.2.2]")

    assert ran.code == 1
    assert ran.outcomes["test_my_latency[venv-py3.11-mp1.2.2]"] == "failed"
    assert "the GPU delegate was not timed: venv-py3.11-mp1.2.2 came out as refused" in message
    assert "AttributeError" not in ran.text
    assert "NoneType" not in ran.text
    assert ran.outcomes["test_my_latency[venv-py3.11-mp0.10.35]"] == "failed"
    assert "not timed" not in ran.message("test_my_latency[venv-py3.11-mp0.10.35]")


def test_a_users_pytest_that_skips_every_cell_does_not_end_well(tmp_path: Path, mine: Path) -> None:
    ran = user_pytest(mine, f"--envcheck-results={published(tmp_path, 'unreachable')}")

    assert set(ran.outcomes.values()) == {"skipped"}
    assert ran.code == 5
    assert "nothing ran: no cell, or none that a host here can reach" in ran.text


def test_a_users_pytest_whose_markers_skip_every_test_does_not_end_well(tmp_path: Path) -> None:
    suite = tmp_path / "only_for_fast_cells"
    suite.mkdir()
    (suite / "test_fast.py").write_text(
        "import pytest\n\n\n@pytest.mark.envcheck_verdicts('accelerated')\ndef test_fast(bench):\n"
        "    assert bench.gpu.p95_ms < 8\n",
        encoding="utf-8",
    )
    ran = user_pytest(suite, f"--envcheck-results={published(tmp_path, 'refused')}")

    assert set(ran.outcomes.values()) == {"skipped"}
    assert ran.code == 5
    assert "nothing ran: every test was skipped" in ran.text


def test_an_ordinary_pytest_run_does_not_notice_that_envcheck_is_installed(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import sys\n\n\ndef test_plain():\n"
        "    ours = {name for name in sys.modules if name.split('.')[0] in ('envcheck', 'msgspec', 'numpy', 'rich')}\n"
        "    assert ours <= {'envcheck', 'envcheck.suite', 'envcheck.suite.plugin'}, ours\n\n\n"
        "def test_names_are_free(request):\n"
        "    for name in ('cell', 'evidence', 'bench', 'judgement', 'findings'):\n"
        "        try:\n            request.getfixturevalue(name)\n"
        "        except Exception as error:\n            assert type(error).__name__ == 'FixtureLookupError'\n"
        "        else:\n            raise AssertionError(name)\n"
    )
    ran = user_pytest(tmp_path, "-W", "error")

    assert ran.code == 0, ran.text


def test_a_user_may_have_fixtures_of_the_same_name(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "conftest.py").write_text("import pytest\n\n\n@pytest.fixture\ndef cell():\n    return 'prison'\n")
    (folder / "test_theirs.py").write_text("def test_theirs(cell):\n    assert cell == 'prison'\n")
    ran = user_pytest(folder, f"--envcheck-results={published(tmp_path, 'refused')}")

    assert ran.code == 0
    assert set(ran.outcomes) == {"test_theirs"}


def test_the_examples_of_the_page_on_acceptance_tests_run_as_they_stand(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "acceptance.md").read_text(encoding="utf-8")
    folder = tmp_path / "acceptance"
    folder.mkdir()
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page, re.DOTALL)):
        (folder / f"test_example_{number}.py").write_text(block)

    accelerated = suite(published(tmp_path / "good", "accelerated"), folder)
    emulated = suite(published(tmp_path / "bad", "emulated"), folder)

    assert accelerated.code == 0, accelerated.text
    assert [name for name in accelerated.outcomes if name.startswith("test_my_latency")]
    assert emulated.outcomes["test_my_latency[venv-py3.11-mp0.10.35]"] == "failed"
    assert emulated.outcomes["test_twice_as_fast_as_the_cpu[venv-py3.11-mp0.10.35]"] == "failed"
    assert emulated.outcomes["test_no_sign_of_software_gl[venv-py3.11-mp0.10.35]"] == "failed"
    assert {one for name, one in accelerated.outcomes.items() if name.startswith("test_every_new_cell")} == {"skipped"}


MARKED = """
import pytest


@pytest.mark.envcheck_cells(mediapipe=">=1.0.1")
def test_new(cell):
    assert cell.axes.mediapipe == "1.2.2"


@pytest.mark.envcheck_cells(backend=["venv", "docker"], mediapipe="<1.0")
@pytest.mark.envcheck_verdicts("emulated", "slower")
def test_old_and_emulated(judgement):
    assert judgement.verdict.value == "emulated"


@pytest.mark.envcheck_cells(cuda=">=12")
def test_with_cuda(cell):
    raise AssertionError("no cell has CUDA")
"""


def test_markers_choose_the_cells_that_a_test_is_meant_for(tmp_path: Path) -> None:
    folder = tmp_path / "marked"
    folder.mkdir()
    (folder / "test_marked.py").write_text(MARKED)
    ran = user_pytest(folder, f"--envcheck-results={published(tmp_path, 'refused', 'emulated')}", "--strict-markers")

    assert ran.code == 0, ran.text
    assert ran.outcomes == {
        "test_new[venv-py3.11-mp1.2.2]": "passed",
        "test_new[venv-py3.11-mp0.10.35]": "skipped",
        "test_old_and_emulated[venv-py3.11-mp1.2.2]": "skipped",
        "test_old_and_emulated[venv-py3.11-mp0.10.35]": "passed",
        "test_with_cuda[venv-py3.11-mp1.2.2]": "skipped",
        "test_with_cuda[venv-py3.11-mp0.10.35]": "skipped",
    }
    assert "mediapipe 0.10.35 is not >=1.0.1" in ran.message("test_new[venv-py3.11-mp0.10.35]")
    assert "refused is not emulated or slower" in ran.message("test_old_and_emulated[venv-py3.11-mp1.2.2]")
    assert "this cell has no cuda" in ran.message("test_with_cuda[venv-py3.11-mp1.2.2]")


BAD_MARKS = {
    "envcheck_cells(mediapip='1.2.2')": "'mediapip' is no axis",
    "envcheck_cells(mediapipe='new')": "mediapipe='new'",
    "envcheck_cells(mediapipe=1.2)": "mediapipe",
    "envcheck_cells('1.2.2')": "takes axes by name",
    "envcheck_verdicts('fast')": "'fast' is no verdict",
    "envcheck_verdicts()": "takes verdicts",
    "envcheck_verdicts(['emulated'])": "is no verdict",
    "envcheck_verdicts(verdict='emulated')": "takes verdicts",
    "envcheck_cells()": "takes axes by name",
}


@pytest.fixture(scope="module")
def badly_marked(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One test for each marker that cannot be understood, in their order."""
    folder = tmp_path_factory.mktemp("marked")
    tests = "".join(
        f"\n\n@pytest.mark.{mark}\ndef test_{number}(cell):\n    pass\n" for number, mark in enumerate(BAD_MARKS)
    )
    plain = "\n\n@pytest.mark.envcheck_verdicts('accelerated')\ndef test_plain():\n    pass\n"
    (folder / "test_marked.py").write_text(f"import pytest\n{tests}{plain}", encoding="utf-8")
    return user_pytest(folder, f"--envcheck-results={published(tmp_path_factory.mktemp('results'), 'refused')}")


@pytest.mark.parametrize("mark", BAD_MARKS)
def test_a_marker_that_cannot_be_understood_fails_the_test(mark: str, badly_marked: Outcome) -> None:
    name = f"test_{list(BAD_MARKS).index(mark)}[venv-py3.11-mp1.2.2]"

    assert badly_marked.code == 1
    assert badly_marked.outcomes[name] == "error"
    assert BAD_MARKS[mark] in badly_marked.message(name)
    assert "Traceback" not in badly_marked.text


def test_a_marker_on_a_test_that_asks_for_no_cell_fails_the_test(badly_marked: Outcome) -> None:
    """It would run whatever the cells came out as."""
    assert badly_marked.outcomes["test_plain"] == "error"
    assert "asks for no cell" in badly_marked.message("test_plain")
