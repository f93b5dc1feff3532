"""What a nightly run came to, as text, below the table of its cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envcheck.kept import Forgotten, Night
from envcheck.report.history import changed, counted
from envcheck.report.plain import visible


def render(night: Night) -> str:
    """What is news, what was measured again, and what was not run."""
    return "\n".join(lines(night))


def lines(night: Night) -> Iterator[str]:
    """The text, line by line."""
    gone_on = ", which went on where it was cut off" if night.resumed else ""
    cells = counted(len(night.entries), "cell", "cells")
    yield f"Run {night.run}{gone_on}: {cells}, stored in {visible(night.archive)}."
    yield from changed(night.changes)
    if night.changes:
        yield "Where nothing that moved explains it: envcheck diff, and envcheck history CELL."
    yield from names("Measured again, because they did not look as they used to", night.again)
    yield from names("Not run, because the time was over; the next run begins with them", night.left)
    yield from names("Not run, because this host cannot reach them", night.unreachable)
    yield from forgotten(night.forgotten)


def forgotten(found: Forgotten | None) -> Iterator[str]:
    """What the policy has let go; that it had nothing to remove is told too."""
    if found is None:
        return
    policy = f"--keep {found.keep} --keep-days {found.keep_days:g}"
    if found.failed:
        yield f"Nothing was removed by {policy}: {visible(found.failed)}"
    elif found.removed:
        times = sorted(one.recorded_at[:10] for one in found.removed)
        count = counted(len(found.removed), "entry", "entries")
        cells = counted(len({one.cell for one in found.removed}), "cell", "cells")
        yield f"Removed {count} of {cells} with their evidence, from {times[0]} to {times[-1]}, by {policy}."
    else:
        yield f"Nothing was old enough to be removed by {policy}."


def names(why: str, cells: Sequence[str]) -> Iterator[str]:
    """Cells with the reason why they are named."""
    if cells:
        yield f"{why}: {', '.join(map(visible, cells))}."
