"""NVML beside a watched program: asked by a thread of its own, so that a slow driver delays nobody."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple

import msgspec

from envcheck.cell.observe import NvmlSampler
from envcheck.model import NOT_LOOKED, GpuProcess, GpuSample, Unread
from envcheck.probes.answers import as_tagged, decode_object
from envcheck.watched import GpuSeen, GpuWork, GpuWorker, GpuWorks

BASELINE_S = 0.3
"""Time between the two samples before the program starts: power is the energy between them."""
PATIENCE_S = 5.0
"""So long the program's start waits for NVML; a driver without persistence mode takes a second or two."""
PERIOD_S = 1.0
FIRST_S = 0.25
KEPT = 60
"""Samples kept of each GPU's utilisation: the last ones."""
CLEARLY = 5
"""Percent of utilisation above the moment before the start that no idle context explains."""


class Reading(NamedTuple):
    """NVML's answer at one moment of the monotonic clock."""

    at: float
    gpus: tuple[GpuSample, ...]


def parse_work(line: bytes) -> tuple[GpuWorks, ...] | Unread:
    """Which processes worked on which GPU."""
    answer = decode_object(line)
    if isinstance(answer, Unread):
        return answer
    try:
        return msgspec.convert(as_tagged(answer.get("gpus")), tuple[GpuWorks, ...])
    except msgspec.ValidationError as error:
        return Unread(reason=f"the answer is not a list of working processes: {error}")


@dataclass
class Work:
    """One process' work on one GPU: the highest percentage, how often it was seen, when first and last."""

    first_asked: int
    sm: int = 0
    times: int = 0
    at: int = 0

    def add(self, work: GpuWork) -> None:
        """One more answer; NVML may repeat an old one."""
        if work.at > self.at:
            self.sm, self.times, self.at = max(self.sm, work.sm), self.times + 1, work.at


@dataclass
class Tally:
    """What has been seen of one GPU so far."""

    listed: dict[str, dict[int, int | None]] = field(default_factory=lambda: {"compute": {}, "graphics": {}})
    """Greatest memory of each process, on each of NVML's lists."""
    unread: dict[str, Unread] = field(default_factory=dict)
    working: dict[int, Work] = field(default_factory=dict)
    asked: int = 0
    """How often NVML was asked who works."""
    utilisations: list[int | Unread] = field(default_factory=list)

    def add(self, sample: GpuSample) -> None:
        """One more sample."""
        for kind, processes in (("compute", sample.compute), ("graphics", sample.graphics)):
            if isinstance(processes, Unread):
                self.unread[kind] = processes
                continue
            for process in processes:
                known = self.listed[kind].get(process.pid)
                sizes = [size for size in (known, process.memory) if size is not None]
                self.listed[kind][process.pid] = max(sizes, default=None)
        self.utilisations = [*self.utilisations[-KEPT:], sample.utilisation]

    def add_work(self, works: tuple[GpuWork, ...] | Unread) -> None:
        """What processes did since the last question."""
        if isinstance(works, Unread):
            self.unread["work"] = works
            return
        self.asked += 1
        latest = {work.pid: work for work in sorted(works, key=lambda work: work.at) if work.sm > 0}
        for pid, work in latest.items():
            self.working.setdefault(pid, Work(self.asked)).add(work)

    def lists(self, kind: str, pids: frozenset[int]) -> tuple[GpuProcess, ...] | Unread:
        """Those of `pids` that a list held; why nobody knows where it could not be read and held none."""
        found = tuple(GpuProcess(pid=pid, memory=size) for pid, size in self.listed[kind].items() if pid in pids)
        return found or self.unread.get(kind, ())

    def works(self, pids: frozenset[int]) -> tuple[GpuWorker, ...] | Unread:
        """Those of `pids` that worked."""
        found = tuple(
            GpuWorker(pid, work.sm, work.times, self.asked - work.first_asked + 1)
            for pid, work in self.working.items()
            if pid in pids
        )
        return found or self.unread.get("work", ())

    def others(self, pids: frozenset[int]) -> int | Unread:
        """How many other processes were listed."""
        if self.unread.keys() & {"compute", "graphics"}:
            return next(iter(self.unread.values()))
        return len({pid for listed in self.listed.values() for pid in listed} - pids)


def highest(values: Sequence[int | Unread]) -> int | Unread:
    """The greatest number; why there is none where all are Unread."""
    numbers = [value for value in values if not isinstance(value, Unread)]
    return max(numbers) if numbers else next(iter(values), NOT_LOOKED)


