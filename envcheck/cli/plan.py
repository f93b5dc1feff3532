"""`envcheck plan`: the expanded matrix."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envcheck.cli.app import (
    backend_option,
    command,
    driver_option,
    durations_option,
    matrix_option,
    select_option,
    shard_option,
    tier_option,
    write,
)
from envcheck.errors import MET, UsageError


@command()
@matrix_option
@tier_option
@select_option
@backend_option
@driver_option
@shard_option
@durations_option
@click.option("--format", "form", default="text", metavar="FORMAT", help="text, json, github or durations.")
def plan(
    matrix: Path | None,
    tier: str | None,
    select: str | None,
    backend: str | None,
    driver: str | None,
    shard: str | None,
    durations: Path | None,
    form: str,
) -> int:
    """Show the expanded matrix: reachable, impossible, unreachable and excluded cells, each with its reason."""
    from envcheck.planning import FORMATS, PlanRequest, render
    from envcheck.request import Choice, Portion

    if form not in FORMATS:
        raise UsageError(f"--format {form!r} is not one of {', '.join(FORMATS)}")
    choice, portion = Choice(tier=tier, select=select, backend=backend), Portion(driver, shard, durations)
    write(render(PlanRequest(matrix, choice, portion, form, dict(os.environ))))
    return MET
