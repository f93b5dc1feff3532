"""`envcheck validate`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from envcheck.cli.app import (
    EPILOG,
    LONGEST_S,
    backend_option,
    command,
    deadline_option,
    driver_option,
    durations_option,
    engine_option,
    engine_setting_option,
    input_option,
    jobs_option,
    keep_option,
    matrix_option,
    min_speedup_option,
    model_option,
    out_option,
    positive,
    quiet_option,
    relock_option,
    results_json_option,
    select_option,
    settings_of,
    shard_option,
    show_results,
    sign_key_option,
    suite_option,
    tier_option,
    verdict_named,
    write,
)
from envcheck.errors import MET, UsageError


@command(epilog=EPILOG)
@matrix_option
@tier_option
@select_option
@backend_option
@driver_option
@shard_option
@durations_option
@click.option("--expect", metavar="VERDICT", help="The verdict that every selected cell should come out as.")
@min_speedup_option
@model_option
@input_option
@out_option
@keep_option
@jobs_option
@deadline_option
@suite_option
@sign_key_option
@click.option("--no-preflight", is_flag=True, help="Run even cells predicted impossible.")
@relock_option
@click.option("--parcel", is_flag=True, help="Print the evidence too, for `envcheck merge` to read from a log.")
@engine_option
@engine_setting_option
@click.option("--resume", metavar="RUN", help="Go on with this run of the engine, however old, and with no other.")
@click.option("--dry-run", is_flag=True, help="Print what would be built and run, and stop.")
@results_json_option
@quiet_option
def validate(
    matrix: Path | None,
    tier: str | None,
    select: str | None,
    backend: str | None,
    driver: str | None,
    shard: str | None,
    durations: Path | None,
    expect: str | None,
    min_speedup: float | None,
    model: str,
    source: str | None,
    out: Path,
    history: Path | None,
    jobs: int,
    deadline: float,
    suite: tuple[Path, ...],
    sign_key: Path | None,
    no_preflight: bool,
    relock: bool,
    parcel: bool,
    engine: str,
    engine_options: tuple[str, ...],
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Build, run and judge the cells this host can run, or an engine's hosts; exit by the gate."""
    from envcheck.request import Choice, Portion, Request

    if parcel and as_json:
        raise UsageError("--parcel and --json both write to standard output", remedy="Leave one of them out.")

    request = Request(
        matrix=matrix,
        choice=Choice(tier=tier, select=select, backend=backend),
        portion=Portion(driver, shard, durations),
        expect=verdict_named(expect),
        min_speedup=None if min_speedup is None else positive("--min-speedup", min_speedup),
        model=model,
        input=source,
        out=out,
        history=history,
        jobs=jobs,
        preflight=not no_preflight,
        relock=relock,
        deadline_s=positive("--deadline", deadline, LONGEST_S),
        suites=suite,
        sign_key=sign_key,
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

        write(lines_of(out))
    return outcome.exit_code
