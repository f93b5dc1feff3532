"""The main job: a matrix in, a judged results folder out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from msgspec.structs import replace

from envcheck import backends, boxes, compat, environments, matrix, seal, store
from envcheck.cell.stage import Setting
from envcheck.cell.worker import Material
from envcheck.conclude import conclude
from envcheck.division import portion_of
from envcheck.engines import loading, local
from envcheck.engines.dispatch import Asked, Gathered, dispatch, key_of, works_of
from envcheck.engines.engine import Engine, Run
from envcheck.errors import EnvcheckError, UsageError
from envcheck.matrix import Matrix
from envcheck.model import Cell, Evidence, Gate, Workload
from envcheck.plan import docker
from envcheck.publishing import SIGN_KEY, Outcome, Target, check_target, publish, seals_of, texts_of
from envcheck.report.progress import Progress
from envcheck.request import Request, read_matrix, selected

RUN_DIGITS = 16
"""Of the hash of cells and options, in the name of a run."""
PARTIAL = "interrupted"
"""Folder inside --out that takes what an interrupted run had finished; the results of the run before stay."""


def validate(request: Request, progress: Progress) -> Outcome:
    """Build, run and judge the selected cells, and publish the results. Raises EnvcheckError."""
    loading.maker_of(request.engine)  # an engine that does not load is known before anything is asked or read
    asked = read_matrix(request.matrix)
    chosen = selected(asked, request.choice, request.expect)
    cells, shard = portion_of(chosen, request.portion, request.env)
    target = Target(request.out, request.suites, request.env, request.history, shard, request.sign_key)
    check_target(target)
    job = job_of(request, asked, cells, progress)
    try:
        gathered, engine = place(request, asked.backends, job, progress)
    except local.InterruptedJobError as interrupted:
        raise keep(target, interrupted) from None
    outcome = publish(target, gathered.evidence, progress)
    if gathered.ended:
        engine.forget()
    if gathered.lost:
        progress.tell(rerun_of(gathered.lost))
    return outcome


def place(
    request: Request, backends_asked: matrix.Backends, job: local.Job, progress: Progress
) -> tuple[Gathered, Engine]:
    """What came of the job's cells on the engine that was asked for, and the engine."""
    asked = Asked(request.engine, request.engine_options, request.model, backends_asked)
    name = key_of(job, asked)[:RUN_DIGITS]
    if request.resume not in (None, name):
        remedy = f"Leave --resume out, or repeat the matrix and the options of that run; these make the run {name}."
        raise UsageError(f"--resume {request.resume}: that run is of other cells or options", remedy=remedy)
    if request.engine != loading.LOCAL:
        job = without_frames(job)
    run = Run(name, job, request.engine_options, request.out, progress, resume=request.resume is not None)
    engine = loading.make(request.engine, run)
    works = works_of(job, asked, name, engine.nonce)
    around = containers_of(job, progress.of("envcheck")) if request.engine == loading.LOCAL else nullcontext()
    with around, loading.named(request.engine):
        return dispatch(engine, works, job.setting.host, progress), engine


def without_frames(job: local.Job) -> local.Job:
    """The job for an engine whose workers make their own frames: ours are 70 MB."""
    frames = job.setting.material.frames
    material = dataclasses.replace(
        job.setting.material, frames=dataclasses.replace(frames, frames=frames.frames[:0].copy())
    )
    return dataclasses.replace(job, setting=dataclasses.replace(job.setting, material=material))


def rerun_of(lost: Sequence[str]) -> str:
    """The cells of lost workers, as they are named to be run again."""
    return f"{len(lost)} cells are unknown because their workers were lost; again: --select '{';'.join(lost)}'"


def run(job: local.Job, progress: Progress) -> list[Evidence]:
    """The evidence of the job's cells, run on this machine."""
    with containers_of(job, progress.of("envcheck")):
        return local.run(job, progress)


def job_of(request: Request, asked: Matrix, cells: Sequence[Cell], progress: Progress) -> local.Job:
    """The cells with everything that they are run with, as the request and the matrix say."""
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
        backends=backends.configured(asked.backends, host, request.env),
    )
    progress.done("envcheck")
    return job


def containers_of(job: local.Job, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """What cells in containers need around them; nothing where there are none."""
    backend = job.backends[docker.NAME]
    if not isinstance(backend, docker.Docker) or all(cell.axes.backend != docker.NAME for cell in job.cells):
        return nullcontext()
    return boxes.tidied(backend.engine, job.setting.env, say)


def keep(target: Target, interrupted: local.InterruptedJobError) -> EnvcheckError:
    """Store what an interrupted run had finished beside the results of the run before; the error to end with."""
    out = target.out
    if interrupted.evidence:
        results = conclude(interrupted.evidence, target.shard)
        texts = texts_of(results, interrupted.evidence)
        sealed = seals_of(results, interrupted.evidence, seal.read_key(target.sign_key, SIGN_KEY))
        store.publish(out / PARTIAL, results, interrupted.evidence, texts | sealed)
        finished = f"{len(interrupted.evidence)} finished cells are in {out / PARTIAL}"
        interrupted.remedy = f"{finished}; earlier results in {out} are untouched."
    else:
        interrupted.remedy = f"No cell was finished; earlier results in {out} are untouched."
    return interrupted


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
    return replace(base, min_speedup=request.min_speedup)
