"""`envcheck prune`: what envcheck has left on this machine, listed and removed."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from envcheck.cli.app import EPILOG, app, write


@app.command(epilog=EPILOG)
def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Remove what is listed as going. Without it nothing is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list; so it is without --yes.")] = False,
    older_than: Annotated[
        float | None, typer.Option("--older-than", metavar="DAYS", help="Only what was not used for so many days.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", help="Only what belongs to this backend: venv, docker or conda.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also locks, wheels and the model, which are asked of the network again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List what envcheck has built and kept: environments, images, leftovers; with --yes remove what nobody uses."""
    from envcheck.environments import cache_folder
    from envcheck.errors import UsageError
    from envcheck.prune import Asked
    from envcheck.prune import prune as pruned

    if yes and dry_run:
        raise UsageError("--yes and --dry-run exclude each other")
    asked = Asked(yes=yes, older_than=older_than, backend=backend, every=every)
    survey = pruned(cache_folder(os.environ).absolute(), asked, dict(os.environ))
    if as_json:
        import msgspec

        write([msgspec.json.format(msgspec.json.encode(survey), indent=2).decode()])
    else:
        from envcheck.report import prune as report

        write([report.render(survey, yes=yes)])
    raise typer.Exit(4 if survey.failed else 0)
