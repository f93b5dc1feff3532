"""`envcheck diff`: two entries side by side."""

from __future__ import annotations

from pathlib import Path

import click

from envcheck.cli.app import EPILOG, argument, command, history_option, write, write_json
from envcheck.errors import MET


@command(epilog=EPILOG)
@argument("before", metavar="A", about="A cell (its newest entry), the beginning of a digest, or an evidence file.")
@argument("after", metavar="B", about="The same.")
@history_option
@click.option("--json", "as_json", is_flag=True, help="Print both entries and what differs as JSON.")
def diff(before: str, after: str, archive: Path, as_json: bool) -> int:
    """Compare two entries: every fact that differs, and the times where like was measured with like."""
    from envcheck.history import difference
    from envcheck.report import history as report

    found = difference(archive, before, after)
    write_json(found) if as_json else write([report.render_difference(found)])
    return MET
