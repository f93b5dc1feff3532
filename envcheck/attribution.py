"""Which fact moved between the last good entry and the first bad one, and which of them explains the change. Pure.

A fact is a suspect where it moved just there. It is cleared where good entries had the value of the bad one, where bad
entries went on after it had moved back, where it moved the wrong way (a higher clock makes nothing slower), where what
it says follows from another fact that moved (a lock from the MediaPipe in it), and where it can only be an effect of
what is to be explained. Of the suspects the likeliest comes first, by the weights in CAUSES; one that moved again and
again before, and nothing came of it, comes after those that did not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envcheck.causes import CAUSES, UNTABLED, Cause, Symptom
from envcheck.kept import Move

Facts = Mapping[str, str]

RESTLESS = 3
"""Values of a fact among entries before the change."""
NOTHING = (
    "Nothing that is recorded moved between the last entry before and the first after: it is the code under test, "
    "something that nobody records, or noise."
)


class Attribution(NamedTuple):
    """`moved`: all facts that moved, the likeliest cause first; `causes`: those of them that are suspects."""

    moved: tuple[Move, ...]
    causes: tuple[Move, ...]
    sentence: str


def attribute(before: Sequence[Facts], after: Sequence[Facts], symptom: Symptom, *, worse: bool = True) -> Attribution:
    """The attribution of a change from entries with the facts `before` to entries with the facts `after`, in time."""
    moved = moves(before[-1], after[0])
    names = {name for move in moved for name in (move.fact, kind_of(move.fact))}
    suspects = [move for move in moved if is_suspect(move, names, before, after, symptom, worse=worse)]
    causes = sorted(suspects, key=lambda move: (is_restless(move, before), -weight(move, symptom), move.fact))
    others = [move for move in moved if move not in causes]
    others.sort(key=lambda move: (-weight(move, symptom), move.fact))
    return Attribution((*causes, *others), tuple(causes), sentence(causes, others))


def moves(before: Facts, after: Facts) -> tuple[Move, ...]:
    """Every fact that differs, by name."""
    names = sorted(before.keys() | after.keys())
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in names)
    return tuple(Move(*pair) for pair in pairs if not alike(*pair))


def is_suspect(
    move: Move,
    names: set[str],
    before: Sequence[Facts],
    after: Sequence[Facts],
    symptom: Symptom,
    *,
    worse: bool,
) -> bool:
    """True where the move may have caused the change, for all that is known."""
    cause = cause_of(move.fact)
    if weight(move, symptom) == 0 or names & cause.follows or is_unseen(move, cause):
        return False
    if symptom is Symptom.SPEED and not is_direction(move, cause, worse=worse):
        return False
    return not (was_there(move, before) or went_back(move, after))


def cause_of(fact: str) -> Cause:
    """The row of a fact; of its kind where it has none of its own (`package NAME`, `variable NAME`)."""
    return CAUSES.get(fact) or CAUSES.get(kind_of(fact)) or UNTABLED


def kind_of(fact: str) -> str:
    """The name of the row for facts of a kind: `package *` for `package jax`."""
    return fact.partition(" ")[0] + " *"


def weight(move: Move, symptom: Symptom) -> int:
    """How likely such a move causes such a symptom; 0 where it can only follow from it."""
    return cause_of(move.fact).weights[symptom]


def is_unseen(move: Move, cause: Cause) -> bool:
    """True where the fact was merely not seen on one side, which tells nothing unless it is always seen."""
    return not (move.before and move.after) and not cause.always


def is_direction(move: Move, cause: Cause, *, worse: bool) -> bool:
    """True where the move goes the way of the change, or has no way."""
    if cause.slower is None or (up := risen(move)) is None:
        return True
    return (up == (cause.slower == "up")) == worse


def risen(move: Move) -> bool | None:
    """True where the numbers of a fact went up, or `none` became something; None where neither can be told."""
    ours, theirs = numbers(move.before), numbers(move.after)
    if ours and theirs and len(ours) == len(theirs):
        return sum(theirs) > sum(ours)
    if "none" in (move.before, move.after):
        return move.before == "none"
    return None


def was_there(move: Move, before: Sequence[Facts]) -> bool:
    """True where an entry before the change had the new value already."""
    return any(alike(move.fact, facts.get(move.fact, ""), move.after) for facts in before)


def is_restless(move: Move, before: Sequence[Facts]) -> bool:
    """True where the fact had moved often enough before for one more move to be no news."""
    return len({facts[move.fact] for facts in before if move.fact in facts}) >= RESTLESS


def went_back(move: Move, after: Sequence[Facts]) -> bool:
    """True where an entry after the change has the old value again, and is as it was after it."""
    return any(alike(move.fact, facts.get(move.fact, ""), move.before) for facts in after[1:])


def alike(fact: str, ours: str, theirs: str) -> bool:
    """True for the same value; measured numbers may differ by their tolerance."""
    tolerance = cause_of(fact).tolerance
    if ours == theirs or not tolerance:
        return ours == theirs
    pairs = (numbers(ours), numbers(theirs))
    if not all(pairs) or len(pairs[0]) != len(pairs[1]):
        return False
    return all(abs(a - b) <= tolerance * max(a, b) for a, b in zip(*pairs, strict=True))


def numbers(text: str) -> list[float]:
    """The numbers of a list of numbers; none where it is anything else."""
    parts = [part.strip() for part in text.split(",")]
    return [float(part) for part in parts] if all(re.fullmatch(r"\d{1,15}(\.\d{1,9})?", part) for part in parts) else []


# --- in words ---------------------------------------------------------------------------------------------------


def sentence(causes: Sequence[Move], others: Sequence[Move]) -> str:
    """What a person reads."""
    if not causes:
        return NOTHING + (f" Also different, and no cause of it: {names_of(others)}." if others else "")
    first = f"{told(causes[0])}. {cause_of(causes[0].fact).why}"
    if len(causes) == 1:
        return f"Just then the {first}"
    rest = "; ".join(told(move) for move in causes[1:])
    return f"Several things moved just then, and one night cannot tell them apart. Likeliest: the {first} Also: {rest}."


def told(move: Move) -> str:
    """A move in words."""
    return f"{move.fact} moved from {shown(move.before)} to {shown(move.after)}"


def shown(value: str) -> str:
    """A value as people read it; hashes by their beginning."""
    if not value:
        return "not seen"
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1", value)


def names_of(moved: Sequence[Move]) -> str:
    """The names of facts, at most six."""
    names = [move.fact for move in moved[:6]]
    return ", ".join(names) + (f" and {len(moved) - 6} more" if len(moved) > 6 else "")
