"""The flow of `envcheck bench`: the environment, the full proof, every point, leaks, the recommendation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from envcheck import compat, environments, process
from envcheck.cache import hold
from envcheck.cell.run import observe_cell
from envcheck.cell.stage import Setting
from envcheck.cell.worker import Material
from envcheck.check import IDENTIFY_S, CheckRequest, cell_of, setting_of
from envcheck.engines import local
from envcheck.environments import Prepared
from envcheck.errors import EnvcheckError, InterruptedRunError, UsageError
from envcheck.existing import activated, identify, named
from envcheck.judge import judge
from envcheck.judge.measured import identity_of
from envcheck.model import Build, Cell, Evidence, Workload
from envcheck.plan import venv
from envcheck.report.progress import Progress
from envcheck.request import Choice, read_matrix, selected
from envcheck.rules.load import disturbances
from envcheck.rules.rule import Case
from envcheck.sweep import advice, leaks, measuring
from envcheck.sweep.space import Space, check_size, frame_count
from envcheck.sweep.streams import Means
from envcheck.swept import BenchReport, Leak, Row, Subject, Work, described

NAME = "bench"


@dataclass(frozen=True)
class BenchRequest:
    """What the user asked for. Without `python` and `prefix` an environment of envcheck's own is built."""

    space: Space
    python: Path | None = None
    prefix: Path | None = None
    seconds: float = 3.0
    latency_limit_ms: float | None = None
    leak: bool = False
    model: str = "default"
    input: str | None = None
    deadline_s: float = 120.0
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def checked(self) -> CheckRequest:
        """The same as a request for the full proof."""
        return CheckRequest(
            self.python, self.prefix, model=self.model, input=self.input, deadline_s=self.deadline_s, env=self.env
        )


@dataclass
class Seen:
    """What a sweep has measured so far."""

    rows: list[Row] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    interrupted: bool = False


class Place(NamedTuple):
    """The environment that is measured."""

    cell: Cell
    prepared: Prepared
    env: Mapping[str, str]


def bench(request: BenchRequest, progress: Progress) -> BenchReport:
    """Prove, sweep, recommend; an interruption ends the sweep, not the report. Raises EnvcheckError."""
    check_frames(request.space)
    cache = environments.cache_folder(request.env)
    place = place_of(request, cache, progress)
    setting = setting_of(request.checked, place.env, cache, progress)
    check_blendshapes(request.space, setting)
    progress.done("envcheck")
    say = progress.of(NAME)
    with hold(cache / local.QUIET, lambda: say("waiting for another run to build or measure")):
        evidence = prove(place, setting, say)
        seen = Seen()
        seen.interrupted = not finished(lambda: sweep(request, place, setting, seen, say))
    progress.done(NAME)
    return report_of(request, place, setting, evidence, seen)


def check_frames(space: Space) -> None:
    """Raise UsageError for a size that no worker can be shown, before anything is built."""
    from envcheck.workload.motion import parse_resolution

    check_size(space.points())
    for resolution in space.resolutions:
        parse_resolution(resolution, frame_count(*parse_resolution(resolution)))


def check_blendshapes(space: Space, setting: Setting) -> None:
    """Raise UsageError where blendshapes are asked of a bundle without their model."""
    from envcheck.workload.contents import BLENDSHAPES, holds

    if any(space.blendshapes) and not holds(setting.material.model, BLENDSHAPES):
        raise UsageError(
            f"--blendshapes on: the model {setting.model.name} holds no {BLENDSHAPES}",
            remedy="The official bundle has it: --model official",
        )


def place_of(request: BenchRequest, cache: Path, progress: Progress) -> Place:
    """The environment that the user names, else one with the MediaPipe that the matrix' smoke tier names first."""
    if request.python is None and request.prefix is None:
        return built(request, cache, progress)
    chosen = named(request.python, request.prefix)
    progress.say("envcheck", "asking the interpreter who it is")
    env = activated(request.env, chosen.python)
    identity = identify(chosen.python, env, IDENTIFY_S)
    build = Build(outcome="existing", because=chosen.because, python=".".join(map(str, identity.version)))
    return Place(cell_of(identity, None), Prepared(build, (str(chosen.python), "-B")), env)


