"""What `envcheck bench` measured, as text: the recommendation first, then a table with a line for each delegate."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from envcheck.report.plain import visible
from envcheck.swept import BenchReport, Figures, Leak, Row, Side, counted, described

NARROWEST = 40
HEAD = ("delegate", "p50 ms", "p95 ms", "p99 ms", "frames/s", "CPU ms", "first ms", "MB", "GPU MB", "mJ")
ABSENT = "–"


def render(report: BenchReport, *, width: int, encoding: str = "utf-8") -> str:
    """The whole report; what the encoding cannot take is written in ASCII."""
    text = "".join(f"{line.rstrip()}\n" for line in lines(report, max(width, NARROWEST)))
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        text = text.replace(ABSENT, "-").replace("×", "x").encode("ascii", "backslashreplace").decode("ascii")
    return text


def lines(report: BenchReport, width: int) -> Iterator[str]:
    """The lines, by their order on the screen."""
    for one in report.advice:
        about = f"{one.work.resolution}, {counted(one.work.faces, 'face')}, {one.work.mode}"
        shapes = ", blendshapes" if one.work.blendshapes else ""
        yield from wrapped(f"{about}{shapes}: {visible(one.text)}", width)
    if report.advice:
        yield ""
    for row in report.rows:
        yield from table(row, width)
        yield ""
    for leak in report.leaks:
        yield from wrapped(leaking(leak), width)
    yield from closing(report, width)


def table(row: Row, width: int) -> Iterator[str]:
    """One point: a line for each delegate that was timed, a sentence for one that was not."""
    yield described(row.point)
    timed = [(side, row.figures[side.delegate]) for side in row.sides if side.delegate in row.figures]
    cells = [HEAD, *(figures_line(side, figures) for side, figures in timed)] if timed else []
    widths = [max(len(one[column]) for one in cells) for column in range(len(HEAD))] if cells else []
    for one in cells:
        first, *rest = (
            cell.ljust(size) if not index else cell.rjust(size)
            for index, (cell, size) in enumerate(zip(one, widths, strict=True))
        )
        yield "  " + "  ".join([first, *rest])
    for side in row.sides:
        if side.outcome != "ran":
            why = f": {visible(side.error)}" if side.error else ""
            yield from (f"  {line}" for line in wrapped(f"{side.delegate}: {side.outcome}{why}", width - 2))
    if row.ratio is not None:
        low, high = row.ratio.ci95
        yield f"  GPU throughput is {row.ratio.estimate:.3g}× the CPU's (95% interval {low:.3g} to {high:.3g})"


def figures_line(side: Side, figures: Figures) -> tuple[str, ...]:
    """The cells of one delegate."""
    return (
        side.delegate,
        f"{figures.p50_ms:.2f}",
        f"{figures.p95_ms:.2f}",
        f"{figures.p99_ms:.2f}",
        f"{figures.per_second:.1f}",
        number(figures.cpu_ms, "{:.2f}"),
        number(figures.first_ms, "{:.0f}"),
        megabytes(figures.memory),
        megabytes(figures.gpu_memory),
        number(figures.energy_mj, "{:.1f}"),
    )


def number(value: float | None, form: str) -> str:
    """A figure, or that there is none."""
    return ABSENT if value is None else form.format(value)


def megabytes(size: int | None) -> str:
    """Bytes in millions."""
    return ABSENT if size is None else f"{size / 1e6:.0f}"


def leaking(leak: Leak) -> str:
    """What a leak check found."""
    name = f"delegate={leak.delegate}, {leak.done} {leak.kind}"
    if leak.growth is None or leak.ci95 is None:
        return f"{name}: no answer ({leak.outcome}{': ' + visible(leak.error)[:200] if leak.error else ''})"
    unit = "frame" if leak.kind == "frames" else "cycle"
    grown = f"{leak.growth / 1e3:.3g} kB per {unit} (95% interval {leak.ci95[0] / 1e3:.3g} to {leak.ci95[1] / 1e3:.3g})"
    return f"{name}: memory grows, {grown}" if leak.leaks else f"{name}: no leak seen, {grown}"


def closing(report: BenchReport, width: int) -> Iterator[str]:
    """Where it was measured, what may have spoilt it, and what is missing."""
    subject, host = report.subject, report.host
    where = f"MediaPipe {subject.mediapipe or '?'} in {visible(subject.python)}, model {report.model.name}"
    machine = f"{visible(host.cpu or host.machine)}, {counted(host.cores or 0, 'core')}"
    yield from wrapped(f"Measured: {where}, on {machine}.", width)
    yield from wrapped(f"The full proof: {subject.verdict.value}: {visible(subject.verdict_because)}", width)
    for remark in report.remarks:
        yield from wrapped(f"Remark: {visible(remark)}", width)
    for name, why in unread(report.rows):
        yield from wrapped(f"Not measured: {name}: {visible(why)}", width)
    if report.interrupted:
        yield f"Interrupted: {counted(report.missing, 'point')} not measured; what was measured is above."


def unread(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Meters that could not be read, each once."""
    from envcheck.record import Unread

    seen: dict[str, str] = {}
    for side in (side for row in rows for side in row.sides if side.rounds):
        first = side.rounds[0]
        for name, value in (
            ("CPU time", first.cpu_s),
            ("energy of the GPU", first.gpu_mj),
            ("energy of the CPU", first.package_mj),
            ("memory", side.memory),
            ("GPU memory", side.gpu_memory),
        ):
            if isinstance(value, Unread):
                seen.setdefault(name, value.reason)
    yield from seen.items()


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines that fit."""
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) or [""]
