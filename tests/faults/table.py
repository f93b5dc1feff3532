"""docs/faults.md: the corpus as a table. Write it with: python -m tests.faults.table > docs/faults.md"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tests.faults.case import Case
from tests.faults.cases import CASES

FAMILIES = {
    "GPU": "Driver and devices",
    "EGL": "OpenGL ES and EGL",
    "CTR": "Containers",
    "MPP": "MediaPipe, Python and packages",
    "RES": "Processes and resources",
    "CUD": "CUDA beside MediaPipe",
    "BEN": "Measurement",
    "SRC": "Source code",
    "LIE": "Worlds that try to look like a GPU",
}
INTRODUCTION = """\
# The fault corpus

Each row is a broken world that `tests/faults/` builds for real: files laid over the system in a mount namespace,
libraries compiled from a few lines of C, environment variables, permissions, limits. The command is run in it, and must
name the cause first, exit as it should, show no traceback, leave no process behind, and never pass. Each row has a
twin, the same world unbroken: what comes out there is in the last column, and the cause is not named. A whole driver of
stand-ins is no GPU, so a run in it ends as `contradictory` at best. A verdict of "–" means that the command runs
nothing and so gives none. `envcheck explain CODE` tells more about a code.

Run it with `pytest tests/faults` (as root, on Linux); it takes two cores, and so needs no option for that. This page is
written by `python -m tests.faults.table`.
"""


def page(cases: Sequence[Case] = CASES) -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, f"{len(cases)} worlds.", *sections(cases)]) + "\n"


def sections(cases: Sequence[Case]) -> Iterator[str]:
    """A table for each family."""
    for family, title in FAMILIES.items():
        rows = [case for case in cases if case.family == family]
        if rows:
            yield from (
                "",
                f"## {title}",
                "",
                "| world | symptom | cause | command | code | verdict | exit | its twin |",
                "| --- " * 8 + "|",
            )
            yield from map(row, rows)


def row(case: Case) -> str:
    """One case."""
    command = f"`envcheck {case.command[0]}`"
    twin = ", ".join(filter(None, (case.twin.code or "nothing found", case.twin.verdict, f"exit {case.twin.exit}")))
    told = (case.code, case.verdict or "–", str(case.exit), twin)
    cells = (f"`{case.id}`", case.symptom, case.cause, command, *told)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
