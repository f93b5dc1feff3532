"""The full proof on an environment that exists: one cell, judged and published like those of a matrix."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from envcheck import compat, environments, process
from envcheck.cell.stage import Setting
from envcheck.cell.worker import Material
from envcheck.engines import local
from envcheck.environments import Prepared
from envcheck.errors import InterruptedRunError
from envcheck.existing import Choice, Identity, activated, identify, named
from envcheck.model import GATE, Axes, Build, Cell, Evidence, Expectation, Verdict, Workload, cell_id
from envcheck.publishing import Outcome, Target, check_target, publish
from envcheck.report.progress import Progress

BACKEND = "existing"
"""The value of the backend axis: nobody built this environment but its user."""
IDENTIFY_S = 60.0
"""An interpreter on a slow network file system may take its time to start."""


@dataclass(frozen=True)
class CheckRequest:
    """What the user asked for; the environment is named by its interpreter or by its folder."""

    python: Path | None = None
    prefix: Path | None = None
    expect: Verdict | None = None
    min_speedup: float | None = None
    model: str = "default"
    input: str | None = None
    out: Path = Path(".envcheck")
    history: Path | None = None
    deadline_s: float = 120.0
    suites: Sequence[Path] = ()
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def check(request: CheckRequest, progress: Progress) -> Outcome:
    """Run both workers in the environment, judge, and publish the results. Raises EnvcheckError."""
    chosen = named(request.python, request.prefix)
    target = Target(request.out, request.suites, request.env, request.history)
    say = progress.of("envcheck")
    say("asking the interpreter who it is")
    env = activated(request.env, chosen.python)
    identity = identify(chosen.python, env, IDENTIFY_S)
    check_target(target)
    cache = environments.cache_folder(request.env)
    setting = setting_of(request, env, cache, progress)
    progress.done("envcheck")
    return publish(target, [observe(request, chosen, identity, setting, cache, progress)], progress)


def setting_of(request: CheckRequest, env: Mapping[str, str], cache: Path, progress: Progress) -> Setting:
    """Host, model, frames and threshold."""
    say = progress.of("envcheck")
    say("reading model and input")
    from envcheck.workload import build_frames, resolve_model  # numpy and Pillow: a quarter of a second

    model, model_file = resolve_model(request.model, cache)
    work = Workload() if request.input is None else Workload(input=request.input)
    material = Material(model=model, frames=build_frames(work), workload=work)
    say("asking the driver")
    return Setting(
        host=local.host_here(env),
        gate=GATE if request.min_speedup is None else replace(GATE, min_speedup=request.min_speedup),
        material=material,
        model=model_file,
        env=env,
        deadline_s=request.deadline_s,
    )


def observe(
    request: CheckRequest, chosen: Choice, identity: Identity, setting: Setting, cache: Path, progress: Progress
) -> Evidence:
    """The evidence of the one cell, measured alone on this machine."""
    cell = cell_of(identity, request.expect)
    build = Build(outcome="existing", because=chosen.because, python=".".join(map(str, identity.version)))
    prepared = Prepared(build, (str(chosen.python), "-B"))
    try:
        with process.interruptible():
            foresight = compat.foresee(cell.axes, setting.host)
            return local.measure_alone(cache, cell, foresight, setting, prepared, progress)
    except (KeyboardInterrupt, InterruptedRunError):
        remedy = f"Nothing was finished; earlier results in {request.out} are untouched."
        raise InterruptedRunError("interrupted", remedy=remedy) from None
    finally:
        process.resume()


def cell_of(identity: Identity, expect: Verdict | None) -> Cell:
    """The cell whose axes are what the interpreter says of itself."""
    axes = Axes(backend=BACKEND, python=identity.python, mediapipe=identity.mediapipe, cuda=identity.cuda)
    expected = Expectation() if expect is None else Expectation(verdict=expect, because="named by --expect")
    return Cell(id=cell_id(axes), axes=axes, expected=expected)
