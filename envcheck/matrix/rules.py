"""How knowledge about what can work together reaches the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from envcheck.model import Axes, Foresight


class PlanRule(msgspec.Struct, frozen=True):
    """Foresees cells from a few of their axes.

    `judge` is called once per combination of the values of `axes`, not once per cell, and must look at nothing else:
    in the Axes it gets, every other axis is None and a backend that is not among `axes` is "". A named axis that the
    matrix leaves out is None too. It answers None where it has nothing to say; the first rule that answers decides,
    and a cell that none speaks of is reachable.
    """

    axes: tuple[str, ...]
    judge: Callable[[Axes], Foresight | None]
