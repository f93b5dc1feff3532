"""`envcheck merge`: evidence from elsewhere into the archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from envcheck.cli.app import EPILOG, PATH, argument, command, history_option, quiet_option, write, write_json
from envcheck.errors import MET, UNMET


@command(epilog=EPILOG)
@argument(
    "sources",
    metavar="DIR...",
    type=PATH,
    nargs=-1,
    required=True,
    about="Results folders, folders of evidence or of such folders, evidence files, archives, logs with parcels.",
)
@history_option
@click.option(
    "--expected",
    type=PATH,
    metavar="FILE",
    help="The plan (fleet or json): what of it did not come is `unknown`.",
)
@click.option(
    "--since", metavar="TIME", help="What was recorded before this time (ISO 8601) does not count as having come."
)
@click.option("--verify-key", type=PATH, metavar="FILE", help="Refuse what is not signed with the key in this file.")
@click.option("--keep-both", is_flag=True, help="Take other evidence of the same cell, host and second as well.")
@click.option("--json", "as_json", is_flag=True, help="Print what was added and what was not as JSON.")
@quiet_option
def merge(
    sources: Sequence[Path],
    archive: Path,
    expected: Path | None,
    since: str | None,
    verify_key: Path | None,
    keep_both: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Import evidence from other machines; what is there already stays one entry, however often it is imported.

    Every cell is judged again. Exit code 1 where something contradicts, was refused, or was to come and did not; the
    rest was imported.
    """
    from envcheck.entries import since_of
    from envcheck.merge import Terms
    from envcheck.merge import merge as merged
    from envcheck.report import history as report
    from envcheck.report.progress import Progress

    with Progress(quiet=quiet) as progress:
        found = merged(
            sources, archive, Terms(keep_both, expected, verify_key, since_of(since)), progress.slowly("merge")
        )
    write_json(found) if as_json else write([report.render_merged(found)])
    return MET if found.whole else UNMET
