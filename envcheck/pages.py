"""The page of each code, and docs/findings.md: from the rules, and from the checks of `envcheck lint`."""

from __future__ import annotations

import difflib
import sys
from typing import NamedTuple

from envcheck.errors import UsageError
from envcheck.lint import CHECKS, Check
from envcheck.rules import RULES
from envcheck.rules.rule import Rule
from envcheck.rules.watched import ADVICE, Advice

HEADER = """\
# Findings

Every code that envcheck prints, with its cause, why it matters and the way out. `envcheck explain CODE` prints one.
This page is generated: `python -m envcheck.pages > docs/findings.md`.
"""


class Page(NamedTuple):
    """What is said of one code, wherever the code comes from."""

    code: str
    title: str
    kind: str
    because: str
    remedy: str
    language: str
    url: str


def of_rule(rule: Rule | Advice) -> Page:
    """The page of a rule, or of what only `envcheck watch` finds: its remedy is commands."""
    return Page(rule.code, rule.title, rule.status.value, rule.because, rule.remedy, "sh", rule.url)


def of_check(check: Check) -> Page:
    """The page of a lint check: its remedy is code."""
    return Page(
        check.code, check.title, f"lint {check.level.value}", check.because, check.remedy, check.language, check.url
    )


PAGES = {page.code: page for page in (*map(of_rule, RULES), *map(of_rule, ADVICE), *map(of_check, CHECKS))}
"""Every code."""


def page(code: str) -> str:
    """The page of one code. An unknown code is a usage error that names the nearest."""
    found = PAGES.get(code.upper())
    if found is None:
        typed = code.upper().replace("O", "0")  # no family has that letter
        near = difflib.get_close_matches(typed, PAGES, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "`envcheck explain` lists all codes."
        raise UsageError(f"there is no finding {code!r}", remedy=hint)
    head = f"{found.code}  {found.title}  [{found.kind}]"
    return "\n\n".join((head, found.because, f"Way out:\n{indented(found.remedy)}", f"Source: {found.url}"))


def indented(remedy: str) -> str:
    """The remedy, set off."""
    return "\n".join(f"    {line}".rstrip() for line in remedy.splitlines())


def index() -> str:
    """One line for each code."""
    return "\n".join(f"{code}  {PAGES[code].title}" for code in sorted(PAGES))


def section(found: Page) -> str:
    """One code in Markdown."""
    head = f"## {found.code}\n\n**{found.title}** ({found.kind})"
    remedy = f"```{found.language}\n{found.remedy}\n```"
    return f"{head}\n\n{found.because}\n\n{remedy}\n\nSource: <{found.url}>\n"


def document() -> str:
    """docs/findings.md."""
    return "\n".join((HEADER, *(section(PAGES[code]) for code in sorted(PAGES))))


if __name__ == "__main__":
    sys.stdout.write(document())
