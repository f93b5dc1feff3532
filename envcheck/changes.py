"""Entries -> what changed, when, and why: verdicts that moved and speeds that stepped, each attributed. Pure.

Verdicts that speed alone tells apart (accelerated, slower, inconclusive) are one kind here: near the threshold noise
moves a cell from one to the other, and whether its speed has changed is for `trend` to say. Any other change of verdict
counts once two entries in a row show it; the newest entry alone is told as not confirmed, and one odd entry between
others is passed over. A cell that this host cannot reach has nothing to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise

from envcheck.attribution import Attribution, attribute
from envcheck.causes import Symptom
from envcheck.kept import Change, Entry
from envcheck.lineages import Lineage, lineages
from envcheck.model import Status, Timing, Verdict
from envcheck.trend import Step, Value, is_level, steps, together, value_of

BY_SPEED = frozenset({Verdict.ACCELERATED, Verdict.SLOWER, Verdict.INCONCLUSIVE})
SYMPTOMS = {
    Verdict.CRASHED: Symptom.CRASH,
    Verdict.BROKEN: Symptom.CRASH,
    Verdict.IMPOSSIBLE: Symptom.CRASH,
    Verdict.WRONG: Symptom.LANDMARKS,
}
"""What a verdict shows; those not named are about the device."""
REGRESSION, IMPROVEMENT, NEITHER, UNEXPECTED = "regression", "improvement", "verdict", "unexpected-pass"
NIGHT_S = 6 * 3600.0
"""Entries within so many seconds are one night's."""
WITNESSES = 30
"""Entries on either side that are asked about a fact."""
NOTICED = 1.03
"""A ratio of times that is more than nothing."""


def changes(entries: Iterable[Entry]) -> tuple[Change, ...]:
    """Everything that changed, the oldest first. `entries` are of any cells and hosts, those of a cell together."""
    found = [
        change
        for _, group in groupby(entries, key=lambda entry: entry.cell)
        for lineage in lineages(group)
        for change in changes_of(lineage)
    ]
    return tuple(sorted(found, key=lambda change: (change.after.recorded_at, change.cell)))


def changes_of(lineage: Lineage) -> Iterator[Change]:
    """What changed in the history of one cell on one machine."""
    seen = [entry for entry in lineage if entry.verdict is not Verdict.UNREACHABLE]
    yield from verdict_changes(seen)
    yield from speed_changes(seen)


# --- verdicts ---------------------------------------------------------------------------------------------------


def kind_of(entry: Entry) -> str:
    """The verdict, or one word for those that speed alone tells apart."""
    return "hardware" if entry.verdict in BY_SPEED else entry.verdict.value


def verdict_changes(entries: Sequence[Entry]) -> Iterator[Change]:
    """Changes of the kind of verdict."""
    spells = spells_of(entries)
    for before, after in pairwise(spells):
        confirmed = len(after) > 1 or after is not spells[-1]
        yield verdict_change(before, after, confirmed=confirmed)


