"""Recorded cells as fixtures. Registered only where `--envcheck-results` is given.

A test that asks for `cell`, `evidence`, `judgement`, `findings` or `bench` runs once for each recorded cell, with the
cell's id in brackets. Cells that no host here can run are skipped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from envcheck import gate
from envcheck.conclude import conclude_cell
from envcheck.errors import EnvcheckError, UsageError
from envcheck.model import Bench, Cell, CellResult, Evidence, Finding, Judgement, Speedup, Timing, Verdict
from envcheck.report.plain import span, visible
from envcheck.store import load_evidence
from envcheck.suite import markers
from envcheck.suite.claims import Claim, contradicted_by, explain, failed_claim, holds


@dataclass(frozen=True)
class Recorded:
    """One cell: what was seen, and what is concluded from it."""

    evidence: Evidence
    result: CellResult

    @property
    def judgement(self) -> Judgement:
        """The conclusion, without the expectation."""
        row = self.result
        return Judgement(verdict=row.verdict, because=row.because, witnesses=row.witnesses, bench=row.bench)

    @property
    def explanation(self) -> str:
        """What a person needs to read when a claim fails."""
        return explain(self.judgement, self.result.findings)

    def uphold(self, claim: Claim) -> None:
        """Return where the claim holds; else fail, skip what was not looked at, or xfail what was expected to fail."""
        failed = failed_claim(self.evidence, self.judgement)
        if holds(claim, failed):
            return
        if failed is not None and failed is not claim:
            pytest.skip(f"not looked at, because this does not hold: {failed.value}")
        if claim in contradicted_by(self.result.expected):
            pytest.xfail(f"expected{self.expectation}")
        pytest.fail(f"this does not hold: {claim.value}\n{self.explanation}", pytrace=False)

    def uphold_expectation(self) -> None:
        """Return where the verdict is the expected one; else fail."""
        if not self.result.met:
            pytest.fail(f"{self.result.verdict.value}, expected{self.expectation}\n{self.explanation}", pytrace=False)

    @property
    def expectation(self) -> str:
        """The expected verdict and why it is right, to follow the word `expected`."""
        because = self.evidence.cell.expected.because
        return f" {self.result.expected.value}" + (f": {visible(because)}" if because else "")


class Measured:
    """A cell's measurements. Reading one that was not made fails the test with the reason."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._bench = recorded.result.bench or Bench()

    @property
    def cpu(self) -> Timing:
        """Times per frame with the CPU delegate."""
        return self._bench.cpu or self._missing("the CPU delegate was not timed")

    @property
    def gpu(self) -> Timing:
        """Times per frame with the GPU delegate, on whatever device it ran."""
        return self._bench.gpu or self._missing("the GPU delegate was not timed")

    @property
    def speedup(self) -> Speedup:
        """CPU time divided by GPU time, with its interval."""
        return self._bench.speedup or self._missing("the speed-up was not measured")

    def _missing(self, what: str) -> NoReturn:
        row = self._recorded.result
        pytest.fail(f"{what}: {row.id} came out as {row.verdict.value}\n{self._recorded.explanation}", pytrace=False)


CLAIMS = Path(__file__).resolve().with_name("test_claims.py")
"""The suite's own tests, which `validate` asks for by name."""
CELLS = pytest.StashKey[tuple[Recorded, ...]]()


def register(config: pytest.Config, folder: str) -> None:
    """Load the folder's cells and make them fixtures. What cannot be loaded ends pytest with a usage error."""
    try:
        evidence = load_evidence(Path(folder))
    except EnvcheckError as error:
        raise pytest.UsageError(*filter(None, (f"--envcheck-results: {error.message}", error.remedy))) from error
    config.stash[CELLS] = tuple(Recorded(evidence=one, result=conclude_cell(one)) for one in evidence)
    config.pluginmanager.register(sys.modules[__name__], "envcheck-recorded")


def pytest_report_header(config: pytest.Config) -> str:
    """How many cells there are, and from when to when they were seen."""
    cells = config.stash[CELLS]
    when = span(visible(cell.result.recorded_at) for cell in cells)
    return f"envcheck: recorded cells: {len(cells)}" + (f", seen {when}" if when else "")


RAN = ("passed", "failed", "error", "xfailed", "xpassed")
"""What pytest's reporter calls tests that were not skipped."""


def nothing_ran(config: pytest.Config) -> str:
    """Why nothing was asserted of any recorded cell, or an empty text."""
    if why := gate.nothing_ran([cell.result for cell in config.stash[CELLS]]):
        return why
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter is not None and reporter.stats.get("skipped") and not any(map(reporter.stats.get, RAN))
    return "every test was skipped" if skipped else ""