def built(request: BenchRequest, cache: Path, progress: Progress) -> Place:
    """An environment from the cache, made where there is none."""
    cell = selected(read_matrix(None), Choice(backend=venv.name), None)[0]
    with hold(cache / environments.IN_USE, local.waiting_for(progress), shared=True):
        prepared = environments.prepare(cell, cache=cache, env=request.env, progress=progress.of(cell.id))
    progress.done(cell.id)
    if not prepared.python:
        raise EnvcheckError(
            f"no environment for {cell.id}: {prepared.build.because}",
            remedy="Name one that exists: envcheck bench --python .venv/bin/python",
        )
    return Place(cell, prepared, request.env)


def prove(place: Place, setting: Setting, say: Callable[[str], None]) -> Evidence:
    """The full proof, at the usual work: whether a GPU that is timed is one. Raises InterruptedRunError."""
    found: list[Evidence] = []

    def look() -> None:
        foresight = compat.foresee(place.cell.axes, setting.host)
        found.append(observe_cell(place.cell, foresight, setting, place.prepared.build, place.prepared.python, say))

    if not finished(look):
        raise InterruptedRunError("interrupted", remedy="Nothing was measured yet.")
    return found[0]


def finished(work: Callable[[], None]) -> bool:
    """Do `work` with children that end where it is interrupted; False where it was."""
    try:
        with process.interruptible():
            work()
    except (KeyboardInterrupt, InterruptedRunError):
        return False
    finally:
        process.resume()
    return True


def sweep(request: BenchRequest, place: Place, setting: Setting, seen: Seen, say: Callable[[str], None]) -> None:
    """Every point, and leaks where asked for, into `seen`."""
    means = Means(place.prepared.python, place.env, request.deadline_s, request.seconds, request.space.delegates)
    points = request.space.points()
    for work, group in groupby(enumerate(points, 1), lambda numbered: numbered[1].work):
        material = material_of(work, setting)
        for number, point in group:
            here = f"point {number} of {len(points)}, {described(point)}"
            seen.rows.append(measuring.measure(point, material, means, below(here, say)))
    if request.leak:
        work = request.space.works()[0]
        seen.leaks += leaks.look_for_leaks(material_of(work, setting), means, below("leaks", say))


def below(name: str, say: Callable[[str], None]) -> Callable[[str], None]:
    """Says what goes on under a heading."""
    return lambda label: say(f"{name}: {label}")


def material_of(work: Work, setting: Setting) -> Material:
    """What the workers of one kind of work are given."""
    from envcheck.workload import build_frames
    from envcheck.workload.motion import parse_resolution

    load = Workload(setting.material.workload.input, work.resolution, work.faces, work.mode)
    frames = build_frames(load, frame_count(*parse_resolution(work.resolution)))
    return Material(setting.material.model, frames, load, work.blendshapes)


def report_of(request: BenchRequest, place: Place, setting: Setting, evidence: Evidence, seen: Seen) -> BenchReport:
    """Everything, with what it comes to."""
    proven = judge(evidence)
    identity = evidence.cpu
    subject = Subject(
        python=place.prepared.python[0],
        mediapipe=identity.mediapipe or place.cell.axes.mediapipe,
        because=place.prepared.build.because,
        verdict=proven.verdict,
        verdict_because=proven.because,
    )
    return BenchReport(
        host=setting.host,
        subject=subject,
        model=setting.model,
        input=setting.material.workload.input,
        identity=identity_of(evidence),
        rows=tuple(seen.rows),
        leaks=tuple(seen.leaks),
        advice=advice.advise(seen.rows, proven.verdict, request.latency_limit_ms),
        latency_limit_ms=request.latency_limit_ms,
        missing=len(request.space.points()) - len(seen.rows),
        interrupted=seen.interrupted,
        remarks=disturbances(Case(evidence, proven)),
        recorded_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
