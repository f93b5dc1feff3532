"""`envcheck` with an engine that takes milliseconds: python -m tests.functional.nightly_program nightly ...

Everything else but the acceptance suite is real: the process, the archive, the locks, the results folder. Cells come
out as the JSON file named by STAND_IN says, `{"cell": "verdict"}`, else as `accelerated`, from the evidence of
tests/golden. Each takes STAND_IN_MS, which may be several numbers with commas: the first cells take the first ones, and
all others the last. A verdict may be a list, of which each measurement takes the next. With --warm
ARGUMENTS the command is run once, and then for each line of standard input in a process of its own, without the seconds
that imports and frames take: the process id is printed, and its exit status when it has ended.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from envcheck import cli, nightly, publishing, workload
from envcheck.engines import local
from envcheck.model import Cell, Evidence
from envcheck.report.progress import Progress
from tests.golden import as_if_seen


def observed(cell: Cell, verdict: str) -> Evidence:
    """Evidence of a cell as if it had just been observed, on one machine."""
    seen = replace(as_if_seen(verdict), host=as_if_seen("accelerated").host)
    return replace(seen, cell=cell, recorded_at=datetime.now(timezone.utc).isoformat(timespec="microseconds"))


def verdict_of(cell: Cell, wanted: Mapping[str, Any], counts: dict[str, int]) -> str:
    """How a cell comes out this time."""
    found = wanted.get(cell.id, "accelerated")
    counts[cell.id] = counts.get(cell.id, 0) + 1
    return found if isinstance(found, str) else str(found[counts[cell.id] - 1])


COUNTS: dict[str, int] = {}


def engine(job: local.Job, _progress: Progress) -> None:
    """Observe the cells of a job, one after the other."""
    steering = os.environ.get("STAND_IN")
    wanted = json.loads(Path(steering).read_text(encoding="utf-8")) if steering else {}
    pauses = os.environ.get("STAND_IN_MS", "1").split(",")
    for number, cell in enumerate(job.cells):
        time.sleep(float(pauses[min(number, len(pauses) - 1)]) / 1000)
        job.observed(observed(cell, verdict_of(cell, wanted, COUNTS)))


def warm(arguments: Sequence[str]) -> None:
    """Run the command, then start it as often as asked."""
    cli.run(arguments)
    sys.stdout.write("warm\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            os._exit(cli.run(arguments))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    publishing.run_suite = lambda target: (False, "")
    nightly.run_here = engine  # type: ignore[assignment, attr-defined]
    workload.build_frames = functools.cache(workload.build_frames)
    if sys.argv[1] == "--warm":
        warm(sys.argv[2:])
    else:
        sys.exit(cli.run(sys.argv[1:]))
