"""Dockerfiles, compose files, pods and scripts with what must be found in the next line: `# -> SRC830@COLUMN`.

`# beside NAME: a | b` gives a file beside it, `# driver 470` the driver that is expected.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envcheck.lint import BY_CODE, CHECKS, lint
from envcheck.lint.catalogue_containers import CONTAINER_CHECKS

HOME = Path(__file__).parents[1] / "golden" / "lint" / "containers"
CASES = sorted(HOME.iterdir())
MARK = re.compile(r"# -> (SRC\d\d\d@\d+(?: SRC\d\d\d@\d+)*)")


def expected(text: str) -> list[tuple[int, str, int]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for mark in MARK.findall(line):
            for part in mark.split():
                code, _, column = part.partition("@")
                found.append((number + 1, code, int(column)))
    return sorted(found)


def beside(text: str) -> dict[str, bytes]:
    rows = re.findall(r"^# beside (\S+): (.*)$", text, re.MULTILINE)
    return {name: "\n".join(part.strip() for part in content.split(" | ")).encode() for name, content in rows}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_file_gets_its_findings_and_no_others(case: Path) -> None:
    text = case.read_text(encoding="utf-8")
    driver = re.search(r"^# driver (\S+)$", text, re.MULTILINE)

    found = lint(
        case.name,
        text.encode(),
        codes=frozenset(BY_CODE),
        driver=driver[1] if driver else "",
        beside=beside(text).get,
    )

    assert sorted((f.line, f.code, f.column) for f in found) == expected(text)


def test_every_bad_file_has_a_healthy_twin() -> None:
    names = {path.name for path in CASES}

    assert all(name.replace(".bad.", ".good.") in names for name in names)


def test_every_check_of_containers_is_found_somewhere() -> None:
    seen = {code for path in CASES for _, code, _ in expected(path.read_text(encoding="utf-8"))}

    assert {check.code for check in CONTAINER_CHECKS} <= seen
    assert set(CONTAINER_CHECKS) <= set(CHECKS)
