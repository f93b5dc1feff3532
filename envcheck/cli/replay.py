"""`envcheck replay`: recorded evidence, judged again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envcheck.cli.app import EPILOG, app, show_results, verdict_named


@app.command(epilog=EPILOG)
def replay(
    folder: Annotated[Path, typer.Argument(help="A folder that validate wrote, or one evidence file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    expect: Annotated[str | None, typer.Option(help="The verdict that every cell should come out as.")] = None,
) -> None:
    """Judge recorded evidence again; nothing is built or run."""
    from envcheck import store
    from envcheck.conclude import conclude, expecting
    from envcheck.gate import exit_code

    results = conclude(expecting(store.load_evidence(folder), verdict_named(expect)))
    code = exit_code(results)
    show_results(results, as_json=as_json, exit_code=code)
    raise typer.Exit(code)
