"""`envcheck report`: the compatibility table, in every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from envcheck.cli.app import (
    EPILOG,
    PATH,
    backend_option,
    command,
    matrix_option,
    positive,
    quiet_option,
    select_option,
    tier_option,
    write,
)
from envcheck.errors import MET, UsageError


@command(epilog=EPILOG)
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    default="markdown",
    help="markdown, html, json, csv, junit, prometheus, badge or summary.",
)
@click.option("--output", type=PATH, metavar="FILE", help="Write this file. Default: standard output.")
@click.option("--out", type=PATH, metavar="DIR", help="A results folder. Default: .envcheck.")
@click.option("--history", type=PATH, metavar="FILE", help="An archive. Default: history.sqlite in the results folder.")
@click.option("--readme", type=PATH, metavar="FILE", help="Replace the table between the markers in this file.")
@matrix_option
@tier_option
@select_option
@backend_option
@click.option("--stale-days", type=float, default=30.0, metavar="DAYS", help="After so many days a verdict is stale.")
@click.option(
    "--details", type=click.IntRange(min=0), default=50, metavar="N", help="Cells of an archive with witnesses (html)."
)
@quiet_option
def report(
    form: str, output: Path | None, readme: Path | None, stale_days: float, details: int, quiet: bool, **asked: Any
) -> int:
    """Write the compatibility table of stored results: MediaPipe down, CUDA and driver across.

    Cells of ./matrix.yaml, or of the matrix that is named, that were never run are in it too, each with its state.
    --readme replaces what stands between the lines <!-- envcheck:table --> and <!-- /envcheck:table -->.
    """
    from datetime import datetime, timezone

    from envcheck.report.progress import Progress
    from envcheck.reporting import ReportRequest, update_readme, write_whole
    from envcheck.reporting import report as render

    if readme is not None and (form != "markdown" or output is not None):
        raise UsageError("--readme takes the Markdown table and no other file", remedy="Leave out --format or --output")
    request = ReportRequest(
        at=datetime.now(timezone.utc), form=form, stale_days=positive("--stale-days", stale_days), detailed=details,
        target=readme or output, **asked,
    )  # fmt: skip
    with Progress(quiet=quiet) as progress:
        progress.say("envcheck", f"rendering {form} from stored results")
        text = render(request)
        progress.done("envcheck")
    if readme is not None:
        changed = update_readme(readme, text)
        write([f"{readme}: the table is {'new' if changed else 'as it was'}"])
    elif output is not None:
        write_whole(output, text)
        write([f"wrote {output}"])
    else:
        write([text])
    return MET
