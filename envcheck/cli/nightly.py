"""`envcheck nightly`: all reachable cells, stored, compared with the nights before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from envcheck.cli.app import (
    EPILOG,
    LONGEST_DAYS,
    LONGEST_S,
    PATH,
    backend_option,
    command,
    deadline_option,
    driver_option,
    durations_option,
    input_option,
    jobs_option,
    matrix_option,
    min_speedup_option,
    model_option,
    out_option,
    policy_of,
    positive,
    quiet_option,
    relock_option,
    select_option,
    shard_option,
    show_results,
    sign_key_option,
    suite_option,
    tier_option,
    write,
    write_json,
)


@command(epilog=EPILOG)
@matrix_option
@tier_option
@select_option
@backend_option
@driver_option
@shard_option
@durations_option
@min_speedup_option
@model_option
@input_option
@out_option
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
@jobs_option
@deadline_option
@suite_option
@sign_key_option
@relock_option
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@quiet_option
def nightly(
    matrix: Path | None,
    tier: str | None,
    select: str | None,
    backend: str | None,
    driver: str | None,
    shard: str | None,
    durations: Path | None,
    min_speedup: float | None,
    model: str,
    source: str | None,
    out: Path,
    history: Path | None,
    budget: float | None,
    resume_within: float,
    keep: int | None,
    keep_days: float | None,
    jobs: int,
    deadline: float,
    suite: Sequence[Path],
    sign_key: Path | None,
    relock: bool,
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
    from envcheck.request import Choice, Portion, Request

    request = Request(
        matrix=matrix,
        choice=Choice(tier=tier, select=select, backend=backend),
        portion=Portion(driver, shard, durations),
        min_speedup=None if min_speedup is None else positive("--min-speedup", min_speedup),
        model=model,
        input=source,
        out=out,
        jobs=jobs,
        relock=relock,
        deadline_s=positive("--deadline", deadline, LONGEST_S),
        suites=tuple(suite),
        sign_key=sign_key,
    )
    asked = nights.NightlyRequest(
        request=request,
        archive=history or out / "history.sqlite",
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
