"""Images that envcheck builds to judge them: labelled with their run, and removed when it is over."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envcheck import process
from envcheck.boxes import Engine, run_label
from envcheck.boxes.lifecycle import decoded, is_gone
from envcheck.boxes.options import LABEL as RUN_LABEL
from envcheck.errors import UsageError
from envcheck.images import container
from envcheck.images.look import Config
from envcheck.model import Build
from envcheck.outcomes import Completed
from envcheck.redact import redact
from envcheck.report.progress import Progress

if TYPE_CHECKING:
    from envcheck.images.judging import ImageRequest

LABEL = "envcheck.scratch"
"""Every image of ours that is to go again carries it; its value names the run it belongs to."""
NAME = "envcheck-scratch"
KEPT = "envcheck-kept"
"""What a user wants to keep is the user's: it has no label of ours, by which the next run would remove it."""
BUILD_S = 3600.0
REMOVE_S = 120.0
LOG_LIMIT = 200_000
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STEP = re.compile(r"^(?:#\d+ )?(?:\d+\.\d{3} )?")
"""What BuildKit writes before a line: the step, and the seconds since its start."""
NOISE = re.compile(
    r"DEPRECATED|Install the buildx|Removing intermediate|^-+> |docs\.docker\.com|returned a non-zero code"
    r"|^exit status|^exited|executor failed running|did not complete successfully|^> \[|^-+$|^Dockerfile:\d+$|^\d+ \|"
)
TELLING = re.compile(r"error|^E: |no module named|no such|not found|denied|cannot|unable|failed", re.IGNORECASE)


class BuildFailedError(Exception):
    """The engine could not build; the text is its log."""

    def __init__(self, log: str) -> None:
        super().__init__(log)
        self.log = log


@contextmanager
def built(request: ImageRequest, engine: Engine, progress: Progress) -> Iterator[str | Build]:
    """The image to judge: the one that is named, or one that is built now and removed after. A Build that failed."""
    if request.dockerfile is None:
        yield str(request.reference)
        return
    folder, file = place_of(request.dockerfile)
    env, say = request.check.env, progress.of("envcheck")
    say(f"building {file}")
    tag = fresh_tag(KEPT if request.keep else NAME)
    own = () if request.keep else ours()
    try:
        build(engine, folder, tag, (*own, "--file", str(file), *request.build_options), env)
    except BuildFailedError as error:
        yield Build(outcome="failed", because=cause_in(error.log), log=redact(error.log[-LOG_LIMIT:], env))
        return
    finally:
        progress.done("envcheck")
    try:
        yield tag
    finally:
        if request.keep:
            progress.tell(f"kept: {tag}")
        elif not process.stopped():
            remove(engine, [tag], env)


def place_of(given: Path) -> tuple[Path, Path]:
    """The folder that is the build's context, and its Dockerfile. Raises UsageError."""
    if given.is_file():
        return given.parent, given
    if not given.is_dir():
        raise UsageError(f"--dockerfile {given}: no such folder", remedy="Name a folder with a Dockerfile.")
    for name in ("Dockerfile", "Containerfile"):
        if (given / name).is_file():
            return given, given / name
    raise UsageError(f"--dockerfile {given}: no Dockerfile in this folder", remedy="Name a folder with a Dockerfile.")


def fresh_tag(name: str = NAME) -> str:
    """A name that no other image has."""
    return f"{name}:{secrets.token_hex(6)}"


def ours() -> tuple[str, str]:
    """The option that labels what is built as ours, to be removed."""
    return ("--label", label())


def label() -> str:
    """The label of this run's scratch images."""
    return f"{LABEL}={run_label()}"


