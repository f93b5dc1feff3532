"""The HTML report: one file that works from disk and without a network.

Its policy lets nothing run or load but the one script and the one style that stand in it, by their digests. Data stand
in it as base64 and become text nodes; no string of an environment is ever HTML.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from envcheck.kept import Change, Entry
from envcheck.model import Finding
from envcheck.report.dossier import Dossier
from envcheck.report.packing import details_of, overview_of, packed
from envcheck.report.plain import visible
from envcheck.report.table import Table, tally

SCRIPTS = ("dom", "data", "charts", "matrix", "cell", "compare", "app")
"""The parts of the script, in the order of their use."""
TITLE = "envcheck: does FaceMesh use the GPU?"


@dataclass(frozen=True)
class Contents:
    """What a page shows. `dossiers` are by digest of the entry, `causes` say what a code means."""

    table: Table
    history: Iterable[Entry] = ()
    changes: Sequence[Change] = ()
    dossiers: Mapping[str, Dossier] = field(default_factory=dict)
    causes: Mapping[str, Finding] = field(default_factory=dict)
    title: str = TITLE
    part: str = ""
    """Not empty: this is a part of a matrix; which, in a sentence."""


def render(contents: Contents) -> str:
    """The page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    places = list(contents.table.places())
    style, script = read("style.css"), script_text()
    overview = overview_of(places, contents.table, len(contents.changes))
    details = details_of(places, contents.history, contents.changes, contents.dossiers, contents.causes)
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(read("page.html")).render(
        title=visible(contents.title),
        policy=policy_of(style, script),
        style=Markup(style),  # noqa: S704 - ours, from this package
        script=Markup(script),  # noqa: S704 - ours, from this package
        overview=packed(overview),
        details=packed(details),
        at=contents.table.at.strftime("%Y-%m-%d %H:%M UTC"),
        tally=tally(contents.table),
        cells=len(places),
        part=contents.part,
    )


def script_text() -> str:
    """The whole script: its parts in a scope of their own."""
    return '(() => {\n"use strict";\n' + "\n".join(read(f"{name}.js") for name in SCRIPTS) + "})();\n"


def read(name: str) -> str:
    """A part of the page that is shipped with envcheck."""
    return (resources.files("envcheck.report") / "page" / name).read_text(encoding="utf-8")


def policy_of(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing but this style and this script."""
    parts = ("default-src 'none'", f"style-src {source(style)}", f"script-src {source(script)}")
    return "; ".join((*parts, "base-uri 'none'", "form-action 'none'"))


def source(text: str) -> str:
    """A text by its digest, as the policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
