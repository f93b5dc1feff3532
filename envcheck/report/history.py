"""History, a difference and an import, as text: plain lines, in which nothing of the evidence steers a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby

from envcheck.kept import Change, Difference, Entry, History, Lost, Merged, Missing, Move, Ratios
from envcheck.model import ANY_DRIVER
from envcheck.report.plain import visible

MOST_UNMET = 20
"""Cells that are named; the report has them all."""
CELL_ROWS = ("recorded (UTC)", "verdict", "as expected", "speed-up", "digest")
ALL_ROWS = ("cell", "host", *CELL_ROWS)
LONGEST = 60
"""Characters of a value in a table of facts; the JSON has all of it."""
ALIKE = "The same for both."


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as what is in them."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


# --- history ----------------------------------------------------------------------------------------------------


def render(found: History) -> str:
    """The entries, and what changed among them."""
    if found.going is not None:
        return "\n".join(forgotten(found))
    lines = [*for_cell(found)] if found.cell else [*table([ALL_ROWS, *map(row_of_all, found.entries)])]
    return "\n".join([*lines, "", *changed(found.changes)])


def for_cell(found: History) -> Iterator[str]:
    """The entries of one cell, each host's by themselves."""
    yield f"{visible(found.cell or '')}, {counted(len(found.entries), 'entry', 'entries')}"
    ordered = sorted(found.entries, key=lambda entry: (entry.host, entry.recorded_at))
    for host, entries in groupby(ordered, key=lambda entry: entry.host):
        yield ""
        yield visible(host)
        yield from (f"  {line}" for line in table([CELL_ROWS, *map(row, entries)]))


def row(entry: Entry) -> tuple[str, ...]:
    """One entry in a line."""
    met = "yes" if entry.met else f"no, expected {entry.expected.value}"
    verdict = f"{entry.verdict.value} (composed)" if entry.composed else entry.verdict.value
    return (entry.recorded_at[:16].replace("T", " "), verdict, met, speed(entry), entry.digest[:12])


def row_of_all(entry: Entry) -> tuple[str, ...]:
    """The same beside entries of other cells."""
    return (visible(entry.cell), visible(entry.host), *row(entry))


def speed(entry: Entry) -> str:
    """The speed-up with its interval."""
    found = entry.bench and entry.bench.speedup
    return f"{found.estimate:.2f}x [{found.ci95[0]:.2f}, {found.ci95[1]:.2f}]" if found else "-"


def changed(changes: Sequence[Change]) -> Iterator[str]:
    """What changed, the newest last."""
    if not changes:
        yield "Nothing changed that is more than noise."
        return
    yield f"{counted(len(changes), 'change', 'changes')}:"
    for change in changes:
        yield from told(change)


def told(change: Change) -> Iterator[str]:
    """One change: when, what, why."""
    sure = "" if change.confirmed else " (seen once, not confirmed)"
    yield f"  {change.after.recorded_at[:16].replace('T', ' ')}  {change.kind}{sure}: {visible(change.cell)}"
    yield f"    {visible(change.what)}"
    yield f"    {visible(change.attribution)}"


def forgotten(found: History) -> Iterator[str]:
    """What a policy lets go."""
    for entry in found.entries:
        yield "  ".join(row_of_all(entry))
    going = counted(len(found.entries), "entry", "entries")
    if not found.entries:
        yield "The policy lets nothing go."
    elif found.removed:
        yield f"Removed {counted(found.removed, 'entry', 'entries')} with their evidence from {found.archive}."
    else:
        yield f"Would remove {going} with their evidence from {found.archive}. Nothing was removed; --yes removes it."


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else many}"


# --- two entries ------------------------------------------------------------------------------------------------


def render_difference(found: Difference) -> str:
    """Two entries side by side."""
    return "\n".join([*heads(found), "", *facts(found.moved), "", *times(found)])


def heads(found: Difference) -> Iterator[str]:
    """What is compared."""
    for name, entry in (("before", found.before), ("after", found.after)):
        yield f"{name:6}  {'  '.join(row_of_all(entry))}"


def facts(moved: Sequence[Move]) -> Iterator[str]:
    """The facts that differ."""
    if not moved:
        yield f"Facts: {ALIKE.lower()}"
        return
    rows = [("fact", "before", "after"), *((visible(one.fact), cut(one.before), cut(one.after)) for one in moved)]
    yield from table(rows)


def cut(value: str) -> str:
    """A value that fits into a table."""
    text = visible(value) or "not seen"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def times(found: Difference) -> Iterator[str]:
    """What became of the times, or why they are not compared."""
    if found.measured is None:
        yield "Times are not compared:"
        yield from (f"  {visible(text)}" for text in found.unlike)
        return
    yield from (f"{name}: {text}" for name, text in ratios(found.measured))


def ratios(measured: Ratios) -> Iterator[tuple[str, str]]:
    """The ratios in words."""
    for name, value in (("CPU time", measured.cpu), ("GPU time", measured.gpu)):
        if value is not None:
            yield name, f"{value:.3f} times what it was"
    if measured.speedup is not None:
        sure = "intervals have nothing in common" if measured.certain else "intervals overlap: it may be noise"
        yield "speed-up", f"{measured.speedup:.3f} times what it was ({sure})"


# --- an import --------------------------------------------------------------------------------------------------


def render_merged(found: Merged) -> str:
    """What came of an import."""
    lines = [f"{found.archive}: {counted(found.added, 'entry', 'entries')} added, {found.known} known already."]
    lines += [f"conflict: {visible(one.cell)}, {visible(one.source)}: {visible(one.what)}" for one in found.conflicts]
    lines += [f"not read: {visible(one.source)}: {visible(one.why)}" for one in found.refused]
    lines += [*missing_lines(found.missing), *lost_lines(found.lost), *unmet_lines(found)]
    return "\n".join(lines)


def unmet_lines(found: Merged) -> Iterator[str]:
    """What came and is not as expected: an import that went well says nothing of that."""
    if found.unmet:
        named = ", ".join(
            f"{visible(cell)} ({visible(verdict)})" for cell, verdict in [*found.unmet.items()][:MOST_UNMET]
        )
        more = f", and {len(found.unmet) - MOST_UNMET} more" if len(found.unmet) > MOST_UNMET else ""
        yield f"not as expected: {len(found.unmet)} of {counted(found.came, 'cell', 'cells')} that came: {named}{more}"


def missing_lines(missing: Sequence[Missing]) -> Iterator[str]:
    """Shards that did not come, or not whole: what came is no whole matrix."""
    for one in missing:
        whose = f" of driver {visible(one.driver)}" if one.driver else ""
        for what, numbers in (("missing", one.absent), ("incomplete", one.partial)):
            if numbers:
                named = ", ".join(map(str, numbers))
                yield f"{what}: shard {named} of {one.count}{whose}; together they have {one.of} cells."


def lost_lines(lost: Sequence[Lost]) -> Iterator[str]:
    """Cells that were planned and did not come, and how to run them again."""
    for one in lost:
        job = f" in the job {visible(one.job)}" if one.job else ""
        yield f"unknown: {visible(one.cell)}: planned{job}, and not delivered."
    needs: dict[str, list[str]] = {}
    for one in lost:
        needs.setdefault(one.axes.driver or ANY_DRIVER, []).append(visible(one.cell))
    for driver, cells in needs.items():
        where = "on any host" if driver == ANY_DRIVER else f"on a host with driver {visible(driver)}"
        yield f"Run again {where}: envcheck validate --select {shlex.quote(';'.join(cells))}"
