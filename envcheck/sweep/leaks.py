"""Does memory grow with frames, or with creating and closing? One process each, weighed while it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from msgspec.structs import replace

from envcheck.cell.worker import Material, Worker
from envcheck.record import Unread
from envcheck.sweep import meters, streams
from envcheck.sweep.streams import Means
from envcheck.swept import Leak, Side

SAMPLES = 24
FRAMES, CYCLES = 2400, 24
"""Frames, and cycles of closing and creating, in all."""
SETTLING = 0.25
"""Share of the samples at the beginning that are left out: caches fill, arenas are reserved."""
FEWEST = 8
CONFIDENCE = 0.95
MATTERS = {"frames": 512.0, "cycles": 64 * 1024.0}
"""Bytes per unit below which growth is none that anybody would meet: at 30 frames a second 512 bytes a frame are 55 MB
an hour; of cycles an application makes hundreds at most."""


def look_for_leaks(material: Material, means: Means, say: Callable[[str], None]) -> tuple[Leak, ...]:
    """Both kinds for each delegate."""
    return tuple(
        observe(kind, delegate, material, means, say) for delegate in means.delegates for kind in ("frames", "cycles")
    )


def observe(kind: str, delegate: str, material: Material, means: Means, say: Callable[[str], None]) -> Leak:
    """One process that does one thing many times."""
    samples: list[tuple[int, int]] = []
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        one = streams.start(means, delegate, pool)
        stack.callback(one.kill)
        if one.load(material):
            repeat(kind, one.workers[0], samples, lambda done, of: say(f"{delegate}: {done} of {of} {kind}"))
        side = one.stop()
    return leak_of(kind, side, samples)


def repeat(kind: str, worker: Worker, samples: list[tuple[int, int]], told: Callable[[int, int], None]) -> None:
    """Work in steps, and weigh the process after each."""
    total = FRAMES if kind == "frames" else CYCLES
    step = total // SAMPLES
    for done in range(step, total + 1, step):
        if kind == "frames":
            worker.ask(done - step, step)
        else:
            worker.ask_cycles(step)
        if worker.finish() is None:
            return
        size = meters.memory_of((worker.seen.get("pid"),))
        if isinstance(size, Unread):
            return
        samples.append((done, size[0]))
        told(done, total)


def leak_of(kind: str, side: Side, samples: Sequence[tuple[int, int]]) -> Leak:
    """The record: how memory grows, and whether that is a leak."""
    seen = Leak(
        delegate=side.delegate,
        kind=kind,
        done=samples[-1][0] if samples else 0,
        outcome=side.outcome,
        error=side.error,
        samples=tuple(samples),
    )
    grown = growth(samples)
    if grown is None:
        return seen
    slope, low, high = (round(value, 2) for value in grown)
    return replace(seen, growth=slope, ci95=(low, high), leaks=low > 0 and slope >= MATTERS[kind])


def growth(samples: Sequence[tuple[int, int]]) -> tuple[float, float, float] | None:
    """Bytes per unit with the 95% interval, by Theil and Sen, who do not mind single steps; None of too few samples."""
    settled = samples[int(len(samples) * SETTLING) :]
    if len(settled) < FEWEST:
        return None
    from scipy.stats import theilslopes

    done, sizes = zip(*settled, strict=True)
    found = theilslopes(sizes, done, CONFIDENCE)
    return float(found.slope), float(found.low_slope), float(found.high_slope)
