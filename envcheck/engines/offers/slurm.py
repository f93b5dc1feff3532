"""What a Slurm cluster offers, read from the same answer of `sinfo` that cells are placed by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from envcheck.compat.versions import components, starts_with
from envcheck.engines.engine import Needs
from envcheck.engines.offers.offer import Asked, Site, host_with
from envcheck.engines.slurm.commands import Slurm
from envcheck.engines.slurm.nodes import Node, driver_of, node_of, place_of, rows_of
from envcheck.engines.slurm.options import Options, parse
from envcheck.offered import Group

PATIENCE_S = 30.0
"""For an answer, where the user names no other time: somebody is waiting."""
FREE = "idle"

_GPUS = re.compile(r"gpu(?::[^:,()]+)?:([0-9]{1,6})(?:\(|$)")


@dataclass(frozen=True)
class Cluster:
    """The nodes, those that are alike together."""

    members: Sequence[tuple[Site, Sequence[Node]]]
    options: Options

    @property
    def sites(self) -> Sequence[Site]:
        """By partition and driver."""
        return tuple(site for site, _ in self.members)

    def serving(self, needs: Needs, backend: str) -> Sequence[Site] | str:  # noqa: ARG002 - any will do
        """The nodes that the engine's own rule would place a cell on, or what that rule says."""
        fitting = [
            for_needs(site, needs)
            for site, nodes in self.members
            if not isinstance(place_of(needs, nodes, self.options), str)
        ]
        everywhere = [node for _, nodes in self.members for node in nodes]
        why = "" if fitting else place_of(needs, everywhere, self.options)
        return fitting or str(why)


def look(asked: Asked) -> Cluster:
    """What sinfo tells. Raises UsageError, SilentEngineError."""
    options = parse(asked.options, asked.out)
    patience = options.patience * 60 if "patience" in asked.options else PATIENCE_S
    return cluster_of(Slurm(asked.env, patience).nodes(), options)


def cluster_of(text: str, options: Options) -> Cluster:
    """The nodes in the output of sinfo. Raises UsageError where it is none."""
    rows = rows_of(text)
    counted = any(gpus_of(row) for row in rows)
    groups: dict[tuple[str, str | None, int | None], list[tuple[Node, str]]] = {}
    for row in rows:
        node = node_of(row)
        driver = told_driver(node, options)
        known = gpus_of(row) or (0 if counted and driver is None else None)
        groups.setdefault((node.partition, driver, known), []).append((node, row[-1]))
    ordered = sorted(groups.items(), key=lambda one: (one[0][0], components(one[0][1] or "") or (), one[0][2] or 0))
    return Cluster([(site_of(*key, members), [node for node, _ in members]) for key, members in ordered], options)


def site_of(partition: str, driver: str | None, gpus: int | None, members: Sequence[tuple[Node, str]]) -> Site:
    """Nodes of one partition with the same driver and as many GPUs."""
    up = [state for node, state in members if node.up]
    free = sum(state.lower().startswith(FREE) for state in up)
    group = Group(
        where=partition,
        driver=driver,
        gpus=gpus,
        names=tuple(node.name for node, _ in members),
        free=free,
        busy=len(up) - free,
        down=len(members) - len(up),
    )
    return Site(group, host_with(driver))


def told_driver(node: Node, options: Options) -> str | None:
    """The driver that the features of a node tell; of several the one that says most."""
    before, after = options.driver_feature.split("{}")
    told = [one[len(before) : len(one) - len(after)] for one in node.features if driver_of(one, options.driver_feature)]
    named = [value for value, feature in options.drivers.items() if feature in node.features]
    return max((*told, *named), key=lambda one: (len(components(one) or ()), one), default=None)


def gpus_of(row: Sequence[str]) -> int | None:
    """How many GPUs the generic resources in a row of sinfo name; None where they name none."""
    resources = row[3].split(",")
    found = [int(one[1]) for part in resources if (one := _GPUS.match(part))]
    named = any(part.startswith("gpu") for part in resources)
    return sum(found) or (1 if named else None)


def for_needs(site: Site, needs: Needs) -> Site:
    """The site as it is for a cell that needs a driver, where an option says that its features mean that one too."""
    told = components(site.group.driver or "")
    wanted = components(needs.driver or "")
    if wanted is None or (told is not None and starts_with(told, wanted)):
        return site
    return replace(site, host=host_with(needs.driver))
