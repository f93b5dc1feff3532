"""Snippets with what must be found in them, at the very line and nowhere else: `# <- SRC804`, `# <- SRC804@COLUMN`.

Each `*.bad.txt` has a healthy twin, `*.good.txt`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envcheck.lint import BY_CODE, Finding, lint
from envcheck.lint.catalogue_containers import CONTAINER_CHECKS

HOME = Path(__file__).parents[1] / "golden" / "lint"
CASES = sorted(HOME.glob("*.txt"))
EXPECTED = re.compile(r"# <- (SRC\d\d\d.*)")
UNREADABLE_OR_ABOUT_COMMENTS = {"SRC800", "SRC898", "SRC899"}


def expected(text: str) -> list[tuple[int, str, int | None]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for mark in EXPECTED.findall(line):
            for part in mark.split():
                code, _, column = part.partition("@")
                found.append((number, code, int(column) if column else None))
    return sorted(found, key=str)


def as_expected(found: list[Finding], text: str) -> list[tuple[int, str, int | None]]:
    columns = {(line, code): column for line, code, column in expected(text)}
    rows = [(f.line, f.code, f.column if columns.get((f.line, f.code)) else None) for f in found]
    return sorted(rows, key=str)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_snippet_gets_its_findings_and_no_others(case: Path) -> None:
    text = case.read_text(encoding="utf-8")

    assert as_expected(lint(case.name, text.encode(), codes=frozenset(BY_CODE)), text) == expected(text)


def test_every_bad_snippet_has_a_healthy_twin_and_there_are_enough() -> None:
    names = {path.name for path in CASES}
    bad = {name.removesuffix(".bad.txt") for name in names if name.endswith(".bad.txt")}

    assert all(f"{name}.good.txt" in names for name in bad)
    assert len(CASES) >= 60


def test_every_check_is_found_somewhere() -> None:
    seen = {code for path in CASES for _, code, _ in expected(path.read_text(encoding="utf-8"))}

    of_containers = {check.code for check in CONTAINER_CHECKS}
    assert seen | UNREADABLE_OR_ABOUT_COMMENTS | of_containers == set(BY_CODE)
