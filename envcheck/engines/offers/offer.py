"""What an engine may tell beside placing cells: its hosts, and which of them could serve a cell.

Another package tells it by an entry point of the group `envcheck.engines.offers`, named as its engine is, that names a
`Look`. Nothing is placed, changed or kept by looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from envcheck.model import Host, Nvml, Unread

if TYPE_CHECKING:
    from envcheck.engines.engine import Needs
    from envcheck.offered import Group


@dataclass(frozen=True)
class Site:
    """Hosts that are alike, and what is known of any of them, by which the tables foresee a cell."""

    group: Group
    host: Host


class Offers(Protocol):
    """What there is."""

    @property
    def sites(self) -> Sequence[Site]:
        """All hosts, those that are down or have no GPU too."""
        ...

    def serving(self, needs: Needs, backend: str) -> Sequence[Site] | str:
        """The sites on which the engine would place such a cell of a backend, or why there is none."""
        ...


@dataclass(frozen=True)
class Asked:
    """What may be looked with: the user's options of the engine, as for a run."""

    options: Mapping[str, str]
    env: Mapping[str, str]
    out: Path


Look = Callable[[Asked], Offers]
"""Asks an engine. Raises UsageError for an option that it does not know, SilentEngineError where nobody answers."""


def host_with(driver: str | None) -> Host:
    """A host of which no more is known than its driver; envcheck's engines place cells on Linux."""
    nvml = Unread(reason="the engine does not tell") if driver is None else Nvml(driver=driver, cuda="", gpus=())
    return Host(platform="linux", machine="x86_64", nvml=nvml)
