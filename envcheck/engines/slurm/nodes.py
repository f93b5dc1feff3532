"""What a cluster offers, as `sinfo` tells it, and which of its nodes can serve a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envcheck.compat.versions import components, starts_with
from envcheck.engines.engine import Needs
from envcheck.engines.plans import printable
from envcheck.engines.slurm.options import Options
from envcheck.errors import UsageError

FORMAT = "%N|%P|%f|%G|%l|%T"
"""Of sinfo: node, partition, features, generic resources, time limit, state."""
DOWN = ("down", "drain", "fail", "unknown", "inval", "power")
MOST_NAMED = 8
_TIME = re.compile(r"(?:(\d{1,7})-)?(?:(\d{1,9}):)?(\d{1,9}):(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Node:
    """A node in a partition. `limit_s` is the longest that a job may take there; None without a limit."""

    name: str
    partition: str
    default: bool
    features: frozenset[str]
    gpus: bool
    limit_s: float | None
    up: bool


@dataclass(frozen=True)
class Place:
    """Where cells can run, in the words of sbatch; `slots` how many jobs go on at once there."""

    partitions: tuple[str, ...]
    constraint: str
    gres: str
    slots: int
    limit_s: float | None


def rows_of(text: str) -> list[list[str]]:
    """The rows in the output of sinfo; lines of another form are left out.

    Raises UsageError where there are no others: that is no answer, and not a cluster without nodes.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [row for row in (line.split("|") for line in lines) if len(row) == FORMAT.count("|") + 1]
    if lines and not rows:
        raise UsageError(
            f"Slurm does not say what there is: sinfo answered {printable(lines[0])!r}",
            remedy="Run this on a host of the cluster; `sinfo` has to work there.",
        )
    return rows


def parse_nodes(text: str) -> tuple[Node, ...]:
    """The nodes in the output of sinfo. Raises UsageError where it is none."""
    return tuple(node_of(row) for row in rows_of(text))


def node_of(row: Sequence[str]) -> Node:
    """The node in a row."""
    name, partition, features, gres, limit, state = row
    return Node(
        name=name,
        partition=partition.rstrip("*"),
        default=partition.endswith("*"),
        features=frozenset(part for part in features.split(",") if part and part != "(null)"),
        gpus=any(part.startswith("gpu") for part in gres.split(",")),
        limit_s=seconds_of(limit),
        up=not state.lower().startswith(DOWN) and not state.endswith("*"),
    )


def seconds_of(limit: str) -> float | None:
    """A time as Slurm writes it, `[DAYS-][HOURS:]MINUTES:SECONDS`; None for infinite and the like."""
    found = _TIME.fullmatch(limit)
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def place_of(needs: Needs, nodes: Sequence[Node], options: Options) -> Place | str:
    """Where a cell can run, or why nowhere: no partition has a node that could ever serve it."""
    asked = [name for name in options.partition.split(",") if name]
    within = [node for node in nodes if not asked or node.partition in asked]
    where = f"partition {', '.join(asked)}" if asked else "this cluster"
    if not within:
        return f"no node in {where}"
    extra = frozenset(part for part in options.constraint.split("&") if part)
    fitting = [node for node in within if extra <= node.features]
    if not fitting:
        return f"no node in {where} has the features {options.constraint}"
    if needs.driver is None:
        return place_on(fitting, (), options)
    wanted = features_for(needs.driver, fitting, options)
    serving = [node for node in fitting if node.features & frozenset(wanted)]
    if not serving:
        return f"needs driver {needs.driver}, and no node in {where} has {missing(needs.driver, fitting, options)}"
    return place_on(serving, wanted, options)


def features_for(driver: str, nodes: Iterable[Node], options: Options) -> tuple[str, ...]:
    """The features of these nodes that say they have the driver; a version is matched component by component."""
    if driver in options.drivers:
        return (options.drivers[driver],)
    prefix = components(driver)
    found = {feature for node in nodes for feature in node.features}
    told = {feature: driver_of(feature, options.driver_feature) for feature in found}
    return tuple(sorted(one for one, version in told.items() if version and prefix and starts_with(version, prefix)))


def driver_of(feature: str, pattern: str) -> tuple[int, ...] | None:
    """The driver that a feature tells, or None where it tells of something else."""
    before, after = pattern.split("{}")
    fits = feature.startswith(before) and feature.endswith(after) and len(feature) > len(before) + len(after)
    return components(feature[len(before) : len(feature) - len(after)]) if fits else None


def missing(driver: str, nodes: Iterable[Node], options: Options) -> str:
    """The feature that is missing, and those like it that there are."""
    feature = options.drivers.get(driver, options.driver_feature.replace("{}", driver))
    found = {one for node in nodes for one in node.features if driver_of(one, options.driver_feature)}
    few = sorted(found)[:MOST_NAMED]
    return f"the feature {feature} (there: {', '.join(few)})" if few else f"the feature {feature}, nor one like it"


def place_on(nodes: Sequence[Node], features: Sequence[str], options: Options) -> Place:
    """These nodes in the words of sbatch. Where some have GPUs that can be requested, the others are left out."""
    requested = options.gres != "none" and (options.gres != "auto" or any(node.gpus for node in nodes))
    kept = [node for node in nodes if node.gpus] if requested and any(node.gpus for node in nodes) else nodes
    partitions = dict.fromkeys(
        node.partition for node in sorted(kept, key=lambda one: (not one.default, one.partition))
    )
    limits = [node.limit_s for node in kept]
    return Place(
        partitions=tuple(partitions),
        constraint=constraint_of(sorted({one for node in kept for one in node.features} & set(features)), options),
        gres=("gpu:1" if options.gres == "auto" else options.gres) if requested else "",
        slots=max(1, len({node.name for node in kept if node.up})),
        limit_s=None if None in limits else min(limit for limit in limits if limit is not None),
    )


def constraint_of(features: Sequence[str], options: Options) -> str:
    """One of the features, and those that every node must have."""
    either = "|".join(features)
    if options.constraint and either:
        return f"{options.constraint}&({either})" if len(features) > 1 else f"{options.constraint}&{either}"
    return options.constraint or either
