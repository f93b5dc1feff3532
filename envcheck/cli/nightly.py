"""`envcheck nightly`: all reachable cells, stored, compared with the nights before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envcheck.cli.app import (
    EPILOG,
    LONGEST_DAYS,
    PATH,
    command,
    policy_of,
    positive,
    quiet_option,
    show_results,
    write,
    write_json,
)
from envcheck.cli.asking import what_run

if TYPE_CHECKING:
    from envcheck.request import Request


@command(epilog=EPILOG)
@what_run
@click.option("--history", type=PATH, metavar="FILE", help="The archive. Default: history.sqlite in the folder --out.")
@click.option(
    "--budget", type=float, metavar="MINUTES", help="Begin no cell that would not be finished in so many minutes."
)
@click.option(
    "--resume-within",
    type=float,
    default=12.0,
    metavar="HOURS",
    help="Go on with a run that was cut off, if it began within so many hours.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Remove from the archive in the end, and say so: all but so many newest entries of each cell and host;",
)
@click.option("--keep-days", type=float, metavar="DAYS", help="and all but what is so many days old at most.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@quiet_option
def nightly(
    request: Request,
    history: Path | None,
    budget: float | None,
    resume_within: float,
    keep: int | None,
    keep_days: float | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run every cell that this host can reach, store each, and say what is not as it was, and why.

    Without --tier or --select the tier `nightly` of the matrix is run, or everything. Exit code 1 also where a cell is
    still as expected and has become worse.
    """
    from envcheck import nightly as nights
    from envcheck.report import nightly as report
    from envcheck.report.progress import Progress

    asked = nights.NightlyRequest(
        request=request,
        archive=history or request.out / "history.sqlite",
        budget_s=None if budget is None else 60 * positive("--budget", budget),
        resume_s=3600 * positive("--resume-within", resume_within, 24 * LONGEST_DAYS),
        keep=policy_of(keep, keep_days),
    )
    with Progress(quiet=quiet) as progress:
        night, outcome = nights.nightly(asked, progress)
    if as_json:
        write_json(night)
    else:
        show_results(outcome.results, as_json=False, exit_code=outcome.exit_code)
        write([report.render(night)])
    if outcome.suite and request.suites:
        click.echo(outcome.suite, err=True)
    return night.exit_code
