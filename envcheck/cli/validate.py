"""`envcheck validate`: the main job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envcheck.cli.app import (
    EPILOG,
    command,
    engine_option,
    engine_setting_option,
    keep_option,
    quiet_option,
    results_json_option,
    settings_of,
    show_results,
    verdict_named,
    write,
)
from envcheck.cli.asking import what_run
from envcheck.errors import MET, UsageError

if TYPE_CHECKING:
    from envcheck.request import Request


@command(epilog=EPILOG)
@what_run
@click.option("--expect", metavar="VERDICT", help="The verdict that every selected cell should come out as.")
@click.option("--no-preflight", is_flag=True, help="Run even cells predicted impossible.")
@keep_option
@click.option("--parcel", is_flag=True, help="Print the evidence too, for `envcheck merge` to read from a log.")
@engine_option
@engine_setting_option
@click.option("--resume", metavar="RUN", help="Go on with this run of the engine, however old, and with no other.")
@click.option("--dry-run", is_flag=True, help="Print what would be built and run, and stop.")
@results_json_option
@quiet_option
def validate(
    request: Request,
    expect: str | None,
    no_preflight: bool,
    history: Path | None,
    parcel: bool,
    engine: str,
    engine_options: tuple[str, ...],
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Build, run and judge the cells this host can run, or an engine's hosts; exit by the gate."""
    if parcel and as_json:
        raise UsageError("--parcel and --json both write to standard output", remedy="Leave one of them out.")

    request = replace(
        request,
        expect=verdict_named(expect),
        preflight=not no_preflight,
        history=history,
        engine=engine,
        engine_options=settings_of("--engine-option", engine_options),
        resume=resume,
    )
    if dry_run:
        from envcheck.dryrun import describe

        write(describe(request))
        return MET
    from envcheck.report.progress import Progress
    from envcheck.validate import validate as run_validate

    with Progress(quiet=quiet) as progress:
        outcome = run_validate(request, progress)
    show_results(outcome.results, as_json=as_json, exit_code=outcome.exit_code)
    if outcome.suite and request.suites:
        click.echo(outcome.suite, err=True)
    if parcel:
        from envcheck.parcel import lines_of

        write(lines_of(request.out))
    return outcome.exit_code