def pytest_collection_finish(session: pytest.Session) -> None:
    """A folder that was named beside the suite and brings no test is wrong use: nothing of it would be asserted."""
    places = [Path(one).resolve() for one in session.config.args]
    if CLAIMS not in places:
        return
    found = {item.path.resolve() for item in session.items}
    for place in places:
        if not any(path.is_relative_to(place) for path in found):
            raise pytest.UsageError(f"no test was collected from {place}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Skipped throughout is not passed."""
    forget_silent_reports(session.config)
    if exitstatus == pytest.ExitCode.OK and nothing_ran(session.config):
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def forget_silent_reports(config: pytest.Config) -> None:
    """Keep of set-ups and teardowns that passed those with output: pytest searches all of them for every failure.

    Of ten thousand cells that would be two hundred thousand reports for each of twenty thousand failures.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.stats[""] = [report for report in reporter.stats.get("", ()) if report.sections]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Why a run without a failure is none that passed."""
    if why := nothing_ran(config):
        terminalreporter.write_line(f"envcheck: nothing ran: {why}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per cell for whoever needs a cell."""
    if "recorded_cell" in metafunc.fixturenames:
        cells = metafunc.config.stash[CELLS]
        ids = [cell.result.id for cell in cells]
        metafunc.parametrize("recorded_cell", cells, ids=ids, indirect=True, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a cell that the test's markers leave out; a marker that cannot be understood fails the test."""
    callspec = getattr(item, "callspec", None)
    recorded = callspec.params.get("recorded_cell") if callspec else None
    if recorded is None:
        if marked := [name for name in markers.NAMES if item.get_closest_marker(name)]:
            pytest.fail(
                f"@pytest.mark.{marked[0]} on a test that asks for no cell: add the fixture `cell`", pytrace=False
            )
        return
    try:
        reasons = [*left_out(item, recorded)]
    except EnvcheckError as error:
        pytest.fail(error.message, pytrace=False)
    if reasons:
        pytest.skip(f"not meant for this cell: {'; '.join(reasons)}")


def left_out(item: pytest.Item, recorded: Recorded) -> Iterator[str]:
    """Why the markers of a test leave a cell out. Raises UsageError for a marker that cannot be understood."""
    for mark in item.iter_markers(markers.CELLS):
        if mark.args or not mark.kwargs:
            raise UsageError(f"@pytest.mark.{markers.CELLS} takes axes by name, such as mediapipe='>=1.0.1'")
        if why := markers.why_not_cell(recorded.evidence.cell.axes, mark.kwargs):
            yield why
    for mark in item.iter_markers(markers.VERDICTS):
        if mark.kwargs or not mark.args:
            raise UsageError(f"@pytest.mark.{markers.VERDICTS} takes verdicts, such as 'accelerated', 'slower'")
        if why := markers.why_not_verdict(recorded.result.verdict, mark.args):
            yield why


@pytest.fixture(scope="session")
def recorded_cells(pytestconfig: pytest.Config) -> tuple[Recorded, ...]:
    """All recorded cells."""
    return pytestconfig.stash[CELLS]


@pytest.fixture(scope="session")
def recorded_cell(request: pytest.FixtureRequest) -> Recorded:
    """One recorded cell; skipped where it is unreachable here."""
    recorded: Recorded = request.param
    if recorded.result.verdict is Verdict.UNREACHABLE:
        pytest.skip(f"unreachable here: {visible(recorded.result.because)}")
    return recorded


@pytest.fixture
def cell(recorded_cell: Recorded) -> Cell:
    """The cell: id, axes, expectation."""
    return recorded_cell.evidence.cell


@pytest.fixture
def evidence(recorded_cell: Recorded) -> Evidence:
    """Everything observed."""
    return recorded_cell.evidence


@pytest.fixture
def judgement(recorded_cell: Recorded) -> Judgement:
    """Verdict, reason, witnesses."""
    return recorded_cell.judgement


@pytest.fixture
def findings(recorded_cell: Recorded) -> tuple[Finding, ...]:
    """What the rules say, the root cause first."""
    return recorded_cell.result.findings


@pytest.fixture
def bench(recorded_cell: Recorded) -> Measured:
    """What was measured: `bench.cpu.median_ms`, `bench.gpu.p95_ms`, `bench.speedup.ci95`."""
    return Measured(recorded_cell)
