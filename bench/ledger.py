"""What the benchmarks found, in one table, and kept: `note` from a script, at the end `bench/ledger.py show FILE`.

A script notes its figures where ENVCHECK_BENCH_RUN names a file. `show` prints all of them and appends one line to
bench/history.jsonl: when, which revision, on what machine under what load, and each figure. Figures are ratios wherever
two things could be measured side by side, because the seconds of one machine say little about another.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

RUN = "ENVCHECK_BENCH_RUN"
HISTORY = Path(__file__).with_name("history.jsonl")


def note(what: str, value: float, unit: str, bar: str = "", *, met: bool = True) -> None:
    """Keep a figure; `bar` says in words what was to be reached, empty where nothing was."""
    if name := os.environ.get(RUN):
        figure = {"what": what, "value": round(value, 4), "unit": unit, "bar": bar, "met": met}
        with Path(name).open("a", encoding="utf-8") as run:
            run.write(json.dumps(figure) + "\n")


def show(run: Path) -> int:
    """Print the table and append it to the history; 1 where a bar was missed or nothing was noted."""
    lines = run.read_text(encoding="utf-8").splitlines() if run.exists() else []
    figures: list[dict[str, Any]] = [json.loads(line) for line in lines]
    if not figures:
        print("no benchmark noted a figure")
        return 1
    width = max(len(figure["what"]) for figure in figures)
    print()
    for figure in figures:
        ended = f"{figure['bar']}: {'met' if figure['met'] else 'MISSED'}" if figure["bar"] else ""
        print(f"{figure['what']:{width}}  {figure['value']:>10.4g} {figure['unit']:3}  {ended}".rstrip())
    entry = {"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **machine(), "figures": figures}
    with HISTORY.open("a", encoding="utf-8") as history:
        history.write(json.dumps(entry) + "\n")
    print(f"\nappended to {HISTORY.name}; {sum(not figure['met'] for figure in figures)} bars missed")
    return int(not all(figure["met"] for figure in figures))


def machine() -> dict[str, Any]:
    """What the figures were measured on, without its name."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")), "")
    git = ("git", "-C", str(HISTORY.parent), "rev-parse", "--short", "HEAD")
    revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "revision": revision,
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "show":
        sys.exit(__doc__)
    sys.exit(show(Path(sys.argv[2])))
