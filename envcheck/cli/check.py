"""`envcheck check`: the full proof on an environment that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envcheck.cli.app import EPILOG, QuietOption, app, positive, show_results, verdict_named


@app.command(epilog=EPILOG)
def check(
    python: Annotated[Path | None, typer.Option(help="The interpreter of the environment.")] = None,
    prefix: Annotated[Path | None, typer.Option(help="The environment's folder: a venv or a conda prefix.")] = None,
    expect: Annotated[str | None, typer.Option(help="The verdict that it should come out as.")] = None,
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
    deadline: Annotated[float, typer.Option(help="Seconds a worker may take for one answer.")] = 120.0,
    suite: Annotated[list[Path] | None, typer.Option(help="A folder of your own acceptance tests; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Judge an environment that exists; nothing is installed or written in it."""
    from envcheck.check import CheckRequest
    from envcheck.check import check as run_check
    from envcheck.report.progress import Progress

    request = CheckRequest(
        python=python,
        prefix=prefix,
        expect=verdict_named(expect),
        min_speedup=None if min_speedup is None else positive("--min-speedup", min_speedup),
        model=model,
        input=source,
        out=out,
        deadline_s=positive("--deadline", deadline),
        suites=tuple(suite or ()),
    )
    with Progress(quiet=quiet) as progress:
        outcome = run_check(request, progress)
    show_results(outcome.results, as_json=as_json, exit_code=outcome.exit_code)
    if outcome.suite and request.suites:
        typer.echo(outcome.suite, err=True)
    raise typer.Exit(outcome.exit_code)
