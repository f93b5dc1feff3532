"""What the user asked for, and the cells it means."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envcheck import compat, environments, matrix
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.matrix import Matrix
from envcheck.model import Cell, Expectation, Host, Verdict


@dataclass(frozen=True)
class Choice:
    """Which cells of a matrix: a tier, an expression, a backend; None leaves it open."""

    tier: str | None = None
    select: str | None = None
    backend: str | None = None


@dataclass(frozen=True)
class Portion:
    """Which of the chosen cells are run here: those of a kind of host, a shard of them; None leaves it open.

    `durations` is a file that says how long cells take: an archive, or what `envcheck plan --format durations` wrote.
    """

    driver: str | None = None
    shard: str | None = None
    durations: Path | None = None


@dataclass(frozen=True)
class Request:
    """What the user asked for. None means: as the matrix says."""

    matrix: Path | None = None
    choice: Choice = Choice()
    portion: Portion = Portion()
    expect: Verdict | None = None
    min_speedup: float | None = None
    model: str = "default"
    input: str | None = None
    out: Path = Path(".envcheck")
    history: Path | None = None
    """The archive that takes the results as well."""
    jobs: int = 0
    preflight: bool = True
    relock: bool = False
    deadline_s: float = 120.0
    suites: Sequence[Path] = ()
    sign_key: Path | None = None
    engine: str = "local"
    engine_options: Mapping[str, str] = field(default_factory=dict)
    resume: str | None = None
    """The run to go on with, where it is named."""
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def read_matrix(path: Path | None) -> Matrix:
    """The matrix file given, else ./matrix.yaml, else the small one that is shipped."""
    found = matrix_file(path)
    return matrix.default() if found is None else matrix.load(found)


def matrix_file(path: Path | None) -> Path | None:
    """The matrix file given, else ./matrix.yaml; None where there is none of either."""
    here = Path("matrix.yaml")
    return here if path is None and (here.exists() or here.is_symlink()) else path


def tier_of(asked: Matrix, choice: Choice, usual: str = "smoke") -> str | None:
    """The tier that is meant: without one and without a selection the `usual` one, where the matrix has it."""
    if choice.tier is None and choice.select is None and usual in asked.tiers:
        return usual
    return choice.tier


def selected(asked: Matrix, choice: Choice, expect: Verdict | None, usual: str = "smoke") -> list[Cell]:
    """The cells to run. Without a tier or a selection the `usual` tier is meant, where the matrix has it."""
    tier = tier_of(asked, choice, usual)
    found = matrix.select(asked, tier=tier, expr=choice.select, backend=choice.backend)
    cells = [with_expectation(cell, expect) for cell in found]
    if unbuilt := sorted({cell.axes.backend for cell in cells} - set(environments.BACKENDS)):
        known = ", ".join(environments.BACKENDS)
        named = ", ".join(unbuilt)
        raise UsageError(f"cells of backend {named} cannot be built yet", remedy=f"Choose: --backend {known}")
    if not cells:
        why = matrix.why_nothing(asked, tier=tier, expr=choice.select, backend=choice.backend)
        raise NothingSelectedError(f"no cell is selected: {why}", remedy="Look at the cells with: envcheck plan")
    return cells


def with_expectation(cell: Cell, verdict: Verdict | None) -> Cell:
    """The cell, expected to come out as `verdict` where one is named on the command line."""
    if verdict is None:
        return cell
    return Cell(id=cell.id, axes=cell.axes, expected=Expectation(verdict=verdict, because="named by --expect"))


def plan_rules(host: Host) -> tuple[matrix.PlanRule, ...]:
    """What is known about the axes on this host, in the form the plan takes."""
    return tuple(matrix.PlanRule(axes=axes, judge=judge) for axes, judge in compat.plan_rules(host))
