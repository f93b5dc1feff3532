"""The documentation: every page has its place, what it says of codes and words is so, and its commands can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from envcheck import reference
from envcheck.cli import COMMANDS, envcheck
from envcheck.errors import EXIT_CODES
from envcheck.matrix import parse
from envcheck.model import Verdict
from envcheck.report.table import MEANING, STALE_DAYS
from envcheck.reporting import FORMATS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
TYPED = {
    f"{name}: {line}": line
    for name, text in {**PAGES, "README.md": (ROOT / "README.md").read_text(encoding="utf-8")}.items()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("envcheck ") and not re.search(r"[…|<>$]|\bPID\b", line)
}
"""Every whole command line of a shell block."""


def pages_of(nav: Any) -> list[str]:
    """Every page that the navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages_of(part)]


def site() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    return loaded


def rows(page: str, heading: str = "") -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    text = PAGES[page].partition(heading)[2] if heading else PAGES[page]
    found = re.search(r"^\|.*\n\| ---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, heading
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in found[1].splitlines()]


def test_every_page_has_its_place_in_the_navigation_once() -> None:
    assert sorted(pages_of(site()["nav"])) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_no_row_stands_apart_from_its_table(page: str) -> None:
    """One that follows text is shown as text with bars in it."""
    lines = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.DOTALL | re.MULTILINE).splitlines()
    apart = [
        row
        for before, row in zip(["", *lines], lines, strict=False)
        if row.startswith("|") and before.strip(" |") and not before.startswith("|")
    ]
    assert apart == []


def test_the_site_asks_no_one_else_for_anything() -> None:
    assert site()["theme"]["font"] is False
    assert not {"extra_css", "extra_javascript", "repo_url"} & site().keys()


def test_the_reference_of_the_matrix_is_generated_from_its_schema() -> None:
    assert PAGES["matrix-reference.md"] == reference.document()


def test_the_reference_has_every_key_of_the_schema() -> None:
    keys = set(re.findall(r"^\| `([^`]+)` \|", PAGES["matrix-reference.md"], re.MULTILINE))

    assert keys >= {"axes.cuda", "exclude[].because", "expect[].verdict", "backends.docker.images.NAME", "when.driver",
                    "gate.max_seconds", "tiers.smoke", "backends.conda.channels"}  # fmt: skip


def test_every_verdict_state_and_exit_code_is_explained() -> None:
    assert [row[0].strip("| `") for row in rows("verdicts.md")] == [verdict.value for verdict in Verdict]
    states = {row[0].strip("| `") for row in rows("verdicts.md", "## In a table")}
    assert states == {state.value for state in MEANING}
    codes = {int(row[0].strip("| ")): row[1].strip("| ") for row in rows("verdicts.md", "## Exit codes")}
    assert codes == EXIT_CODES
    assert f"({STALE_DAYS:.0f} days" in PAGES["verdicts.md"]


def test_every_format_is_on_its_page() -> None:
    assert [row[0].strip("| `") for row in rows("report.md", "## Formats")] == list(FORMATS)


def test_the_matrix_of_the_first_run_is_one() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGES["first-run.md"], re.DOTALL | re.MULTILINE)

    assert parse(text, "matrix.yaml").axes["mediapipe"] == ("0.10.35", "1.2.2")


def test_there_are_commands_to_type() -> None:
    assert len(TYPED) > 30


@pytest.mark.parametrize("line", TYPED.values(), ids=TYPED)
def test_a_command_of_the_pages_can_be_typed(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in COMMANDS
    parent = click.Context(envcheck, **envcheck.context_settings)  # names the options for help, which Click remembers
    command = envcheck.get_command(parent, name)
    assert command is not None
    with command.make_context(name, arguments, parent=parent):
        pass
