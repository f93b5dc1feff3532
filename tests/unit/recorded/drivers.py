"""/proc/driver/nvidia/version of several machines, and CDI specifications as nvidia-ctk writes them."""

from __future__ import annotations

from typing import NamedTuple

from tests.unit.recorded import FILES, ISSUES


class Module(NamedTuple):
    """The first line, the version in it, and whether it is the open flavour."""

    text: str
    version: str
    free: bool
    source: str


TALOS = FILES("siderolabs/talos", "website/content/v1.2/talos-guides/configuration/nvidia-gpu.md")
ROBOFLOW = FILES("roboflow/inference", "inference_models/tests/unit_tests/runtime_introspection/test_core.py")
MODULES = (
    Module("NVRM version: NVIDIA UNIX x86_64 Kernel Module  515.65.01  Wed Mar 16 11:24:05 UTC 2022",
           "515.65.01", False, TALOS),
    Module("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  "
           "(buildbrain@mobile-u64-6336-d8000)  Tue Jan  7 17:35:12 PST 2025", "540.4.0", True, ROBOFLOW),
)  # fmt: skip


class Spec(NamedTuple):
    """A specification in part, and what it is to be read as: kind, driver, graphics."""

    text: str
    read: tuple[str, str, bool | None]
    source: str


WSL_SPEC = """\
cdiVersion: 0.3.0
kind: nvidia.com/gpu
devices:
    - name: all
      containerEdits:
        deviceNodes:
            - path: /dev/dxg
              major: 10
              minor: 258
"""
GDS_SPEC = """\
cdiVersion: 0.5.0
kind: nvidia.com/gds
devices:
    - name: all
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia-fs0
"""
JETSON_SPEC = """\
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
    deviceNodes:
    - path: /dev/nvmap
    - path: /dev/nvgpu/igpu0/ctrl
    mounts:
    - hostPath: /usr/lib/aarch64-linux-gnu/tegra-egl/libEGL_nvidia.so.0
    - hostPath: /usr/lib/aarch64-linux-gnu/tegra/libnvidia-eglcore.so.35.4.1
"""
SPECS = {
    "WSL": Spec(
        WSL_SPEC, ("nvidia.com/gpu", "", None), FILES("NVIDIA/nvidia-container-toolkit", "pkg/nvcdi, mode wsl")
    ),
    "GPUDirect Storage": Spec(
        GDS_SPEC, ("nvidia.com/gds", "", None), FILES("NVIDIA/nvidia-container-toolkit", "pkg/nvcdi, mode gds")
    ),
    "Jetson": Spec(JETSON_SPEC, ("nvidia.com/gpu", "", True), ISSUES("NixOS/nixpkgs", 344729)),
}
