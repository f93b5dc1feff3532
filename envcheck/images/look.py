"""What an engine tells of an image without starting anything: `image inspect`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from envcheck import process
from envcheck.boxes import Engine
from envcheck.boxes.engine import kernel_name
from envcheck.errors import InfrastructureError, UsageError

DEADLINE_S = 60.0
QUOTE = 300
NAME = re.compile(r"[^\s\x00-\x1f\x7f?#%-][^\s\x00-\x1f\x7f?#%]*")
"""Not the grammar of names, which is the engine's: what none takes for one, or asks its server something else by."""
ONBUILD = re.compile(r"(?:/bin/sh -c #\(nop\))?\s*ONBUILD\s+(.+)", re.DOTALL)


@dataclass(frozen=True)
class Config:
    """An image's configuration: what a container of it would be given."""

    reference: str
    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    system: str = "linux"
    architecture: str = ""
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    folder: str = "/"
    triggers: tuple[str, ...] = ()
    """What ONBUILD asks for in whatever is built on it; Podman's also tells those that have run already."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def platform(self) -> str:
        """Such as linux/amd64."""
        return f"{self.system}/{self.architecture}"


def inspect(engine: Engine, reference: str, env: Mapping[str, str]) -> Config:
    """The configuration of an image that is here. Raises UsageError for one that is not."""
    if not NAME.fullmatch(reference):
        raise UsageError(f"--image {reference!r} is no name of an image", remedy="Such as --image my-app:latest")
    done = process.run(engine.command("image", "inspect", reference), env=env, deadline_s=DEADLINE_S)
    told = decoded(done.stdout)
    if told is not None:
        return config_of(reference, told)
    said = " ".join(done.stderr.decode("utf-8", "replace").split())[:QUOTE]
    if done.started and any(words in said.lower() for words in ("no such image", "not known", "invalid reference")):
        raise UsageError(
            f"--image {reference}: {engine.kind} has no such image here",
            remedy=f"Fetch it first: {engine.words[0]} pull {reference}",
        )
    raise InfrastructureError(f"{engine.kind} does not tell of image {reference}: {said or done.describe()}")


def decoded(answer: bytes) -> Mapping[str, Any] | None:
    """The one object of the answer; None where there is none."""
    try:
        told = msgspec.json.decode(answer.strip() or b"null")
    except msgspec.MsgspecError:
        return None
    return told[0] if isinstance(told, list) and told and isinstance(told[0], dict) else None


def config_of(reference: str, told: Mapping[str, Any]) -> Config:
    """Docker's and Podman's answers have the same names."""
    found = told.get("Config")
    config: Mapping[str, Any] = found if isinstance(found, dict) else {}
    pairs = (str(pair).partition("=") for pair in listed(config, "Env"))
    return Config(
        reference=reference,
        id=str(told.get("Id") or ""),
        tags=listed(told, "RepoTags"),
        digests=listed(told, "RepoDigests"),
        system=str(told.get("Os") or "linux"),
        architecture=str(told.get("Architecture") or ""),
        user=str(config.get("User") or ""),
        entrypoint=listed(config, "Entrypoint"),
        command=listed(config, "Cmd"),
        folder=str(config.get("WorkingDir") or "/"),
        triggers=listed(config, "OnBuild") or triggers_of(told),
        variables={name: value for name, _, value in pairs if name},
    )


def triggers_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The ONBUILD lines in an image's history, which is all that Podman tells; images in OCI's format have none."""
    if "docker" not in str(told.get("ManifestType") or ""):
        return ()
    rows = told.get("History")
    made = (str(row.get("created_by") or "") for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    return tuple(found[1].strip() for text in made if (found := ONBUILD.match(text)))


def listed(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of words, empty where there is none."""
    found = told.get(name)
    return tuple(map(str, found)) if isinstance(found, list) else (found,) if isinstance(found, str) else ()


def other_architecture(config: Config, engine: Engine) -> str:
    """Why programs of this image are none for the engine's machine, or an empty text."""
    if config.system not in ("", "linux"):
        return f"the image is for {config.system}, and {engine.kind} runs Linux containers here"
    inside = kernel_name(config.architecture)
    if not inside or not engine.architecture or inside == kernel_name(engine.architecture):
        return ""
    return f"the image is for {config.platform}, and {engine.kind}'s machine is {engine.architecture}"
