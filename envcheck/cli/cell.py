"""`envcheck cell`: one cell, as an engine's worker runs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from envcheck.cli.app import command, quiet_option, write
from envcheck.errors import MET, UsageError

WHERE_PLANS_ARE = "An engine writes the plan of a cell for its workers: see `Another engine` in docs/fleet.md."

CELL_EPILOG = (
    "Exit codes: 0 evidence was delivered, whatever it shows; 2 a plan that cannot be followed here, or a usage error; "
    "4 envcheck itself failed; 75 infrastructure that a retry elsewhere may mend; 130 interrupted. With 2, 4 and 75 "
    "what is delivered says why there is no evidence, where the plan could be read."
)


@command(epilog=CELL_EPILOG)
@click.option("--plan", required=True, metavar="FILE", help="The cell's plan as JSON; - is standard input.")
@click.option("--out", metavar="FILE", help="Where its delivery goes, as JSON; - is standard output.")
@click.option("--parcel", is_flag=True, help="Print the delivery in lines of a log instead, which an engine reads.")
@quiet_option
def cell(plan: str, out: str | None, parcel: bool, quiet: bool) -> int:
    """Run one cell on this host and deliver its evidence, unjudged; engines start this on their hosts.

    Whoever asked for the evidence judges it.
    """
    from envcheck.engines import plans
    from envcheck.engines.packing import packed
    from envcheck.report.progress import Progress
    from envcheck.working import work

    if parcel is (out is not None):
        raise UsageError("--out FILE or --parcel: one of them has to be given, and not both")
    asked = plans.read_plan(bytes_of(plan), "standard input" if plan == "-" else plan)
    with Progress(quiet=quiet) as progress:
        delivery, error = work(asked, dict(os.environ), progress)
    data = plans.encode(delivery)
    write(packed(data)) if out is None else deliver(data, out)
    if error is not None:
        raise error
    return MET


def bytes_of(name: str) -> bytes:
    """What is to be read, of which a plan's limit and a byte are enough."""
    from envcheck.engines.plans import PLAN_LIMIT
    from envcheck.store import read_limited

    return sys.stdin.buffer.read(PLAN_LIMIT + 1) if name == "-" else read_limited(Path(name), WHERE_PLANS_ARE)


def deliver(data: bytes, name: str) -> None:
    """Write a delivery whole or not at all."""
    from envcheck import store

    if name == "-":
        sys.stdout.buffer.write(data + b"\n")
        sys.stdout.buffer.flush()
        return
    with store.explained(Path(name)):
        store.commit([(store.stage(Path(name), data), Path(name))])
