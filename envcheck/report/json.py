"""The compatibility table as JSON, in ASCII: what a terminal would obey is written as an escape."""

from __future__ import annotations

import json

import msgspec

from envcheck.report.table import Grid, Place, Table, tally

SCHEMA = "envcheck.table/1"


def render(table: Table) -> str:
    """`{"schema", "at", "tables": [{"backend", "host", "cells": [...]}], "summary": {verdict or state: count}}`."""
    document = {
        "schema": SCHEMA,
        "at": table.at.isoformat(timespec="seconds"),
        "tables": [grid_of(grid) for grid in table.grids],
        "summary": tally(table),
    }
    return json.dumps(document, indent=1) + "\n"


def grid_of(grid: Grid) -> dict[str, object]:
    """One grid, its cells in the order of reading."""
    places = (grid.at(line, column) for line in grid.lines for column in grid.columns)
    return {
        "backend": grid.backend,
        "host": grid.host,
        "cells": [place_of(place) for place in places if place is not None],
    }


def place_of(place: Place) -> dict[str, object]:
    """One place; keys that are absent are facts that are not known, never zero."""
    found: dict[str, object] = {"id": place.cell, "axes": msgspec.to_builtins(place.axes), "state": place.state.value}
    if place.because:
        found["because"] = place.because
    if place.entry is None:
        return found
    entry = msgspec.to_builtins(place.entry)
    kept = ("verdict", "status", "expected", "met", "codes", "bench", "recorded_at", "digest", "facts", "composed")
    found |= {name: entry[name] for name in kept if name in entry}
    if place.age_days is not None:
        found["age_days"] = round(place.age_days, 2)
    if place.link:
        found["evidence"] = place.link
    return found
