"""`envcheck validate`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envcheck.cli.app import (
    EPILOG,
    BackendOption,
    MatrixOption,
    QuietOption,
    SelectOption,
    TierOption,
    app,
    positive,
    show_results,
    verdict_named,
    write,
)


@app.command(epilog=EPILOG)
def validate(
    matrix: MatrixOption = None,
    tier: TierOption = None,
    select: SelectOption = None,
    backend: BackendOption = None,
    expect: Annotated[str | None, typer.Option(help="The verdict that every selected cell should come out as.")] = None,
    min_speedup: Annotated[
        float | None, typer.Option(help="How many times faster than the CPU the GPU must be.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="default, official (downloaded once, hash pinned) or a .task file.")
    ] = "default",
    source: Annotated[
        str | None, typer.Option("--input", help="portrait, an image, a folder, a video, or camera:0.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results, report and evidence.")] = Path(".envcheck"),
    jobs: Annotated[
        int, typer.Option(min=0, help="Environments built at once; 0 means as many as there are cores.")
    ] = 0,
    deadline: Annotated[float, typer.Option(help="Seconds a worker may take for one answer.")] = 120.0,
    suite: Annotated[list[Path] | None, typer.Option(help="A folder of your own acceptance tests; repeatable.")] = None,
    no_preflight: Annotated[bool, typer.Option("--no-preflight", help="Run even cells predicted impossible.")] = False,
    relock: Annotated[
        bool, typer.Option("--relock", help="Resolve dependencies anew instead of using the kept locks.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be built and run, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Build, run and judge the cells this host can run; exit by the gate."""
    from envcheck.request import Choice, Request

    request = Request(
        matrix=matrix,
        choice=Choice(tier=tier, select=select, backend=backend),
        expect=verdict_named(expect),
        min_speedup=None if min_speedup is None else positive("--min-speedup", min_speedup),
        model=model,
        input=source,
        out=out,
        jobs=jobs,
        preflight=not no_preflight,
        relock=relock,
        deadline_s=positive("--deadline", deadline),
        suites=tuple(suite or ()),
    )
    if dry_run:
        from envcheck.dryrun import describe

        write(describe(request))
        return
    from envcheck.report.progress import Progress
    from envcheck.validate import validate as run_validate

    with Progress(quiet=quiet) as progress:
        outcome = run_validate(request, progress)
    show_results(outcome.results, as_json=as_json, exit_code=outcome.exit_code)
    if outcome.suite and request.suites:
        typer.echo(outcome.suite, err=True)
    raise typer.Exit(outcome.exit_code)
