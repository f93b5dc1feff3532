"""The witnesses, one file each: one observation of which device did the work, none believed alone.

Each is a pure function of the evidence and returns what it saw, what it would have to see, and where that comes from.
Witnesses of one origin fall together: two strings that one library prints are one claim. A sign that the CPU worker
shows as well proves nothing about the GPU worker: MediaPipe 0.10.8 to 0.10.35 open a GL context on the CPU as well.
"""

from __future__ import annotations

from collections.abc import Callable

from envcheck.judge.witnesses import (
    calculators,
    devices,
    egl_devices,
    gl_context,
    landmarks,
    libraries,
    native_log,
    nvml_activity,
    nvml_memory,
    nvml_process,
    timing,
)
from envcheck.model import Evidence, Witness

WITNESSES: tuple[Callable[[Evidence], Witness], ...] = (
    native_log.testify,
    gl_context.testify,
    egl_devices.testify,
    calculators.testify,
    libraries.testify,
    devices.testify,
    nvml_process.testify,
    nvml_memory.testify,
    nvml_activity.testify,
    landmarks.testify,
    timing.testify,
)
"""In the order in which a person would ask."""


def testify(evidence: Evidence) -> tuple[Witness, ...]:
    """Every witness' statement on the GPU worker's run."""
    return tuple(witness(evidence) for witness in WITNESSES)
