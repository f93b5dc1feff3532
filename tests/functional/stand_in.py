"""A worker for tests of engines: takes a plan as `envcheck cell` does, waits, and delivers that nothing could be built.

STAND_IN_S says for how many seconds, STAND_IN_LOG names a file that takes a line for each time a cell is run, and
STAND_IN_FORGE lets it deliver something else. STAND_IN_UNTIL names a file: before it is there no cell ends but the
first STAND_IN_FREE of the log.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from envcheck import compat
from envcheck.cli.cell import deliver
from envcheck.engines import plans
from envcheck.model import Build, Evidence, Host, Nvml


def main() -> None:
    """One cell."""
    plan_file, out = (sys.argv[sys.argv.index(option) + 1] for option in ("--plan", "--out"))
    plan = plans.read_plan(Path(plan_file).read_bytes(), plan_file)
    node = os.environ.get("SLURMD_NODENAME", "?")
    if log := os.environ.get("STAND_IN_LOG"):
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(f"{plan.cell.id} {node}\n")
    time.sleep(float(os.environ.get("STAND_IN_S", "0")))
    wait(plan.cell.id)
    delivery = plans.answer(plan, seen(plan, node))
    if os.environ.get("STAND_IN_FORGE"):
        delivery = replace(delivery, nonce="0" * 32)
    deliver(plans.encode(delivery), out)


def wait(cell: str) -> None:
    """Until the file is there, where a test names one."""
    file, log = os.environ.get("STAND_IN_UNTIL"), os.environ.get("STAND_IN_LOG", os.devnull)
    free = Path(log).read_text(encoding="utf-8").splitlines()[: int(os.environ.get("STAND_IN_FREE", "0"))]
    if file is not None and not any(line.startswith(f"{cell} ") for line in free):
        while not Path(file).exists():
            time.sleep(0.05)


def seen(plan: plans.Plan, node: str) -> Evidence:
    """What a host with the driver of the cell sees whose disk is full."""
    driver = plan.cell.axes.driver if plan.cell.axes.driver not in (None, "any") else "560.35.03"
    host = Host(platform="linux", machine="x86_64", nvml=Nvml(driver=driver or "", cuda="12.6", gpus=()), glibc="2.36")
    return Evidence(
        cell=plan.cell, host=host, foresight=compat.foresee(plan.cell.axes, host), gate=plan.gate,
        workload=plan.workload, build=Build(outcome="failed", because=f"a stand-in on {node}"),
        recorded_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
