"""`envcheck fleet`: what an engine offers a matrix, and the fewest hosts that would make the rest of it reachable."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from envcheck import compat
from envcheck.compat.versions import components
from envcheck.cover import smallest_cover
from envcheck.engines.engine import Needs, needs_of
from envcheck.engines.offers.loading import offers_of
from envcheck.engines.offers.offer import Asked, Offers, Site, host_with
from envcheck.errors import MET, UNMET
from envcheck.model import ANY_DRIVER, Axes, Cell, Foresight, Host
from envcheck.offered import DOWN, IMPOSSIBLE, SERVED, STANDINGS, UNSERVED, Group, Missing, Offer, Standing
from envcheck.request import Choice, read_matrix, selected

Foreseer = Callable[[Axes], Foresight]
Serving = Sequence[tuple[Group, Foreseer]] | str
"""The hosts that would be given a cell, and what is foreseen there; or why there are none."""
ANYWHERE = host_with(None)
"""What is impossible on this one is impossible on every host that an engine has."""
OF_ITSELF = (compat.CudaKind.NATIVE, compat.CudaKind.MINOR)
NO_GPU = "none of the hosts has a GPU"
ALL_DOWN = "every host that could is down"


@dataclass(frozen=True)
class FleetRequest:
    """What the user asked for."""

    matrix: Path | None = None
    choice: Choice = field(default_factory=Choice)
    engine: str = "local"
    engine_options: Mapping[str, str] = field(default_factory=dict)
    out: Path = Path(".envcheck")
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def fleet(request: FleetRequest) -> Offer:
    """What the engine offers the selected cells; without a selection all of the matrix. Raises EnvcheckError."""
    cells = selected(read_matrix(request.matrix), request.choice, None, usual="")
    offers = offers_of(request.engine, Asked(request.engine_options, request.env, request.out))
    return offer_of(request.engine, cells, offers)


def exit_code(offer: Offer) -> int:
    """0 where some cell is served and each that could work anywhere is."""
    counts = offer.summary
    return MET if counts[SERVED] and not counts[DOWN] and not counts[UNSERVED] else UNMET


def offer_of(engine: str, cells: Sequence[Cell], offers: Offers) -> Offer:
    """Where each cell stands with these hosts, and which hosts are missing."""
    hosts_for, anywhere = remembered(offers.serving), foreseer(ANYWHERE)
    standings = [standing_of(cell, hosts_for(needs_of(cell.axes), cell.axes.backend), anywhere) for cell in cells]
    missing = missing_for([one for one in standings if one.state == UNSERVED])
    reached = {name for one in missing for name in one.cells}
    counts = Counter(one.state for one in standings)
    return Offer(
        engine=engine,
        groups=tuple(site.group for site in offers.sites),
        cells=tuple(standings),
        missing=missing,
        beyond=tuple(one.id for one in standings if one.state == UNSERVED and one.id not in reached),
        summary={state: counts[state] for state in STANDINGS},
    )


def standing_of(cell: Cell, serving: Serving, anywhere: Foreseer) -> Standing:
    """Where a cell stands."""
    fit, because = fitting(cell.axes, serving)
    hosts = len({name for group in fit for name in group.names})
    if any(group.up for group in fit):
        return Standing(id=cell.id, axes=cell.axes, state=SERVED, hosts=hosts)
    if fit:
        return Standing(id=cell.id, axes=cell.axes, state=DOWN, because=ALL_DOWN, hosts=hosts)
    foreseen = anywhere(cell.axes)
    if foreseen.state == "impossible":
        return Standing(id=cell.id, axes=cell.axes, state=IMPOSSIBLE, because=foreseen.because)
    return Standing(id=cell.id, axes=cell.axes, state=UNSERVED, because=because)


def fitting(axes: Axes, serving: Serving) -> tuple[list[Group], str]:
    """The hosts, of those that would be given a cell, on which nothing speaks against it; and what does elsewhere."""
    if isinstance(serving, str):
        return [], serving
    foreseen = [(group, foresee(axes)) for group, foresee in serving if group.gpus != 0]
    fit = [group for group, one in foreseen if one.state == "reachable"]
    return fit, foreseen[0][1].because if foreseen else NO_GPU


def foreseer(host: Host) -> Foreseer:
    """What the tables foresee on a host; cells that differ in nothing that the tables read are asked for once."""
    read = sorted({axis for axes, _ in compat.plan_rules(host) for axis in axes})
    seen: dict[tuple[str | None, ...], Foresight] = {}

    def foreseen(axes: Axes) -> Foresight:
        key = tuple(getattr(axes, axis) for axis in read)
        if key not in seen:
            seen[key] = compat.foresee(axes, host)
        return seen[key]

    return foreseen


def remembered(serving: Callable[[Needs, str], Sequence[Site] | str]) -> Callable[[Needs, str], Serving]:
    """The same, with each need asked for once."""

    @cache
    def asked(needs: Needs, backend: str) -> Serving:
        found = serving(needs, backend)
        return found if isinstance(found, str) else [(site.group, foreseer(site.host)) for site in found]

    return asked


# --- what is missing --------------------------------------------------------------------------------------------


def missing_for(cells: Sequence[Standing]) -> tuple[Missing, ...]:
    """The fewest hosts that would make these cells reachable, as far as any host would."""
    drivers = candidates_of(cells)
    sets = [frozenset(one.id for one in cells if serves(one.axes)) for _, serves in drivers]
    taken: set[str] = set()
    found = []
    for place in smallest_cover(sets):
        ours = [one for one in cells if one.id in sets[place] and one.id not in taken]
        taken |= {one.id for one in ours}
        found.append(host_for(drivers[place][0], ours))
    return tuple(found)


def candidates_of(cells: Iterable[Standing]) -> list[tuple[str, Callable[[Axes], bool]]]:
    """Drivers that a further host might have, the least demanding first, and whether it then could run a cell.

    Any driver will do where no CUDA is asked for; one that some cell asks for serves what the tables foresee there;
    a branch that none asks for has to serve a CUDA by itself, so that newer ones do as well.
    """
    asked = dict.fromkeys(one.axes.driver for one in cells if one.axes.driver not in (None, ANY_DRIVER))
    named = [driver for driver in asked if driver]
    branches = sorted({row.branch for row in compat.load_tables().cuda.branches.rows})
    return [
        (ANY_DRIVER, lambda axes: asks_for_none(axes) and axes.cuda is None),
        *((driver, partial(reachable, foreseer(host_with(driver)))) for driver in named),
        *((driver, partial(served_by_itself, driver)) for driver in map(str, branches) if driver not in asked),
    ]


def asks_for_none(axes: Axes) -> bool:
    """True where any driver will do."""
    return axes.driver in (None, ANY_DRIVER)


def reachable(foreseen: Foreseer, axes: Axes) -> bool:
    """True where nothing speaks against a cell."""
    return foreseen(axes).state == "reachable"


def served_by_itself(driver: str, axes: Axes) -> bool:
    """True where a cell asks for no driver, and this one serves its CUDA without a package for compatibility."""
    return asks_for_none(axes) and (axes.cuda is None or kind_of(axes.cuda, driver) in OF_ITSELF)


@cache
def kind_of(cuda: str, driver: str) -> compat.CudaKind:
    """How a CUDA and a driver go together."""
    return compat.cuda_support(cuda, driver).kind


def host_for(driver: str, cells: Sequence[Standing]) -> Missing:
    """A missing host, for these cells."""
    cudas = sorted({one.axes.cuda for one in cells if one.axes.cuda is not None})
    answers = [compat.cuda_support(cuda, driver) for cuda in cudas] if driver != ANY_DRIVER else []
    return Missing(
        driver=driver,
        since=max((one.since for one in answers if one.since), key=lambda one: components(one) or (), default=None),
        newer=driver != ANY_DRIVER and all(asks_for_none(one.axes) for one in cells),
        forward=any(one.kind is compat.CudaKind.FORWARD_ONLY for one in answers),
        cells=tuple(one.id for one in cells),
    )
