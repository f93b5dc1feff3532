"""`envcheck check --image`: one cell, seen inside a container of the image, judged and published like any other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from envcheck import boxes, compat, environments, process
from envcheck.boxes import Engine
from envcheck.cell.run import observe_cell
from envcheck.cell.stage import Setting
from envcheck.check import CheckRequest, setting_of
from envcheck.engines import local
from envcheck.environments import Prepared
from envcheck.errors import InterruptedRunError, UsageError
from envcheck.existing import Identity
from envcheck.host import STEERING
from envcheck.images import container, files, scratch
from envcheck.images.container import Holder, NoPythonError, NotStartedError, Room, Wish
from envcheck.images.look import Config, inspect, other_architecture
from envcheck.images.pythons import CHOOSE, Chosen, candidates, choose, is_path
from envcheck.model import Axes, Build, Cell, Evidence, Expectation, Image, cell_id
from envcheck.publishing import Outcome, Target, check_target, publish
from envcheck.record import Unread
from envcheck.redact import is_secret_name, redact
from envcheck.report.progress import Progress

BACKEND = "image"
"""The value of the backend axis: whoever built the image, it was not envcheck."""
START_S = 60.0
"""A large image on a slow disk may take its time to start."""
MOST_TRIED = 8
ASSIGNED = re.compile(r"([A-Za-z_][\w-]*)=(\"[^\"]*\"|'[^']*'|\S+)")
MOST_TOLD, LONGEST = 100, 400
"""Triggers that are recorded, and characters of each, as of each word of the entry point: images may have anything."""


@dataclass(frozen=True)
class ImageRequest:
    """What the user asked for: an image, or a folder to build one from, and what every check has."""

    check: CheckRequest
    reference: str | None = None
    dockerfile: Path | None = None
    keep: bool = False
    engine: str | None = None
    wish: Wish = field(default_factory=Wish)
    build_options: tuple[str, ...] = ()
    ca_file: Path | None = None
    prove: bool = False


@dataclass(frozen=True)
class Subject:
    """An image under judgement: who runs it, what it is, how it is started."""

    engine: Engine
    config: Config
    wish: Wish
    request: ImageRequest


@contextmanager
def engine_for(request: ImageRequest, progress: Progress) -> Iterator[Engine]:
    """The engine, cleared of what earlier runs have left; and of what this one leaves where it is interrupted."""
    say, env = progress.of("envcheck"), request.check.env
    say("asking the container engine")
    engine = boxes.find(env, named=request.engine)
    try:
        with process.interruptible():
            yield engine
            container.await_removals()
            # One whose client was given up while the engine was still making it came up after its removal.
            boxes.remove_of_this_run(engine, env)
            if request.prove or request.dockerfile is not None:  # what a build that failed half-way has left
                scratch.remove_of_this_run(engine, env)
    except (KeyboardInterrupt, InterruptedRunError):
        process.resume()
        say("removing the containers of this run")
        boxes.remove_of_this_run(engine, env)
        scratch.remove_of_this_run(engine, env)
        remedy = f"Nothing was finished; earlier results in {request.check.out} are untouched."
        raise InterruptedRunError("interrupted", remedy=remedy) from None
    finally:
        process.resume()


def check_image(request: ImageRequest, progress: Progress) -> Outcome:
    """Judge an image and publish the results. Raises EnvcheckError."""
    check = request.check
    target = Target(check.out, check.suites, check.env, check.history)
    with engine_for(request, progress) as engine, scratch.built(request, engine, progress) as made:
        if isinstance(made, Build):
            check_target(target)
            setting = setting_of(request.check, request.check.env, cache_of(request), progress)
            return publish(target, [unbuilt(request, made, setting)], progress)
        subject = Subject(engine, inspect(engine, made, request.check.env), request.wish, request)
        evidence, _setting = first_look(subject, target, progress)
        return publish(target, [evidence], progress)


def cache_of(request: ImageRequest) -> Path:
    """The cache folder."""
    return environments.cache_folder(request.check.env)


def first_look(subject: Subject, target: Target, progress: Progress) -> tuple[Evidence, Setting]:
    """The evidence of the image, and what every further look shares. The container comes up beside the preparation."""
    env, say = subject.request.check.env, progress.of("envcheck")
    check_target(target)
    holder = None if other_architecture(subject.config, subject.engine) else begin(subject)
    try:
        setting = setting_of(subject.request.check, env, cache_of(subject.request), progress)
        for name in (*boxes.sweep(subject.engine, env), *scratch.sweep(subject.engine, env)):
            progress.tell(f"removed {name}, which a run that is gone had left")
    except BaseException:
        if holder is not None:
            container.removed_beside(holder)
        raise
    say("looking for Python in the image")
    progress.done("envcheck")
    return observe(subject, setting, holder, progress), setting


def patience(subject: Subject) -> float:
    """Seconds that an interpreter may take to start."""
    return min(START_S, subject.request.check.deadline_s)


def tries_of(subject: Subject) -> tuple[str, ...]:
    """The interpreters to try: the one that the user names, or candidates."""
    return (subject.wish.python,) if subject.wish.python else candidates(subject.config)


def begin(subject: Subject) -> Holder:
    """Start the container with the first of `tries_of`."""
    env = subject.request.check.env
    return container.start(subject.config, subject.engine, subject.wish, tries_of(subject)[0], env)


def observe(subject: Subject, setting: Setting, holder: Holder | None, progress: Progress) -> Evidence:
    """The evidence of one look; one that failed early is evidence too. `holder` was started by `begin`."""
    config, setting = subject.config, inside(subject, setting)
    if holder is None:
        return failed(subject, setting, "other-architecture", other_architecture(config, subject.engine))
    try:
        with container.entered(
            holder, config, subject.engine, subject.wish, tries_of(subject), patience(subject)
        ) as room:
            return observe_in(room, subject, setting, progress)
    except NotStartedError as error:
        return failed(subject, setting, "not-started", error.message)
    except NoPythonError as error:
        if subject.wish.python:
            raise UsageError(f"--python {error.message}", remedy=f"A path inside {config.reference}.") from None
        return search(subject, setting, error.message, progress)


def search(subject: Subject, setting: Setting, said: str, progress: Progress) -> Evidence:
    """The evidence of an image whose search path leads to no Python: its files are read for one."""
    env, config = subject.request.check.env, subject.config
    progress.say("envcheck", "no Python where programs are looked for; reading the image's files")
    seen = files.scan(config, subject.engine, env)
    progress.done("envcheck")
    if isinstance(seen, Unread):
        return failed(subject, setting, "no-python", f"{said}; {seen.reason}")
    shell = bool(seen.shells)
    found = [path for path in seen.pythons if is_path(path) and path not in tries_of(subject)][:MOST_TRIED]
    if not found:
        none = f"none of its {seen.files} files is an interpreter" if not seen.pythons else "none of those found works"
        return failed(subject, setting, "no-python", f"{said}; {none}", shell=shell)
    first = container.start(config, subject.engine, subject.wish, found[0], env)
    try:
        with container.entered(first, config, subject.engine, subject.wish, found, patience(subject)) as room:
            return observe_in(room, subject, setting, progress)
    except NotStartedError as error:
        return failed(subject, setting, "not-started", error.message, shell=shell)
    except NoPythonError as error:
        return failed(subject, setting, "no-python", f"{said}; {error.message}", shell=shell)


def observe_in(room: Room, subject: Subject, setting: Setting, progress: Progress) -> Evidence:
    """The evidence of a container that is up."""
    named = subject.wish.python
    chosen = Chosen(named, "named by --python") if named else choose(room.answer)
    python = room.answer.executable if named else chosen.python
    record = replace(
        image_of(subject), python=python, chosen=chosen.because, pythons=room.answer.pythons, shell=room.answer.shell
    )
    try:
        identity = room.identify(python, patience(subject))
    except UsageError as error:
        return replace(failed(subject, setting, "no-python", error.message), image=record)
    cell = cell_of(subject, identity)
    because = f"{subject.config.reference}, {python} ({chosen.because})"
    build = Build(outcome="existing", because=because, python=".".join(map(str, identity.version)))
    prepared = Prepared(build, room.argv(python))
    foresight = compat.foresee(cell.axes, setting.host)
    cache = cache_of(subject.request)
    return replace(local.measure_alone(cache, cell, foresight, setting, prepared, progress), image=record)


def failed(subject: Subject, setting: Setting, outcome: str, because: str, *, shell: bool | None = None) -> Evidence:
    """The evidence of an image in which nothing could be started."""
    if gone := boxes.silence(subject.engine.words, subject.request.check.env):
        outcome, because = "no-engine", gone
    build = Build(outcome=outcome, because=redact(because, setting.env))
    cell = cell_of(subject, None)
    evidence = observe_cell(cell, compat.foresee(cell.axes, setting.host), setting, build)
    return replace(evidence, image=replace(image_of(subject), shell=shell))


def unbuilt(request: ImageRequest, build: Build, setting: Setting) -> Evidence:
    """The evidence of an image that could not be built."""
    axes = Axes(backend=BACKEND)
    cell = Cell(id=cell_id(axes), axes=axes, expected=expectation(request.check))
    return observe_cell(cell, compat.foresee(axes, setting.host), setting, build)


def image_of(subject: Subject) -> Image:
    """What is recorded of the image, and how GPUs are handed in."""
    engine, config = subject.engine, subject.config
    hidden = {**subject.request.check.env, **secrets_of(config.variables)}
    return Image(
        reference=config.reference,
        id=config.id,
        digests=config.digests,
        platform=config.platform,
        user=config.user,
        entrypoint=tuple(told(word, hidden) for word in config.entrypoint),
        engine=f"{engine.kind} {engine.version}{' (rootless)' if engine.rootless else ''}",
        injection=subject.wish.gpus or engine.gpu.mode,
        triggers=tuple(told(one, hidden) for one in config.triggers[:MOST_TOLD]),
    )


def told(text: str, env: Mapping[str, str]) -> str:
    """A part of an image's configuration as it is recorded: without secrets, and of a length that people read."""
    assigned = ASSIGNED.sub(lambda found: f"{found[1]}=***" if is_secret_name(found[1]) else found[0], text)
    return redact(assigned, env)[:LONGEST]


