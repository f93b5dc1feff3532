"""Runs cells on this machine: environments build in parallel, then one cell at a time is measured in quiet."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from envcheck import boxes, environments, process
from envcheck.boxes import EngineMissingError
from envcheck.cache import hold
from envcheck.cell.observe import NvmlSampler
from envcheck.cell.run import observe_cell
from envcheck.cell.stage import Setting
from envcheck.engines import plans
from envcheck.engines.engine import Change, Run, State, Work
from envcheck.environments import Prepared
from envcheck.errors import InterruptedRunError, UsageError
from envcheck.host import observe_host
from envcheck.model import Axes, Cell, Evidence, Foresight, Host
from envcheck.plan import Backend
from envcheck.report.progress import Progress


def machine() -> str:
    """Tells machines apart that share a cache, and is the same in all containers of one; empty where it is not told."""
    try:
        return f"-{uuid.UUID(Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()).hex[:12]}"
    except (OSError, ValueError):
        return ""


QUIET = f"quiet{machine()}.lock"
"""In the cache: builders share it, a measurement holds it alone: nothing is timed while ours are at work here."""


@dataclass(frozen=True)
class Job:
    """What is to be run, and how."""

    cells: Sequence[Cell]
    foresee: Callable[[Axes], Foresight]
    setting: Setting
    cache: Path
    jobs: int
    preflight: bool = True
    relock: bool = False
    backends: Mapping[str, Backend] = field(default_factory=lambda: environments.BACKENDS)
    observed: Callable[[Evidence], None] = lambda _evidence: None
    """Told of each cell the moment it is finished, in the thread that called `run`."""


class InterruptedJobError(InterruptedRunError):
    """Ctrl-C or SIGTERM; `evidence` holds the cells that were finished."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        super().__init__("interrupted")
        self.evidence = tuple(evidence)


BADLY = ("died", "hung", "garbage")
"""Outcomes of a worker that ended for no reason of its own that it could tell."""


def host_here(env: Mapping[str, str]) -> Host:
    """The facts of this machine."""
    with NvmlSampler.start(env) as sampler:
        return observe_host(sampler.facts(), env)


def run(job: Job, progress: Progress) -> list[Evidence]:
    """The evidence of every cell of the job, in its order. Raises InterruptedJobError with what was finished."""
    finished: list[Evidence] = []
    try:
        with closing(one_by_one(job, progress)) as going:
            for evidence in going:
                finished.append(evidence)
                job.observed(evidence)
    except (KeyboardInterrupt, InterruptedRunError):
        raise InterruptedJobError(finished) from None
    return finished


def one_by_one(job: Job, progress: Progress) -> Generator[Evidence, None, None]:
    """The evidence of each cell the moment it is finished. Raises KeyboardInterrupt or InterruptedRunError."""
    pool = ThreadPoolExecutor(max_workers=max(1, job.jobs), thread_name_prefix="build")
    try:
        with process.interruptible(), hold(job.cache / environments.IN_USE, waiting_for(progress), shared=True):
            yield from run_all(job, pool, progress)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        process.resume()


def waiting_for(progress: Progress) -> Callable[[], None]:
    """Says that `envcheck prune` removes what this run might use."""
    say = progress.of("envcheck")
    return lambda: say("waiting for envcheck prune to end")


def run_all(job: Job, pool: ThreadPoolExecutor, progress: Progress) -> Iterator[Evidence]:
    """Build everything, then measure one cell after the other."""
    foreseen = [job.foresee(cell.axes) for cell in job.cells]
    check_plans(job, foreseen)
    builds = [
        pool.submit(build, job, cell, progress) if to_be_run(state, preflight=job.preflight) else None
        for cell, state in zip(job.cells, foreseen, strict=True)
    ]
    for one in builds:
        if one is not None:
            one.exception()
    for cell, state, one in zip(job.cells, foreseen, builds, strict=True):
        yield measure(job, cell, state, one, progress)


def check_plans(job: Job, foreseen: Sequence[Foresight]) -> None:
    """Raise UsageError for a setting or an axis that no plan can be made of, before anything is built."""
    for cell, state in zip(job.cells, foreseen, strict=True):
        if to_be_run(state, preflight=job.preflight):
            with suppress(EngineMissingError):  # an outcome of these cells alone
                job.backends[cell.axes.backend].resolve(cell.axes)


