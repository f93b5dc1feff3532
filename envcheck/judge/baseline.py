"""Which way over the CPU the GPU is compared with: the fastest that the environment offers.

An application that does without the GPU would take it. FaceLandmarker on the CPU delegate is always there; wheels up to
0.10.21 also carry the legacy FaceMesh, which runs on the CPU alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from statistics import median
from typing import NamedTuple

from envcheck.model import Block, Evidence, Repeat, WorkerRun

FACES = 0.9
"""Of the frames in which FaceLandmarker finds a face, a way that counts finds at least this share: one that loses the
face skips the landmark model, and is fast for nothing."""


class Baseline(NamedTuple):
    """The fastest way over the CPU, its name, and the other one where there are two."""

    run: WorkerRun
    name: str
    other: WorkerRun | None = None
    other_name: str = ""


def baseline_of(evidence: Evidence) -> Baseline:
    """What the GPU of a cell is compared with."""
    version = evidence.cpu.mediapipe or "unknown"
    tasks, solutions = (f"{api}, MediaPipe {version}" for api in ("FaceLandmarker, CPU delegate", "legacy FaceMesh"))
    if evidence.legacy is None or not evidence.legacy.blocks:
        return Baseline(evidence.cpu, tasks)
    if fastest((evidence.cpu.blocks, evidence.legacy.blocks)) == 0:
        return Baseline(evidence.cpu, tasks, evidence.legacy, solutions)
    return Baseline(evidence.legacy, solutions, evidence.cpu, tasks)


def fastest_of(run: Repeat) -> tuple[Block, ...]:
    """The blocks of the fastest way over the CPU in one run."""
    ways = [run.cpu.blocks, *([run.legacy.blocks] if run.legacy else [])]
    return ways[fastest(ways)]


def fastest(ways: Sequence[Sequence[Block]]) -> int:
    """The number of the way with the lowest median time of a frame; the first where another loses the face."""
    found = [sum(block.faces for block in blocks) for blocks in ways]
    counted = [number for number, blocks in enumerate(ways) if blocks and found[number] >= FACES * found[0]]
    return min(
        counted, key=lambda number: median(chain.from_iterable(block.times_ms for block in ways[number])), default=0
    )