def cell_of(subject: Subject, identity: Identity | None) -> Cell:
    """The cell whose axes are what the image's interpreter says of itself, and its base says of CUDA."""
    base = ".".join(subject.config.variables.get("CUDA_VERSION", "").split(".")[:2]) or None
    axes = Axes(backend=BACKEND)
    if identity is not None:
        axes = Axes(BACKEND, identity.python, identity.mediapipe, cuda=identity.cuda or base)
    return Cell(id=cell_id(axes), axes=axes, expected=expectation(subject.request.check))


def expectation(request: CheckRequest) -> Expectation:
    """What the image should come out as."""
    return Expectation() if request.expect is None else Expectation(request.expect, because="named by --expect")


def inside(subject: Subject, setting: Setting) -> Setting:
    """The setting of a run in the container: its variables steer GL, and its secrets are secrets."""
    taken = set(subject.wish.unset)
    variables = {name: value for name, value in subject.config.variables.items() if name not in taken}
    variables |= dict(subject.wish.variables)
    env = {**setting.env, **secrets_of(variables)}
    steering = {name: redact(variables[name], env) for name in STEERING if name in variables}
    return Setting(
        host=replace(setting.host, steering=steering),
        gate=setting.gate,
        material=setting.material,
        model=setting.model,
        env=env,
        deadline_s=setting.deadline_s,
    )


def secrets_of(variables: Mapping[str, str]) -> dict[str, str]:
    """The image's secrets under names of ours: they are to be hidden, and steer nothing of the engine's client."""
    return {f"ENVCHECK_INSIDE_{name}": value for name, value in variables.items() if is_secret_name(name)}


__all__ = ["CHOOSE", "ImageRequest", "Subject", "check_image", "engine_for"]
