"""Which delegate, and how many processes: one sentence for each kind of work, from figures alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envcheck.judge.verdict import FACES_ENOUGH
from envcheck.model import Verdict
from envcheck.swept import Advice, Choice, Figures, Row, Side, Work

CLOSE = 0.95
"""Of what is this close to the best, the one with fewer processes wins: each costs memory."""
CLEARLY_LESS = 0.8
"""CPU time per frame below this share is worth a word."""
PROVEN = frozenset({Verdict.ACCELERATED, Verdict.SLOWER, Verdict.INCONCLUSIVE})
"""Verdicts of a hardware GPU that is proven, with landmarks that agree. Any other GPU is never recommended."""


class Candidate(NamedTuple):
    """One delegate with one number of processes."""

    side: Side
    streams: int
    figures: Figures


def advise(rows: Sequence[Row], verdict: Verdict, limit_ms: float | None) -> tuple[Advice, ...]:
    """A recommendation for each kind of work among `rows`, in their order."""
    return tuple(for_work(work, list(of_work(rows, work)), verdict, limit_ms) for work in works_of(rows))


def works_of(rows: Iterable[Row]) -> tuple[Work, ...]:
    """The kinds of work, each once."""
    return tuple(dict.fromkeys(row.point.work for row in rows))


def of_work(rows: Iterable[Row], work: Work) -> Iterator[Candidate]:
    """What was timed for one kind of work."""
    for row in rows:
        if row.point.work == work:
            for side in row.sides:
                if side.delegate in row.figures:
                    yield Candidate(side, row.point.streams, row.figures[side.delegate])


def for_work(work: Work, timed: Sequence[Candidate], verdict: Verdict, limit_ms: float | None) -> Advice:
    """The recommendation for one kind of work."""
    usable = [one for one in timed if is_usable(one, verdict)]
    fitting = [one for one in usable if limit_ms is None or one.figures.p95_ms <= limit_ms]
    if not fitting:
        return Advice(work, Choice.NEITHER, 0, why_none(timed, usable, verdict, limit_ms))
    chosen = best(fitting)
    others = [one for one in usable if one.side.delegate != chosen.side.delegate]
    sentences = [told(chosen, limit_ms), *against(chosen, others), *about_gpu(timed, verdict)]
    return Advice(work, Choice(chosen.side.delegate.lower()), chosen.streams, " ".join(sentences))


def is_usable(one: Candidate, verdict: Verdict) -> bool:
    """True where it found faces, and is the CPU or a GPU that is proven to do the work."""
    return one.figures.faces >= FACES_ENOUGH and (one.side.delegate == "CPU" or verdict in PROVEN)


def best(fitting: Sequence[Candidate]) -> Candidate:
    """The highest throughput; of those close to it the fewest processes, then the least CPU time."""
    most = max(one.figures.per_second for one in fitting)
    close = [one for one in fitting if one.figures.per_second >= CLOSE * most]
    return min(close, key=lambda one: (one.streams, one.figures.cpu_ms or 0.0, -one.figures.per_second))


def told(one: Candidate, limit_ms: float | None) -> str:
    """What to use, with its numbers."""
    figures = one.figures
    processes = "1 process" if one.streams == 1 else f"{one.streams} processes"
    within = "" if limit_ms is None else f", within the limit of {limit_ms:g} ms"
    numbers = f"p50 {figures.p50_ms:.3g} ms, p95 {figures.p95_ms:.3g} ms{within}"
    cost = "" if figures.cpu_ms is None else f"; {figures.cpu_ms:.3g} ms of CPU time per frame"
    return (
        f"Use delegate={one.side.delegate} with {processes}: "
        f"{figures.per_second:.4g} frames per second in all ({numbers}{cost})."
    )


def against(chosen: Candidate, others: Sequence[Candidate]) -> Iterator[str]:
    """The other delegate's best, and whether it spares the CPU."""
    if not others:
        return
    rival = max(others, key=lambda one: one.figures.per_second)
    name, times = rival.side.delegate, chosen.figures.per_second / rival.figures.per_second
    yield f"The best with delegate={name} is {rival.figures.per_second:.4g} ({times:.3g} times less)."
    mine, theirs = chosen.figures.cpu_ms, rival.figures.cpu_ms
    if mine and theirs is not None and theirs < CLEARLY_LESS * mine:
        yield f"It leaves the CPU more room all the same: {theirs:.3g} ms of CPU time per frame instead of {mine:.3g}."


def about_gpu(timed: Sequence[Candidate], verdict: Verdict) -> Iterator[str]:
    """Why a GPU that was timed is not counted."""
    gpu = [one for one in timed if one.side.delegate == "GPU"]
    if gpu and verdict not in PROVEN:
        fastest = max(gpu, key=lambda one: one.figures.per_second)
        on = f" on {fastest.side.renderer}" if fastest.side.renderer else ""
        yield (
            f"delegate=GPU ran{on} with {fastest.figures.per_second:.4g} frames per second; the full proof calls it "
            f"{verdict.value}, so it is not counted."
        )


def why_none(timed: Sequence[Candidate], usable: Sequence[Candidate], verdict: Verdict, limit_ms: float | None) -> str:
    """Why nothing can be recommended."""
    if not timed:
        return "Nothing could be timed."
    if not usable:
        why = "too few frames had a face" if any(one.side.delegate == "CPU" for one in timed) else "no CPU was timed"
        return f"Nothing can be recommended: {why}, and the GPU is {verdict.value}."
    quickest = min(usable, key=lambda one: one.figures.p95_ms)
    return (
        f"Nothing keeps to {limit_ms:g} ms at the 95th percentile; the quickest is "
        f"delegate={quickest.side.delegate} with {quickest.streams} at {quickest.figures.p95_ms:.3g} ms."
    )
