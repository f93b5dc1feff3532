"""Cells -> ConfigMaps with their plans and indexed Jobs, which are those of `envcheck plan` with another command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envcheck.engines.engine import Work
from envcheck.engines.kubernetes.options import Options
from envcheck.engines.plans import encode
from envcheck.model import ANY_DRIVER
from envcheck.pipelines.kubernetes import Kind, Manifest, digest, labels_of, spec_of

MOST_CONFIG = 900_000
"""Bytes that a ConfigMap holds, somewhat less than its limit of 1 MiB."""
MOST_INDEXES = 1000
"""Cells of a Job: their numbers have to fit into an annotation."""
RUN, NONCE, CELLS = "envcheck/run", "envcheck/nonce", "envcheck/cells"
WORKER = ("cell", "--quiet", "--plan", "/etc/envcheck/$(JOB_COMPLETION_INDEX).json", "--parcel")


@dataclass(frozen=True)
class Tag:
    """What marks the objects of a run."""

    run: str
    nonce: str

    @property
    def selector(self) -> str:
        """Finds them; without a nonce those of every run of this name."""
        return f"{RUN}={self.run},{NONCE}={self.nonce}" if self.nonce else f"{RUN}={self.run}"


def manifests_of(
    cells: Sequence[int], works: Sequence[Work], tag: Tag, options: Options
) -> Iterator[tuple[Manifest, Manifest]]:
    """A ConfigMap and a Job for the cells of each driver and backend, more where one ConfigMap does not hold them."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        axes = works[cell].plan.cell.axes
        kinds.setdefault((axes.driver or ANY_DRIVER, axes.backend), []).append(cell)
    for (driver, backend), members in kinds.items():
        for some in portions(members, works):
            yield pair_of(driver, backend, some, tag, options)


def portions(cells: Sequence[int], works: Sequence[Work]) -> Iterator[dict[int, str]]:
    """The plans of cells, as many together as fit."""
    held: dict[int, str] = {}
    size = 0
    for cell in cells:
        text = encode(works[cell].plan).decode()
        if held and (size + len(text.encode()) > MOST_CONFIG or len(held) == MOST_INDEXES):
            yield held
            held, size = {}, 0
        held[cell] = text
        size += len(text.encode())
    yield held


def pair_of(
    driver: str, backend: str, plans: Mapping[int, str], tag: Tag, options: Options
) -> tuple[Manifest, Manifest]:
    """The ConfigMap of these plans, and the Job whose indexes they are. The names change with the plans."""
    cluster = options.cluster
    data = {f"{index}.json": text for index, text in enumerate(plans.values())}
    name = f"{cluster.name}-{tag.run[:8]}-{digest([data, tag.nonce])}"
    labels = {**labels_of(driver=driver, backend=backend), RUN: tag.run, NONCE: tag.nonce}
    marks = {CELLS: ",".join(map(str, plans))}
    about = {"name": name, "namespace": cluster.namespace, "labels": labels, "annotations": marks}
    spec = with_worker(spec_of(cluster, Kind(driver, backend, len(plans), name), name), labels, options)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "immutable": True, "data": data}
    return config, {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}


def with_worker(spec: Manifest, labels: Mapping[str, str], options: Options) -> Manifest:
    """The Job's specification with our worker in it, a time limit for each cell, and labels to find its pods by."""
    pod: dict[str, Any] = spec["template"]["spec"]
    (container,) = pod["containers"]
    worker = {
        **pod,
        "activeDeadlineSeconds": max(1, round(options.minutes * 60)),
        "containers": [{**container, "args": list(WORKER)}],
    }
    template = {"metadata": {"labels": dict(labels)}, "spec": worker}
    return {**spec, "backoffLimitPerIndex": options.requeue, "template": template}
