"""What the page of a cell shows beside its entry: findings, witnesses, and how the times of its frames are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence

from envcheck.model import CellResult, Evidence, Finding, Status, Witness, WorkerRun
from envcheck.record import Record

BINS = 60
"""Columns of a distribution: an outline, not a list of the frames."""


class Distribution(Record, frozen=True):
    """How many frames of each delegate took how long, in columns of equal ratio from `low_ms` to `high_ms`.

    Equal ratios, because one delegate may be twenty times as fast as the other, and both have to be seen.
    """

    low_ms: float
    high_ms: float
    cpu: tuple[int, ...] = ()
    gpu: tuple[int, ...] = ()


class Dossier(Record, frozen=True):
    """What is known of one entry beside itself."""

    findings: tuple[Finding, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    distribution: Distribution | None = None


def dossier_of(result: CellResult, evidence: Evidence | None = None) -> Dossier:
    """The dossier of a judged cell; rules that were not asked are left out."""
    asked = tuple(finding for finding in result.findings if finding.status is not Status.SKIP)
    spread = None if evidence is None else distribution_of(times_of(evidence.cpu), times_of(evidence.gpu))
    return Dossier(asked, result.witnesses, spread)


def times_of(run: WorkerRun) -> list[float]:
    """The time of each frame that a worker was timed on."""
    return [time for block in run.blocks for time in block.times_ms if time > 0]


def distribution_of(cpu: Sequence[float], gpu: Sequence[float]) -> Distribution | None:
    """The distribution of both, or None where nothing was timed."""
    every = (*cpu, *gpu)
    if not every:
        return None
    low, high = min(every), max(every)
    if high <= low:
        low, high = low * 0.95, high * 1.05
    return Distribution(low, high, counts_of(cpu, low, high), counts_of(gpu, low, high))


def counts_of(times: Sequence[float], low: float, high: float) -> tuple[int, ...]:
    """How many times fall into each column; empty where there are none."""
    if not times:
        return ()
    counts = [0] * BINS
    scale = BINS / math.log(high / low)
    for time in times:
        counts[min(BINS - 1, int(math.log(time / low) * scale))] += 1
    return tuple(counts)
