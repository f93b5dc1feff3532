"""What an image asks of the driver: NVIDIA_REQUIRE_CUDA and its like, evaluated as NVIDIA's container toolkit does.

A value holds alternatives separated by spaces; each is a list of conditions separated by commas, all of which must
hold. A condition is PROPERTY OPERATOR VALUE; conditions on properties that are not known are ignored. All variables
must hold, for every GPU. NVIDIA_DISABLE_REQUIRE switches the check off. Read in SOURCE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envcheck.compat.versions import Version, components
from envcheck.record import Record, Unread

SOURCE = "https://github.com/NVIDIA/nvidia-container-toolkit/tree/main/internal/requirements"

PREFIX = "NVIDIA_REQUIRE_"
DISABLE = "NVIDIA_DISABLE_REQUIRE"
TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
"""What the toolkit takes for yes."""
OTHER_DEVICES = ("NVIDIA_REQUIRE_JETPACK",)
"""Prefixes of variables that say nothing of a driver."""

VERSIONS = frozenset({"cuda", "driver", "arch"})
CONDITION = re.compile(r"(?P<property>[^<>=!]*)(?P<operator>!=|<=|>=|=|<|>)(?P<value>[^<>=!].*)", re.ASCII)


class Properties(Record, frozen=True):
    """What conditions speak of: the newest CUDA the driver serves, its version, and one GPU. None: not known."""

    cuda: str | None = None
    driver: str | None = None
    arch: str | None = None
    brand: str | None = None


class Requirement(Record, frozen=True):
    """The answer: `satisfied`, or why it cannot be told; `term` names the condition that decided, "" where all hold."""

    satisfied: bool | Unread
    term: str = ""


MET = Requirement(satisfied=True)


class _MisreadError(ValueError):
    """A condition of no known form, with which no container starts."""


def required(variables: Mapping[str, str]) -> dict[str, str]:
    """The requirements among some variables that are in force, by name."""
    if variables.get(DISABLE, "") in TRUE:
        return {}
    named = {name: value for name, value in sorted(variables.items()) if name.startswith(PREFIX) and value.strip()}
    return {name: value for name, value in named.items() if not name.startswith(OTHER_DEVICES)}


def evaluate(variables: Mapping[str, str], gpus: Sequence[Properties]) -> Requirement:
    """Whether every requirement among `variables` holds for each GPU; the first that does not decides.

    A requirement that fails for certain goes before one that cannot be told.
    """
    asked = required(variables)
    answers = [_one(f"{name}={value}", value, gpu) for name, value in asked.items() for gpu in gpus or (Properties(),)]
    failed = [answer for answer in answers if answer.satisfied is False]
    unclear = [answer for answer in answers if isinstance(answer.satisfied, Unread)]
    return (failed or unclear or [MET])[0]


def _one(words: str, value: str, gpu: Properties) -> Requirement:
    try:
        alternatives = [_all(term.split(","), gpu) for term in value.split(" ") if term.strip(", ")]
    except _MisreadError as error:
        return Requirement(satisfied=Unread(reason=f"{words}: {error}"), term=str(error))
    known = [alternative for alternative in alternatives if alternative is not None]
    if not known or any(alternative.satisfied is True for alternative in known):
        return MET
    unclear = [alternative for alternative in known if isinstance(alternative.satisfied, Unread)]
    return (unclear or known)[0]


def _all(conditions: Sequence[str], gpu: Properties) -> Requirement | None:
    """One alternative; None where it names no known property, as if it were not there."""
    answers = [answer for one in conditions if one.strip() and (answer := _condition(one.strip(), gpu)) is not None]
    if not answers:
        return None
    failed = [answer for answer in answers if answer.satisfied is False]
    unclear = [answer for answer in answers if isinstance(answer.satisfied, Unread)]
    return (failed or unclear or [MET])[0]


def _condition(text: str, gpu: Properties) -> Requirement | None:
    match = CONDITION.fullmatch(text)
    if match is None:
        raise _MisreadError(f"{text!r} is no condition")
    name, operator, value = match.group("property", "operator", "value")
    if name not in (*VERSIONS, "brand"):
        return None
    if name in VERSIONS and components(value) is None:
        raise _MisreadError(f"{value!r} in {text!r} is no version")
    here: str | None = getattr(gpu, name)
    if here is None or (name in VERSIONS and components(here) is None):
        return Requirement(satisfied=Unread(reason=f"the {name} of this GPU is not known, and {text} asks for it"))
    holds = _holds(_order(name, here, value), operator)
    return MET if holds else Requirement(satisfied=False, term=f"{text} (here: {here})")


def _order(name: str, here: str, value: str) -> int:
    """Below, at or above: -1, 0 or 1."""
    if name not in VERSIONS:
        return (here > value) - (here < value)
    one, other = components(here) or (), components(value) or ()
    size = max(len(one), len(other))
    left, right = _padded(one, size), _padded(other, size)
    return (left > right) - (left < right)


def _padded(version: Version, size: int) -> Version:
    """A version in as many components, so that 418 is the same as 418.0."""
    return version + (0,) * (size - len(version))


def _holds(order: int, operator: str) -> bool:
    return {
        "=": order == 0,
        "!=": order != 0,
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
    }[operator]
