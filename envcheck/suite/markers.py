"""Markers: for which cells a test of the user's is meant. A cell that it is not meant for is skipped with the reason.

@pytest.mark.envcheck_cells(mediapipe=">=1.0.1", backend=["venv", "docker"])
@pytest.mark.envcheck_verdicts("accelerated", "slower")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envcheck.errors import UsageError
from envcheck.matrix.conditions import accepted, condition_fault
from envcheck.model import AXES, Axes, Verdict

NAMES = CELLS, VERDICTS = "envcheck_cells", "envcheck_verdicts"


def why_not_cell(axes: Axes, when: Mapping[str, Any]) -> str:
    """Why a cell does not meet conditions such as {"mediapipe": ">=1.0.1"}, or "". Raises UsageError for bad ones."""
    for axis, asked in when.items():
        conditions = conditions_of(axis, asked)
        value = getattr(axes, axis)
        if value is None:
            return f"this cell has no {axis}"
        if not accepted(axis, conditions, (value,), (value,)):
            return f"{axis} {value} is not {' or '.join(conditions)}"
    return ""


def conditions_of(axis: str, asked: object) -> tuple[str, ...]:
    """The alternatives for one axis, checked: a text, or a list of texts."""
    if axis not in AXES:
        raise UsageError(f"@pytest.mark.{CELLS}: {axis!r} is no axis; there are {', '.join(AXES)}")
    given = list(asked) if isinstance(asked, list | tuple) else [asked]
    conditions = tuple(one for one in given if isinstance(one, str))
    faults = [f"{one!r} is no text" for one in given if not isinstance(one, str)]
    faults += [f"{one!r}: {fault}" for one in conditions if (fault := condition_fault(axis, one, ranks=False))]
    if faults:
        raise UsageError(f"@pytest.mark.{CELLS}: {axis}={faults[0]}")
    return conditions


def why_not_verdict(verdict: Verdict, names: Sequence[str]) -> str:
    """Why a verdict is none of the named ones, or "". Raises UsageError for a name that is no verdict."""
    known = [one.value for one in Verdict]
    for name in names:
        if name not in known:
            raise UsageError(f"@pytest.mark.{VERDICTS}: {name!r} is no verdict; there are {', '.join(known)}")
    return "" if verdict.value in names else f"{verdict.value} is not {' or '.join(names)}"
