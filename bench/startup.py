"""How long `envcheck --help` takes, cold process, warm files. Bar: under 150 ms."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from ledger import note

BAR_MS = 150
RUNS = 15


def once(argv: list[str]) -> float:
    """Wall time of one run in milliseconds."""
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - started) * 1e3


def main() -> int:
    """Print the medians, and each as a ratio to an interpreter that does nothing; 1 where the bar is missed."""
    empty = statistics.median(once([sys.executable, "-c", "pass"]) for _ in range(RUNS))
    print(f"python -c pass       {empty:7.0f} ms")
    missed = 0
    for arguments in (["--help"], ["--version"], ["validate", "--help"], ["explain", "EGL202"]):
        argv = [sys.executable, "-m", "envcheck", *arguments]
        once(argv)
        found = statistics.median(once(argv) for _ in range(RUNS))
        print(f"envcheck {' '.join(arguments):18} {found:7.0f} ms   {found / empty:4.1f} x")
        late = arguments == ["--help"] and found > BAR_MS
        missed += late
        bar = f"--help in {BAR_MS} ms" if arguments == ["--help"] else ""
        note(f"start-up: envcheck {' '.join(arguments)} / python -c pass", found / empty, "x", bar, met=not late)
    print(f"bar for --help: {BAR_MS} ms: {'missed' if missed else 'met'}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
