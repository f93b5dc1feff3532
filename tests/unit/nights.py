"""Histories written night by night: a healthy cell on a machine with an NVIDIA GPU, with something changed.

A `Turn` says what is different from some night on: facts, the speed-up, the verdict. Noise is drawn with a fixed seed.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from envcheck.kept import Entry
from envcheck.model import Axes, Bench, Speedup, Timing, Verdict

CELL = "venv-py3.11-mp1.2.2-r570"
FIRST_NIGHT = datetime(2026, 9, 1, 3, tzinfo=timezone.utc)
HEALTHY = {
    "CPU": "AMD EPYC 9454",
    "CUDA of the driver": "12.8",
    "EGL devices": "1",
    "EGL vendor": "NVIDIA",
    "EGL vendor files": "10_nvidia.json, 50_mesa.json",
    "GL renderer": "NVIDIA L4/PCIe/SSE2",
    "GL version": "OpenGL ES 3.2 NVIDIA 570.124.06",
    "GPU clock at work (MHz)": "2040",
    "GPU highest clock (MHz)": "2040",
    "GPU throttling": "none",
    "GPU units": "GPU-1111",
    "GPUs": "NVIDIA L4",
    "MediaPipe": "1.2.2",
    "MediaPipe wheel": "sha256:" + "7" * 64,
    "OpenCV": "opencv-contrib-python 4.11.0.86",
    "Python": "3.11.9",
    "base image digest": "sha256:" + "b" * 64,
    "cores": "16",
    "driver": "570.124.06",
    "driver libraries": "libEGL_nvidia.so.0 570.124.06",
    "envcheck": "0.1.0",
    "foreign GPU processes": "0",
    "glibc": "2.39",
    "governor": "performance",
    "image digest": "sha256:" + "1" * 64,
    "input": "d" * 64,
    "kernel module": "570.124.06",
    "lock": "a" * 64,
    "model": "c" * 64,
    "numpy": "2.2.6",
    "other programs": "quiet",
    "package jax": "0.7.1",
    "system": "linux x86_64",
    "variable NVIDIA_DRIVER_CAPABILITIES": "all",
    "workload": "640x480, 1 face, video",
}
NEW_DRIVER = {
    "driver": "580.65.06",
    "kernel module": "580.65.06",
    "CUDA of the driver": "13.0",
    "driver libraries": "libEGL_nvidia.so.0 580.65.06",
    "GL version": "OpenGL ES 3.2 NVIDIA 580.65.06",
}
OTHER_GPU = {
    "GPUs": "NVIDIA T4",
    "GPU units": "GPU-2222",
    "GPU highest clock (MHz)": "1590",
    "GPU clock at work (MHz)": "1590",
    "GL renderer": "NVIDIA T4/PCIe/SSE2",
}
NO_GL = {"GL renderer": "none", "GL version": "", "EGL vendor": ""}


class Turn(NamedTuple):
    """From night `at` on (until night `until`): these facts, this verdict, so many times faster or slower."""

    at: int
    facts: Mapping[str, str] = {}
    speed: float = 1.0
    verdict: Verdict | None = None
    until: int = 10**6
    cpu: float = 1.0


def night(
    number: int,
    facts: Mapping[str, str] | None = None,
    speedup: float = 5.0,
    verdict: Verdict = Verdict.ACCELERATED,
    *,
    cell: str = CELL,
    cpu_ms: float = 10.0,
    minutes: float = 0.0,
    expected: Verdict = Verdict.ACCELERATED,
    error: float = 0.005,
) -> Entry:
    """One entry."""
    known = {name: value for name, value in (HEALTHY | dict(facts or {})).items() if value}
    moment = FIRST_NIGHT + timedelta(days=number, minutes=minutes)
    measured = verdict in (Verdict.ACCELERATED, Verdict.SLOWER, Verdict.INCONCLUSIVE)
    return Entry(
        digest=hashlib.sha256(f"{cell} {moment} {sorted(known.items())} {speedup} {verdict}".encode()).hexdigest(),
        cell=cell,
        axes=Axes(backend="venv", python="3.11", mediapipe="1.2.2", driver="570"),
        recorded_at=moment.isoformat(timespec="seconds"),
        host=f"{known.get('GPUs')}, driver {known.get('driver')}, linux x86_64",
        verdict=verdict,
        status=verdict.status,
        expected=expected,
        met=verdict is expected,
        bench=bench(speedup, cpu_ms, error) if measured else None,
        facts=known,
    )


def bench(speedup: float, cpu_ms: float = 10.0, error: float = 0.005) -> Bench:
    """A comparison with this speed-up, and an interval of so many standard errors."""
    cpu = Timing(median_ms=round(cpu_ms, 4), p95_ms=round(1.2 * cpu_ms, 4), n=500)
    gpu_ms = cpu_ms / speedup
    gpu = Timing(median_ms=round(gpu_ms, 4), p95_ms=round(1.2 * gpu_ms, 4), n=500)
    reach = math.exp(1.96 * error)
    return Bench(cpu=cpu, gpu=gpu, speedup=Speedup(speedup, (speedup / reach, speedup * reach)))


def history(
    nights: int, *turns: Turn, noise: float = 0.03, seed: int = 1, expected: Verdict = Verdict.ACCELERATED
) -> list[Entry]:
    """So many nights of one cell; each turn holds from its night on."""
    chance = random.Random(seed)
    return [scripted(number, turns, chance.gauss(0, noise), expected) for number in range(nights)]


def scripted(number: int, turns: Sequence[Turn], noise: float, expected: Verdict) -> Entry:
    """One night of a script."""
    now = [turn for turn in turns if turn.at <= number < turn.until]
    facts: dict[str, str] = {}
    for turn in now:
        facts |= turn.facts
    verdict = next((turn.verdict for turn in reversed(now) if turn.verdict), Verdict.ACCELERATED)
    speed = math.prod(turn.speed for turn in now)
    cpu_ms = 10.0 * math.prod(turn.cpu for turn in now)
    return night(number, facts, 5.0 * speed * math.exp(noise), verdict, cpu_ms=cpu_ms, expected=expected)
