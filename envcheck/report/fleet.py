"""What an engine offers, as text: plain lines, in which no host's name steers a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envcheck.model import ANY_DRIVER
from envcheck.offered import DOWN, IMPOSSIBLE, SERVED, UNSERVED, Group, Missing, Offer, Standing
from envcheck.report.history import counted as number
from envcheck.report.history import table
from envcheck.report.plain import visible

ROWS = ("where", "driver", "GPUs", "free", "busy", "down", "hosts")
FEW = 4
"""Names in a row; the JSON has all."""
FORWARD = " that CUDA's forward compatibility serves"
HEADINGS = {
    DOWN: "Served by hosts that are down alone:",
    UNSERVED: "Served by no host:",
    IMPOSSIBLE: "Known not to work on any host:",
}


def render(offer: Offer) -> str:
    """The hosts, the cells by where they stand, and what is missing."""
    lines = [*hosts(offer), "", counted(offer)]
    for state, heading in HEADINGS.items():
        if some := [one for one in offer.cells if one.state == state]:
            lines += ["", heading, *reasons(some)]
    return "\n".join([*lines, *missing(offer)])


def hosts(offer: Offer) -> Iterator[str]:
    """A row for each group."""
    if not offer.groups:
        yield f"The engine {visible(offer.engine)} offers no host."
        return
    yield from table([ROWS, *map(row, offer.groups)])
    yield from dict.fromkeys(f"{visible(group.where)}: {visible(group.note)}" for group in offer.groups if group.note)


def row(group: Group) -> tuple[str, ...]:
    """A group in a line; ? is what the engine does not tell."""
    counts = ("?" if count is None else str(count) for count in (group.gpus, group.free, group.busy, group.down))
    return (visible(group.where), visible(group.driver or "?"), *counts, few(group.names))


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(map(visible, names[:FEW])) + more


def counted(offer: Offer) -> str:
    """How many cells stand where."""
    counts = offer.summary
    down = f"{counts[DOWN]} by hosts that are down alone, " if counts[DOWN] else ""
    return (
        f"Of {len(offer.cells)} cells {counts[SERVED]} can be served, {down}{counts[UNSERVED]} by no host; "
        f"{counts[IMPOSSIBLE]} are known not to work on any."
    )


def reasons(cells: Iterable[Standing]) -> Iterator[str]:
    """The cells with each reason."""
    found: dict[str, list[str]] = {}
    for one in cells:
        found.setdefault(one.because, []).append(one.id)
    for because, names in found.items():
        yield f"  {len(names)}  {visible(because)}: {few(names)}"


def missing(offer: Offer) -> Iterator[str]:
    """The hosts that would make the rest reachable."""
    if offer.missing:
        yield ""
        yield f"The rest would be served with {number(len(offer.missing), 'host', 'hosts')} more:"
        yield from (f"  {asked(one)}: {cells_of(one.cells)}" for one in offer.missing)
    if offer.beyond:
        yield ""
        yield f"Served by no driver that is known: {few(offer.beyond)}"


def asked(one: Missing) -> str:
    """A missing host in words."""
    if one.driver == ANY_DRIVER:
        return "one host with any NVIDIA driver and a GPU"
    least = f", {one.since} or later" if one.since else ""
    newer = ", or a newer branch," if one.newer else "," if least else ""
    return f"one host with driver {one.driver}{least}{newer} and a GPU{FORWARD if one.forward else ''}"


def cells_of(names: Sequence[str]) -> str:
    """How many cells, and the first of them."""
    return f"{number(len(names), 'cell', 'cells')}, {few(names)}"
