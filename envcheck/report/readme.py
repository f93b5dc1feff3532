"""The compatibility table in Markdown, small enough for a README, and its block in a file that people write.

The order is that of versions and not of runs, dates stand in place of ages, and every place is one cell of a table, so
that a new run changes the lines of the cells that it ran and no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from envcheck.errors import PlaceError
from envcheck.model import Status
from envcheck.report.markdown import escape, row
from envcheck.report.table import (
    COMPOSED_SIGN,
    MEANING,
    SIGN,
    SIGN_OF_STATE,
    STALE_SIGN,
    Grid,
    Line,
    Place,
    State,
    Table,
    date_of,
    heading_of,
    label_of,
    sign_of,
    speedup_of,
    title_of,
    word_of,
)

BEGIN, END = "<!-- envcheck:table -->", "<!-- /envcheck:table -->"
MARKER = re.compile(r"^[ \t]*(<!-- /?envcheck:table -->)[ \t]*\r?$", re.MULTILINE)
"""A marker has a line to itself; one within a sentence is text about markers."""
REMEDY = f"Write {BEGIN} and {END}, each once and in this order, on lines of their own."
SAID = {Status.PASS: "proven", Status.FAIL: "not proven, for the reason named", Status.UNKNOWN: "not known"}
SAFE_IN_LINK = "/:?&=%+,~-._"


def render(table: Table) -> str:
    """All grids, each under its name, and what the signs say."""
    parts = ["\n".join(grid_lines(grid)) for grid in table.grids] or ["Nothing was run yet."]
    return "\n\n".join((*parts, *legend(table))) + "\n"


def grid_lines(grid: Grid) -> Iterator[str]:
    """A grid as a table under its name."""
    yield f"**{escape(title_of(grid))}**"
    yield ""
    yield row("MediaPipe", *(escape(heading_of(column)) for column in grid.columns))
    yield row("---", *("---" for _ in grid.columns))
    for line in grid.lines:
        yield row(escape(label_of(line)), *cells_of(grid, line))


def cells_of(grid: Grid, line: Line) -> Iterator[str]:
    """The places of a line; blank where the matrix has no such cell."""
    for column in grid.columns:
        place = grid.at(line, column)
        yield "" if place is None else place_words(place)


def place_words(place: Place) -> str:
    """`✅ 5.42× (5.11–5.78), 2026-11-20`, where the date leads to the evidence; the first finding where it failed."""
    entry = place.entry
    if entry is None or place.state in SIGN_OF_STATE:
        return f"{sign_of(place)} {word_of(place)}" + (f", {dated(place)}" if entry else "")
    word = "" if speedup_of(place) and word_of(place) == "accelerated" else word_of(place)
    code = escape(entry.codes[0]) if entry.codes and not entry.met else ""
    said = " ".join(filter(None, (sign_of(place), word, code, escape(speedup_of(place)) if speedup_of(place) else "")))
    return f"{said}, {dated(place)}"


def dated(place: Place) -> str:
    """The date, as a link to the evidence where there is one."""
    day = escape(date_of(place))
    return f"[{day}]({quote(place.link, safe=SAFE_IN_LINK, errors='backslashreplace')})" if is_link(place.link) else day


def is_link(target: str) -> bool:
    """True for an https address and for a path; no other scheme is followed."""
    return bool(target) and (target.startswith("https://") or ":" not in target.partition("/")[0])


def legend(table: Table) -> tuple[str, ...]:
    """What the signs of this table say."""
    places = list(table.places())
    shown = [place.entry for place in places if place.entry and place.state not in SIGN_OF_STATE]
    seen = {entry.status for entry in shown if not entry.composed}
    states = {place.state for place in places}
    parts = [f"{SIGN[status]} {word}" for status, word in SAID.items() if status in seen]
    parts += [f"{COMPOSED_SIGN} composed from published facts, seen by nobody"] * any(entry.composed for entry in shown)
    signs = SIGN_OF_STATE | {State.STALE: STALE_SIGN}
    parts += [f"{signs[state]} {state.value}: {MEANING[state]}" for state in MEANING if state in states]
    return ("; ".join(parts) + ".",) if parts else ()


# --- the block in a README --------------------------------------------------------------------------------------


def updated(text: str, block: str, name: str) -> str:
    """`text` with everything between the two markers replaced by `block`; all else stays, byte by byte.

    Raises PlaceError with the line where a marker is missing, stands twice, or the end comes first.
    """
    found = list(MARKER.finditer(text))
    begins = [match for match in found if match[1] == BEGIN]
    ends = [match for match in found if match[1] == END]
    for marker, matches in ((BEGIN, begins), (END, ends)):
        if len(matches) > 1:
            raise PlaceError(f"{name}:{line_at(text, matches[1])}", f"{marker} stands here again", remedy=REMEDY)
    if not begins or not ends:
        missing = END if begins else BEGIN
        where = f":{line_at(text, found[0])}" if found else ""
        raise PlaceError(f"{name}{where}", f"there is no line {missing}", remedy=REMEDY)
    if ends[0].start() < begins[0].start():
        raise PlaceError(f"{name}:{line_at(text, ends[0])}", f"{END} comes before {BEGIN}", remedy=REMEDY)
    newline = "\r\n" if begins[0][0].endswith("\r") else "\n"
    inside = newline.join(("", "", *block.strip("\n").split("\n"), "", ""))
    return text[: begins[0].end()].removesuffix("\r") + inside + text[ends[0].start() :]


def line_at(text: str, match: re.Match[str]) -> int:
    """The one-based line of a match."""
    return text.count("\n", 0, match.start()) + 1
