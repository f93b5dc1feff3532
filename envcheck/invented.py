"""Settings that MediaPipe is thought to have, for the lint of sources and for what is set where it runs."""

from __future__ import annotations

import re

INVENTED = re.compile(r"MEDIAPIPE_\w*(GPU|CPU|CUDA|DELEGATE|DEVICE|ACCELERAT|OPENGL|EGL)\w*", re.ASCII)
"""Names of variables that no wheel holds (tests/functional/test_wheel_facts.py looks)."""

WHY_INVENTED = (
    "No wheel holds the name of such a variable, and no value of it changes anything. MEDIAPIPE_DISABLE_GPU is a "
    "define for whoever compiles MediaPipe. The delegate is chosen in the code, and nowhere else."
)
GPU_SUPPORT = "https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support"
