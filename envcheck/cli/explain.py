"""`envcheck explain`: the page of a finding."""

from __future__ import annotations

from envcheck.cli.app import argument, command, write
from envcheck.errors import MET


@command()
@argument("code", required=False, about="A finding's code, such as EGL202. Without one: all codes.")
def explain(code: str | None) -> int:
    """Print the page of a finding: what it means, why it matters, what to do."""
    from envcheck.pages import index, page

    write([page(code) if code else index()])
    return MET
