"""What this machine offers: itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from envcheck import compat, environments
from envcheck.cache import hold_if_free
from envcheck.engines.engine import Needs
from envcheck.engines.local import QUIET, check_options, host_here
from envcheck.engines.offers.offer import Asked, Site
from envcheck.model import Host, Nvml
from envcheck.offered import Group


@dataclass(frozen=True)
class Here:
    """This machine."""

    site: Site

    @property
    def sites(self) -> Sequence[Site]:
        """The one that there is."""
        return (self.site,)

    def serving(self, needs: Needs, backend: str) -> Sequence[Site] | str:  # noqa: ARG002 - any will do
        """This machine, where it has the driver."""
        refused = compat.driver_match(needs.driver, self.site.host)
        return self.sites if refused is None else refused.because


def look(asked: Asked) -> Here:
    """What the driver tells. Raises UsageError for options, of which there are none."""
    check_options(asked.options)
    host = host_here(asked.env)
    return Here(Site(group_of(host, busy=at_work(asked.env)), host))


def group_of(host: Host, *, busy: bool) -> Group:
    """This machine in a row. No driver that answers is no GPU only where no driver is loaded either."""
    answers = isinstance(host.nvml, Nvml)
    gpus = len(host.nvml.gpus) if isinstance(host.nvml, Nvml) else None
    return Group(
        where="here",
        driver=host.nvml.driver if isinstance(host.nvml, Nvml) else None,
        gpus=0 if not answers and host.kernel_driver == "" else gpus,
        names=(platform.node() or "localhost",),
        free=0 if busy else 1,
        busy=1 if busy else 0,
        down=0,
        note="" if isinstance(host.nvml, Nvml) else host.nvml.reason,
    )


def at_work(env: Mapping[str, str]) -> bool:
    """True where another envcheck of this user builds or measures here."""
    lock = environments.cache_folder(env) / QUIET
    if not os.access(lock, os.W_OK):
        return False
    with hold_if_free(lock) as free:
        return not free
