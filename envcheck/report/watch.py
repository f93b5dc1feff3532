"""The report on a watched program, as plain lines: it goes to the program's terminal, after the program has ended."""

from __future__ import annotations

import shlex
import signal
import textwrap
from collections.abc import Iterator

from envcheck.model import Finding, Witness
from envcheck.report.plain import visible
from envcheck.watched import Watched, WatchReport

PREFIX = "envcheck: "
MIN_WIDTH = 40
MAX_WIDTH = 110
LABEL = 13


def render(report: WatchReport, *, width: int) -> str:
    """The whole report, the verdict first. Only that line names us; the others are indented, for pasting."""
    room = max(MIN_WIDTH, min(width, MAX_WIDTH) - len(PREFIX))
    return PREFIX + "".join(f"{line.rstrip()}\n" for line in lines(report, room))


def lines(report: WatchReport, room: int) -> Iterator[str]:
    """The lines, without what they begin with."""
    watched = report.watched
    yield from wrapped(f"{report.verdict.value}: {visible(report.because)}", room)
    if report.settle:
        yield from wrapped(f"What would settle it: {report.settle}", room, "  ", first="  ")
    yield from wrapped(what_was_watched(watched), room, "  ", first="  ")
    for witness in report.witnesses:
        yield from statement(witness, room)
    for finding in report.findings:
        yield ""
        yield from page(finding, room)


def what_was_watched(watched: Watched) -> str:
    """The command, how it ended, how long and how closely it was watched."""
    command = visible(shlex.join(watched.command))
    name = command if len(command) <= 60 else command[:57] + "…"
    many = number(len(watched.processes) + watched.folded, "process", "processes")
    samples = number(watched.samples, "sample", "samples")
    return (
        f"{name or 'process'} ({watched.pid}) {ending(watched)}; watched {watched.seconds:.1f} s, {samples}, {many}, "
        f"{watched.cpu_s:.1f} s of CPU time; watching took {watched.own_cpu_s:.2f} s"
    )


def number(count: int, one: str, more: str) -> str:
    """A count with its noun."""
    return f"{count} {one if count == 1 else more}"


def ending(watched: Watched) -> str:
    """How the program ended, in a few words."""
    end = watched.ending
    if end.signal is not None:
        known = {number.value: number.name for number in signal.Signals}
        return f"was killed by {known.get(end.signal, f'signal {end.signal}')}"
    if end.status is not None:
        return f"ended with {end.status}"
    return "still runs" if any(p.alive for p in watched.processes if p.pid == watched.pid) else "has ended"


def statement(witness: Witness, room: int) -> Iterator[str]:
    """One witness: what it says, what it saw."""
    head = f"  {witness.name:<{LABEL}}{witness.says.value:<12} "
    yield from wrapped(head + visible(witness.saw), room, " " * len(head))


def page(finding: Finding, room: int) -> Iterator[str]:
    """One finding: what, why, the way out, the source."""
    yield from wrapped(f"{finding.code} {visible(finding.summary)}", room, "  ", first="  ")
    yield from wrapped(finding.because, room, "  ", first="  ")
    for line in finding.remedy.splitlines():
        yield f"    {line}"
    yield f"  {finding.url}"


def wrapped(text: str, room: int, later: str = "  ", first: str = "") -> list[str]:
    """Text in lines that fit; paths and addresses are not torn."""
    return textwrap.wrap(
        text, room, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    ) or [""]
