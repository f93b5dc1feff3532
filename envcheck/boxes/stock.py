"""Images and containers of ours that an engine holds, and their removal; what is somebody else's is not touched.

A label tells whose a thing is. Who builds an image on top of ours inherits it, so one with a name of another's stays.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envcheck import process
from envcheck.boxes.engine import Engine
from envcheck.boxes.engine import Run as Runner
from envcheck.boxes.lifecycle import DEADLINE_S, decoded, is_gone
from envcheck.boxes.options import LABEL

CELL, LOCK, SCRATCH = "envcheck.cell", "envcheck.lock", "envcheck.scratch"
"""Labels: of a cell's image, of its lock's hash, and of an image built to be judged, with its run."""
REPOSITORY = "localhost/envcheck/"
"""Names that envcheck gives begin with it."""
_REMOVE_S = 300.0


@dataclass(frozen=True, slots=True)
class Held:
    """A thing of ours in an engine. `kept` says why it stays; `size` counts layers that other images may share."""

    kind: str
    """image or container."""
    identifier: str
    names: tuple[str, ...]
    size: int | None
    created: float | None
    labels: Mapping[str, str]
    kept: str = ""


def images(engine: Engine, env: Mapping[str, str], run: Runner = process.run) -> list[Held]:
    """Images with a label of ours."""
    found: dict[str, Held] = {}
    used = containers_by_image(engine, env, run)
    for label in (CELL, SCRATCH):
        for told in listed(engine, env, run, "image", label):
            one = image_of(told, used)
            found[one.identifier] = one
    return sorted(found.values(), key=lambda one: one.identifier)


def containers(engine: Engine, env: Mapping[str, str], run: Runner = process.run) -> list[Held]:
    """Containers with our label; those of runs that go on, or that may, are kept."""
    return [container_of(told) for told in listed(engine, env, run, "container", LABEL)]


def remove(engine: Engine, held: Held, env: Mapping[str, str], run: Runner = process.run) -> str:
    """Remove it; why it is still there, or an empty text. An image is never forced: the engine keeps what is in use."""
    if held.kind == "container":
        words = ["rm", "--force", "--volumes", held.identifier]
    else:
        words = ["image", "rm", *(held.names or (held.identifier,))]
    done = run(engine.command(*words), deadline_s=_REMOVE_S, env=env)
    return "" if done.succeeded else last_line(done.stderr) or "the engine did not say why"


# --- what the engine tells -----------------------------------------------------------------------------------------


def listed(engine: Engine, env: Mapping[str, str], run: Runner, kind: str, label: str) -> list[dict[str, Any]]:
    """What the engine tells of each image or container with a label."""
    every = ("--all",) if kind == "container" else ()
    words = engine.command(kind, "ls", *every, "--quiet", "--no-trunc", "--filter", f"label={label}")
    found = run(words, deadline_s=DEADLINE_S, env=env).stdout.decode("ascii", "replace").split()
    if not found:
        return []
    names = list(dict.fromkeys(found))
    return decoded(run(engine.command(kind, "inspect", *names), deadline_s=DEADLINE_S, env=env).stdout)


def image_of(told: Mapping[str, Any], used: Mapping[str, str]) -> Held:
    """An image, and why it stays if it does. `used`: the name of a container by the id of its image."""
    identifier, labels = bare(told.get("Id")), labels_of(told)
    names = tuple(str(name) for name in told.get("RepoTags") or ())
    size = told.get("Size")
    return Held(
        kind="image",
        identifier=identifier,
        names=names,
        size=size if isinstance(size, int) else None,
        created=epoch(str(told.get("Created") or "")),
        labels=labels,
        kept=why_image_stays(names, labels, used.get(identifier)),
    )


def why_image_stays(names: tuple[str, ...], labels: Mapping[str, str], container: str | None) -> str:
    """The reason to keep an image; empty for one that may go."""
    if container is not None:
        return f"container {container} uses it"
    if run := labels.get(SCRATCH):
        return "" if is_gone(run) else "its run goes on, or is another machine's"
    if others := [name for name in names if not name.startswith(REPOSITORY)]:
        return f"it has a name of yours: {others[0]}"
    return ""


def container_of(told: Mapping[str, Any]) -> Held:
    """A container, kept unless its run is known to be over."""
    labels = labels_of(told)
    gone = is_gone(labels.get(LABEL, ""))
    return Held(
        kind="container",
        identifier=bare(told.get("Id")),
        names=(str(told.get("Name") or "").lstrip("/"),),
        size=None,
        created=epoch(str(told.get("Created") or "")),
        labels=labels,
        kept="" if gone else "its run goes on, or is another machine's",
    )


def containers_by_image(engine: Engine, env: Mapping[str, str], run: Runner) -> dict[str, str]:
    """The name of one container of each image that has any."""
    words = engine.command("container", "ls", "--all", "--quiet", "--no-trunc")
    found = run(words, deadline_s=DEADLINE_S, env=env).stdout.decode("ascii", "replace").split()
    if not found:
        return {}
    told = decoded(run(engine.command("container", "inspect", *found), deadline_s=DEADLINE_S, env=env).stdout)
    return {bare(one.get("Image")): str(one.get("Name") or "").lstrip("/") for one in told}


def labels_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an inspected image or container."""
    config = told.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {}


def bare(identifier: object) -> str:
    """An id without its algorithm; Docker writes it, Podman does not."""
    return str(identifier or "").removeprefix("sha256:")


def epoch(written: str) -> float | None:
    """The seconds since 1970 of `2026-11-21T10:15:00.123Z`; None where it is no time."""
    try:
        return float(calendar.timegm(time.strptime(written[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def last_line(output: bytes) -> str:
    """The last line that says something."""
    return next(iter(reversed(list(lines(output)))), "")[:300]


def lines(output: bytes) -> Iterator[str]:
    """Lines with something on them."""
    return (line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip())
