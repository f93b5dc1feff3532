"""Entries, slots and tables for tests of what is made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from envcheck.kept import Entry
from envcheck.model import Axes, Bench, Speedup, Timing, Verdict, cell_id
from envcheck.report.table import Slot, Table, tabulate

H200 = "NVIDIA H200, driver 570.124.06, linux x86_64"
NO_GPU = "no GPU, linux x86_64"
NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
TODAY, LONG_AGO = "2026-11-19T03:00:00+00:00", "2026-05-01T03:00:00Z"


def axes_of(mediapipe: str = "1.2.2", **others: str) -> Axes:
    """Axes of a venv on Python 3.11, with changes."""
    return Axes(**{"backend": "venv", "python": "3.11", "mediapipe": mediapipe, **others})


def bench_of(estimate: float) -> Bench:
    """A bench of 10 ms on the CPU and a GPU so many times faster."""
    return Bench(
        cpu=Timing(median_ms=10.0, p95_ms=12.0, n=128),
        gpu=Timing(median_ms=10 / estimate, p95_ms=12 / estimate, n=128),
        speedup=Speedup(estimate=estimate, ci95=(estimate * 0.95, estimate * 1.05)),
    )


def entry_of(verdict: str = "accelerated", axes: Axes | None = None, **changes: Any) -> Entry:
    """An entry: accelerated 5.42 times, or as named."""
    axes = axes or axes_of()
    found = Verdict(verdict)
    given: dict[str, Any] = {
        "cell": cell_id(axes), "axes": axes, "recorded_at": TODAY, "host": H200, "verdict": found,
        "status": found.status, "expected": Verdict.ACCELERATED, "met": found is Verdict.ACCELERATED,
        "because": f"it is {verdict}", "bench": bench_of(5.42) if verdict == "accelerated" else None,
        "codes": () if verdict == "accelerated" else ("GPU105", "EGL202"),
        "facts": {"driver": "570.124.06", "mediapipe": axes.mediapipe or ""},
    } | changes  # fmt: skip
    name = repr(sorted((key, str(value)) for key, value in given.items()))
    return Entry(digest=hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest(), **given)


def slot_of(state: str = "reachable", because: str = "", **axes: str) -> Slot:
    """A slot of the matrix."""
    found = axes_of(**axes)
    return Slot(cell_id(found), found, state, because)


def table_of(entries: Sequence[Entry] = (), slots: Sequence[Slot] = (), **options: Any) -> Table:
    """The table at NOW."""
    return tabulate(entries, slots, at=NOW, **options)


def every_state() -> Table:
    """A table with a place of each kind."""
    entries = [
        entry_of(),
        entry_of("refused", axes_of("1.1.1")),
        entry_of("accelerated", axes_of("0.10.35"), recorded_at=LONG_AGO),
        entry_of("unknown", axes_of("0.10.33")),
    ]
    slots = [
        slot_of(mediapipe="0.10.21"),
        slot_of(mediapipe="0.10.21", driver="580"),
        slot_of("impossible", "no GPU code in the wheel", mediapipe="1.0.0"),
        slot_of("excluded", "too old", mediapipe="0.10.7"),
    ]
    return table_of(entries, slots)
