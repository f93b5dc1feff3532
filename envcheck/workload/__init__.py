"""What the workers are given: a model bundle and a sequence of frames. Importing this imports numpy and Pillow."""

from __future__ import annotations

from envcheck.workload.bundle import resolve_model
from envcheck.workload.motion import FrameSet, build_frames

__all__ = ["FrameSet", "build_frames", "resolve_model"]
