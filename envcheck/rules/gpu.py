"""GPU1xx: the driver, the devices, and what their witnesses say."""

from __future__ import annotations

from envcheck.model import Unread, Verdict
from envcheck.rules.rule import DISABLED_IN_BUILD, Case, Rule, foreseen, on_verdict, refused_with


def no_driver(case: Case) -> str | None:
    """No NVIDIA driver answers, neither through NVML nor through /proc, and MediaPipe got no GPU."""
    host = case.evidence.host
    without = case.judgement.verdict in (Verdict.REFUSED, Verdict.EMULATED) and not refused_with(DISABLED_IN_BUILD)(
        case
    )
    if without and isinstance(host.nvml, Unread) and isinstance(host.kernel_driver, Unread):
        return f"{host.nvml.reason}; {host.kernel_driver.reason}"
    return None


RULES = (
    Rule(
        code="GPU101",
        title="no host with this driver",
        see=foreseen("GPU101"),
        because="A container or an environment cannot change the host's kernel driver; this cell needs another host.",
        remedy="Run this cell on a host with that driver (`nvidia-smi` names it), or use `driver: any` in matrix.yaml.",
        url="https://docs.nvidia.com/datacenter/tesla/drivers/",
    ),
    Rule(
        code="GPU102",
        title="every GPU is in MIG mode",
        see=foreseen("GPU102"),
        because="A MIG slice serves CUDA but no graphics API, and MediaPipe's GPU delegate is OpenGL ES through EGL.",
        remedy="As root, with the GPU idle: nvidia-smi -i 0 -mig 0",
        url="https://docs.nvidia.com/datacenter/tesla/mig-user-guide/",
    ),
    Rule(
        code="GPU105",
        title="no NVIDIA driver answers here",
        see=no_driver,
        because="Without the driver there is no GPU to use, whatever MediaPipe, CUDA or Python is installed. In a container "
        "it also means that the GPU was not handed in.",
        remedy="nvidia-smi    # does it work on the host?\n"
        "# Debian, Ubuntu: apt-get install nvidia-driver-570 (or `ubuntu-drivers install`), then restart\n"
        "# Docker: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …\n"
        "# No NVIDIA GPU in this machine: FaceMesh runs on the CPU here; use delegate=CPU.",
        url="https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support",
    ),
    Rule(
        code="GPU103",
        title="witnesses disagree about the device",
        see=on_verdict(Verdict.CONTRADICTORY),
        because="One observation speaks for the GPU and another against it; either may be wrong, so nothing is proven.",
        remedy="Compare the witnesses in the evidence file. Often two GL drivers are installed side by side:\n"
        "export __EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json\nunset DISPLAY WAYLAND_DISPLAY",
        url="https://github.com/NVIDIA/libglvnd/blob/master/src/EGL/icd_enumeration.md",
    ),
    Rule(
        code="GPU104",
        title="another GPU did the work",
        see=on_verdict(Verdict.OTHER_GPU),
        because="EGL chose a driver that is not NVIDIA's own: Mesa on an integrated GPU, D3D12 under WSL, a virtual GPU.",
        remedy="export __EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json\n"
        "unset DISPLAY WAYLAND_DISPLAY EGL_PLATFORM",
        url="https://github.com/google-ai-edge/mediapipe/issues/3353",
    ),
)
