"""What `envcheck lint` found, as SARIF 2.1.0: code scanning services show it at the lines.

Columns are counted in characters, and the file says so (`columnKind`). A notebook's lines are those of a cell, which
SARIF cannot name: the message names the cell, and the result points at the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from envcheck import __version__
from envcheck.lint import CHECKS, Check, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
NUMBER = {check.code: number for number, check in enumerate(CHECKS)}


def render(findings: Sequence[Finding]) -> str:
    """One run with all checks as its rules, whether they found something or not."""
    driver = {
        "name": "envcheck",
        "semanticVersion": __version__,
        "rules": [rule(check) for check in CHECKS],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [result(f) for f in findings]}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def rule(check: Check) -> dict[str, object]:
    """One check."""
    markdown = f"{check.because}\n\n```{check.language}\n{check.remedy}\n```\n\n[Source]({check.url})"
    return {
        "id": check.code,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.because},
        "help": {"text": f"{check.because}\n\n{check.remedy}\n\n{check.url}", "markdown": markdown},
        "helpUri": check.url,
        "defaultConfiguration": {"level": check.level.value},
    }


def result(finding: Finding) -> dict[str, object]:
    """One finding."""
    where = "" if finding.cell is None else f" (cell {finding.cell}, line {finding.line})"
    physical: dict[str, object] = {"artifactLocation": {"uri": uri(finding.path)}}
    if finding.cell is None:
        physical["region"] = region(finding)
    return {
        "ruleId": finding.code,
        "ruleIndex": NUMBER[finding.code],
        "level": finding.level.value,
        "message": {"text": finding.message + where},
        "locations": [{"physicalLocation": physical}],
    }


def region(finding: Finding) -> dict[str, int]:
    """Where: SARIF's end column is the first one behind the region, as Python's is."""
    return {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }


def uri(path: str) -> str:
    """A path as a URI reference: relative ones stay relative to where the command ran."""
    pure = PurePath(path)
    if pure.is_absolute():
        drive = "/" if pure.drive else ""
        return f"file://{drive}" + quote(pure.as_posix(), safe="/:", errors="backslashreplace")
    return quote(pure.as_posix(), errors="backslashreplace")
