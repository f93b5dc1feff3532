"""From evidence to a judged results folder: what `validate` and `check` have in common once something was seen."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envcheck import process, seal, store
from envcheck.archive import open_archive
from envcheck.conclude import conclude
from envcheck.contents import contents_of, of_results
from envcheck.entries import entry_of
from envcheck.errors import EnvcheckError, UsageError
from envcheck.gate import exit_code
from envcheck.model import Evidence, Results, Shard, Verdict
from envcheck.report import html, logs, markdown
from envcheck.report.progress import Progress
from envcheck.suite.arguments import suite_argv, suite_env

SUITE_DEADLINE_S = 600.0
TEST_FILES = ("test_*.py", "*_test.py")
"""As in the suite's pytest.ini."""
SIGN_KEY = "--sign-key"


SILENT = frozenset({"unavailable", "no-engine"})
"""Outcomes of a build that a retry, later or elsewhere, may mend."""


@dataclass(frozen=True)
class Outcome:
    """What came out: the results, the gate's exit code and what the acceptance suite printed where it failed."""

    results: Results
    exit_code: int
    suite: str = ""


@dataclass(frozen=True)
class Target:
    """Where results go, the folders of the user's own acceptance tests, the user's environment, and the archive."""

    out: Path
    suites: Sequence[Path]
    env: Mapping[str, str]
    history: Path | None = None
    shard: Shard | None = None
    """The part of the matrix that is run here, where it is not all of it."""
    sign_key: Path | None = None


def check_target(target: Target) -> None:
    """Raise UsageError, before anything is built or run, for a folder that cannot be written or tests not there."""
    store.check_writable(target.out)
    seal.read_key(target.sign_key, SIGN_KEY)
    if target.history is not None:
        open_archive(target.history).close()
    for suite in target.suites:
        if why := no_tests_in(suite):
            raise UsageError(f"--suite {suite}: {why}", remedy="Name a folder or a file of pytest tests.")


def no_tests_in(suite: Path) -> str:
    """Why nothing that is named so can hold tests, or an empty text."""
    if not suite.exists():
        return "no such folder"
    if suite.is_dir() and not any(any(suite.rglob(name)) for name in TEST_FILES):
        return f"no file in it is called {' or '.join(TEST_FILES)}"
    return ""


def publish(target: Target, evidence: Sequence[Evidence], progress: Progress) -> Outcome:
    """Judge, write the results folder, run the acceptance suite on it."""
    results = conclude(evidence, target.shard)
    texts = texts_of(results, evidence) | seals_of(results, evidence, seal.read_key(target.sign_key, SIGN_KEY))
    store.publish(target.out, results, evidence, texts)
    if target.history is not None:
        keep(target.history, results, evidence)
    progress.say("envcheck", "running the acceptance suite")
    failed, text = run_suite(target)
    progress.done("envcheck")
    unavailable = frozenset(one.cell.id for one in evidence if may_be_had_elsewhere(one))
    code = exit_code(results, unavailable)
    return Outcome(results, code or int(failed), text if failed else "")


def may_be_had_elsewhere(evidence: Evidence) -> bool:
    """What the cell needs did not answer, or its worker was lost: a retry may mend that."""
    return bool(evidence.lost) or (evidence.build is not None and evidence.build.outcome in SILENT)


def keep(history: Path, results: Results, evidence: Sequence[Evidence]) -> None:
    """Add the cells to an archive; of those that no host reached, or whose worker was lost, nothing was seen."""
    with open_archive(history) as archive:
        for one, result in zip(evidence, results.cells, strict=True):
            if result.verdict is not Verdict.UNREACHABLE and not one.lost:
                archive.add(entry_of(one, result=result), one)


def texts_of(results: Results, evidence: Sequence[Evidence]) -> dict[str, str]:
    """The reports and each cell's logs, by name in the results folder."""
    found = {store.log_path(one.cell.id): logs.render(one) for one in evidence}
    page = html.render(contents_of(of_results(results, evidence)))
    reports = {"report.md": markdown.render(results), "report.html": page}
    return {name: text for name, text in found.items() if text} | reports


def seals_of(results: Results, evidence: Sequence[Evidence], key: bytes | None) -> dict[str, str]:
    """The digests of what is believed of a run, and with a key the signature over them."""
    files = {
        name: text.encode("utf-8", "backslashreplace") for name, text in store.texts_of(results, evidence, {}).items()
    }
    sums = seal.sums_of(files)
    return {seal.SUMS: sums} | ({seal.SIGNATURE: seal.signature(sums.encode(), key)} if key else {})


def run_suite(target: Target) -> tuple[bool, str]:
    """(whether a claim of the suite failed, its output). A suite that did not run is an error, never a pass."""
    junit = target.out / f".junit.{os.getpid()}.xml"
    argv = [sys.executable, "-m", "pytest", *suite_argv(target.out, junit, target.suites)]
    done = process.run(argv, env=suite_env(target.env, target.suites), deadline_s=SUITE_DEADLINE_S)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode not in (0, 1) or not junit.exists():
        store.discard((junit,))
        detail = text or done.stderr.decode("utf-8", "replace")
        raise EnvcheckError(
            f"the acceptance suite did not run ({done.describe()}): {detail[-2000:]}",
            remedy=f"Repeat it with: {' '.join(argv)}",
        )
    junit.replace(target.out / "junit.xml")
    return done.returncode == 1, text
