"""Conditions on the values of one axis: their syntax, and which values meet them.

| axis | a condition is |
| --- | --- |
| python, mediapipe, cuda | a PEP 440 specifier, or a version, which means `==` |
| driver | a value of the axis, or a specifier over branches (whole numbers), which `any` never meets |
| backend, opencv | a value of the axis, with `==` or `!=` before it or without |

Where ranks are allowed (tiers and --select), `latest` and `oldest` mean the highest and the lowest value by PEP 440.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from envcheck.matrix.records import BACKENDS
from envcheck.matrix.structure import did_you_mean
from envcheck.model import ANY_DRIVER

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION_AXES = ("python", "mediapipe", "cuda")
RANKS = ("latest", "oldest")

_OPERATOR = re.compile(r"\s*(===|==|!=|<=|>=|~=|<|>)\s*")
_TOKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+]*")
_DRIVER = re.compile(r"any|[0-9]+(\.[0-9]+)*")


def value_fault(axis: str, value: str) -> str | None:
    """Why a value cannot stand on an axis. The schema has looked at its characters already."""
    if axis in VERSION_AXES and _version(value) is None:
        return f'"{value}" is not a PEP 440 version'
    if axis == "backend" and value not in BACKENDS:
        return f'"{value}" is no backend{did_you_mean(value, BACKENDS)}'
    return None


def condition_fault(axis: str, text: str, *, ranks: bool) -> str | None:
    """Why a text is no condition on an axis."""
    if text in RANKS:
        return None if ranks else f"{text} is for tiers and --select; name the versions here"
    if axis in VERSION_AXES:
        return _specifier_fault(text)
    operator, operand = _split(text)
    if axis == "driver" and operator:
        return _branch_fault(text)
    if axis == "driver":
        return None if _DRIVER.fullmatch(operand) else f'"{text}" is no driver: a branch, a full version, or any'
    if operator not in ("", "==", "!="):
        return f'"{text}": {axis} values have no order; name values, with == or != before them or without'
    if not _TOKEN.fullmatch(operand):
        return f'"{text}" is no value of the {axis} axis'
    return value_fault(axis, operand)


@lru_cache(maxsize=4096)
def accepted(
    axis: str, alternatives: tuple[str, ...], values: tuple[str, ...], ranked: tuple[str, ...]
) -> frozenset[str]:
    """The values that meet one of the alternatives. `latest` and `oldest` are sought among `ranked`."""
    known = frozenset(values)
    chosen = [
        _ranked(alternative, ranked) if alternative in RANKS else {v for v in known if _meets(axis, alternative, v)}
        for alternative in dict.fromkeys(alternatives)
    ]
    return known.intersection(set().union(*chosen))


def _ranked(rank: str, values: Sequence[str]) -> set[str]:
    """The highest or lowest of the values by PEP 440; what is no version (`any`) has no rank."""
    versions = {value: version for value in values if (version := _version(value)) is not None}
    if not versions:
        return set()
    best = max(versions.values()) if rank == "latest" else min(versions.values())
    return {value for value, version in versions.items() if version == best}


def _meets(axis: str, condition: str, value: str) -> bool:
    if axis in VERSION_AXES:
        operator, _ = _split(condition)
        specifiers = _specifiers(condition if operator else f"=={condition}")
        return specifiers.contains(value, prereleases=True)
    operator, operand = _split(condition)
    if axis == "driver" and operator and operand != ANY_DRIVER:
        branch = value.partition(".")[0]
        return value != ANY_DRIVER and _specifiers(condition).contains(branch, prereleases=True)
    return (value == operand) != (operator == "!=")


def _specifier_fault(text: str) -> str | None:
    operator, operand = _split(text)
    if not operator and "," not in text and _version(operand) is not None:
        return None
    try:
        if _specifiers(text):
            return None
    except InvalidSpecifier:
        pass
    return f'"{text}" is neither a version such as "1.2.2" nor a PEP 440 specifier such as ">=0.10.32,<1.0"'


def _branch_fault(text: str) -> str | None:
    if _split(text) in (("==", ANY_DRIVER), ("!=", ANY_DRIVER)):
        return None
    try:
        if all(specifier.version.isdecimal() for specifier in _specifiers(text)):
            return None
    except InvalidSpecifier:
        pass
    return f'"{text}": drivers are compared by branch; write whole numbers, such as ">=570"'


def _split(text: str) -> tuple[str, str]:
    """Operator ("" where there is none) and the rest, without blanks around it."""
    found = _OPERATOR.match(text)
    return (found[1], text[found.end() :].strip()) if found else ("", text.strip())


@lru_cache(maxsize=4096)
def _specifiers(text: str) -> SpecifierSet:
    return SpecifierSet(text)


@lru_cache(maxsize=4096)
def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
