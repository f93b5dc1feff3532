"""`envcheck replay`: recorded evidence, judged again."""

from __future__ import annotations

from pathlib import Path

import click

from envcheck.cli.app import EPILOG, PATH, argument, command, results_json_option, show_results, verdict_named


@command(epilog=EPILOG)
@argument("folder", type=PATH, about="A folder that validate wrote, or one evidence file.")
@results_json_option
@click.option("--expect", metavar="VERDICT", help="The verdict that every cell should come out as.")
def replay(folder: Path, as_json: bool, expect: str | None) -> int:
    """Judge recorded evidence again; nothing is built or run."""
    from envcheck import store
    from envcheck.conclude import conclude, expecting
    from envcheck.gate import exit_code

    results = conclude(expecting(store.load_evidence(folder), verdict_named(expect)), store.shard_in(folder))
    code = exit_code(results)
    show_results(results, as_json=as_json, exit_code=code)
    return code
