"""What the HTML page is given to show, as JSON that says every text once.

Two parts, so that the matrix is there before the details are unpacked: `overview` for the matrix and its filters, and
`details` for the pages of cells. Texts are numbers into `texts`; the order of fields is that of page/data.js.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from envcheck.kept import Change, Entry
from envcheck.model import AXES, Finding, Verdict, Witness
from envcheck.report.dossier import Distribution, Dossier
from envcheck.report.table import Place, State, Table, seconds_of

Json = object
Row = tuple[int, int, int, int, int]
flat = chain.from_iterable
MOST_KEPT = 200_000
"""Entries of history in one page; each cell has its share, and its last ones are the ones that are kept."""
LEAST_KEPT = 10
LEVEL = 6


class Numbered(dict[Hashable, int]):
    """Numbers for things, in the order of their first use; `numbered[thing]` is its number."""

    def __missing__(self, thing: Hashable) -> int:
        self[thing] = number = len(self)
        return number


def texts_from_empty() -> Numbered:
    """Numbers for texts, of which the empty one is 0."""
    return Numbered({"": 0})


def packed(document: Json) -> str:
    """A document as text without any sign that HTML knows: JSON, deflated, in base64."""
    try:
        text = msgspec.json.encode(document)
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON's own escapes can carry
        text = json.dumps(document, separators=(",", ":")).encode("ascii")
    return base64.b64encode(zlib.compress(text, LEVEL)).decode("ascii")


def number(value: float) -> float:
    """Four significant digits, which is more than any interval leaves."""
    return float(f"{value:.4g}")


# --- the matrix -------------------------------------------------------------------------------------------------


def overview_of(places: Sequence[Place], table: Table, changes: int) -> Json:
    """Everything that the matrix and its filters show."""
    texts = texts_from_empty()
    rows = [row_of(place, texts) for place in places]
    return {
        "at": table.at.timestamp(),
        "axes": AXES,
        "states": [state.value for state in State],
        "verdicts": [verdict.value for verdict in Verdict],
        "statuses": [verdict.status.value for verdict in Verdict],
        "changes": changes,
        "cells": rows,
        "texts": list(texts),
    }


STATES = {state: place for place, state in enumerate(State)}
VERDICTS = {verdict: place for place, verdict in enumerate(Verdict)}


def row_of(place: Place, texts: Numbered) -> Json:
    """One place: id, axes, host, state, reason, link; then of its entry: verdict, expected, met, seconds, bench, …"""
    axes = place.axes
    row: list[object] = [texts[place.cell]]
    row += [texts[getattr(axes, axis) or ""] for axis in AXES]
    row += [texts[place.host], STATES[place.state], texts[place.because], texts[place.link]]
    entry = place.entry
    if entry is not None:
        row += [
            VERDICTS[entry.verdict], VERDICTS[entry.expected], int(entry.met), seconds_of(entry.recorded_at),
            bench_of(entry), [texts[code] for code in entry.codes], texts[entry.recorded_at], entry.digest[:12],
            texts[entry.composed],
        ]  # fmt: skip
    return row


def bench_of(entry: Entry) -> Json:
    """Speed-up, low, high, then median, 95th percentile and frames of CPU and of GPU; None where not measured."""
    bench = entry.bench
    if bench is None:
        return None
    speed = [number(one) for one in (bench.speedup.estimate, *bench.speedup.ci95)] if bench.speedup else [None] * 3
    times = [
        part
        for timing in (bench.cpu, bench.gpu)
        for part in ((number(timing.median_ms), number(timing.p95_ms), timing.n) if timing else (None,) * 3)
    ]
    return [*speed, *times]


# --- the pages of cells -----------------------------------------------------------------------------------------


def details_of(
    places: Sequence[Place],
    history: Iterable[Entry],
    changes: Sequence[Change],
    dossiers: Mapping[str, Dossier],
    causes: Mapping[str, Finding],
) -> Json:
    """Everything else, a list item for each place of the overview."""
    texts, roles = texts_from_empty(), Numbered()
    spells = spells_of(places, history)
    entries = [place.entry for place in places]
    facts, which = facts_of(entries, texts)
    found = [dossiers.get(entry.digest) if entry else None for entry in entries]
    wanted = {code for entry in entries if entry for code in entry.codes}
    return {
        "keys": facts.pop(0),
        "facts": facts,
        "fact": which,
        "history": spells,
        "dossiers": [None if one is None else dossier_row(one, roles, texts) for one in found],
        "causes": [
            [*role_of_finding(one), one.summary] for one in (causes[code] for code in sorted(wanted & causes.keys()))
        ],
        "roles": list(roles),
        "changes": [change_row(change, texts) for change in changes],
        "texts": list(texts),
    }


def spells_of(places: Sequence[Place], history: Iterable[Entry]) -> list[Json]:
    """The history of each place: how many entries there are, then the last of them, oldest first, in one list.

    An entry is five numbers: minutes since 1970 (-1 without a date), verdict, and in thousandths the speed-up and how
    far its interval reaches below and above it (-1 where none was measured).
    """
    rows: dict[tuple[str, str], list[Row]] = {(place.cell, place.host): [] for place in places if place.entry}
    most = max(LEAST_KEPT, MOST_KEPT // max(1, len(rows)))
    for entry in history:
        row = rows.get((entry.cell, entry.host))
        if row is not None:
            row.append(entry_row(entry))
    kept = {which: [len(row), *flat(sorted(row)[-most:])] for which, row in rows.items()}
    return [kept.get((place.cell, place.host), [0]) for place in places]


def entry_row(entry: Entry) -> Row:
    """One night of a cell."""
    speedup = entry.bench.speedup if entry.bench else None
    minutes, verdict = minutes_of(entry), VERDICTS[entry.verdict]
    if speedup is None:
        return (minutes, verdict, -1, -1, -1)
    middle, (low, high) = speedup.estimate, speedup.ci95
    return (minutes, verdict, round(middle * 1000), round((middle - low) * 1000), round((high - middle) * 1000))


def minutes_of(entry: Entry) -> int:
    """Minutes since 1970, or -1 where the date is none."""
    seconds = seconds_of(entry.recorded_at)
    return -1 if seconds is None else int(seconds // 60)


def facts_of(entries: Sequence[Entry | None], texts: Numbered) -> tuple[list[Json], list[int]]:
    """The names of facts, then each set of facts once, by those names; and the set of each entry, 0 for none."""
    names = sorted({name for entry in entries if entry for name in entry.facts})
    sets: dict[tuple[int, ...], int] = {}
    which = []
    for entry in entries:
        values = tuple(texts[entry.facts.get(name, "")] for name in names) if entry else ()
        which.append(sets.setdefault(values, len(sets) + 1) if any(values) else 0)
    return [[texts[name] for name in names], *map(list, sets)], which


def dossier_row(dossier: Dossier, roles: Numbered, texts: Numbered) -> Json:
    """Findings, each as its role and summary; witnesses, each as its role and what it saw; distribution."""
    spread = dossier.distribution
    return [
        [part for one in dossier.findings for part in (roles[role_of_finding(one)], texts[one.summary])],
        [part for one in dossier.witnesses for part in (roles[role_of_witness(one)], texts[one.saw])],
        None if spread is None else distribution_row(spread),
    ]


def role_of_finding(one: Finding) -> tuple[str, ...]:
    """What a finding shares with the others of its code: code, status, why, way out, source."""
    return (one.code, one.status.value, one.because, one.remedy, one.url)


def role_of_witness(one: Witness) -> tuple[str, ...]:
    """What a witness shares with the same one of other cells: name, what it says and needs."""
    return (one.name, one.says.value, one.needs)


def distribution_row(spread: Distribution) -> Json:
    """Low, high, and the counts of both."""
    return [number(spread.low_ms), number(spread.high_ms), spread.cpu, spread.gpu]


def change_row(change: Change, texts: Numbered) -> Json:
    """Cell, host, kind, both dates in minutes, what, attribution, and the facts that moved."""
    said = [texts[text] for text in (change.cell, change.host, change.kind, change.what, change.attribution)]
    moved = [[texts[move.fact], texts[move.before], texts[move.after]] for move in change.moved]
    return [*said, minutes_of(change.before), minutes_of(change.after), moved]
