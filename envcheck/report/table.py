"""The compatibility table as data: MediaPipe down, CUDA and driver across, one grid per backend and class of hosts.

Every place of a grid says what is known of one cell on such a host. "Nobody has tried" (untested), "no such host here"
(unreachable), "cannot work" (impossible), "left out on purpose" (excluded) and "tried long ago" (stale) are five
different things, and none of them is a verdict that was seen lately.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum

from packaging.version import InvalidVersion, Version

from envcheck.kept import AHEAD, NOT_DELIVERED, Entry
from envcheck.model import ANY_DRIVER, Axes, Status, Verdict
from envcheck.record import Record

STALE_DAYS = 30.0
"""After so many days wheels, drivers and images have moved on, and a verdict says what was rather than what is."""
SECONDS_A_DAY = 86_400.0
NEVER = Version("0")
DRIVER = re.compile(r"\bdriver (\d+(?:\.\d+)*)")
"""The driver in the name of a class of hosts."""


class State(str, Enum):
    """What is known of a cell on a class of hosts."""

    TESTED = "tested"
    STALE = "stale"
    UNTESTED = "untested"
    UNREACHABLE = "unreachable"
    IMPOSSIBLE = "impossible"
    EXCLUDED = "excluded"


class Slot(Record, frozen=True):
    """A cell of the matrix, and what is foreseen for it: reachable, impossible, unreachable or excluded."""

    cell: str
    axes: Axes
    state: str = "reachable"
    because: str = ""


class Place(Record, frozen=True, kw_only=True):
    """One place of the table. `entry` is the newest of that cell on such a host, and `link` leads to its evidence."""

    cell: str
    axes: Axes
    host: str
    state: State
    because: str = ""
    entry: Entry | None = None
    age_days: float | None = None
    link: str = ""


class Column(Record, frozen=True):
    """What stands across."""

    cuda: str | None = None
    driver: str | None = None


class Line(Record, frozen=True):
    """What stands down."""

    mediapipe: str | None = None
    python: str | None = None
    opencv: str | None = None


class Grid(Record, frozen=True):
    """The table of one backend on one class of hosts; `host` is empty where nothing was recorded for the backend."""

    backend: str
    host: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    places: dict[str, Place]
    """By `key(line, column)`; a combination that is in no matrix and was never run has none."""

    def at(self, line: Line, column: Column) -> Place | None:
        """The place where a line and a column meet."""
        return self.places.get(key(line, column))


class Table(Record, frozen=True):
    """All grids, and the moment for which ages and staleness hold."""

    grids: tuple[Grid, ...]
    at: datetime

    def places(self) -> Iterator[Place]:
        """Every place, in the order of reading."""
        for grid in self.grids:
            yield from (grid.places[name] for line in grid.lines for name in names(line, grid) if name in grid.places)


# --- making it --------------------------------------------------------------------------------------------------


def tabulate(
    entries: Iterable[Entry],
    slots: Collection[Slot] = (),
    *,
    at: datetime,
    stale_days: float = STALE_DAYS,
    links: Mapping[str, str] | None = None,
) -> Table:
    """The table of the newest entry of each cell on each class of hosts, and of the slots that have none.

    `links` leads from the digest of an entry to its evidence.
    """
    recorded = [seen(entry, at, stale_days, (links or {}).get(entry.digest, "")) for entry in newest(entries, at)]
    hosts = hosts_by_backend(recorded)
    found = {(place.host, place.cell): place for place in recorded}
    for slot in slots:
        for host in hosts.get(slot.axes.backend, ("",)):
            if host or (NOT_DELIVERED, slot.cell) not in found:
                found.setdefault((host, slot.cell), foreseen(slot, host))
    grouped: dict[tuple[str, str], list[Place]] = {}
    for place in found.values():
        grouped.setdefault((place.axes.backend, place.host), []).append(place)
    return Table(tuple(grid(*which, grouped[which]) for which in sorted(grouped)), at)


def newest(entries: Iterable[Entry], at: datetime | None = None) -> list[Entry]:
    """The last entry of each cell on each class of hosts; of two at the same moment the later one.

    `at`: the moment that it is; what was recorded after it comes before everything that has a date.
    """
    latest = float("inf") if at is None else (at + AHEAD).timestamp()
    found: dict[tuple[str, str], tuple[float, Entry]] = {}
    for entry in entries:
        which, when = (entry.cell, entry.host), recency(entry, latest)
        before = found.get(which)
        if before is None or when >= before[0]:
            found[which] = (when, entry)
    return [entry for _, entry in found.values()]


def recency(entry: Entry, latest: float) -> float:
    """Seconds since 1970, before everything else where the date is none, or after the latest that it can be."""
    seconds = seconds_of(entry.recorded_at)
    return float("-inf") if seconds is None or seconds > latest else seconds


@functools.lru_cache(maxsize=65_536)
def seconds_of(text: str) -> float | None:
    """Seconds since 1970 at the moment that an ISO 8601 text names; None where it is no date."""
    moment = moment_of(text)
    return None if moment is None else moment.timestamp()


def moment_of(text: str) -> datetime | None:
    """The moment that an ISO 8601 text names, UTC where it names no zone; None where it is no date."""
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" * text.endswith("Z"))
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def seen(entry: Entry, at: datetime, stale_days: float, link: str) -> Place:
    """The place of an entry."""
    seconds = seconds_of(entry.recorded_at)
    ahead = seconds is None or seconds > (at + AHEAD).timestamp()
    age = None if seconds is None or ahead else max(0.0, (at.timestamp() - seconds) / SECONDS_A_DAY)
    if entry.verdict is Verdict.UNREACHABLE:
        state = State.UNREACHABLE
    elif age is None or age > stale_days:
        state = State.STALE
    else:
        state = State.IMPOSSIBLE if entry.verdict is Verdict.IMPOSSIBLE else State.TESTED
    return Place(
        cell=entry.cell, axes=entry.axes, host=entry.host, state=state, because=entry.because, entry=entry,
        age_days=age, link=link,
    )  # fmt: skip


def foreseen(slot: Slot, host: str) -> Place:
    """The place of a cell of which nothing was recorded on such a host."""
    state = {"impossible": State.IMPOSSIBLE, "excluded": State.EXCLUDED}.get(slot.state)
    because = slot.because
    if state is None and host:
        fits = driver_fits(slot.axes.driver, host)
        state = State.UNTESTED if fits else State.UNREACHABLE
        because = "" if fits else f"needs driver {slot.axes.driver}"
    elif state is None:
        state = State.UNREACHABLE if slot.state == "unreachable" else State.UNTESTED
    return Place(cell=slot.cell, axes=slot.axes, host=host, state=state, because=because)


def driver_fits(wanted: str | None, host: str) -> bool:
    """Whether a class of hosts has the driver that a cell asks for, component by component."""
    if wanted is None or wanted == ANY_DRIVER:
        return True
    here = DRIVER.search(host)
    return here is not None and f"{here[1]}.".startswith(f"{wanted}.")


def hosts_by_backend(places: Iterable[Place]) -> dict[str, tuple[str, ...]]:
    """The classes of hosts on which cells of each backend were run."""
    found: dict[str, dict[str, None]] = {}
    for place in places:
        if place.host == NOT_DELIVERED:  # where nothing runs nothing is untested
            continue
        found.setdefault(place.axes.backend, {})[place.host] = None
    return {backend: tuple(hosts) for backend, hosts in found.items()}


def grid(backend: str, host: str, places: Sequence[Place]) -> Grid:
    """The grid of some places: newest versions on top, CUDA and driver ascending from left to right."""
    columns = {column_of(place.axes) for place in places}
    lines = {line_of(place.axes) for place in places}
    return Grid(
        backend=backend,
        host=host,
        columns=tuple(sorted(columns, key=lambda one: (version(one.cuda), version(one.driver)))),
        lines=tuple(sorted(lines, key=line_order, reverse=True)),
        places={key(line_of(place.axes), column_of(place.axes)): place for place in places},
    )


def column_of(axes: Axes) -> Column:
    """Where a cell stands across."""
    return Column(axes.cuda, axes.driver)


def line_of(axes: Axes) -> Line:
    """Where a cell stands down."""
    return Line(axes.mediapipe, axes.python, axes.opencv)


def line_order(line: Line) -> tuple[object, ...]:
    """By MediaPipe, then Python, then OpenCV."""
    return (version(line.mediapipe), version(line.python), version(line.opencv))


def key(line: Line, column: Column) -> str:
    """The name of a place within its grid; no axis value can imitate the separator of another."""
    return repr((line.mediapipe, line.python, line.opencv, column.cuda, column.driver))


def names(line: Line, of: Grid) -> Iterator[str]:
    """The keys of a line, from left to right."""
    return (key(line, column) for column in of.columns)


@functools.lru_cache(maxsize=4096)
def version(text: str | None) -> tuple[int, Version, str]:
    """A key that orders versions: none first, then by number, then what is no version, such as `any`."""
    if text is None:
        return (0, NEVER, "")
    try:
        return (1, Version(text), text)
    except InvalidVersion:
        return (2, NEVER, text)


# --- its words --------------------------------------------------------------------------------------------------

SIGN = {Status.PASS: "✅", Status.FAIL: "❌", Status.UNKNOWN: "❔", Status.SKIP: "⏭️"}
SIGN_OF_STATE = {State.UNTESTED: "⬜", State.UNREACHABLE: "⏭️", State.IMPOSSIBLE: "🚫", State.EXCLUDED: "✂️"}
STALE_SIGN, COMPOSED_SIGN = "⏳", "🧪"
MEANING = {
    State.STALE: "tried long ago; the verdict is of that date",
    State.UNTESTED: "can be tried on such a host, and was not yet",
    State.UNREACHABLE: "needs a driver that such a host does not have",
    State.IMPOSSIBLE: "known not to work",
    State.EXCLUDED: "left out of the matrix on purpose",
}
"""What each state but the first says."""


def sign_of(place: Place) -> str:
    """The sign of a place: of its state, or of its verdict; an old verdict has an hourglass before it."""
    if place.state in SIGN_OF_STATE:
        return SIGN_OF_STATE[place.state]
    entry = place.entry
    sign = "" if entry is None else COMPOSED_SIGN if entry.composed else SIGN[entry.status]
    return f"{STALE_SIGN}{sign}" if place.state is State.STALE else sign


def word_of(place: Place) -> str:
    """The verdict in a word, or the state of a place that has none; `composed` beside what nobody has seen."""
    composed = place.entry is not None and place.entry.composed and place.state not in SIGN_OF_STATE
    return f"{plain_word(place)} (composed)" if composed else plain_word(place)


def plain_word(place: Place) -> str:
    """The verdict, or the state of a place that has none, and nothing beside."""
    return place.entry.verdict.value if place.entry and place.state not in SIGN_OF_STATE else place.state.value


def speedup_of(place: Place, form: Callable[[float], str] = "{:.3g}".format) -> str:
    """The speed-up with its interval, `5.42× (5.11–5.78)`; empty where none was measured."""
    bench = place.entry.bench if place.entry else None
    if bench is None or bench.speedup is None:
        return ""
    low, high = bench.speedup.ci95
    return f"{form(bench.speedup.estimate)}× ({form(low)}–{form(high)})"


def date_of(place: Place) -> str:
    """The day of the newest entry, `2026-11-20`; what it names itself where that is no date."""
    if place.entry is None:
        return ""
    moment = moment_of(place.entry.recorded_at)
    return place.entry.recorded_at if moment is None else moment.date().isoformat()


def title_of(grid: Grid) -> str:
    """What a grid is of."""
    return f"{grid.backend} on {grid.host}" if grid.host else f"{grid.backend}, not run yet"


def heading_of(column: Column) -> str:
    """What stands over a column."""
    cuda = f"CUDA {column.cuda}" if column.cuda else "no CUDA"
    driver = "any driver" if column.driver in (None, ANY_DRIVER) else f"driver {column.driver}"
    return f"{cuda}, {driver}"


def label_of(line: Line) -> str:
    """What stands before a line."""
    named = (("", line.mediapipe), ("Python ", line.python), ("OpenCV ", line.opencv))
    return ", ".join(f"{name}{value}" for name, value in named if value) or "–"


def tally(table: Table) -> dict[str, int]:
    """How many places have each verdict or state, the good news first."""
    order = (*(verdict.value for verdict in Verdict), *(state.value for state in State))
    counts: dict[str, int] = {}
    for place in table.places():
        word = State.STALE.value if place.state is State.STALE else plain_word(place)
        counts[word] = counts.get(word, 0) + 1
    return {word: counts[word] for word in dict.fromkeys(order) if word in counts}
