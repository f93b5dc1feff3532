"""`envcheck fleet`: what an engine offers, which cells it can serve, and which hosts are missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envcheck.cli.app import (
    command,
    engine_option,
    engine_setting_option,
    settings_of,
    write,
    write_json,
)
from envcheck.cli.asking import which_cells

if TYPE_CHECKING:
    from envcheck.request import Choice

FLEET_EPILOG = (
    "Exit codes: 0 every cell that could work on some host can be served, and there is one; 1 not every one, or none; "
    "2 usage error, or an engine that does not tell; 3 nothing selected; 75 the engine does not answer."
)


@command(epilog=FLEET_EPILOG)
@which_cells
@engine_option
@engine_setting_option
@click.option("--json", "as_json", is_flag=True, help="Print hosts, cells and missing hosts as JSON.")
def fleet(
    matrix: Path | None,
    choice: Choice,
    engine: str,
    engine_options: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show an engine's hosts, the cells they can serve, and the fewest further hosts that would serve the rest.

    Nothing is run or placed. Without --tier and --select all cells of the matrix are meant.
    """
    from envcheck.fleet import FleetRequest, exit_code
    from envcheck.fleet import fleet as offered

    request = FleetRequest(matrix, choice, engine, settings_of("--engine-option", engine_options))
    found = offered(request)
    if as_json:
        write_json(found)
    else:
        from envcheck.report import fleet as report

        write([report.render(found)])
    return exit_code(found)
