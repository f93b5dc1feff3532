"""The step summary of a CI run, in GitHub's Markdown: how it went in a line, what changed, what failed, the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envcheck.kept import Change
from envcheck.model import Status
from envcheck.report import readme
from envcheck.report.markdown import escape, row
from envcheck.report.plain import span
from envcheck.report.table import (
    SIGN,
    SIGN_OF_STATE,
    Place,
    State,
    Table,
    date_of,
    sign_of,
    speedup_of,
    tally,
    word_of,
)

MOST = 50
"""Failed cells that are listed one by one; GitHub takes a mebibyte."""
MOST_PLACES = 2000
"""A larger table is left to the other formats."""


def render(table: Table, changes: Sequence[Change] = ()) -> str:
    """The summary."""
    places = list(table.places())
    unmet = [place for place in places if is_unmet(place)]
    parts = [heading(places, unmet), escape(counted(table))]
    parts += ["\n".join(part) for part in (change_lines(changes), unmet_lines(unmet)) if part]
    if len(places) <= MOST_PLACES:
        parts.append(f"<details><summary>All cells</summary>\n\n{readme.render(table)}\n</details>")
    else:
        parts.append(f"{len(places)} cells: too many for this page; the HTML report has them all.")
    return "\n\n".join(parts) + "\n"


def is_unmet(place: Place) -> bool:
    """A cell that was judged and is not what was expected of it."""
    return place.entry is not None and not place.entry.met and place.state is not State.UNREACHABLE


def heading(places: Sequence[Place], unmet: Sequence[Place]) -> str:
    """How it went, in a line. Nothing judged is no good news, nor is what was judged long ago."""
    judged = [place for place in places if place.entry is not None and place.state is not State.UNREACHABLE]
    if not judged:
        return f"## {SIGN[Status.UNKNOWN]} envcheck: nothing was judged"
    if unmet:
        return f"## {SIGN[Status.FAIL]} envcheck: {len(unmet)} of {len(judged)} cells are not as expected"
    fresh = [place for place in judged if place.state is not State.STALE]
    stale = len(judged) - len(fresh)
    if not fresh:
        return f"## {SIGN[Status.UNKNOWN]} envcheck: nothing was judged lately: of {stale} cells the verdicts are stale"
    when = span(date_of(place) for place in fresh)
    more = f"; of {stale} more the verdicts are stale" if stale else ""
    return f"## {SIGN[Status.PASS]} envcheck: all {len(fresh)} cells are as expected, seen {when}{more}"


def counted(table: Table) -> str:
    """How many cells have each verdict or state."""
    return ", ".join(f"{count} {word}" for word, count in tally(table).items())


def change_lines(changes: Sequence[Change]) -> list[str]:
    """What is not as it was, and why."""
    if not changes:
        return []
    return ["### Changes", "", *(f"- **{escape(one.kind)}** {escape(one.cell)}: {told(one)}" for one in changes[:MOST])]


def told(change: Change) -> str:
    """What changed and what explains it."""
    return ". ".join(escape(text.rstrip(".")) for text in (change.what, change.attribution) if text) + "."


def unmet_lines(unmet: Sequence[Place]) -> list[str]:
    """A row for each cell that is not as expected."""
    if not unmet:
        return []
    return ["### Not as expected", "", *unmet_rows(unmet[:MOST]), *more(len(unmet) - MOST)]


def unmet_rows(unmet: Iterable[Place]) -> Iterator[str]:
    """The table of what is not as expected."""
    yield row("cell", "host", "verdict", "finding", "speed-up", "because", "seen")
    yield row(*("---",) * 7)
    for place in unmet:
        codes = place.entry.codes[0] if place.entry and place.entry.codes else ""
        sign = sign_of(place) if place.state not in SIGN_OF_STATE else SIGN[Status.FAIL]
        word = word_of(place)
        fields = (codes, speedup_of(place), place.because, date_of(place))
        yield row(escape(place.cell), escape(place.host), f"{sign} {word}", *map(escape, fields))


def more(count: int) -> list[str]:
    """How many are not listed."""
    return ["", f"… and {count} more."] if count > 0 else []
