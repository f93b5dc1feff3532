"""`envcheck explain`: the page of a finding."""

from __future__ import annotations

from typing import Annotated

import typer

from envcheck.cli.app import app, write


@app.command()
def explain(
    code: Annotated[
        str | None, typer.Argument(help="A finding's code, such as EGL202. Without one: all codes.")
    ] = None,
) -> None:
    """Print the page of a finding: what it means, why it matters, what to do."""
    from envcheck.pages import index, page

    write([page(code) if code else index()])
