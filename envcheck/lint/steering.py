"""Variables that lead EGL, or the container toolkit, elsewhere."""

from __future__ import annotations

import re

GRAPHICS = frozenset(("graphics", "display", "all"))
"""Capabilities with which the container toolkit mounts the graphics half of the driver."""
TRUE = frozenset(("1", "true", "yes", "y", "on"))
SOFTWARE = ("LIBGL_ALWAYS_SOFTWARE", "GALLIUM_DRIVER", "MESA_LOADER_DRIVER_OVERRIDE")
SOFTWARE_DRIVERS = frozenset(("llvmpipe", "softpipe", "swrast", "kms_swrast"))
NOT_FOR_NVIDIA = frozenset(("surfaceless", "gbm", "drm", "x11", "wayland"))


def grants_graphics(value: str) -> bool:
    """Whether a value of NVIDIA_DRIVER_CAPABILITIES brings an EGL driver."""
    return bool({one.strip().lower() for one in value.split(",")} & GRAPHICS)


def steers(name: str, value: str) -> bool:
    """Whether a variable leads EGL away from NVIDIA's driver."""
    value = value.strip().lower()
    if name == "LIBGL_ALWAYS_SOFTWARE":
        return value in TRUE
    if name in SOFTWARE:
        return value in SOFTWARE_DRIVERS
    if name == "EGL_PLATFORM":
        return value in NOT_FOR_NVIDIA
    if name in ("__EGL_VENDOR_LIBRARY_FILENAMES", "__EGL_VENDOR_LIBRARY_DIRS"):
        return re.search(r"mesa", value) is not None
    return name == "DISPLAY" and bool(value)
