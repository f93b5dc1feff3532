"""`envcheck plan`: the matrix or a part of it, as it is foreseen here, in one of the formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from envcheck import matrix
from envcheck.division import encode, known_in, needing, portion_of
from envcheck.durations import Durations
from envcheck.engines.local import host_here
from envcheck.errors import UsageError
from envcheck.matrix import Matrix, Plan
from envcheck.model import Cell, Shard
from envcheck.pipelines import Fleet, Runners, fleet_of, github, gitlab, kubernetes
from envcheck.request import Choice, Portion, matrix_file, plan_rules, read_matrix, selected, tier_of

FORMATS = (*matrix.PLAN_FORMATS, "durations", "fleet", "github", "gitlab", "kubernetes")
FLEET = ("fleet", "github", "gitlab", "kubernetes")
"""Formats of what is placed on other machines: all cells that `validate` would choose, whatever this host has."""
MOST = {"github": github.MOST, "gitlab": gitlab.MOST, "kubernetes": kubernetes.MOST}
MOST_CONFIG = 900_000
"""Bytes that a ConfigMap holds, somewhat less than its limit of 1 MiB."""


@dataclass(frozen=True)
class Placing:
    """How jobs are placed: at most so many, on runners with these labels, or in a cluster. None: as is usual there."""

    most: int | None = None
    labels: tuple[str, ...] | None = None
    driver_label: str | None = None
    images: tuple[str, ...] = ()
    namespace: str = "envcheck"
    name: str = "envcheck"
    claim: str | None = None
    runtime_class: str | None = None
    key_secret: str | None = None


@dataclass(frozen=True)
class PlanRequest:
    """What the user asked for."""

    matrix: Path | None
    choice: Choice
    portion: Portion
    form: str
    env: Mapping[str, str]
    placing: Placing = Placing()


def render(request: PlanRequest) -> Iterator[str]:
    """The plan in the format asked for, in pieces. Raises EnvcheckError before the first one."""
    if request.form == "durations":
        return iter(encode(Durations(dict(known_in(request.portion.durations)))))
    asked = read_matrix(request.matrix)
    if request.form in FLEET:
        return iter([placed(asked, request)])
    plan, shard = planned(asked, request)
    told = iter([f"{shard}\n\n"] if shard and request.form == "text" else [])
    return chained(told, matrix.render_plan(plan, request.form))


def chained(*parts: Iterator[str]) -> Iterator[str]:
    """One after the other."""
    for part in parts:
        yield from part


def planned(asked: Matrix, request: PlanRequest) -> tuple[Plan, Shard | None]:
    """The plan of what was asked for; of a part only its cells, among which nothing excluded is."""
    choice, only, shard = request.choice, None, None
    if request.portion.driver is not None or request.portion.shard is not None:
        cells = list(matrix.select(asked, tier=choice.tier, expr=choice.select, backend=choice.backend))
        ours, shard = portion_of(cells, request.portion, request.env)
        only = frozenset(cell.id for cell in ours)
    rules = plan_rules(host_here(request.env))
    plan = matrix.classify(asked, rules, tier=choice.tier, expr=choice.select, backend=choice.backend)
    return replace(plan, only=only), shard


# --- on other machines ------------------------------------------------------------------------------------------


def placed(asked: Matrix, request: PlanRequest) -> str:
    """The jobs for an engine. Raises UsageError and NothingSelectedError."""
    if request.portion.shard is not None:
        raise UsageError(f"--format {request.form} makes shards of its own", remedy="Leave out --shard.")
    cells: Sequence[Cell] = selected(asked, request.choice, None)
    if request.portion.driver is not None:
        cells = needing(cells, request.portion.driver)
    known = known_in(request.portion.durations)
    if request.form == "kubernetes":
        return manifests(asked, cells, known, request)
    fleet = fleet_of(cells, known, most_of(request))
    if request.form == "fleet":
        return msgspec.json.encode(fleet).decode() + "\n"
    return RENDER[request.form](fleet, runners_of(request))


RENDER = {"github": github.render, "gitlab": gitlab.render}


def most_of(request: PlanRequest) -> int:
    """At most so many jobs: the limit of the engine, or what is asked for within it."""
    limit = MOST.get(request.form, github.MOST)
    asked = limit if request.placing.most is None else request.placing.most
    if not 1 <= asked <= limit:
        raise UsageError(f"--shards {asked} is not from 1 to {limit}, the most that {request.form} takes")
    return asked


def runners_of(request: PlanRequest) -> Runners:
    """The labels of runners, as named or as is usual."""
    usual = Runners(base=("gpu",)) if request.form == "gitlab" else Runners()
    return Runners(request.placing.labels or usual.base, request.placing.driver_label or usual.form)


def manifests(asked: Matrix, cells: Sequence[Cell], known: Mapping[str, float], request: PlanRequest) -> str:
    """What Kubernetes is given, with the matrix in it."""
    placing, choice = request.placing, request.choice
    if not placing.images:
        raise UsageError(
            "--format kubernetes needs an image by digest", remedy="--image IMAGE@sha256:DIGEST; docs/fleet.md"
        )
    served = [cell for cell in cells if cell.axes.backend in kubernetes.SERVED]
    given = {"--tier": tier_of(asked, choice), "--select": choice.select}
    cluster = kubernetes.Cluster(
        images=dict(image_named(text) for text in placing.images),
        claim=placing.claim,
        namespace=placing.namespace,
        name=placing.name,
        runtime_class=placing.runtime_class,
        key_secret=placing.key_secret,
        arguments=[word for option, value in given.items() if value for word in (option, value)],
    )
    fleet = fleet_of(served, known, most_of(request), by_backend=True)
    left_out = [cell.id for cell in cells if cell.axes.backend not in kubernetes.SERVED]
    return kubernetes.render(fleet, cluster, files_of(request, fleet, known), left_out)


def image_named(text: str) -> tuple[str, str]:
    """A backend, or none, and its image."""
    backend, given, image = text.partition("=")
    return (backend, image) if given else ("", text)


def files_of(request: PlanRequest, fleet: Fleet, known: Mapping[str, float]) -> dict[str, str]:
    """What pods work their shards out from: the matrix as it is written, and the times of its cells."""
    seconds = {cell.id: known[cell.id] for cell in fleet.cells if cell.id in known}
    files = {
        "matrix.yaml": matrix.text_of(matrix_file(request.matrix)),
        "durations.json": "".join(encode(Durations(seconds))),
    }
    if sum(len(text.encode()) for text in files.values()) > MOST_CONFIG:
        raise UsageError("the matrix is too large for a ConfigMap", remedy="Split it, or mount it as a volume.")
    return files
