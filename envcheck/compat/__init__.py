"""What can work together: CUDA, NVIDIA drivers, GPU architectures, MediaPipe wheels, Pythons and shared libraries.

Pure functions over tables (envcheck/data/*.toml). They explain and predict; they never decide what was seen.
"""

from __future__ import annotations

from envcheck.compat.cuda import CudaKind, CudaSupport, DriverBranch, cuda_support, driver_branch, newest_cuda
from envcheck.compat.foresight import foresee, plan_rules
from envcheck.compat.gpus import driver_match, gpu_prediction
from envcheck.compat.libraries import MissingLibrary, missing_library
from envcheck.compat.tables import FOLDER_VARIABLE, Tables, load_tables
from envcheck.compat.wheels import (
    WheelFacts,
    host_platform,
    newest_for,
    outgrown,
    wheel_facts,
    wheel_platform,
    wheel_reason,
)

__all__ = [
    "FOLDER_VARIABLE",
    "CudaKind",
    "CudaSupport",
    "DriverBranch",
    "MissingLibrary",
    "Tables",
    "WheelFacts",
    "cuda_support",
    "driver_branch",
    "driver_match",
    "foresee",
    "gpu_prediction",
    "host_platform",
    "load_tables",
    "missing_library",
    "newest_cuda",
    "newest_for",
    "outgrown",
    "plan_rules",
    "wheel_facts",
    "wheel_platform",
    "wheel_reason",
]
