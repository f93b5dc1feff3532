"""`envcheck plan`: the expanded matrix, for people, for programs, and for engines that place its cells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envcheck.cli.app import command, write
from envcheck.cli.asking import which_cells, which_part
from envcheck.errors import MET, UsageError

if TYPE_CHECKING:
    from envcheck.request import Choice, Portion


@command()
@which_cells
@which_part
@click.option(
    "--format",
    "form",
    default="text",
    metavar="FORMAT",
    help="text, json, fleet, github, gitlab, kubernetes or durations.",
)
@click.option("--shards", "most", type=int, metavar="N", help="At most so many jobs. Default: the engine's limit.")
@click.option(
    "--label", "labels", multiple=True, metavar="LABEL", help="A label of every runner; repeatable (github, gitlab)."
)
@click.option("--driver-label", metavar="FORM", help="The label that tells a runner's driver: driver-{driver}.")
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="[BACKEND=]IMAGE@DIGEST",
    help="An image with envcheck in it; repeatable (kubernetes).",
)
@click.option("--claim", metavar="NAME", help="The volume claim that takes the results; else logs do (kubernetes).")
@click.option("--namespace", default="envcheck", metavar="NAME", help="Where the Jobs go (kubernetes).")
@click.option("--name", default="envcheck", metavar="NAME", help="What names of Jobs begin with (kubernetes).")
@click.option("--runtime-class", metavar="NAME", help="Where NVIDIA's runtime is not the default one (kubernetes).")
@click.option("--key-secret", metavar="NAME", help="A Secret whose entry `key` signs the evidence (kubernetes).")
def plan(
    matrix: Path | None,
    choice: Choice,
    portion: Portion,
    form: str,
    labels: tuple[str, ...],
    **placing: Any,
) -> int:
    """Show the expanded matrix: reachable, impossible, unreachable and excluded cells, each with its reason.

    fleet, github, gitlab and kubernetes are jobs for other machines, of all cells that `envcheck validate` would
    choose, whatever this machine has.
    """
    from envcheck.planning import FORMATS, Placing, PlanRequest, render

    if form not in FORMATS:
        raise UsageError(f"--format {form!r} is not one of {', '.join(FORMATS)}")
    where = Placing(labels=labels or None, **placing)
    write(render(PlanRequest(matrix, choice, portion, form, dict(os.environ), where)))
    return MET