def busier(values: Sequence[int | Unread], before: int | Unread) -> int:
    """How many samples lie clearly above the moment before the start; none where that is not known."""
    if isinstance(before, Unread):
        return 0
    return sum(not isinstance(value, Unread) and value >= before + CLEARLY for value in values)


def power(first: Reading, last: Reading, index: int) -> float | Unread:
    """Mean power of a GPU between two readings, in watts."""
    energies = []
    for reading in (first, last):
        sample = next((gpu for gpu in reading.gpus if gpu.index == index), None)
        if sample is None or isinstance(sample.energy_mj, Unread):
            return NOT_LOOKED if sample is None else sample.energy_mj
        energies.append(sample.energy_mj)
    if last.at <= first.at:
        return Unread(reason="only one reading of the energy counter")
    return (energies[1] - energies[0]) / 1e3 / (last.at - first.at)


class GpuWatch:
    """Asks NVML about every GPU until it is left. Where NVML gives no answer, `record` is Unread with the reason."""

    def __init__(self, env: Mapping[str, str], *, launch: bool) -> None:
        self._sampler = NvmlSampler.start(env)
        self._launch = launch
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._before: list[Reading] = []
        self._span: list[Reading] = []
        """The first and the last reading since the program runs."""
        self._tallies: dict[int, Tally] = {}
        self._since = 0
        self._failure: Unread | None = None
        self._thread = threading.Thread(target=self._run, name="nvml", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process that asks NVML, which is no part of the watched program."""
        return self._sampler.conversation.pid

    def ready(self) -> None:
        """Wait until the moment before the start is known, or is not going to be."""
        self._ready.wait(PATIENCE_S)

    def _run(self) -> None:
        try:
            if self._launch and self._read(self._before):
                self._stop.wait(BASELINE_S)
                self._read(self._before)
            self._ask_work(keep=False)
            self._ready.set()
            period = FIRST_S
            while self._failure is None and not self._stop.wait(period):
                self._sample()
                period = min(PERIOD_S, period * 2)
        finally:
            self._ready.set()

    def _read(self, into: list[Reading]) -> bool:
        """Ask for a sample; keep the first and the latest."""
        gpus = self._sampler.sample()
        if isinstance(gpus, Unread):
            self._failure = gpus
            return False
        into[1:] = [Reading(time.monotonic(), gpus)]
        return True

    def _sample(self) -> None:
        if self._read(self._span):
            for gpu in self._span[-1].gpus:
                self._tallies.setdefault(gpu.index, Tally()).add(gpu)
            self._ask_work(keep=True)

    def _ask_work(self, *, keep: bool) -> None:
        if self._failure is not None:
            return
        line = self._sampler.ask(b'{"do": "work", "since": %d}\n' % self._since)
        found = line if isinstance(line, Unread) else parse_work(line)
        if isinstance(found, Unread):
            self._failure = found
            return
        for gpu in found:
            works = gpu.processes
            if not isinstance(works, Unread):
                self._since = max([self._since, *(work.at for work in works)])
            if keep:
                self._tallies.setdefault(gpu.index, Tally()).add_work(works)

    def record(self, pids: frozenset[int]) -> tuple[GpuSeen, ...] | Unread:
        """What NVML said of the program's processes `pids`; call it after `leave`."""
        if not self._span:
            return self._failure or Unread(reason="the program ended before NVML answered")
        return tuple(self._seen(index, tally, pids) for index, tally in sorted(self._tallies.items()))

    def _seen(self, index: int, tally: Tally, pids: frozenset[int]) -> GpuSeen:
        before = next((gpu for reading in self._before[-1:] for gpu in reading.gpus if gpu.index == index), None)
        idle = before.utilisation if before else NOT_LOOKED
        return GpuSeen(
            index=index,
            compute=tally.lists("compute", pids),
            graphics=tally.lists("graphics", pids),
            others=tally.others(pids),
            working=tally.works(pids),
            utilisation=highest(tally.utilisations),
            utilisation_before=idle,
            busier=busier(tally.utilisations, idle),
            samples=len(tally.utilisations),
            power=power(self._span[0], self._span[-1], index),
            power_before=power(self._before[0], self._before[-1], index) if self._before else NOT_LOOKED,
        )

    def leave(self) -> None:
        """Ask no more. A second time changes nothing."""
        self._stop.set()
        self._thread.join(PERIOD_S)
        if self._thread.is_alive() and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # the driver hangs: its end is the thread's answer
            self._thread.join(PERIOD_S)
        self._sampler.conversation.kill()

    def __enter__(self) -> GpuWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
