"""The nouns of `envcheck fleet`: what an engine offers, where each cell stands, and which hosts are missing."""

from __future__ import annotations

from envcheck.model import Axes
from envcheck.record import Record

SERVED = "served"
DOWN = "down"
"""Only hosts that are down could serve it."""
UNSERVED = "unserved"
IMPOSSIBLE = "impossible"
"""Known not to work on any host."""
STANDINGS = (SERVED, DOWN, UNSERVED, IMPOSSIBLE)


class Group(Record, frozen=True, kw_only=True, omit_defaults=False):
    """Hosts of an engine that are alike. None: the engine does not tell."""

    where: str
    """A partition, a node pool, this machine."""
    driver: str | None
    gpus: int | None
    """Of each host; 0 where it is known to have none."""
    names: tuple[str, ...]
    free: int | None
    busy: int | None
    down: int
    note: str = ""

    @property
    def up(self) -> int:
        """How many are there, whatever they do."""
        return len(self.names) - self.down


class Standing(Record, frozen=True, kw_only=True):
    """Where a cell stands. `hosts`: how many could serve it, down ones among them; `because` says why none does."""

    id: str
    axes: Axes
    state: str
    because: str = ""
    hosts: int = 0


class Missing(Record, frozen=True, kw_only=True):
    """One host that is missing, with a GPU and this driver; `cells` are those that it would make reachable."""

    driver: str
    """A branch or a version, or any."""
    since: str | None = None
    """The oldest driver of that branch that will do, where not all of them do."""
    newer: bool = False
    """A newer branch will do as well: no cell here asks for this one."""
    forward: bool = False
    """A CUDA here is newer than this driver: the GPU has to be one that CUDA's forward compatibility serves."""
    cells: tuple[str, ...]


class Offer(Record, frozen=True, kw_only=True, omit_defaults=False, tag_field="schema", tag="envcheck.offer/1"):
    """What an engine offers a matrix. `beyond`: cells that are not served, and would not be on any known driver."""

    engine: str
    groups: tuple[Group, ...]
    cells: tuple[Standing, ...]
    missing: tuple[Missing, ...]
    beyond: tuple[str, ...]
    summary: dict[str, int]
