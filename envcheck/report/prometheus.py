"""The compatibility table for Prometheus: the text format, as node_exporter's textfile collector reads it.

What was not measured has no sample; it is never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from envcheck.model import AXES
from envcheck.report.plain import visible
from envcheck.report.table import Place, State, Table, moment_of

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector

WHICH = ("cell", "host")
MS = 1000.0


def render(table: Table) -> str:
    """The samples of every place."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector_of(list(families_of(table))))
    return generate_latest(registry).decode("utf-8")


def collector_of(families: Iterable[GaugeMetricFamily]) -> Collector:
    """What the registry asks for samples."""
    from prometheus_client.registry import Collector

    class Fixed(Collector):
        """Samples that stand already."""

        def collect(self) -> Iterable[GaugeMetricFamily]:
            """All of them."""
            return families

    return Fixed()


def families_of(table: Table) -> Iterator[GaugeMetricFamily]:
    """One family for each thing that can be known of a cell."""
    places = list(table.places())
    yield family("info", "The axes of a cell.", places, AXES, axes_of)
    yield family("state", "What is known of a cell on such a host: 1.", places, ("state",), state_of)
    yield family("verdict", "The newest verdict: 1.", places, ("verdict",), verdict_of)
    yield family("met", "1 where the newest verdict is the expected one; none where it is stale.", places, (), met_of)
    yield family("composed", "1 where nobody saw the newest entry: it was composed.", places, (), composed_of)
    yield family("speedup_ratio", "CPU time / GPU time and its 95% interval.", places, ("bound",), speedup_of)
    yield family("frame_seconds", "Time per frame in steady work.", places, ("delegate", "quantile"), times_of)
    yield family("recorded_timestamp_seconds", "When the newest verdict was seen.", places, (), recorded_of)


Samples = Iterator[tuple[tuple[str, ...], float]]
Find = Callable[[Place], Samples]


def family(name: str, about: str, places: Iterable[Place], labels: tuple[str, ...], of: Find) -> GaugeMetricFamily:
    """A gauge with the samples that `of` finds in each place."""
    from prometheus_client.core import GaugeMetricFamily

    found = GaugeMetricFamily(f"envcheck_cell_{name}", about, labels=(*WHICH, *labels))
    for place in places:
        which = (visible(place.cell), visible(place.host))
        for values, number in of(place):
            found.add_metric([*which, *values], number)
    return found


def axes_of(place: Place) -> Samples:
    """The value of each axis; empty where the matrix has no such axis."""
    yield tuple(visible(getattr(place.axes, axis) or "") for axis in AXES), 1.0


def state_of(place: Place) -> Samples:
    """Tested, stale, untested, …"""
    yield (place.state.value,), 1.0


def verdict_of(place: Place) -> Samples:
    """The newest verdict."""
    if place.entry is not None:
        yield (place.entry.verdict.value,), 1.0


def met_of(place: Place) -> Samples:
    """Whether it is the expected one; what was so long ago says nothing of now, as in JUnit."""
    if place.entry is not None and not (place.entry.met and place.state is State.STALE):
        yield (), float(place.entry.met)


def composed_of(place: Place) -> Samples:
    """Whether nobody saw it; nothing where somebody did."""
    if place.entry is not None and place.entry.composed:
        yield (), 1.0


def speedup_of(place: Place) -> Samples:
    """The estimate and both ends of its interval."""
    bench = place.entry.bench if place.entry else None
    if bench is not None and bench.speedup is not None:
        low, high = bench.speedup.ci95
        for bound, number in (("estimate", bench.speedup.estimate), ("low", low), ("high", high)):
            yield (bound,), number


def times_of(place: Place) -> Samples:
    """Median and 95th percentile of each delegate that was timed, in seconds."""
    bench = place.entry.bench if place.entry else None
    for delegate, timing in (("cpu", bench.cpu), ("gpu", bench.gpu)) if bench else ():
        if timing is not None:
            yield (delegate, "0.5"), timing.median_ms / MS
            yield (delegate, "0.95"), timing.p95_ms / MS


def recorded_of(place: Place) -> Samples:
    """Seconds since 1970; nothing where the date is none."""
    moment = moment_of(place.entry.recorded_at) if place.entry else None
    if moment is not None:
        yield (), moment.timestamp()
