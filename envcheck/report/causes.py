"""What kept the cells from passing: each root cause once, with the cells that share it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from envcheck.model import CellResult, Finding, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AWAITED = re.compile(r"not looked at, because (?P<code>\w+) was found$")
"""The end of the summary of a rule that was not asked, with the rule that it waits for."""


class Cause(NamedTuple):
    """A root finding of one or more cells. `seen` pairs what was seen with the cells in which it was."""

    finding: Finding
    title: str
    seen: tuple[tuple[str, tuple[str, ...]], ...]
    also: tuple[Finding, ...]
    waiting: str = ""
    """The rules that were not asked because another one failed, in a line; empty where there are none."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The ids of all cells with this cause."""
        return tuple(cell for _, cells in self.seen for cell in cells)


def causes_of(cells: Sequence[CellResult]) -> list[Cause]:
    """The causes in the order of the cells; good news comes last."""
    groups: dict[tuple[str, ...], list[CellResult]] = {}
    for cell in cells:
        root = root_of(cell)
        groups.setdefault((root.code, title_of(root), root.because, root.remedy, root.url), []).append(cell)
    causes = [cause_of(group) for group in groups.values()]
    return sorted(causes, key=lambda cause: cause.finding.status is Status.PASS)


def cause_of(cells: Sequence[CellResult]) -> Cause:
    """The cause that these cells share."""
    seen: dict[str, list[str]] = {}
    also: dict[str, Finding] = {}
    for cell in cells:
        seen.setdefault(seen_in(root_of(cell)), []).append(cell.id)
        also |= {finding.code: finding for finding in cell.findings[1:]}
    root = root_of(cells[0])
    where = tuple((text, tuple(ids)) for text, ids in seen.items())
    return Cause(root, title_of(root), where, answered(also.values()), not_looked_at(also.values()))


def root_of(cell: CellResult) -> Finding:
    """The first finding; where no rule answered, the judge's reason in its place."""
    if cell.findings:
        return cell.findings[0]
    return Finding(code="-", status=cell.status, summary=cell.because, because="", remedy="", url="")


def answered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of rules that were asked."""
    return tuple(finding for finding in findings if finding.status is not Status.SKIP)


def not_looked_at(findings: Iterable[Finding]) -> str:
    """The rules that were not asked, in a line: `EGL208, EGL209 (wait for GPU105)`. Empty where there are none."""
    waiting: dict[str, list[str]] = {}
    for finding in findings:
        if finding.status is Status.SKIP and (match := AWAITED.search(finding.summary)):
            waiting.setdefault(match["code"], []).append(finding.code)
    return "; ".join(
        f"{', '.join(codes)} ({'waits' if len(codes) == 1 else 'wait'} for {root})" for root, codes in waiting.items()
    )


def title_of(finding: Finding) -> str:
    """The part of a summary that is the rule's own."""
    return finding.summary.partition(": ")[0]


def seen_in(finding: Finding) -> str:
    """The part of a summary that says what was seen in this cell."""
    return finding.summary.partition(": ")[2]
