"""Plan a matrix of a million cells in a cold process; print wall time and peak memory against the bars.

    python bench/plan_million.py

The matrix has six axes, excludes that end at different axes, tiers and expectations, so that neither the walk nor the
checks of the file have an easy case. Exits 1 where a bar is missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ledger import note

CELLS = 1_000_000
WALL_BAR_S = 5.0
MEMORY_BAR_MB = 300.0

AXES = {
    "backend": ["venv", "docker"],
    "python": ["3.9", "3.10", "3.11", "3.12", "3.13"],
    "mediapipe": [f"0.10.{patch}" for patch in range(7, 22)] + ["1.0.0", "1.0.1", "1.1.1", "1.2.0", "1.2.2"],
    "cuda": ["11.8", "12.0", "12.2", "12.4", "12.6", "12.8", "12.9", "13.0", "13.1", "13.2"],
    "driver": ["any"] + [str(branch) for branch in range(470, 590, 5)],
    "opencv": [f"4.{minor}.0.{build}" for minor in range(6, 11) for build in (66, 72, 80, 84)],
}

RULES_OF_THE_FILE = """
exclude:
  - {when: {mediapipe: "<0.10.8"}, because: no GPU code in these wheels}
  - {when: {backend: docker, cuda: "11.8"}, because: no image}
  - {when: {python: "3.9", mediapipe: ">=1.1"}, because: not supported}
  - {when: {cuda: ">=13", driver: "<580"}, because: the driver is too old}
  - {when: {mediapipe: "1.0.0", opencv: "4.6.0.66"}, because: do not install together}
  - {when: {backend: venv, driver: any, opencv: ["4.7.0.66", "4.8.0.66"]}, because: do not install together either}
tiers:
  smoke: {backend: venv, python: "3.11", mediapipe: latest, cuda: latest, driver: any, opencv: latest}
  nightly: {}
expect:
  - {when: {mediapipe: "1.0.0"}, verdict: impossible, because: built without GPU support}
  - {when: {opencv: oldest-stand-in}, verdict: broken, because: too old}
"""


class Measured(NamedTuple):
    """One cold process."""

    wall_s: float
    peak_mb: float
    output_bytes: int
    cells: int


def matrix_text() -> str:
    """The matrix, as a file."""
    axes = "".join(f"  {axis}: {json.dumps(values)}\n" for axis, values in AXES.items())
    rules = RULES_OF_THE_FILE.replace("oldest-stand-in", f'"{AXES["opencv"][0]}"')
    return f"version: 1\naxes:\n{axes}{rules}"


def measure(matrix: Path, form: str, output: Path) -> Measured:
    """Run `envcheck plan` once, as a user would."""
    argv = [sys.executable, "-m", "envcheck", "plan", "--matrix", str(matrix), "--format", form]
    started = time.perf_counter()
    with output.open("wb") as file:
        child = subprocess.Popen(argv, stdout=file)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"envcheck plan --format {form} ended with {child.returncode}")
    return Measured(wall, usage.ru_maxrss / 1024, output.stat().st_size, cells_in(output, form))


def cells_in(output: Path, form: str) -> int:
    """How many cells the output speaks of: the JSON summary, or the last line of the text."""
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - 1000))
        end = file.read().decode()
    if form == "json":
        counts: dict[str, int] = json.loads(end[end.rindex('"summary":') + len('"summary":') :].rstrip()[:-1])
        return sum(counts.values())
    return int(end.strip().splitlines()[-1].split()[0].replace(",", ""))


def main() -> int:
    """Measure both formats; 0 where every bar is met."""
    missed = 0
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}, {CELLS:,} cells")
    with tempfile.TemporaryDirectory() as folder:
        matrix = Path(folder) / "matrix.yaml"
        matrix.write_text(matrix_text(), encoding="utf-8")
        for form in ("text", "json"):
            found = measure(matrix, form, Path(folder) / f"plan.{form}")
            met = found.wall_s <= WALL_BAR_S and found.peak_mb <= MEMORY_BAR_MB and found.cells == CELLS
            missed += not met
            note(
                f"plan of {CELLS:,} cells as {form}",
                found.wall_s,
                "s",
                f"{WALL_BAR_S} s, {MEMORY_BAR_MB:.0f} MB",
                met=met,
            )
            print(
                f"{form:5} {found.wall_s:6.2f} s (bar {WALL_BAR_S} s)"
                f"  {found.peak_mb:6.1f} MB (bar {MEMORY_BAR_MB:.0f} MB)"
                f"  {found.output_bytes / 1e6:7.1f} MB out  {found.cells:,} cells  {'met' if met else 'MISSED'}"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
