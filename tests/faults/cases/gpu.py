"""GPU: the driver's kernel half, its device files, and what NVML says of the GPUs."""

from __future__ import annotations

from tests.faults.case import CHECK, HASTY_DOCTOR, NO_DRIVER, VALIDATE, Case, Twin
from tests.faults.worlds import (
    DRIVER,
    LIBRARIES,
    MODULE,
    NVIDIA,
    ORDINARY,
    OTHER_DRIVER,
    PLAIN,
    Built,
    Node,
    compute_half,
    kernel_module,
    matrix,
)

NOT_REACHED = Twin(NVIDIA.having(env={"STANDIN_EGL": "abstain"}), "EGL223")
"""A driver whose EGL library gives no display, with nothing else wrong."""
NVML_HANGS = NVIDIA.having(
    files={f"{LIBRARIES}/libnvidia-ml.so.{DRIVER}": Built("hangs.c")}, env={"STANDIN_EGL": "abstain"}
)
WSL = PLAIN.having(
    files=compute_half(folder="/usr/lib/wsl/lib"),
    devices={"/dev/dxg": Node(10, 63)},
    env={"LD_LIBRARY_PATH": "/usr/lib/wsl/lib"},
)
"""Microsoft's folder of libraries, without the sign that WSL leaves in /proc."""

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
        world=NVIDIA.having(proc=kernel_module(OTHER_DRIVER), env={"STANDIN_CUINIT": "803"}),
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
            **ORDINARY,
        ),
        code="GPU107",
        twin=Twin(NVIDIA.having(**ORDINARY), exit=0),
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
    Case(
        id="gpu-lost",
        family="GPU",
        symptom="Unable to determine the device handle: GPU is lost. Reboot the system to recover this GPU",
        cause="the GPU fell off the bus",
        world=NVIDIA.having(env={"STANDIN_LOST": "0"}),
        code="GPU113",
    ),
    Case(
        id="gpu-none",
        family="GPU",
        symptom="nvidia-smi: No devices were found",
        cause="the driver is loaded, and the card is bound to another one",
        world=NVIDIA.without("/dev/nvidia0").having(env={"STANDIN_GPUS": "0"}),
        code="GPU116",
    ),
    Case(
        id="gpu-prohibited",
        family="GPU",
        symptom="all CUDA-capable devices are busy or unavailable",
        cause="the compute mode of the GPU is prohibited",
        world=NVIDIA.having(env={"STANDIN_MODE": "2"}),
        code="GPU109",
        exit=0,
    ),
    Case(
        id="gpu-throttled",
        family="GPU",
        symptom="half as fast as last week",
        cause="the GPU holds its clocks down because it is hot",
        world=NVIDIA.having(env={"STANDIN_THROTTLE": "0x20"}),
        code="GPU110",
        exit=0,
    ),
    Case(
        id="gpu-memory-errors",
        family="GPU",
        symptom="results that differ from run to run",
        cause="uncorrected memory errors since the driver was loaded",
        world=NVIDIA.having(env={"STANDIN_ECC": "3"}),
        code="GPU111",
        exit=0,
    ),
    Case(
        id="gpu-shared",
        family="GPU",
        symptom="every measurement is different",
        cause="another process works on this GPU",
        world=NVIDIA.having(env={"STANDIN_COMPUTE": "4242"}),
        code="GPU112",
        exit=0,
    ),
    Case(
        id="gpu-several",
        family="GPU",
        symptom="CUDA_VISIBLE_DEVICES=1, and GPU 0 is busy",
        cause="MediaPipe takes EGL's first GPU, and CUDA's variable does not choose for EGL",
        world=NVIDIA.having(env={"STANDIN_GPUS": "2", "CUDA_VISIBLE_DEVICES": "1"}),
        code="GPU119",
        exit=0,
    ),
    Case(
        id="gpu-jetson",
        family="GPU",
        symptom="no GPU on a Jetson Orin",
        cause="a Jetson has a driver of its own kind, and this wheel is not known to use it",
        world=PLAIN.having(files={"/etc/nv_tegra_release": "# R35 (release), REVISION: 4.1\n"}),
        code="GPU115",
        twin=NO_DRIVER,
        exit=0,
    ),
    Case(
        id="gpu-nvml-hangs",
        family="GPU",
        symptom="nvidia-smi does not come back",
        cause="the driver does not answer",
        world=NVML_HANGS,
        code="GPU113",
        twin=NOT_REACHED,
        command=HASTY_DOCTOR,
    ),
    Case(
        id="gpu-nvml-hangs-at-work",
        family="GPU",
        symptom="nvidia-smi does not come back, and FaceLandmarker says that EGL cannot be initialised",
        cause="the driver does not answer",
        world=NVML_HANGS,
        code="GPU113",
        twin=Twin(NOT_REACHED.world, "EGL202", "refused"),
        command=CHECK,
        verdict="refused",
    ),
    Case(
        id="gpu-nvml-crashes",
        family="GPU",
        symptom="nvidia-smi: Segmentation fault",
        cause="libnvidia-ml crashes as soon as it is loaded",
        world=NVIDIA.having(
            files={f"{LIBRARIES}/libnvidia-ml.so.{DRIVER}": Built("crashes.c")}, env={"STANDIN_EGL": "abstain"}
        ),
        code="GPU113",
        twin=NOT_REACHED,
    ),
    Case(
        id="gpu-wsl",
        family="GPU",
        symptom="nvidia-smi works under WSL, FaceMesh is refused",
        cause="Windows hands CUDA into WSL, and no OpenGL",
        world=WSL.having(
            setup=(
                'mount -t tmpfs tmpfs "$R/proc/sys/fs/binfmt_misc"',
                'touch "$R/proc/sys/fs/binfmt_misc/WSLInterop"',
            ),
        ),
        code="GPU114",
        twin=Twin(WSL, "EGL208"),
    ),
    Case(
        id="gpu-other-driver-wanted",
        family="GPU",
        symptom="the nightly run skips the cell that I want to see",
        cause="the cell asks for a driver that no host here has",
        world=NVIDIA.having(files=matrix(python="3.11", mediapipe="0.10.21", driver="580")),
        code="GPU101",
        twin=Twin(
            NVIDIA.having(files=matrix(python="3.13", mediapipe="0.10.21", driver="570")), "MPP403", "impossible", 1
        ),
        command=VALIDATE,
        verdict="unreachable",
        exit=3,
    ),
)
