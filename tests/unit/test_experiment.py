"""How long blocks are made, from the times of the warm-up."""

from __future__ import annotations

from typing import Any, cast

from envcheck.cell.experiment import design
from envcheck.cell.worker import Worker
from envcheck.model import Gate
from envcheck.pipes import Lines


class Silent:
    """A started worker whose conversation has an empty native log."""

    @property
    def conversation(self) -> Silent:
        return self

    def stderr_lines(self) -> Lines:
        return Lines((), 0)


def warmed_up(delegate: str, frame_ms: float, pace_ms: float) -> Worker:
    worker = Worker(delegate=delegate, started=cast("Any", Silent()), deadline_s=1.0, env={})
    worker.warmup += [frame_ms] * 20
    worker.pace_ms = pace_ms
    return worker


def test_blocks_take_the_share_of_the_budget_that_they_may() -> None:
    plan = design(warmed_up("CPU", 10.0, 10.5), warmed_up("GPU", 10.0, 10.5), Gate(max_seconds=60))

    assert plan.frames == int(60_000 * 0.2 / 16 / 21)


def test_a_worker_whose_clock_stands_almost_still_gets_no_more_frames() -> None:
    honest = design(warmed_up("CPU", 10.0, 10.0), warmed_up("GPU", 200.0, 200.0), Gate(max_seconds=60))
    lying = design(warmed_up("CPU", 0.2, 10.0), warmed_up("GPU", 4.0, 200.0), Gate(max_seconds=60))

    assert lying == honest
