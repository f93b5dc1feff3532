"""Who else was at work while blocks were timed: other programs, the hypervisor, a quota; from the kernel's counters.

Before the timed part it is waited a moment for others to end; what goes on is measured, and told beside the result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from envcheck.model import Disturbance, Unread

QUIET_SHARE = 0.1
"""Share of the machine's cores that others may keep busy without being waited for."""
GLANCE_S = 0.2
"""How long it is looked whether others are at work."""
PATIENCE_S = 2.0
"""Longest wait for them, and at most PATIENCE_SHARE of the time that the measurement may take."""
PATIENCE_SHARE = 1 / 30
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Reading:
    """The kernel's counters at one moment, in seconds of one core; None where there is no such counter."""

    at: float
    cores: int
    busy_s: float
    stolen_s: float
    ours_s: float | None
    throttled_s: float | None


def read(pids: Iterable[int | None], root: Path = Path("/")) -> Reading | Unread:
    """The counters now; `pids` are the processes that are ours, beside this one."""
    try:
        busy, stolen, cores = machine(root.joinpath("proc/stat").read_text("utf-8", "replace"))
    except (OSError, ValueError) as error:
        return Unread(reason=f"/proc/stat: {error}")
    ours = [worked(root, pid) for pid in (os.getpid(), *pids)]
    known = [seconds for seconds in ours if seconds is not None]
    return Reading(
        at=time.monotonic(),
        cores=cores,
        busy_s=busy,
        stolen_s=stolen,
        ours_s=sum(known) if len(known) == len(ours) else None,
        throttled_s=throttled(root),
    )


def machine(text: str) -> tuple[float, float, int]:
    """Seconds in which the cores of the machine worked, those that the hypervisor took, and the number of cores."""
    lines = [line.split() for line in text.splitlines() if line.startswith("cpu")]
    if not lines or len(lines[0]) < 9:
        raise ValueError("no line of all processors")
    user, nice, system, _idle, _waiting, hard, soft, steal = (int(word) / TICKS for word in lines[0][1:9])
    return user + nice + system + hard + soft, steal, max(1, len(lines) - 1)


def worked(root: Path, pid: int | None) -> float | None:
    """Seconds that a process has worked; None where it cannot be seen."""
    try:
        fields = root.joinpath("proc", str(pid), "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except (OSError, ValueError, IndexError):
        return None


def throttled(root: Path) -> float | None:
    """Seconds in which the quota of our control group held back what could have run; None without such a count."""
    try:
        group = root.joinpath("proc/self/cgroup").read_text("utf-8", "replace").partition("0::/")[2].split("\n")[0]
        mount = root / "sys/fs/cgroup"
        file = next(path for path in (mount / group / "cpu.stat", mount / "cpu.stat") if path.exists())
        counts = dict(line.split() for line in file.read_text("utf-8", "replace").splitlines())
        return int(counts["throttled_usec"]) / 1e6
    except (OSError, ValueError, KeyError, StopIteration):
        return None


def between(before: Reading | Unread, after: Reading | Unread, waited_s: float = 0.0) -> Disturbance | Unread:
    """What happened between two readings."""
    if isinstance(before, Unread):
        return before
    if isinstance(after, Unread):
        return after
    seconds = max(after.at - before.at, 1e-3)
    ours = spent(before.ours_s, after.ours_s)
    others: float | Unread = Unread(reason="the work of our own processes could not be read")
    if ours is not None:
        others = round(max(0.0, after.busy_s - before.busy_s - ours) / seconds, 3)
    held = spent(before.throttled_s, after.throttled_s)
    return Disturbance(
        seconds=round(seconds, 3),
        cores=after.cores,
        others_cores=others,
        stolen_cores=round(max(0.0, after.stolen_s - before.stolen_s) / seconds, 3),
        throttled_share=None if held is None else round(max(0.0, held) / seconds, 3),
        waited_s=round(waited_s, 3),
    )


def spent(before: float | None, after: float | None) -> float | None:
    """The difference of two readings of a counter."""
    return None if before is None or after is None else after - before


def is_quiet(seen: Disturbance | Unread) -> bool:
    """True where others leave the machine alone, and where nobody can tell: then waiting is of no use."""
    if isinstance(seen, Unread) or isinstance(seen.others_cores, Unread):
        return True
    return seen.others_cores + seen.stolen_cores <= QUIET_SHARE * seen.cores


def wait_for_quiet(
    look: Callable[[], Reading | Unread], max_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> tuple[float, bool]:
    """Wait until others leave the machine alone, or patience ends: the seconds beyond a glance, and whether they do."""
    patience, waited = min(PATIENCE_S, PATIENCE_SHARE * max_seconds), 0.0
    before = look()
    while True:
        sleep(GLANCE_S)
        after = look()
        quiet = is_quiet(between(before, after))
        if quiet or waited + GLANCE_S > patience:
            return waited, quiet
        before, waited = after, waited + GLANCE_S