def to_be_run(foresight: Foresight, *, preflight: bool) -> bool:
    """Reachable cells are run, and impossible ones without preflight; nothing makes a driver appear."""
    return foresight.state == "reachable" or (foresight.state == "impossible" and not preflight)


def build(job: Job, cell: Cell, progress: Progress) -> Prepared:
    """The cell's environment, built or found."""
    say = progress.of(cell.id)
    try:
        with hold(job.cache / QUIET, lambda: say("waiting for a measurement of another run to end"), shared=True):
            return environments.prepare(
                cell, cache=job.cache, env=job.setting.env, relock=job.relock, progress=say, backends=job.backends
            )
    finally:
        progress.done(cell.id)


def measure(
    job: Job, cell: Cell, foresight: Foresight, build_of: Future[Prepared] | None, progress: Progress
) -> Evidence:
    """The cell's evidence, measured alone on this machine where there is something to measure."""
    if build_of is None:
        return observe_cell(cell, foresight, job.setting)
    prepared = build_of.result()
    if not prepared.python:
        return observe_cell(cell, foresight, job.setting, build=prepared.build)
    return measure_alone(job.cache, cell, foresight, job.setting, prepared, progress)


def measure_alone(
    cache: Path, cell: Cell, foresight: Foresight, setting: Setting, prepared: Prepared, progress: Progress
) -> Evidence:
    """The evidence of an environment that is there, with nothing else of ours at work on this machine."""
    say = progress.of(cell.id)
    try:
        with hold(cache / QUIET, lambda: say("waiting for another run to build or measure")):
            evidence = observe_cell(cell, foresight, setting, prepared.build, prepared.python, say)
            if why := engine_gone(evidence, prepared.python, setting.env):
                build = msgspec.structs.replace(prepared.build, outcome="no-engine", because=why)
                return observe_cell(cell, foresight, setting, build)
            return evidence
    finally:
        progress.done(cell.id)


def engine_gone(evidence: Evidence, python: Sequence[str], env: Mapping[str, str]) -> str:
    """Why a worker that ended badly in a container is not to blame: its engine has gone away. Else an empty text."""
    workers = (worker for run in evidence.every_run for worker in (run.cpu, run.gpu))
    box = boxes.box_of(python, env) or boxes.inner_of(python, env)
    if box is None or not any(worker.outcome in BADLY for worker in workers):
        return ""
    return boxes.silence(box.words, env)


def make(run: Run) -> Local:
    """This machine as an engine. It has no options: --jobs says how many environments are built at once."""
    check_options(run.options)
    if run.resume:
        raise UsageError(
            "a local run cannot be gone on with", remedy="Leave --resume out; environments are kept anyway."
        )
    return Local(run.job, run.progress)


def check_options(options: Mapping[str, str]) -> None:
    """Raise UsageError for options of the engine, of which there are none."""
    if options:
        raise UsageError(f"the local engine has no option {', '.join(sorted(options))}")


@dataclass
class Local:
    """The engine of this machine: the cells of a job, run in this process."""

    job: Job
    progress: Progress
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    works: Mapping[str, Work] = field(default_factory=dict)
    delivered: dict[str, bytes] = field(default_factory=dict)

    def submit(self, works: Sequence[Work]) -> None:
        """Take the cells."""
        self.works = {work.plan.cell.id: work for work in works}

    def follow(self) -> Generator[Change, None, None]:
        """Build, measure, and say of each cell that it is done."""
        job = replace(self.job, cells=[work.plan.cell for work in self.works.values()])
        with closing(one_by_one(job, self.progress)) as going:
            for evidence in going:
                name = evidence.cell.id
                self.delivered[name] = plans.encode(plans.answer(self.works[name].plan, evidence))
                yield Change(name, State.DONE)

    def collect(self, cell: str) -> bytes:
        """What was observed, handed over once."""
        return self.delivered.pop(cell)

    def cancel(self) -> None:
        """Nothing goes on without this process."""

    def forget(self) -> None:
        """Nothing is kept of a run."""


def default_jobs() -> int:
    """As many builds at once as there are cores to use, at least two: much of a build is waiting for the network."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(2, cores or 2)
