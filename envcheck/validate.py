"""The main job: a matrix in, a judged results folder out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envcheck import compat, environments, process, store
from envcheck.cell import Setting
from envcheck.cell.worker import Material
from envcheck.conclude import conclude
from envcheck.engines import local
from envcheck.errors import EnvcheckError, UsageError
from envcheck.gate import exit_code
from envcheck.matrix import Matrix
from envcheck.model import Evidence, Gate, Results, Workload
from envcheck.report import logs, markdown
from envcheck.report.progress import Progress
from envcheck.request import Request, read_matrix, selected
from envcheck.suite.arguments import suite_argv, suite_env

SUITE_DEADLINE_S = 600.0
PARTIAL = "interrupted"
"""Folder inside --out that takes what an interrupted run had finished; the results of the run before stay."""


@dataclass(frozen=True)
class Outcome:
    """What came out: the results, the gate's exit code and what the acceptance suite printed where it failed."""

    results: Results
    exit_code: int
    suite: str = ""


def validate(request: Request, progress: Progress) -> Outcome:
    """Build, run and judge the selected cells, and publish the results. Raises EnvcheckError."""
    asked = read_matrix(request.matrix)
    cells = selected(asked, request.choice, request.expect)
    store.check_writable(request.out)
    check_suites(request.suites)
    say = progress.of("envcheck")
    cache = environments.cache_folder(request.env)
    say("reading model and input")
    from envcheck.workload import build_frames, resolve_model  # numpy and Pillow: a quarter of a second

    model, model_file = resolve_model(request.model, cache)
    work = workload(asked, request)
    material = Material(model=model, frames=build_frames(work), workload=work)
    say("asking the driver")
    host = local.host_here(request.env)
    setting = Setting(
        host=host,
        gate=gate_of(asked, request),
        material=material,
        model=model_file,
        env=request.env,
        deadline_s=request.deadline_s,
    )
    job = local.Job(
        cells=cells,
        foresee=lambda axes: compat.foresee(axes, host),
        setting=setting,
        cache=cache,
        jobs=request.jobs or local.default_jobs(),
        preflight=request.preflight,
        relock=request.relock,
    )
    progress.done("envcheck")
    try:
        evidence = local.run(job, progress)
    except local.InterruptedJobError as interrupted:
        raise keep(request.out, interrupted) from None
    return publish(request, evidence, progress)


def check_suites(suites: Sequence[Path]) -> None:
    """Raise UsageError for a folder of acceptance tests that is not there, before anything is built."""
    for suite in suites:
        if not suite.exists():
            raise UsageError(f"--suite {suite}: no such folder", remedy="Name a folder or a file of pytest tests.")


def keep(out: Path, interrupted: local.InterruptedJobError) -> EnvcheckError:
    """Store what an interrupted run had finished beside the results of the run before; the error to end with."""
    if interrupted.evidence:
        results = conclude(interrupted.evidence)
        store.publish(out / PARTIAL, results, interrupted.evidence, texts_of(results, interrupted.evidence))
        finished = f"{len(interrupted.evidence)} finished cells are in {out / PARTIAL}"
        interrupted.remedy = f"{finished}; earlier results in {out} are untouched."
    else:
        interrupted.remedy = f"No cell was finished; earlier results in {out} are untouched."
    return interrupted


def publish(request: Request, evidence: Sequence[Evidence], progress: Progress) -> Outcome:
    """Judge, write the results folder, run the acceptance suite on it."""
    results = conclude(evidence)
    store.publish(request.out, results, evidence, texts_of(results, evidence))
    progress.say("envcheck", "running the acceptance suite")
    failed, text = run_suite(request.out, request.suites, request.env)
    progress.done("envcheck")
    unavailable = frozenset(e.cell.id for e in evidence if e.build is not None and e.build.outcome == "unavailable")
    code = exit_code(results, unavailable)
    return Outcome(results, code or int(failed), text if failed else "")


def texts_of(results: Results, evidence: Sequence[Evidence]) -> dict[str, str]:
    """The report and each cell's logs, by name in the results folder."""
    found = {store.log_path(one.cell.id): logs.render(one) for one in evidence}
    return {name: text for name, text in found.items() if text} | {"report.md": markdown.render(results)}


def run_suite(out: Path, suites: Sequence[Path], env: Mapping[str, str]) -> tuple[bool, str]:
    """(whether a claim of the suite failed, its output). A suite that did not run is an error, never a pass."""
    junit = out / f".junit.{os.getpid()}.xml"
    argv = [sys.executable, "-m", "pytest", *suite_argv(out, junit, suites)]
    done = process.run(argv, env=suite_env(env, suites), deadline_s=SUITE_DEADLINE_S)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode not in (0, 1):
        detail = text or done.stderr.decode("utf-8", "replace")
        raise EnvcheckError(
            f"the acceptance suite did not run ({done.describe()}): {detail[-2000:]}",
            remedy=f"Repeat it with: {' '.join(argv)}",
        )
    junit.replace(out / "junit.xml")
    return done.returncode == 1, text


def workload(asked: Matrix, request: Request) -> Workload:
    """The matrix' workload with the input named on the command line."""
    base = asked.workload
    if request.input is None:
        return base
    return Workload(input=request.input, resolution=base.resolution, faces=base.faces, mode=base.mode)


def gate_of(asked: Matrix, request: Request) -> Gate:
    """The matrix' gate with the threshold named on the command line."""
    base = asked.gate
    if request.min_speedup is None:
        return base
    return Gate(min_speedup=request.min_speedup, confidence=base.confidence, max_seconds=base.max_seconds)
