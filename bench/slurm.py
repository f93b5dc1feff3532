"""The Slurm engine: how much of the slots' time it uses, what sending costs, and the controller's memory.

    python bench/slurm.py [--cells 200] [--seconds 2]     as root, with slurm-wlm and munge

A cluster of four nodes on this machine runs short cells: a stand-in that takes so many seconds from the start of its
process to its end, whatever of it is starting Python. The ideal time is that of all cells divided by the slots. Memory
is that of a process that drives a simulated engine through 10,000 cells which deliver real evidence of 56 kB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import note

if TYPE_CHECKING:
    from envcheck.engines.engine import Work

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SLOTS, MANY = 4, 10_000
DELIVERING_S = 0.05
"""What a short cell takes after its wait."""
RECORDED = ROOT / "tests" / "golden" / "recorded" / "emulated" / "mp0.10.21-llvmpipe-20261120.json"


def short_cell(seconds: float) -> None:
    """A cell that takes `seconds` from the start of this process."""
    from tests.functional import stand_in

    os.environ["STAND_IN_S"] = "0"
    time.sleep(max(0.0, seconds - DELIVERING_S - age()))
    stand_in.main()


def age() -> float:
    """Seconds since this process began, by the clock of the kernel."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def on_slurm(cells: int, seconds: float) -> None:
    """Run short cells on four nodes, and tell what it took."""
    from tests import slurmcluster

    nodes = [slurmcluster.Node(f"n{number}", "driver-560") for number in range(SLOTS)]
    with slurmcluster.running(nodes) as cluster, tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, __file__, "--controller", folder, "--cells", str(cells), "--seconds", str(seconds)]
        done = subprocess.run(argv, env={**os.environ, **cluster.env}, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    ideal = cells * seconds / SLOTS
    share = ideal / told["wall"]
    sending = 1e3 * told["submit"] / cells
    print(f"{cells} cells of {seconds:g} s on {SLOTS} slots: {told['wall']:.1f} s, ideal {ideal:.1f} s: {share:.1%}")
    print(f"sending: {sending:.2f} ms a cell; controller: {told['rss']:.0f} MB at its peak")
    note("slurm: share of ideal time", share, "", "at least 0.85", met=share >= 0.85)
    note("slurm: sending", sending, "ms a cell", "below 20", met=sending < 20)


def controller(folder: Path, cells: int, seconds: float) -> None:
    """Drive the Slurm engine, without the report of `validate`."""
    from types import SimpleNamespace

    from envcheck.engines.dispatch import dispatch
    from envcheck.engines.engine import Run
    from envcheck.engines.slurm.engine import make
    from envcheck.report.progress import Progress
    from tests.unit.fleet import HOST

    worker = shlex.join([sys.executable, __file__, "--cell", str(seconds)])
    job = SimpleNamespace(setting=SimpleNamespace(env=dict(os.environ)))
    quiet = Progress(quiet=True)
    run = Run("bench", job, {"command": worker}, folder, quiet)  # type: ignore[arg-type] # all that Slurm reads of a job
    engine = make(run)
    works = works_of(cells, engine.nonce)
    begun = time.monotonic()
    spent = []
    submit = engine.submit

    def timed(given: Sequence[object]) -> None:
        submit(given)  # type: ignore[arg-type] # the works of this very run
        spent.append(time.monotonic() - begun)

    engine.submit = timed  # type: ignore[method-assign, assignment] # this engine alone is timed
    gathered = dispatch(engine, works, HOST, quiet)
    wall = time.monotonic() - begun
    assert not gathered.lost, gathered.lost
    assert len(gathered.evidence) == cells
    engine.forget()
    print(json.dumps({"wall": wall, "submit": spent[0], "rss": peak_mb()}))


def works_of(count: int, nonce: str) -> list[Work]:
    """So many cells that differ in an axis which costs nothing."""
    from msgspec.structs import replace

    from envcheck.engines.engine import Work, needs_of
    from envcheck.model import Axes, Cell, cell_id
    from tests.unit.fleet import plan_of

    plan = replace(plan_of(), run="bench", nonce=nonce)
    axes = [Axes("venv", "3.11", "1.2.2", None, "560", str(number)) for number in range(count)]
    return [Work(replace(plan, cell=Cell(id=cell_id(one), axes=one)), needs_of(one)) for one in axes]


def simulated() -> None:
    """Drive an engine that delivers real evidence for 10,000 cells, as `validate` does; prints the peak memory."""
    from msgspec.structs import replace

    from envcheck import compat, store, validate
    from envcheck.engines import plans
    from envcheck.engines.dispatch import dispatch
    from envcheck.engines.engine import Change, State
    from envcheck.report.progress import Progress
    from envcheck.request import Request, read_matrix
    from tests.unit.fleet import HOST, FakeEngine

    quiet = Progress(quiet=True)
    asked = Request()
    validate.without_frames(validate.job_of(asked, read_matrix(None), [], quiet))  # as `validate` begins
    (recorded,) = store.load_evidence(RECORDED)
    works = works_of(MANY, FakeEngine().nonce)
    named = {work.plan.cell.id: work.plan for work in works}

    class Simulated(FakeEngine):
        def follow(self) -> Generator[Change, None, None]:
            for cell in named:
                yield Change(cell, State.DONE)

        def collect(self, cell: str) -> bytes:
            plan = named[cell]
            foresight = compat.foresee(plan.cell.axes, recorded.host)
            evidence = replace(
                recorded, cell=plan.cell, gate=plan.gate, workload=plan.workload, foresight=foresight, composed="",
                model=None, frames=None,
            )  # fmt: skip
            return plans.encode(plans.answer(plan, evidence))

    gathered = dispatch(Simulated(), works, HOST, quiet)
    assert len(gathered.evidence) == MANY
    assert not gathered.lost, gathered.evidence[0]
    assert sum(1 for _ in gathered.evidence) == MANY
    print(json.dumps({"rss": peak_mb()}))


def peak_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--controller", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cell", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--simulated", action="store_true", help=argparse.SUPPRESS)
    asked, _ = parser.parse_known_args()
    if asked.cell is not None:
        short_cell(asked.cell)
    elif asked.controller is not None:
        controller(asked.controller, asked.cells, asked.seconds)
    elif asked.simulated:
        simulated()
    else:
        done = subprocess.run([sys.executable, __file__, "--simulated"], capture_output=True, text=True, check=True)
        memory = json.loads(done.stdout)["rss"]
        print(f"simulated engine, {MANY:,} cells: {memory:.0f} MB at its peak")
        note("dispatch: peak memory at 10,000 cells", memory, "MB", "below 150", met=memory < 150)
        on_slurm(asked.cells, asked.seconds)


if __name__ == "__main__":
    main()
