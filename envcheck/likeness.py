"""May two measurements be compared, and what came out? Unlike ones are refused, with the difference named."""

from __future__ import annotations

from dataclasses import dataclass

from envcheck.model import Bench, Identity, Timing

NAMES = {
    "machine": "system",
    "cpu": "CPU",
    "cores": "cores that may be used",
    "governor": "frequency governor",
    "gpus": "GPUs",
    "gpu_mhz": "highest GPU clocks (MHz)",
    "driver": "NVIDIA driver",
    "mediapipe": "MediaPipe",
    "python": "Python",
    "model": "model (SHA-256)",
    "input": "frames (SHA-256)",
    "workload": "workload",
}
"""What has to be alike, in the order in which differences are told."""
NEEDED = ("cpu", "cores", "mediapipe", "model", "input")
"""What has to be known as well: two measurements of nobody knows what are not alike."""


@dataclass(frozen=True)
class Unlike:
    """Not to be compared: each difference in words."""

    differences: tuple[str, ...]

    def __str__(self) -> str:
        return "not to be compared: " + "; ".join(self.differences)


@dataclass(frozen=True)
class Change:
    """Times after over times before, medians: below 1 it became faster; None where one was not measured.

    `speedup` is the speed-up after over the one before; `certain` where their intervals have nothing in common.
    """

    cpu: float | None
    gpu: float | None
    speedup: float | None
    certain: bool


def differences(before: Identity, after: Identity) -> tuple[str, ...]:
    """What is not alike, or not known, in words; empty where the two may be compared."""
    return tuple(text for name, words in NAMES.items() if (text := difference(name, words, before, after)))


def difference(name: str, words: str, before: Identity, after: Identity) -> str:
    """How two measurements differ in one thing, or an empty text."""
    ours, theirs = getattr(before, name), getattr(after, name)
    if ours is None and theirs is None and name in NEEDED:
        return f"{words}: not known"
    return "" if ours == theirs else f"{words}: {shown(ours)}, then {shown(theirs)}"


def shown(value: object) -> str:
    """A value as people read it; hashes by their beginning."""
    if value is None:
        return "not known"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return text[:12] if len(text) == 64 else text


def compare(before: Bench, after: Bench) -> Change | Unlike:
    """What changed from one measurement to another."""
    if before.identity is None or after.identity is None:
        return Unlike(("what was measured on is not recorded",))
    if found := differences(before.identity, after.identity):
        return Unlike(found)
    if before.baseline != after.baseline:
        return Unlike((f"baseline: {before.baseline or 'none'}, then {after.baseline or 'none'}",))
    ratio, certain = None, False
    if before.speedup and after.speedup:
        (low, high), (lower, higher) = before.speedup.ci95, after.speedup.ci95
        ratio, certain = after.speedup.estimate / before.speedup.estimate, higher < low or lower > high
    return Change(over(before.cpu, after.cpu), over(before.gpu, after.gpu), ratio, certain)


def over(before: Timing | None, after: Timing | None) -> float | None:
    """The median after, over the one before."""
    return after.median_ms / before.median_ms if before and after and before.median_ms > 0 else None