def spells_of(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Runs of entries of one kind; an odd entry after which the spell before goes on belongs to none."""
    spells: list[list[Entry]] = []
    for place, entry in enumerate(entries):
        if spells and kind_of(entry) == kind_of(spells[-1][-1]):
            spells[-1].append(entry)
        elif not (spells and is_odd(entries, place, kind_of(spells[-1][-1]))):
            spells.append([entry])
    return spells


def is_odd(entries: Sequence[Entry], place: int, kind: str) -> bool:
    """True where the next entry is again of the kind that was before."""
    return place + 1 < len(entries) and kind_of(entries[place + 1]) == kind


def verdict_change(before: Sequence[Entry], after: Sequence[Entry], *, confirmed: bool) -> Change:
    """A change from one spell to another."""
    last, first = before[-1], after[0]
    kind = verdict_kind(last, first)
    telling = first if first.verdict not in BY_SPEED else last
    symptom = SYMPTOMS.get(telling.verdict, Symptom.DEVICE)
    because = f": {first.because}" if first.because else ""
    what = f"{last.verdict.value} became {first.verdict.value}{because}"
    return change_of(before, after, kind, what, symptom, confirmed=confirmed)


def verdict_kind(before: Entry, after: Entry) -> str:
    """Better, worse, or neither."""
    if after.verdict is Verdict.ACCELERATED and after.expected is not Verdict.ACCELERATED:
        return UNEXPECTED
    good, well = (entry.verdict in BY_SPEED or entry.status is Status.PASS for entry in (before, after))
    if good == well:
        return NEITHER
    return IMPROVEMENT if well else REGRESSION


# --- speeds -----------------------------------------------------------------------------------------------------


def speed_changes(entries: Sequence[Entry]) -> Iterator[Change]:
    """Steps of the speed-up."""
    if is_level([value for one in entries if (value := speed_of(one))]):
        return
    nights = nights_of(entries)
    found = steps([value for _, value in nights])
    begin = 0
    for step, end in zip(found, [*(step.at for step in found), len(nights)][1:], strict=True):
        before = [entry for night, _ in nights[begin : step.at] for entry in night]
        after = [entry for night, _ in nights[step.at : end] for entry in night]
        yield speed_change(before, after, step)
        begin = step.at


def nights_of(entries: Sequence[Entry]) -> list[tuple[list[Entry], Value]]:
    """The entries that measured a speed-up, those of a night together, with what the night says."""
    nights: list[list[tuple[Entry, Value]]] = []
    for entry in entries:
        value = speed_of(entry)
        if value is None:
            continue
        if nights and seconds_between(nights[-1][0][0], entry) <= NIGHT_S:
            nights[-1].append((entry, value))
        else:
            nights.append([(entry, value)])
    return [([entry for entry, _ in night], together([value for _, value in night])) for night in nights]


def speed_of(entry: Entry) -> Value | None:
    """The speed-up that an entry measured on hardware."""
    if entry.verdict not in BY_SPEED or entry.bench is None or entry.bench.speedup is None:
        return None
    found = entry.bench.speedup
    return value_of(found.estimate, *found.ci95)


def seconds_between(before: Entry, after: Entry) -> float:
    """Seconds from one entry to another."""
    return (datetime.fromisoformat(after.recorded_at) - datetime.fromisoformat(before.recorded_at)).total_seconds()


def speed_change(before: Sequence[Entry], after: Sequence[Entry], step: Step) -> Change:
    """A change of speed, in words and figures."""
    cpu, gpu = (ratio_of(before[-1], after[0], side) for side in ("cpu", "gpu"))
    kind = IMPROVEMENT if step.size > 0 else REGRESSION
    if cpu is not None and gpu is not None and is_the_cpus(kind, cpu, gpu):
        kind = NEITHER
    return change_of(before, after, kind, told(before[-1], after[0], step), Symptom.SPEED, worse=step.size < 0)


def is_the_cpus(kind: str, cpu: float, gpu: float) -> bool:
    """Whether a change of speed-up is the CPU's alone, by both delegates' times after over times before."""
    if kind == REGRESSION:
        return gpu < NOTICED and cpu < 1 / NOTICED
    return gpu > 1 / NOTICED and cpu > NOTICED


def ratio_of(before: Entry, after: Entry, side: str) -> float | None:
    """The median time after over the one before."""
    ours, theirs = timing(before, side), timing(after, side)
    return theirs.median_ms / ours.median_ms if ours and theirs and ours.median_ms > 0 else None


def timing(entry: Entry, side: str) -> Timing | None:
    """The times of one delegate."""
    found: Timing | None = getattr(entry.bench, side, None)
    return found


def told(before: Entry, after: Entry, step: Step) -> str:
    """A step in words, with its limits and both delegates' times."""
    percents = [100 * (math.exp(value) - 1) for value in (step.size, *sorted((step.low, step.high), key=abs))]
    times = ", ".join(text for side in ("gpu", "cpu") if (text := times_of(before, after, side)))
    size, least, most = (f"{abs(percent):.0f} %" for percent in percents)
    speed = f"the speed-up {'rose' if step.size > 0 else 'fell'} by {size} (between {least} and {most})"
    return f"{speed}; {times}" if times else speed


def times_of(before: Entry, after: Entry, side: str) -> str:
    """A delegate's median times before and after."""
    ours, theirs = timing(before, side), timing(after, side)
    return f"{side.upper()} {ours.median_ms:.2f} ms, then {theirs.median_ms:.2f} ms" if ours and theirs else ""


# --- both -------------------------------------------------------------------------------------------------------


def change_of(
    before: Sequence[Entry],
    after: Sequence[Entry],
    kind: str,
    what: str,
    symptom: Symptom,
    *,
    worse: bool = True,
    confirmed: bool = True,
) -> Change:
    """A change with what moved."""
    found = attributed(before, after, symptom, worse=worse)
    return Change(
        cell=after[0].cell,
        host=after[0].host,
        kind=kind,
        before=before[-1],
        after=after[0],
        what=what,
        moved=found.moved,
        causes=tuple(move.fact for move in found.causes),
        attribution=found.sentence,
        confirmed=confirmed,
    )


def attributed(before: Sequence[Entry], after: Sequence[Entry], symptom: Symptom, *, worse: bool) -> Attribution:
    """The attribution by the facts of the entries on both sides."""
    ours = [entry.facts for entry in before[-WITNESSES:]]
    theirs = [entry.facts for entry in after[:WITNESSES]]
    return attribute(ours, theirs, symptom, worse=worse)
