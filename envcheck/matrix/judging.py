"""A plan rule on a walk down the layers of a matrix: judged once per combination, settled as early as can be."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from envcheck.matrix.space import Layer, Values
from envcheck.model import AXES, Axes, Foresight

if TYPE_CHECKING:
    from envcheck.matrix.rules import PlanRule

MOST_REMEMBERED = 1 << 17
"""Answers kept per rule. A rule over more combinations than that is asked again, which costs less than the memory."""


class Open(enum.Enum):
    """The answer of a rule is still open: it depends on axes that have no value yet."""

    OPEN = 0


Check = tuple[tuple[int, ...], Callable[[Values], "Foresight | Open | None"]]
"""The slots whose values are to be passed, in this order, and what answers them."""


def checks(rule: PlanRule, layers: Sequence[Layer]) -> dict[int, Check]:
    """By depth of the walk, where the rule is to be asked: at the start, and below each layer that has an axis of it.

    The answer looks ahead: where the axes still to come make no difference, it is settled at once.
    """
    own = [(depth, [slot for slot in layer.slots if AXES[slot] in rule.axes]) for depth, layer in enumerate(layers)]
    steps = [(depth, slots, _rows(layers[depth], slots)) for depth, slots in own if slots]

    @functools.lru_cache(maxsize=MOST_REMEMBERED)
    def answer(values: Values, known: int) -> Foresight | Open | None:
        if known == len(steps):
            given = [slot for _, slots, _ in steps for slot in slots]
            return judged(rule, {AXES[slot]: value for slot, value in zip(given, values, strict=True)})
        answers = (answer((*values, *row), known + 1) for row in steps[known][2])
        first = next(answers)
        return first if all(other == first for other in answers) else Open.OPEN

    depths = [0, *(depth + 1 for depth, _, _ in steps)]
    return {
        depth: (
            tuple(slot for _, slots, _ in steps[:known] for slot in slots),
            functools.partial(_answer_at, answer, known),
        )
        for known, depth in enumerate(depths)
    }


def judged(rule: PlanRule, values: dict[str, str | None]) -> Foresight | None:
    """What a rule says of a point, of which it is shown only the axes it names."""
    named = {axis: value for axis in rule.axes if (value := values.get(axis)) is not None}
    return rule.judge(Axes(**{"backend": "", **named}))


def _rows(layer: Layer, slots: Sequence[int]) -> list[tuple[str, ...]]:
    """The combinations of values that these slots of a layer have."""
    places = [layer.slots.index(slot) for slot in slots]
    return list(dict.fromkeys(tuple(row[place] for place in places) for row in layer.rows))


def _answer_at(
    answer: Callable[[Values, int], Foresight | Open | None], known: int, values: Values
) -> Foresight | Open | None:
    return answer(values, known)
