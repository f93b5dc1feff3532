"""`envcheck plan`: the expanded matrix."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from envcheck.cli.app import BackendOption, MatrixOption, SelectOption, TierOption, app, write
from envcheck.errors import UsageError


@app.command()
def plan(
    matrix: MatrixOption = None,
    tier: TierOption = None,
    select: SelectOption = None,
    backend: BackendOption = None,
    form: Annotated[str, typer.Option("--format", help="text, json or github.")] = "text",
) -> None:
    """Show the expanded matrix: reachable, impossible, unreachable and excluded cells, each with its reason."""
    from envcheck.engines.local import host_here
    from envcheck.matrix import PLAN_FORMATS, classify, render_plan
    from envcheck.request import plan_rules, read_matrix

    if form not in PLAN_FORMATS:
        raise UsageError(f"--format {form!r} is not one of {', '.join(PLAN_FORMATS)}")
    asked = read_matrix(matrix)
    rules = plan_rules(host_here(dict(os.environ)))
    write(render_plan(classify(asked, rules, tier=tier, expr=select, backend=backend), format=form))
