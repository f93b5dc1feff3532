"""`envcheck plan`: the expanded matrix."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envcheck.cli.app import backend_option, command, matrix_option, select_option, tier_option, write
from envcheck.errors import MET, UsageError


@command()
@matrix_option
@tier_option
@select_option
@backend_option
@click.option("--format", "form", default="text", metavar="FORMAT", help="text, json or github.")
def plan(matrix: Path | None, tier: str | None, select: str | None, backend: str | None, form: str) -> int:
    """Show the expanded matrix: reachable, impossible, unreachable and excluded cells, each with its reason."""
    from envcheck.engines.local import host_here
    from envcheck.matrix import PLAN_FORMATS, classify, render_plan
    from envcheck.request import plan_rules, read_matrix

    if form not in PLAN_FORMATS:
        raise UsageError(f"--format {form!r} is not one of {', '.join(PLAN_FORMATS)}")
    asked = read_matrix(matrix)
    rules = plan_rules(host_here(dict(os.environ)))
    write(render_plan(classify(asked, rules, tier=tier, expr=select, backend=backend), format=form))
    return MET
