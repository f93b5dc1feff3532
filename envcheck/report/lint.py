"""What `envcheck lint` found, as text for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from envcheck.lint import BY_CODE, Finding, Level

SCHEMA = "envcheck.lint/1"


def text(findings: Sequence[Finding], files: int) -> Iterator[str]:
    """One line for each finding; why and the way out once for each code; a summary."""
    explained: set[str] = set()
    for finding in findings:
        remark = "remark: " if finding.level is Level.NOTE else ""
        yield f"{finding.place}: {finding.code} {remark}{finding.message}"
        if finding.code not in explained:
            explained.add(finding.code)
            yield from explanation(finding.code)
    yield summary(findings, files)


def explanation(code: str) -> Iterator[str]:
    """Why it matters, and what to write instead."""
    check = BY_CODE[code]
    yield f"    why: {check.because}"
    first, *rest = check.remedy.splitlines()
    yield f"    fix: {first}"
    yield from (f"         {line}".rstrip() for line in rest)
    yield f"    see: {check.url}"


def summary(findings: Sequence[Finding], files: int) -> str:
    """How much was read and found."""
    remarks = sum(finding.level is Level.NOTE for finding in findings)
    counted = [(files, "file"), (len(findings) - remarks, "finding"), (remarks, "remark")]
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in counted)


def as_json(findings: Sequence[Finding], files: int) -> str:
    """One object: findings with the words of their checks, and a summary."""
    remarks = sum(finding.level is Level.NOTE for finding in findings)
    document = {
        "schema": SCHEMA,
        "findings": [row(finding) for finding in findings],
        "summary": {"files": files, "findings": len(findings) - remarks, "remarks": remarks},
    }
    return json.dumps(document, indent=2) + "\n"


def row(finding: Finding) -> dict[str, object]:
    """One finding. `cell` is there for notebooks only."""
    check = BY_CODE[finding.code]
    cell = {} if finding.cell is None else {"cell": finding.cell}
    return {
        "path": finding.path, **cell, "line": finding.line, "column": finding.column, "end_line": finding.end_line,
        "end_column": finding.end_column, "code": finding.code, "level": finding.level.value,
        "message": finding.message, "because": check.because, "remedy": check.remedy, "url": check.url,
    }  # fmt: skip
