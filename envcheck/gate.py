"""The gate: which cells meet their expectation, and the exit code of a run. It fails closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from envcheck.errors import MET, UNMET, InfrastructureError, NothingSelectedError
from envcheck.model import CellResult, Results, Verdict, Witness


def is_met(verdict: Verdict, expected: Verdict, witnesses: Sequence[Witness], composed: str) -> bool:
    """The verdict is the expected one, and was seen.

    Composed evidence fulfils nothing; nor does `unknown` because nothing was run, not even `unknown`.
    """
    return verdict is expected and not composed and (verdict is not Verdict.UNKNOWN or bool(witnesses))


def summarise(cells: Sequence[CellResult]) -> dict[str, int]:
    """How many cells have each verdict, in the order of the verdicts; verdicts that no cell has are left out."""
    counts = Counter(cell.verdict for cell in cells)
    return {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]}


def nothing_ran(cells: Sequence[CellResult]) -> str:
    """Why no cell says anything of this host, or an empty text.

    What the tables foretell is met without a look. Beside cells that no host here can reach it must not be all there
    is: a machine that has lost its driver shows just that.
    """
    counted = [cell for cell in cells if cell.verdict is not Verdict.UNREACHABLE]
    if not counted:
        return "no cell, or none that a host here can reach"
    if len(counted) < len(cells) and all(cell.verdict is Verdict.IMPOSSIBLE and not cell.witnesses for cell in counted):
        return "of the cells that a host here can reach none can work, and none was run"
    return ""


def exit_code(results: Results, unavailable: Collection[str] = ()) -> int:
    """The exit code of a run. `unavailable` are the ids of cells whose environment could not be fetched.

    Counted are cells that this host can reach; `met` is worked out again, never read from the file.

    no cell is counted                                            -> 3
    some are not met, and none of these could be fetched          -> 75
    some are not met                                              -> 1
    all are met, by what was foretold of them, and none was run,
      and others are out of reach                                 -> 3
    otherwise                                                     -> 0
    """
    counted = [cell for cell in results.cells if cell.verdict is not Verdict.UNREACHABLE]
    unmet = [cell.id for cell in counted if not is_met(cell.verdict, cell.expected, cell.witnesses, cell.composed)]
    if unmet:
        return InfrastructureError.exit_code if set(unmet) <= set(unavailable) else UNMET
    return NothingSelectedError.exit_code if nothing_ran(results.cells) else MET
