"""Pictures of a sweep: throughput and latency against the number of processes, for each kind of work."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from envcheck.errors import UsageError
from envcheck.swept import BenchReport, Row, Work, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMS = ("svg", "png")
COLOURS = {"CPU": "#0072b2", "GPU": "#d55e00"}
"""Told apart by people who see few colours (Okabe and Ito); the marks differ as well."""
MARKS = {"CPU": "o", "GPU": "s"}
MOST = 6
"""Kinds of work in one picture; the table has all."""
INSTALL = "Install the extra: pip install 'envcheck[plots]'"


def are_wanted(asked: bool | None) -> bool:
    """Whether to draw; None means where it can be done. Raises UsageError where it is asked for and cannot."""
    if asked is False:
        return False
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError as error:
        if asked is None:
            return False
        raise UsageError(f"--plots needs matplotlib, which cannot be imported: {error}", remedy=INSTALL) from None
    return True


def pictures(report: BenchReport) -> dict[str, bytes]:
    """The picture in each form, by the end of its file's name. Empty where nothing was timed."""
    rows = [row for row in report.rows if row.figures]
    works = tuple(dict.fromkeys(row.point.work for row in rows))[:MOST]
    if not works:
        return {}
    import matplotlib as mpl

    mpl.use("agg")
    with mpl.rc_context({"svg.hashsalt": "envcheck", "svg.fonttype": "none"}):  # the same report, the same file
        figure = drawn(works, rows)
        return {form: saved(figure, form) for form in FORMS}


def drawn(works: Sequence[Work], rows: Sequence[Row]) -> Any:
    """A column for each kind of work: throughput above, latency below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(works) + 1, 6.4), layout="constrained")
    grid = figure.subplots(2, len(works), squeeze=False, sharex="col")
    for column, work in enumerate(works):
        mine = [row for row in rows if row.point.work == work]
        grid[0][column].set_title(title(work), fontsize=10)
        draw_throughput(grid[0][column], mine)
        draw_latency(grid[1][column], mine)
    grid[0][0].set_ylabel("frames per second, all processes")
    grid[1][0].set_ylabel("ms per frame: median to p95")
    grid[0][-1].legend(fontsize=9)
    return figure


def title(work: Work) -> str:
    """A kind of work in a few words."""
    shapes = ", blendshapes" if work.blendshapes else ""
    return f"{work.resolution}, {counted(work.faces, 'face')}, {work.mode}{shapes}"


def delegates_of(rows: Sequence[Row]) -> list[str]:
    """The delegates that were timed, the CPU first."""
    return sorted({name for row in rows for name in row.figures})


def draw_throughput(axes: Axes, rows: Sequence[Row]) -> None:
    """Frames per second against processes."""
    for name in delegates_of(rows):
        timed = [row for row in rows if name in row.figures]
        streams = [row.point.streams for row in timed]
        rates = [row.figures[name].per_second for row in timed]
        axes.plot(streams, rates, color=COLOURS[name], marker=MARKS[name], label=f"delegate={name}")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def draw_latency(axes: Axes, rows: Sequence[Row]) -> None:
    """Median with a line up to the 95th percentile, against processes."""
    for name in delegates_of(rows):
        timed = [row for row in rows if name in row.figures]
        streams = [row.point.streams for row in timed]
        medians = [row.figures[name].p50_ms for row in timed]
        above = [row.figures[name].p95_ms - row.figures[name].p50_ms for row in timed]
        axes.errorbar(
            streams, medians, yerr=[[0.0] * len(above), above], color=COLOURS[name], marker=MARKS[name], capsize=3
        )
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({row.point.streams for row in rows}))
    axes.set_xlabel("processes")
    axes.grid(alpha=0.3)


def saved(figure: Any, form: str) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=120, metadata={"Date": None} if form == "svg" else None)
    return buffer.getvalue()
