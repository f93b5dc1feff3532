"""`envcheck plan`: the matrix or a part of it, as it is foreseen here, in one of the formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from envcheck import matrix
from envcheck.division import encode, known_in, portion_of
from envcheck.durations import Durations
from envcheck.engines.local import host_here
from envcheck.matrix import Matrix, Plan
from envcheck.model import Shard
from envcheck.request import Choice, Portion, plan_rules, read_matrix

FORMATS = (*matrix.PLAN_FORMATS, "durations")


@dataclass(frozen=True)
class PlanRequest:
    """What the user asked for."""

    matrix: Path | None
    choice: Choice
    portion: Portion
    form: str
    env: Mapping[str, str]


def render(request: PlanRequest) -> Iterator[str]:
    """The plan in the format asked for, in pieces. Raises EnvcheckError before the first one."""
    if request.form == "durations":
        return iter(encode(Durations(dict(known_in(request.portion.durations)))))
    asked = read_matrix(request.matrix)
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