def base_of(engine: Engine, config: Config, env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What FROM calls an image that is here, and the environment of the build.

    BuildKit takes an identifier for a name in a registry. So the image goes by a tag that is still its own; where it
    has none, the plain builder builds.
    """
    if engine.kind == "podman":
        return config.id, dict(env)
    tag = next((one for one in config.tags if is_of(engine, one, config.id, env)), None)
    return (tag, dict(env)) if tag else (config.id, {**env, "DOCKER_BUILDKIT": "0"})


def is_of(engine: Engine, tag: str, identifier: str, env: Mapping[str, str]) -> bool:
    """True where a tag still leads to the image."""
    told = decoded(process.run(engine.command("image", "inspect", tag), env=env, deadline_s=REMOVE_S).stdout)
    return bool(told) and told[0].get("Id") == identifier


def without_triggers(engine: Engine, config: Config, env: Mapping[str, str]) -> str:
    """The same image without its ONBUILD, which would run before what is to be tried; its tag. Raises BuildFailedError.

    An engine leaves triggers out of the image that it makes of a container; this one was never started.
    """
    tag = fresh_tag()
    own = ("--label", f"{RUN_LABEL}={run_label()}")
    command = () if config.entrypoint or config.command else ("nothing",)
    create = engine.command("create", "--pull", "never", "--network", "none", *own, config.id, *command)
    created = process.run(create, env=env, deadline_s=REMOVE_S)
    name = created.stdout.decode("ascii", "replace").strip()
    if not created.succeeded or not name:
        raise BuildFailedError(log_of(created))
    try:
        words = ("commit", "--change", f"LABEL {label()}", name, tag)
        made = process.run(engine.command(*words), env=env, deadline_s=BUILD_S)
    finally:
        process.run(engine.command("rm", "--force", "--volumes", name), env=env, deadline_s=REMOVE_S)
    if not made.succeeded:
        raise BuildFailedError(log_of(made))
    return tag


def build(engine: Engine, context: Path, tag: str, options: Sequence[str], env: Mapping[str, str]) -> None:
    """Build an image; one that is to go again has the option `ours`. Raises BuildFailedError with the log."""
    words = ("build", "--force-rm", "--tag", tag, *options, str(context))
    done = process.run(engine.command(*words), env=env, deadline_s=BUILD_S)
    if not done.succeeded:
        raise BuildFailedError(log_of(done))


def log_of(done: Completed) -> str:
    """What a command of the engine printed, and how it ended."""
    log = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace").strip()
    return f"{log}\n{done.describe()}" if log else done.describe()


def cause_in(log: str) -> str:
    """The line of a build's log that tells why it failed."""
    told = (STEP.sub("", line.strip()) for line in COLOUR.sub("", log).splitlines())
    lines = [line for line in told if line and not NOISE.search(line)]
    telling = [line for line in lines if TELLING.search(line)]
    return f"the image could not be built: {(telling or lines or ['no log'])[-1][:400]}"


def remove(engine: Engine, names: Sequence[str], env: Mapping[str, str]) -> None:
    """Remove images; one that is gone already is no error. The engine only untags an image whose container is there."""
    container.await_removals()
    if names:
        process.run(engine.command("image", "rm", "--force", *names), env=env, deadline_s=REMOVE_S)


def sweep(engine: Engine, env: Mapping[str, str]) -> tuple[str, ...]:
    """Remove the images that runs which are gone have left; their names."""
    return removed(engine, env, LABEL, gone=True)


def remove_of_this_run(engine: Engine, env: Mapping[str, str]) -> tuple[str, ...]:
    """Remove the images that this run has left, as after an interruption; their names."""
    return removed(engine, env, label(), gone=False)


def removed(engine: Engine, env: Mapping[str, str], label: str, *, gone: bool) -> tuple[str, ...]:
    """Remove the images of a label, or those of them whose run is gone."""
    listing = engine.command("image", "ls", "--quiet", "--no-trunc", "--filter", f"label={label}")
    found = sorted(set(process.run(listing, env=env, deadline_s=60.0).stdout.decode("ascii", "replace").split()))
    if not found:
        return ()
    told = decoded(process.run(engine.command("image", "inspect", *found), env=env, deadline_s=60.0).stdout)
    chosen = [one for one in told if not gone or is_gone(label_of(one))]
    names = tuple(name_of(one) for one in chosen)
    remove(engine, names, env)
    return names


def label_of(told: Mapping[str, Any]) -> str:
    """The run that an image belongs to."""
    config = told.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    return str(labels.get(LABEL) or "") if isinstance(labels, dict) else ""


def name_of(told: Mapping[str, Any]) -> str:
    """The image's tag, or its identifier where it has none."""
    tags = told.get("RepoTags")
    return str(tags[0]) if isinstance(tags, list) and tags else str(told.get("Id"))
