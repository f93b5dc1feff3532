"""How often to look: soon at first, then every second, and never so often that it costs more than its share."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S = 0.05
JOINED_S = 0.1
"""After a process has joined: it may not live long."""
STEADY_S = 1.0
SLOWEST_S = 10.0
SHARE = 0.004
"""The part of one core that sampling may use in the long run."""


@dataclass(frozen=True)
class Pace:
    """Seconds until the next sample."""

    seconds: float = FIRST_S

    def after(self, cost_s: float, *, joined: bool) -> Pace:
        """The pace after a sample of `cost_s` of CPU time: twice as slow, or quick where a process joined."""
        wanted = min(JOINED_S, self.seconds * 2) if joined else min(STEADY_S, self.seconds * 2)
        return Pace(min(SLOWEST_S, max(wanted, cost_s / SHARE if wanted >= JOINED_S else 0.0)))
