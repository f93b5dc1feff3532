"""What processes with a GL context had mapped and open, and how NVML listed them."""

from __future__ import annotations

from typing import NamedTuple

from envcheck.model import Says
from tests.unit.recorded import FILES, ISSUES

RL_ROBOT = FILES("guan720/RL_Robot", "docs/e_egl_feasibility_20260929.md")


class Process(NamedTuple):
    """File names of mapped libraries, device files, the driver, and what both are to be taken for."""

    libraries: tuple[str, ...]
    devices: dict[str, str]
    driver: str
    says: tuple[Says, Says]
    """Of the libraries, and of the device files."""
    source: str


BOTH_VENDORS = (
    "libEGL.so.1", "libEGL_mesa.so.0", "libEGL_nvidia.so.0", "libGLdispatch.so.0", "libLLVM.so.21.1",
    "libgallium-26.0.3-1ubuntu1.so", "libgbm.so.1", "libnvidia-egl-gbm.so.1", "libnvidia-egl-wayland2.so.1",
    "libnvidia-egl-xcb.so.1", "libnvidia-egl-xlib.so.1", "libnvidia-eglcore.so.610.43.02",
    "libnvidia-glsi.so.610.43.02", "libnvidia-gpucomp.so.610.43.02",
)  # fmt: skip
"""No libnvidia-tls and no libnvidia-glcore; of Mesa its vendor library with libgallium and LLVM, which nobody uses."""

PROCESSES = {
    "EGL window, both vendors": Process(
        BOTH_VENDORS, {}, "610.43.02", (Says.HARDWARE, Says.CPU),
        FILES("openresearchtools/WildBuzzardRust", "docs/handoffs/W4-A4P-linux-presenter.md"),
    ),
    # A Kubernetes container that was given the third of a node's cards, without /dev/dri and nvidia-modeset.
    "MuJoCo on EGL, A800": Process(
        ("libEGL_nvidia.so.590.48.01", "libnvidia-eglcore.so.590.48.01", "libnvidia-glcore.so.590.48.01"),
        {"/dev/nvidia2": "195:2", "/dev/nvidiactl": "195:255"}, "590.48.01", (Says.HARDWARE, Says.HARDWARE), RL_ROBOT,
    ),
    # nothing of EGL; the device files were seen among what is mapped
    "GLX window": Process(
        ("libGLX_nvidia.so.470.141.03", "libnvidia-glcore.so.470.141.03", "libnvidia-tls.so.470.141.03",
         "libnvidia-glsi.so.470.141.03"),
        {"/dev/nvidia0": "195:0", "/dev/nvidiactl": "195:255"}, "470.141.03", (Says.NOTHING, Says.HARDWARE),
        FILES("aabbtree77/twinpeekz2", "README.md"),
    ),
}  # fmt: skip

TEGRA_FILES = {
    ISSUES("OE4T/meta-tegra", 230): ("/dev/nvhost-ctrl-gpu", "/dev/nvhost-gpu", "/dev/nvidiactl", "/dev/nvmap"),
    ISSUES("NixOS/nixpkgs", 344729): ("/dev/nvgpu/igpu0/ctrl", "/dev/nvhost-prof-gpu", "/dev/nvidiactl", "/dev/nvmap"),
}
"""Device files of a Jetson's GPU, as its containers are given them; there is no /dev/nvidia0 among them."""


class Listed(NamedTuple):
    """A process on NVML's lists: its kinds by nvidia-smi, its memory in MiB, and what both are to be taken for."""

    kind: str
    mib: int
    says: tuple[Says, Says]
    """Of the list, and of the memory."""
    source: str


A800 = (
    "a public file with the title 'Environment Snapshot (2026-05-17)': eight A800-SXM4-80GB without screens, 580.95.05"
)
LISTED = {
    "renders on it": Listed("C+G", 4126, (Says.HARDWARE, Says.HARDWARE), A800),
    "renders only": Listed("G", 69, (Says.HARDWARE, Says.HARDWARE), A800),
    "the same as the first, on another GPU": Listed("G", 6, (Says.HARDWARE, Says.HARDWARE), A800),
    "a small one": Listed("G", 3, (Says.HARDWARE, Says.HARDWARE), ISSUES("XuehaiPan/nvitop", 152)),
    "computes only": Listed("C", 68594, (Says.NOTHING, Says.NOTHING), A800),
}
