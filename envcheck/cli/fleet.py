"""`envcheck fleet`: what an engine offers, which cells it can serve, and which hosts are missing."""

from __future__ import annotations

from pathlib import Path

import click

from envcheck.cli.app import (
    backend_option,
    command,
    engine_option,
    engine_setting_option,
    matrix_option,
    select_option,
    settings_of,
    tier_option,
    write,
    write_json,
)

FLEET_EPILOG = (
    "Exit codes: 0 every cell that could work on some host can be served, and there is one; 1 not every one, or none; "
    "2 usage error, or an engine that does not tell; 3 nothing selected; 75 the engine does not answer."
)


@command(epilog=FLEET_EPILOG)
@matrix_option
@tier_option
@select_option
@backend_option
@engine_option
@engine_setting_option
@click.option("--json", "as_json", is_flag=True, help="Print hosts, cells and missing hosts as JSON.")
def fleet(
    matrix: Path | None,
    tier: str | None,
    select: str | None,
    backend: str | None,
    engine: str,
    engine_options: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show an engine's hosts, the cells they can serve, and the fewest further hosts that would serve the rest.

    Nothing is run or placed. Without --tier and --select all cells of the matrix are meant.
    """
    from envcheck.fleet import FleetRequest, exit_code
    from envcheck.fleet import fleet as offered
    from envcheck.request import Choice

    choice = Choice(tier=tier, select=select, backend=backend)
    request = FleetRequest(matrix, choice, engine, settings_of("--engine-option", engine_options))
    found = offered(request)
    if as_json:
        write_json(found)
    else:
        from envcheck.report import fleet as report

        write([report.render(found)])
    return exit_code(found)
