"""The table that a person reads on a terminal, with each cause explained once below it.

Nothing in the results steers the terminal: markup and escape sequences are shown as text. Colour is never alone: each
verdict has a word and a sign.
"""

from __future__ import annotations

import io
import os
import re
from typing import IO, TYPE_CHECKING

from envcheck.errors import EXIT_CODES, MET, UNMET, InfrastructureError, NothingSelectedError
from envcheck.model import CellResult, Finding, Results, Speedup, Status, Timing, Verdict
from envcheck.report import part
from envcheck.report.causes import Cause, causes_of
from envcheck.report.plain import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

UNKNOWN_WIDTH = 100
"""Columns where there is no terminal: a file, a pipe, a CI log."""
NARROWEST = 30
LABEL = 9
"""Columns of the labels below the table."""
MANY = 12
"""So many cells, or different things seen, are listed; the rest is counted."""
LONG = 500
"""Characters of one thing seen; the evidence file has it all."""

SIGN = {Status.PASS: "✔", Status.FAIL: "✘", Status.UNKNOWN: "?", Status.SKIP: "–"}
STYLE = {Status.PASS: "bold green", Status.FAIL: "bold red", Status.UNKNOWN: "bold yellow", Status.SKIP: "dim"}
ABSENT = "–"
ASCII = str.maketrans({"✔": "+", "✘": "x", "–": "-", "─": "-", "×": "x", "…": "..."})


def render(results: Results, *, width: int, colour: bool, exit_code: int, encoding: str = "utf-8") -> str:
    """The table, the causes and the last line. `encoding` is the stream's: what it cannot take is written in ASCII."""
    from rich.text import Text

    buffer = io.StringIO()
    console = console_on(buffer, width=width, colour=colour)
    if results.shard is not None:
        show_wrapped(console, "", Text(part.told(results.shard), style="bold"))
    show_cells(console, results.cells)
    for cause in causes_of(results.cells):
        show_cause(console, cause)
    console.print()
    show_wrapped(console, "", ending(results, exit_code))
    return written(buffer, encoding)


def console_on(buffer: io.StringIO, *, width: int, colour: bool) -> Console:
    """A console that obeys nothing but its arguments."""
    from rich.console import Console

    return Console(
        file=buffer,
        width=max(width, NARROWEST),
        height=1000,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=False,
        legacy_windows=False,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},  # the same results give the same text in any environment
    )


def written(buffer: io.StringIO, encoding: str) -> str:
    """What a console wrote, without blanks at the ends of lines, in characters that the encoding has."""
    lines = (line.rstrip(" ") for line in buffer.getvalue().strip("\n").splitlines())
    return encodable("\n".join(lines) + "\n", encoding)


def width_of(stream: IO[str]) -> int:
    """Columns of the terminal behind a stream; COLUMNS goes first, and UNKNOWN_WIDTH where there is no terminal."""
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or UNKNOWN_WIDTH
    except (OSError, ValueError, AttributeError):
        return UNKNOWN_WIDTH


def encodable(text: str, encoding: str) -> str:
    """`text` as it is where the encoding has box characters; else ASCII, and what is left as escapes."""
    try:
        ("".join(SIGN.values()) + "─").encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(ASCII).encode("ascii", "backslashreplace").decode("ascii")
    return text.encode(encoding, "backslashreplace").decode(encoding)


# --- the table --------------------------------------------------------------------------------------------------


def show_cells(console: Console, cells: Sequence[CellResult]) -> None:
    """A table where it fits, else a few lines per cell."""
    from rich.measure import Measurement

    if not cells:
        return
    table = table_of(cells)
    if Measurement.get(console, console.options.update(width=10_000), table).maximum <= console.width:
        console.print(table)
        return
    for cell in cells:
        show_stacked(console, cell, told=told(cells))


def told(cells: Sequence[CellResult]) -> bool:
    """Expectations are shown where any differs from the default."""
    return any(cell.expected is not Verdict.ACCELERATED for cell in cells)


