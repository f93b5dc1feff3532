"""The badge: an SVG that says how many cells are proven. It is text first, and its colour repeats the text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from envcheck.model import Status
from envcheck.report.plain import visible
from envcheck.report.table import State, Table

LABEL = "FaceMesh on GPU"
GREEN, AMBER, RED, GREY = "#1a7f37", "#9a6700", "#cf222e", "#57606a"
"""White text on each has a contrast of 4.5 and more."""
HEIGHT, PADDING = 20, 8
NARROW, WIDE = frozenset("fijlrt.,:;|! 1()"), frozenset("mwMWGO%@")
WIDTHS = (4.2, 6.6, 9.4)
"""Of narrow, ordinary and wide letters at 11 pixels, in pixels; textLength holds every font to the sum."""


def render(table: Table, label: str = LABEL) -> str:
    """The SVG."""
    message, colour = message_of(table)
    label = visible(label)
    left, right = width_of(label) + 2 * PADDING, width_of(message) + 2 * PADDING
    svg = ET.Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "width": f"{left + right:.0f}", "height": f"{HEIGHT}", "role": "img",
         "aria-label": f"{label}: {message}"},
    )  # fmt: skip
    ET.SubElement(svg, "title").text = f"{label}: {message}"
    ET.SubElement(svg, "rect", {"width": f"{left + right:.0f}", "height": f"{HEIGHT}", "rx": "4", "fill": colour})
    ET.SubElement(svg, "path", {"d": rounded_left(left), "fill": "#24292f"})
    font = {"fill": "#fff", "font-family": "Verdana, DejaVu Sans, sans-serif", "font-size": "11"}
    group = ET.SubElement(svg, "g", font)
    for text, x in ((label, PADDING), (message, left + PADDING)):
        place = {"x": f"{x:.1f}", "y": "14", "textLength": f"{width_of(text):.1f}", "lengthAdjust": "spacingAndGlyphs"}
        ET.SubElement(group, "text", place).text = text
    return ET.tostring(svg, encoding="unicode") + "\n"


def rounded_left(width: float) -> str:
    """The outline of the label's half."""
    return f"M4 0H{width:.1f}V{HEIGHT}H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z"


def message_of(table: Table) -> tuple[str, str]:
    """What it says, and its colour. Only verdicts that are not stale count; where there is none, nothing is proven.

    Cells of which there are stale ones alone are told, so that what fails does not go away by not being run.
    """
    entries = [place.entry for place in table.places() if place.entry and place.state is not State.UNREACHABLE]
    fresh = [p.entry for p in table.places() if p.entry and p.state in (State.TESTED, State.IMPOSSIBLE)]
    if not fresh:
        return ("stale" if entries else "not tested"), GREY
    proven = sum(entry.status is Status.PASS and not entry.composed for entry in fresh)
    met = all(entry.met for entry in fresh)
    stale = {one.cell for one in entries} - {one.cell for one in fresh}
    message = f"{proven} of {len(fresh)} proven" + (f", {len(stale)} stale" if stale else "")
    if proven == len(fresh):
        return message, GREEN
    return message, AMBER if met or proven else RED


def width_of(text: str) -> float:
    """About how many pixels wide a text is."""
    return sum(WIDTHS[0] if one in NARROW else WIDTHS[2] if one in WIDE else WIDTHS[1] for one in text)
