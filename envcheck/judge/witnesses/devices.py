"""GPU device files that the worker held open while it worked.

Fooled by: a file of that name that is no device; a descriptor that only names it (O_PATH); any library that opens the
device without working on it. Against that: the number of the device, which is NVIDIA's driver's alone, the descriptor's
flags, and the other origins.
"""

from __future__ import annotations

import re

from envcheck.judge.witnesses.common import DESCRIPTORS, contrasted
from envcheck.model import Evidence, Says, Unread, Witness, WorkerRun

NAME = "devices"
NEEDS = "/dev/nvidia0 (or another number) open, a character device of NVIDIA's driver (major number 195)"

NVIDIA_DEVICE = re.compile(r"^/dev/nvidia\d+$")
NVIDIA_FILE = re.compile(r"^/dev/nvidia(\d+|ctl|-modeset)$")
TEGRA_DEVICE = re.compile(r"^/dev/(nvhost-|nvgpu/|nvmap)")
"""Of the driver for a Tegra's GPU, on Jetsons; its numbers are not assigned for good, and so prove nothing."""
OTHER_DEVICE = re.compile(r"^/dev/(dri/|dxg|kfd)")
NVIDIA_MAJOR = "195:"
"""Assigned for good: https://www.kernel.org/doc/Documentation/admin-guide/devices.txt"""


def testify(evidence: Evidence) -> Witness:
    """What the GPU worker's open device files speak for."""
    return contrasted(evidence, (NAME, NEEDS, DESCRIPTORS), sign)


def sign(worker: WorkerRun) -> tuple[Says, str]:
    """What the open device files of one worker speak for."""
    if isinstance(worker.devices, Unread):
        return Says.CANNOT_KNOW, worker.devices.reason
    if forged := impostors(worker.devices, worker.device_numbers):
        return Says.CONTRADICTS, f"{', '.join(forged)} is open, and is no device of NVIDIA's driver"
    if any(NVIDIA_DEVICE.match(path) for path in worker.devices):
        says = Says.CANNOT_KNOW if worker.device_numbers is None else Says.HARDWARE
        why = "; their numbers were not read" if worker.device_numbers is None else ""
        return says, ", ".join(worker.devices) + why
    if any(TEGRA_DEVICE.match(path) for path in worker.devices):
        return Says.NOTHING, f"{', '.join(worker.devices)}; the Tegra's own driver has no number to know it by"
    if any(OTHER_DEVICE.match(path) for path in worker.devices):
        return Says.OTHER_GPU, ", ".join(worker.devices)
    return Says.CPU, "no GPU device file is open"


def impostors(paths: tuple[str, ...], numbers: dict[str, str] | None) -> list[str]:
    """Files with the name of an NVIDIA device and the number of something else."""
    if numbers is None:
        return []
    return [path for path in paths if NVIDIA_FILE.match(path) and not numbers.get(path, "").startswith(NVIDIA_MAJOR)]