def table_of(cells: Sequence[CellResult]) -> Table:
    """One row per cell."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("Cell", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    if told(cells):
        table.add_column("Expected", no_wrap=True)
    for name in ("Speed-up (95%)", "CPU ms", "GPU ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in cells:
        expected = [expectation(cell)] if told(cells) else []
        table.add_row(plain(cell.id), verdict_of(cell), *expected, *map(plain, measured(cell)))
    return table


def show_stacked(console: Console, cell: CellResult, *, told: bool) -> None:
    """A cell on a terminal too narrow for the table."""
    speedup, cpu, gpu = measured(cell)
    console.print(plain(cell.id), soft_wrap=True)
    show_wrapped(console, "  ", verdict_of(cell))
    if told:
        show_wrapped(console, "  expected ", expectation(cell))
    if cell.bench is not None:
        show_wrapped(console, "  ", plain(f"speed-up {speedup}, CPU {cpu} ms, GPU {gpu} ms"))


def plain(text: str) -> Text:
    """Text that is shown as it is."""
    from rich.text import Text

    return Text(visible(text))


def verdict_of(cell: CellResult) -> Text:
    """Sign and word."""
    from rich.text import Text

    return Text(f"{SIGN[cell.status]} {cell.verdict.value}", style=STYLE[cell.status])


def expectation(cell: CellResult) -> Text:
    """The expected verdict, and whether it was met."""
    from rich.text import Text

    if cell.verdict is Verdict.UNREACHABLE:
        return Text(cell.expected.value, style="dim")
    met = "met" if cell.met else "not met"
    return Text(f"{cell.expected.value}, {met}", style="green" if cell.met else "red")


def measured(cell: CellResult) -> tuple[str, str, str]:
    """Speed-up with its interval, and both medians; a dash for what was not measured."""
    bench = cell.bench
    if bench is None:
        return ABSENT, ABSENT, ABSENT
    return interval(bench.speedup), milliseconds(bench.cpu), milliseconds(bench.gpu)


def interval(speedup: Speedup | None) -> str:
    """Such as `5.42× (5.21–5.61)`."""
    if speedup is None:
        return ABSENT
    low, high = speedup.ci95
    return f"{ratio(speedup.estimate)}× ({ratio(low)}–{ratio(high)})"


def ratio(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def milliseconds(timing: Timing | None) -> str:
    """The median with three digits that count."""
    return ABSENT if timing is None else ratio(max(timing.median_ms, 0.1))


# --- the causes -------------------------------------------------------------------------------------------------


def show_cause(console: Console, cause: Cause) -> None:
    """One paragraph: what, in which cells, why it matters, what to do, where that is known from."""
    from rich.text import Text

    finding = cause.finding
    console.print()
    heading = Text.assemble((visible(finding.code), STYLE[finding.status]), "  ", (visible(cause.title), "bold"))
    show_wrapped(console, "", heading)
    for text, cells in cause.seen[:MANY]:
        if text:
            show_labelled(console, "seen", shortened(text))
        show_labelled(console, "cells" if len(cells) > 1 else "cell", listed(cells))
    if len(cause.seen) > MANY:
        show_labelled(
            console, "", f"and {sum(len(cells) for _, cells in cause.seen[MANY:])} more cells; report.md has all"
        )
    if finding.status is not Status.PASS:
        show_way_out(console, finding)
    for other in cause.also:
        show_labelled(console, "also", f"{other.code} {shortened(other.summary)} (envcheck explain {other.code})")
    if cause.waiting:
        show_wrapped(console, "  not looked at: ", plain(cause.waiting))


def show_way_out(console: Console, finding: Finding) -> None:
    """Why it matters, what to do, where that is known from."""
    show_labelled(console, "why", finding.because)
    show_remedy(console, finding.remedy)
    if finding.url:
        console.print(label("source") + plain(finding.url), soft_wrap=True)


def show_remedy(console: Console, remedy: str) -> None:
    """Sentences are wrapped; a command stays on one line, however long, so that it can be copied."""
    name = "do"
    for line in visible(remedy, keep_lines=True).splitlines():
        if is_sentence(line):
            show_labelled(console, name, line)
        else:
            console.print(label(name) + plain(line), soft_wrap=True)
        name = ""


def is_sentence(line: str) -> bool:
    """True for prose. It begins with one capital; `NAME=value command` and a Dockerfile's `RUN` have several."""
    return line[:1].isupper() and not re.match(r"[A-Z][A-Z0-9_]+(=|\s)", line)


def show_labelled(console: Console, name: str, text: str) -> None:
    """A label and its text, wrapped beside it; nothing where there is no text."""
    if text:
        show_wrapped(console, label(name), plain(text))


def label(name: str) -> Text:
    """A label of a fixed width; nothing but space without a name."""
    from rich.text import Text

    return Text.assemble((f"  {name}".ljust(LABEL), "dim"))


def show_wrapped(console: Console, before: Text | str, text: Text) -> None:
    """`text` wrapped at words to the width that `before` leaves; later lines are indented as far."""
    from rich.text import Text

    start = Text(before) if isinstance(before, str) else before
    indent = len(start)
    for line in text.wrap(console, max(console.width - indent, 10)):
        line.rstrip()
        console.print(start + line, soft_wrap=True)
        start = Text(" " * indent)


def listed(cells: Sequence[str]) -> str:
    """Ids of cells, the first MANY of them."""
    more = f" and {len(cells) - MANY} more" if len(cells) > MANY else ""
    return ", ".join(cells[:MANY]) + more


def shortened(text: str) -> str:
    """The first LONG characters."""
    return text if len(text) <= LONG else f"{text[:LONG]}… (the evidence file has it all)"


# --- the last line ----------------------------------------------------------------------------------------------


def ending(results: Results, exit_code: int) -> Text:
    """How many cells came out how, the exit code and its reason."""
    from rich.text import Text

    count = len(results.cells)
    counts = sorted(results.summary.items(), key=lambda item: -item[1])
    verdicts = ", ".join(f"{number} {visible(verdict)}" for verdict, number in counts)
    cells = f"{count} cell{'' if count == 1 else 's'}" + (f": {verdicts}" if verdicts else "")
    style = STYLE[Status.PASS if exit_code == MET else Status.FAIL]
    return Text(f"{cells} – exit {exit_code} because {reason(results, exit_code)}", style=style)


def reason(results: Results, exit_code: int) -> str:
    """Why the run ends in this exit code, to follow the word `because`."""
    reachable = [cell for cell in results.cells if cell.verdict is not Verdict.UNREACHABLE]
    unmet = [cell for cell in reachable if not cell.met]
    if len(unmet) == 1:
        which = f"{visible(unmet[0].id)} came out as {unmet[0].verdict.value}, not {unmet[0].expected.value}"
    else:
        which = f"{len(unmet)} did not come out as expected" if unmet else "a test of the acceptance suite failed"
    reasons = {
        MET: "every cell "
        + ("" if len(reachable) == len(results.cells) else "that can run here ")
        + "came out as expected",
        UNMET: which,
        NothingSelectedError.exit_code: "nothing ran",
        InfrastructureError.exit_code: "an environment or its engine could not be had; a retry may mend that",
    }
    return reasons.get(exit_code) or EXIT_CODES.get(exit_code, "of something unforeseen")
