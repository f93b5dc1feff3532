"""The compatibility table as CSV: a row for each place. No field is a formula, and none has a second line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from envcheck.model import AXES, Timing
from envcheck.report.plain import visible
from envcheck.report.table import Place, Table

HEAD = (
    "cell", *AXES, "host", "state", "verdict", "status", "expected", "met", "speedup", "speedup_low", "speedup_high",
    "cpu_median_ms", "cpu_p95_ms", "gpu_median_ms", "gpu_p95_ms", "recorded_at", "age_days", "codes", "because",
    "evidence", "digest", "composed",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a text; one with an apostrophe before it is shown."""


def render(table: Table) -> str:
    """Head and rows, by RFC 4180."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(HEAD)
    for place in table.places():
        writer.writerow(map(harmless, fields_of(place)))
    return buffer.getvalue()


def harmless(value: object) -> str:
    """A field that no spreadsheet obeys. Numbers are numbers, what was not measured is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.10g}"
    text = visible(str(value))
    return f"'{text}" if text.startswith(FORMULA) else text


def fields_of(place: Place) -> Iterator[object]:
    """The fields of a place, as HEAD names them."""
    entry, bench = place.entry, place.entry.bench if place.entry else None
    yield place.cell
    yield from (getattr(place.axes, axis) for axis in AXES)
    yield from (place.host, place.state.value)
    yield from (entry.verdict.value, entry.status.value, entry.expected.value, entry.met) if entry else (None,) * 4
    speedup = bench.speedup if bench else None
    yield from (speedup.estimate, *speedup.ci95) if speedup else (None,) * 3
    yield from times_of(bench.cpu if bench else None)
    yield from times_of(bench.gpu if bench else None)
    yield entry.recorded_at if entry else None
    yield None if place.age_days is None else round(place.age_days, 2)
    yield " ".join(entry.codes) if entry else None
    yield place.because
    yield from (place.link, entry.digest if entry else None, entry.composed if entry else None)


def times_of(timing: Timing | None) -> tuple[float | None, float | None]:
    """Median and 95th percentile."""
    return (None, None) if timing is None else (timing.median_ms, timing.p95_ms)
