"""The compatibility table as JUnit XML: a suite for each grid, a test for each place.

A cell that met its expectation passes, one that did not is a failure, one that could not be judged is an error. What
was not tried on such a host, or so long ago that its pass is none any more, is skipped with its reason; where that is
all, one more test is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from envcheck.model import Status
from envcheck.report.plain import visible
from envcheck.report.table import SIGN_OF_STATE, Grid, Place, State, Table, speedup_of, title_of, word_of


def render(table: Table) -> str:
    """The document."""
    root = ET.Element("testsuites", name="envcheck")
    for grid in table.grids:
        root.append(suite_of(grid))
    if why := nothing_judged(list(table.places())):
        root.append(suite_of_nothing(why))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def nothing_judged(places: Sequence[Place]) -> str:
    """Why the document says nothing of any machine, or an empty text. The impossible alone may be all that there is."""
    if any(place.state is State.TESTED for place in places):
        return ""
    open_ones = [place for place in places if place.state not in (State.IMPOSSIBLE, State.EXCLUDED)]
    if places and not open_ones:
        return ""
    states = ", ".join(sorted({place.state.value for place in open_ones}))
    return f"nothing was judged lately: {states or 'no cell'}"


def suite_of_nothing(why: str) -> ET.Element:
    """A suite with the one test that fails where no other can: skipped throughout is not passed."""
    suite = ET.Element("testsuite", name="envcheck", tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(suite, "testcase", classname="envcheck", name="something was judged")
    ET.SubElement(case, "error", message=why)
    return suite


def suite_of(grid: Grid) -> ET.Element:
    """The tests of a grid and their counts."""
    places = [grid.at(line, column) for line in grid.lines for column in grid.columns]
    cases = [case_of(place) for place in places if place is not None]
    outcomes = [child.tag for case in cases for child in case if child.tag != "system-out"]
    suite = ET.Element(
        "testsuite",
        name=visible(title_of(grid)),
        tests=str(len(cases)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped=str(outcomes.count("skipped")),
    )
    suite.extend(cases)
    return suite


def case_of(place: Place) -> ET.Element:
    """One place."""
    case = ET.Element("testcase", classname=visible(f"envcheck.{place.axes.backend}"), name=visible(place.cell))
    kind = outcome_of(place)
    if kind:
        ET.SubElement(case, kind, message=visible(message_of(place)))
    if place.entry is not None:
        ET.SubElement(case, "system-out").text = visible(about(place), keep_lines=True)
    return case


def outcome_of(place: Place) -> str:
    """The element that says how it went; none is a pass, so only an expectation that was met gets none."""
    if place.entry is None or place.state is State.UNREACHABLE:
        return "skipped"
    if place.entry.met:
        return "skipped" if place.state is State.STALE else ""
    return "error" if place.entry.status is Status.UNKNOWN else "failure"


def message_of(place: Place) -> str:
    """Why it is no pass."""
    if place.entry is None or place.state is State.UNREACHABLE:
        return ": ".join(filter(None, (place.state.value, place.because)))
    stale = f"stale since {place.entry.recorded_at}, " if place.state is State.STALE else ""
    composed = " (composed, seen by nobody)" if place.entry.composed else ""
    return f"{stale}{place.entry.verdict.value}{composed}, expected {place.entry.expected.value}: {place.because}"


def about(place: Place) -> str:
    """Verdict, speed-up, date and evidence, a line each."""
    entry = place.entry
    if entry is None:
        return ""
    word = entry.verdict.value if place.state in SIGN_OF_STATE else word_of(place)
    named = (
        ("verdict", word),
        ("speed-up", speedup_of(place)),
        ("findings", " ".join(entry.codes)),
        ("recorded at", entry.recorded_at),
        ("evidence", place.link or entry.digest),
    )
    return "\n".join(f"{name}: {visible(value)}" for name, value in named if value)
