"""The one screen of `envcheck doctor`: the root cause on top, what was found besides, then the facts in a block.

What could not be looked at says so and why; "none" is said only where somebody looked. Nothing that an environment
prints steers the terminal.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from envcheck.model import Diagnosis, Finding, Status, Unread
from envcheck.report.causes import Cause, answered, not_looked_at, seen_in, title_of
from envcheck.report.facts import facts_of, unseen
from envcheck.report.terminal import (
    STYLE,
    console_on,
    plain,
    shortened,
    show_cause,
    show_labelled,
    show_remedy,
    show_wrapped,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

LABEL = 14
"""Columns of the labels of the facts."""
PROVE = """\
envcheck check --python EXE    # the proof, in an environment that you have
envcheck validate              # the proof, in one that envcheck builds"""


def render(diagnosis: Diagnosis, *, width: int, colour: bool, encoding: str = "utf-8") -> str:
    """The screen. `encoding` is the stream's: what it cannot take is written in ASCII."""
    buffer = io.StringIO()
    console = console_on(buffer, width=width, colour=colour)
    asked, waiting = answered(diagnosis.findings), not_looked_at(diagnosis.findings)
    failed = [finding for finding in asked if finding.status is Status.FAIL]
    if failed:
        besides = tuple(finding for finding in asked if finding is not failed[0])
        show_cause(console, cause_of(failed[0], besides, waiting))
    else:
        show_nothing_found(console, diagnosis, asked)
    show_facts(console, diagnosis)
    console.print()
    show_wrapped(console, "", ending(len(failed), len(asked) - len(failed)))
    return written(buffer, encoding)


def cause_of(root: Finding, besides: tuple[Finding, ...], waiting: str) -> Cause:
    """The root cause in a single place, which needs no name."""
    return Cause(root, title_of(root), ((seen_in(root), ()),), besides, waiting)


def show_nothing_found(console: Console, diagnosis: Diagnosis, besides: Sequence[Finding]) -> None:
    """What it means that no finding speaks against the GPU: not much."""
    from rich.text import Text

    found = "could not be found out" if isinstance(diagnosis.gl, Unread) else "no cause was found"
    show_wrapped(console, "", Text(f"What would keep FaceMesh off the GPU: {found}", style="bold"))
    show_labelled(console, "but", "; ".join(f"could not look at {what}" for what in unseen(diagnosis)))
    show_labelled(console, "why", "Nothing is proven by that: only a run shows which device does the work.")
    show_remedy(console, PROVE)
    for other in besides:
        show_labelled(console, "also", f"{other.code} {shortened(other.summary)} (envcheck explain {other.code})")


def show_facts(console: Console, diagnosis: Diagnosis) -> None:
    """The block of facts: a label, and its text wrapped beside it; a label that repeats is shown once."""
    from rich.text import Text

    console.print()
    before = ""
    for name, text in facts_of(diagnosis):
        start = Text(("" if name == before else name).ljust(LABEL), style="dim")
        show_wrapped(console, start, plain(text))
        before = name


def ending(failed: int, besides: int) -> Text:
    """How much was found, and the exit code with its reason."""
    from rich.text import Text

    more = f", {besides} besides" if besides else ""
    if failed:
        found = f"{failed} finding{'s speak' if failed > 1 else ' speaks'} against the GPU{more}"
        return Text(f"{found} – exit 1", style=STYLE[Status.FAIL])
    return Text(f"no finding speaks against the GPU{more} – exit 0, which proves nothing", style="bold")
