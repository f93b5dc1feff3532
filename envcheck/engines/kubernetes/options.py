"""The options of the Kubernetes engine, each checked before a cluster is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envcheck.engines.options import REMEDY, number
from envcheck.errors import UsageError
from envcheck.pipelines.kubernetes import Cluster

OF_BACKEND = "image."
"""Before a backend: another image for its cells."""
TEXTS = ("namespace", "name", "runtime_class")


@dataclass(frozen=True)
class Options:
    """What the user may set. Times are in minutes."""

    cluster: Cluster
    """Images by backend, namespace, beginning of names, runtime class."""
    kubeconfig: Path | None = None
    context: str | None = None
    minutes: float = 30.0
    """What one cell may take on its node, from the image to its evidence."""
    wait: float = 720.0
    """How long cells may wait for a node while nothing else of their Job moves."""
    patience: float = 15.0
    """How long the API server may fail to answer."""
    requeue: int = 2
    """How often a cell is run again whose node or pod was taken away."""


def path(_key: str, text: str) -> Path:
    """A file of this machine."""
    return Path(text).expanduser()


PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "kubeconfig": path,
    "context": lambda _key, text: text,
    "minutes": number(float, 0.01),
    "wait": number(float, 0),
    "patience": number(float, 0),
    "requeue": number(int, 0),
}


def parse(given: Mapping[str, str], *, placing: bool = True) -> Options:
    """The options as given; an image is needed where something is placed. Raises UsageError."""
    images = {key: value for key, value in given.items() if key == "image" or key.startswith(OF_BACKEND)}
    if unknown := sorted(set(given) - set(PARSERS) - set(TEXTS) - set(images)):
        known = ", ".join(["image", f"{OF_BACKEND}BACKEND", *TEXTS, *PARSERS])
        raise UsageError(f"the kubernetes engine has no option {', '.join(unknown)}; it has {known}", remedy=REMEDY)
    if placing and not images:
        raise UsageError(
            "the kubernetes engine needs an image by digest", remedy="--engine-option image=IMAGE@sha256:…"
        )
    texts = {key: given[key] for key in TEXTS if key in given}
    by_backend = {key.removeprefix(OF_BACKEND) if key != "image" else "": value for key, value in images.items()}
    values = {key: PARSERS[key](key, text) for key, text in given.items() if key in PARSERS}
    return Options(cluster=Cluster(images=by_backend, **texts), **values)
