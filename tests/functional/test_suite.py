"""The suite and the plugin in a pytest of their own, as `validate` and as a user start them."""

from __future__ import annotations

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
from envcheck.gate import exit_code
from envcheck.model import Evidence, Expectation, Verdict
from envcheck.suite.arguments import suite_argv, suite_env
from tests.golden import as_if_seen

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
        timeout=120,
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


def test_an_accelerated_cell_passes_every_claim(tmp_path: Path) -> None:
    ran = suite(published(tmp_path, "accelerated"))

    assert ran.code == 0
    assert set(ran.outcomes.values()) == {"passed"}
    assert len(ran.outcomes) == 9


def test_claims_have_ids_that_read(tmp_path: Path) -> None:
    outcomes = suite(published(tmp_path, "emulated", "refused")).outcomes

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


@pytest.mark.parametrize("verdict", [verdict.value for verdict in Verdict])
def test_the_suite_fails_exactly_where_the_gate_does(verdict: str, tmp_path: Path) -> None:
    out = published(tmp_path, verdict)
    gate = exit_code(conclude(evidence_of(verdict)))

    assert suite(out).code == (0 if gate == 0 else 1)


@pytest.mark.parametrize("verdict", ["slower", "emulated", "silent-cpu", "refused", "crashed", "broken", "impossible"])
def test_an_expectation_that_is_met_passes_with_its_reason(verdict: str, tmp_path: Path) -> None:
    ran = suite(published(tmp_path, verdict, expect=Verdict(verdict)))

    assert ran.code == 0
    assert "failed" not in ran.outcomes.values()
    assert "no GPU on this runner" in ran.text
    assert [test for test, outcome in ran.outcomes.items() if "verdict_is_expected" in test and outcome == "passed"]


def test_a_failure_shows_the_finding_and_no_traceback(tmp_path: Path) -> None:
    ran = suite(published(tmp_path, "silent-cpu"))
    message = ran.message("test_inference_ran_on_gpu[venv-py3.11-mp0.10.31]")

    assert "MPP402" in message
    assert "pip install 'mediapipe>=1.0.1'" in message
    assert "Traceback" not in ran.text
    assert "recorded.py:" not in ran.text.partition("short test summary")[0]


def test_where_every_cell_is_unreachable_the_suite_fails(tmp_path: Path) -> None:
    ran = suite(published(tmp_path, "unreachable"))

    assert ran.code == 1
    assert ran.outcomes["test_something_ran"] == "failed"
    assert ran.outcomes["test_verdict_is_expected[venv-py3.11-mp1.2.2-r580]"] == "skipped"


def test_an_unreachable_cell_beside_a_good_one_is_skipped(tmp_path: Path) -> None:
    ran = suite(published(tmp_path, "accelerated", "unreachable"))

    assert ran.code == 0
    assert ran.outcomes["test_gpu_is_hardware[venv-py3.11-mp1.2.2-r580]"] == "skipped"


@pytest.mark.parametrize("content", ["nothing", "empty", "no cells", "garbage"])
def test_results_without_a_cell_never_pass(content: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if content == "garbage":
        (out / "results.json").write_text("garbage")
    if content == "no cells":
        results = conclude(evidence_of("refused"))
        (out / "results.json").write_text(store.encode(replace(results, cells=(), summary={})))
    ran = suite(out if content != "nothing" else tmp_path / "missing")

    assert ran.code == 4
    assert "ERROR: --envcheck-results: " in ran.text
    assert "Traceback" not in ran.text


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


def test_the_users_own_folder_runs_with_the_suite(tmp_path: Path, mine: Path) -> None:
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 0
    assert ran.outcomes["test_my_latency[venv-py3.11-mp0.10.35-r570]"] == "passed"
    assert len(ran.outcomes) == 12


def test_the_users_own_tests_decide_too(tmp_path: Path, mine: Path) -> None:
    (mine / "test_strict.py").write_text("def test_strict(bench):\n    assert bench.gpu.median_ms < 0.5\n")
    ran = suite(published(tmp_path, "accelerated"), mine)

    assert ran.code == 1
    assert ran.outcomes["test_strict[venv-py3.11-mp0.10.35-r570]"] == "failed"


def test_the_users_conftest_is_read_with_their_tests(tmp_path: Path, mine: Path) -> None:
    (mine / "conftest.py").write_text("import pytest\n\n\n@pytest.fixture\ndef limit():\n    return 8\n")
    (mine / "test_limit.py").write_text("def test_limit(bench, limit):\n    assert bench.gpu.p95_ms < limit\n")

    assert suite(published(tmp_path, "accelerated"), mine).code == 0


def test_a_users_pytest_takes_results_as_an_option(tmp_path: Path, mine: Path) -> None:
    ran = user_pytest(mine, f"--envcheck-results={published(tmp_path, 'accelerated')}")

    assert ran.code == 0
    assert "recorded cells: 1" in ran.text
    assert len(ran.outcomes) == 3


def test_a_measurement_that_was_not_made_fails_with_a_sentence(tmp_path: Path, mine: Path) -> None:
    ran = user_pytest(mine, f"--envcheck-results={published(tmp_path, 'refused')}")
    message = ran.message("test_my_latency[venv-py3.11-mp1.2.2]")

    assert ran.code == 1
    assert ran.outcomes["test_my_latency[venv-py3.11-mp1.2.2]"] == "failed"
    assert "the GPU delegate was not timed: venv-py3.11-mp1.2.2 came out as refused" in message
    assert "AttributeError" not in ran.text
    assert "NoneType" not in ran.text


def test_slow_software_gl_fails_the_users_latency(tmp_path: Path, mine: Path) -> None:
    ran = user_pytest(mine, f"--envcheck-results={published(tmp_path, 'emulated')}")

    assert ran.outcomes["test_my_latency[venv-py3.11-mp0.10.35]"] == "failed"


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


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("envcheck_cells(mediapip='1.2.2')", "'mediapip' is no axis"),
        ("envcheck_cells(mediapipe='new')", "mediapipe='new'"),
        ("envcheck_cells(mediapipe=1.2)", "mediapipe"),
        ("envcheck_cells('1.2.2')", "takes axes by name"),
        ("envcheck_verdicts('fast')", "'fast' is no verdict"),
    ],
)
def test_a_marker_that_cannot_be_understood_fails_the_test(mark: str, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "marked"
    folder.mkdir()
    (folder / "test_marked.py").write_text(f"import pytest\n\n\n@pytest.mark.{mark}\ndef test_it(cell):\n    pass\n")
    ran = user_pytest(folder, f"--envcheck-results={published(tmp_path, 'refused')}")

    assert ran.code == 1
    assert said in ran.message("test_it[venv-py3.11-mp1.2.2]")
    assert "Traceback" not in ran.text
