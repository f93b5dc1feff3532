"""`envcheck prune`: what envcheck has left on this machine, listed and removed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envcheck.cli.app import EPILOG, PATH, command, write
from envcheck.errors import MET, EnvcheckError


@command(epilog=EPILOG)
@click.option("--yes", is_flag=True, help="Remove what is listed as going. Without it nothing is.")
@click.option("--dry-run", is_flag=True, help="Only list; so it is without --yes.")
@click.option("--older-than", type=float, metavar="DAYS", help="Only what was not used for so many days.")
@click.option("--backend", metavar="BACKEND", help="Only what belongs to this backend: venv, docker or conda.")
@click.option(
    "--all", "every", is_flag=True, help="Also locks, wheels and the model, which are asked of the network again."
)
@click.option(
    "--out",
    type=PATH,
    default=Path(".envcheck"),
    metavar="DIR",
    help="A results folder: what engines keep there of runs that nobody follows any more.",
)
@click.option(
    "--shared",
    type=PATH,
    multiple=True,
    metavar="DIR",
    help="The same, of a folder that `--engine-option folder=DIR` named; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def prune(
    yes: bool,
    dry_run: bool,
    older_than: float | None,
    backend: str | None,
    every: bool,
    out: Path,
    shared: tuple[Path, ...],
    as_json: bool,
) -> int:
    """List what envcheck has built and kept: environments, images, leftovers; with --yes remove what nobody uses."""
    from envcheck.environments import cache_folder
    from envcheck.errors import UsageError
    from envcheck.prune import Asked
    from envcheck.prune import prune as pruned

    if yes and dry_run:
        raise UsageError("--yes and --dry-run exclude each other")
    asked = Asked(yes=yes, older_than=older_than, backend=backend, every=every, out=out, shared=shared)
    survey = pruned(cache_folder(os.environ).absolute(), asked, dict(os.environ))
    if as_json:
        import msgspec

        write([msgspec.json.format(msgspec.json.encode(survey), indent=2).decode()])
    else:
        from envcheck.report import prune as report

        write([report.render(survey, yes=yes)])
    return EnvcheckError.exit_code if survey.failed else MET
