"""The page of each finding, and docs/findings.md, from the rules themselves."""

from __future__ import annotations

import difflib
import sys

from envcheck.errors import UsageError
from envcheck.rules import BY_CODE
from envcheck.rules.rule import Rule

HEADER = """\
# Findings

Every code that envcheck prints, with its cause, why it matters and the way out. `envcheck explain CODE` prints one.
This page is generated: `python -m envcheck.pages > docs/findings.md`.
"""


def page(code: str) -> str:
    """The page of one code. An unknown code is a usage error that names the nearest."""
    rule = BY_CODE.get(code.upper())
    if rule is None:
        near = difflib.get_close_matches(code.upper(), BY_CODE, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "`envcheck explain` lists all codes."
        raise UsageError(f"there is no finding {code!r}", remedy=hint)
    head = f"{rule.code}  {rule.title}  [{rule.status.value}]"
    return "\n\n".join((head, rule.because, f"Way out:\n{indented(rule)}", f"Source: {rule.url}"))


def indented(rule: Rule) -> str:
    """The remedy, set off."""
    return "\n".join(f"    {line}" for line in rule.remedy.splitlines())


def index() -> str:
    """One line for each code."""
    return "\n".join(f"{code}  {BY_CODE[code].title}" for code in sorted(BY_CODE))


def section(rule: Rule) -> str:
    """One rule in Markdown."""
    head = f"## {rule.code}\n\n**{rule.title}** ({rule.status.value})"
    return f"{head}\n\n{rule.because}\n\n```sh\n{rule.remedy}\n```\n\nSource: <{rule.url}>\n"


def document() -> str:
    """docs/findings.md."""
    sections = (section(BY_CODE[code]) for code in sorted(BY_CODE))
    return "\n".join((HEADER, *sections))


if __name__ == "__main__":
    sys.stdout.write(document())
