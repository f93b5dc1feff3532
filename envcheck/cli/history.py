"""`envcheck history`: what a cell was, night by night, what changed and why; and what may go."""

from __future__ import annotations

from pathlib import Path

import click

from envcheck.cli.app import (
    EPILOG,
    argument,
    command,
    history_option,
    policy_of,
    write,
    write_json,
)
from envcheck.errors import MET


@command(epilog=EPILOG)
@argument("cell", required=False, about="The id of a cell. Without one: the newest entry of each.")
@history_option
@click.option("--host", metavar="HOST", help="Only entries of this class of hosts, as they are listed.")
@click.option("--since", metavar="DATE", help="Only what is not older, such as 2026-11-01.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="List what may go: all but so many newest of each cell and host;",
)
@click.option("--keep-days", type=float, metavar="DAYS", help="and all but what is so many days old at most.")
@click.option("--yes", is_flag=True, help="Remove what --keep and --keep-days list. Without it nothing is.")
@click.option(
    "--evidence",
    "digest",
    metavar="DIGEST",
    help="Print the evidence of one entry, by the beginning of its digest; `envcheck replay` judges such a file again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def history(
    cell: str | None,
    archive: Path,
    host: str | None,
    since: str | None,
    keep: int | None,
    keep_days: float | None,
    yes: bool,
    digest: str | None,
    as_json: bool,
) -> int:
    """Show a cell's history: verdicts, speed-ups, what changed and which fact moved just then.

    With --keep and --keep-days it lists the entries that such a policy lets go, and removes them with --yes. The newest
    entry and the first and last of each spell of one verdict always stay.
    """
    from datetime import datetime, timezone

    from envcheck import history as archived
    from envcheck import store
    from envcheck.entries import since_of
    from envcheck.errors import UsageError
    from envcheck.report import history as report

    if digest is not None:
        write([store.encode_evidence(archived.evidence_named(archive, digest))])
        return MET
    policy = policy_of(keep, keep_days)
    if policy is not None:
        if since is not None:
            raise UsageError("--since is for what is shown", remedy="What may go is named by --keep and --keep-days.")
        found = archived.forget(archive, *policy, cell=cell, host=host, yes=yes, now=datetime.now(timezone.utc))
    elif yes:
        raise UsageError("--yes removes what --keep and --keep-days let go, and they are not given")
    else:
        found = archived.history(archive, cell, host=host, since=since_of(since))
    write_json(found) if as_json else write([report.render(found)])
    return MET
