"""GPU: the driver's kernel half, its device files, and what NVML says of the GPUs."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.worlds import (
    LIBRARIES,
    MODULE,
    NVIDIA,
    OTHER_DRIVER,
    PLAIN,
    Node,
    compute_half,
    graphics_half,
)

NOT_OURS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root without the power to pass over permissions: what an ordinary user meets."""

CASES = (
    Case(
        id="gpu-no-driver",
        family="GPU",
        symptom="I installed CUDA and cuDNN, and FaceMesh still runs on the CPU",
        cause="no NVIDIA driver is loaded on this machine",
        world=PLAIN,
        code="GPU105",
    ),
    Case(
        id="gpu-driver-updated-not-restarted",
        family="GPU",
        symptom="after last night's update nvidia-smi says: Driver/library version mismatch",
        cause="the libraries are of the new driver, the loaded kernel module is of the old one",
        world=NVIDIA.having(env={"STANDIN_DRIVER": "unmatched"})
        .without(f"{LIBRARIES}/*")
        .having(files=compute_half(OTHER_DRIVER) | graphics_half(OTHER_DRIVER)),
        code="GPU106",
    ),
    Case(
        id="gpu-permission",
        family="GPU",
        symptom="works with sudo, not as my user",
        cause="/dev/nvidia* belong to a group that this user is not in",
        world=NVIDIA.having(
            devices={
                "/dev/nvidia0": Node(195, 0, "660", "1234:1234"),
                "/dev/nvidiactl": Node(195, 255, "660", "1234:1234"),
            },
            prefix=NOT_OURS,
        ),
        code="GPU107",
    ),
    Case(
        id="gpu-no-device-files",
        family="GPU",
        symptom="the module is loaded, lsmod shows it, and still no GPU",
        cause="nobody made /dev/nvidia0 and /dev/nvidiactl (nvidia-modprobe has not run)",
        world=NVIDIA.without("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm"),
        code="GPU108",
    ),
    Case(
        id="gpu-mig",
        family="GPU",
        symptom="our A100 slice runs PyTorch, and MediaPipe is refused",
        cause="every GPU is in MIG mode, which serves no graphics API",
        world=NVIDIA.having(env={"STANDIN_MIG": "1"}),
        code="GPU102",
    ),
    Case(
        id="gpu-no-nvml-library",
        family="GPU",
        symptom="lsmod shows nvidia, and nvidia-smi couldn't find libnvidia-ml.so",
        cause="the kernel module is loaded, the libraries of its driver are not installed",
        world=MODULE,
        code="GPU117",
    ),
)
