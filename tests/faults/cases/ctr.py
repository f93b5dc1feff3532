"""CTR: what a container is given of the host's GPU, and what it is not."""

from __future__ import annotations

from tests.faults.case import Case, Twin
from tests.faults.worlds import (
    COMPUTE,
    DRIVER,
    IN_DOCKER,
    LIBRARIES,
    NVIDIA,
    OTHER_DRIVER,
    PLAIN,
    VENDORS,
    Built,
    compute_half,
    graphics_half,
    kernel_module,
)

DOCKER = {"/.dockerenv": ""}
VENDOR_FILE = f"{VENDORS}/10_nvidia.json"
CDI = """cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  mounts:
  - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
    containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
    options: [ro, nosuid, nodev, bind]
"""
CDI_GL = """  - hostPath: /usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.{version}
    containerPath: /usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.{version}
    options: [ro, nosuid, nodev, bind]
  - hostPath: /usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.{version}
    containerPath: /usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.{version}
    options: [ro, nosuid, nodev, bind]
"""


def cdi(text: str, version: str) -> dict[str, str]:
    return {"/etc/cdi/nvidia.yaml": text.replace("{version}", version)}


WHOLE = Twin(IN_DOCKER, exit=0)
DRIVER_FILES = [path for path, content in NVIDIA.files.items() if isinstance(content, Built)]

CASES = (
    Case(
        id="ctr-capabilities",
        family="CTR",
        symptom="docker run --gpus all: nvidia-smi works inside, FaceMesh is refused",
        cause="NVIDIA_DRIVER_CAPABILITIES is compute,utility: the toolkit mounts no graphics libraries",
        world=COMPUTE.having(
            files=DOCKER, env={"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
        ),
        code="CTR301",
        twin=WHOLE,
    ),
    Case(
        id="ctr-no-gpu",
        family="CTR",
        symptom="works on the host, not in the container",
        cause="the container was started without --gpus",
        world=PLAIN.having(files=DOCKER, proc=kernel_module(DRIVER)),
        code="CTR302",
        twin=WHOLE,
    ),
    Case(
        id="ctr-visible-devices-void",
        family="CTR",
        symptom="the pod asks for no GPU and gets none, although the image has them all",
        cause="NVIDIA_VISIBLE_DEVICES=void keeps the runtime from handing in a GPU",
        world=PLAIN.having(
            files=DOCKER,
            proc=kernel_module(DRIVER),
            env={"NVIDIA_VISIBLE_DEVICES": "void", "NVIDIA_DRIVER_CAPABILITIES": "all"},
        ),
        code="CTR303",
        twin=WHOLE,
    ),
    Case(
        id="ctr-require",
        family="CTR",
        symptom="the image of CUDA 13 was started with NVIDIA_DISABLE_REQUIRE=1",
        cause="NVIDIA_REQUIRE_CUDA asks for a newer driver than this one",
        world=IN_DOCKER.having(env={"NVIDIA_REQUIRE_CUDA": "cuda>=13.0"}),
        code="CTR304",
        exit=0,
        twin=Twin(IN_DOCKER.having(env={"NVIDIA_REQUIRE_CUDA": "cuda>=12.4"}), exit=0),
    ),
    Case(
        id="ctr-cdi-stale",
        family="CTR",
        symptom="podman: after a driver update the container does not start, or has no EGL",
        cause="the CDI spec names the libraries of the driver before",
        world=NVIDIA.having(files=cdi(CDI + CDI_GL, OTHER_DRIVER)),
        code="CTR305",
        exit=0,
        twin=Twin(NVIDIA.having(files=cdi(CDI + CDI_GL, DRIVER)), exit=0),
    ),
    Case(
        id="ctr-cdi-without-gl",
        family="CTR",
        symptom="podman: PyTorch works, EGL silently falls back to Mesa",
        cause="the CDI spec mounts no graphics libraries",
        world=NVIDIA.having(files=cdi(CDI, DRIVER)),
        code="CTR306",
        exit=0,
        twin=Twin(NVIDIA.having(files=cdi(CDI + CDI_GL, DRIVER)), exit=0),
    ),
    Case(
        id="ctr-unsearched-folder",
        family="CTR",
        symptom="Kubernetes (GKE): the driver is mounted, and libEGL does not find it",
        cause="the driver's libraries lie in /usr/local/nvidia/lib64, which the loader does not search",
        world=NVIDIA.without(f"{LIBRARIES}/*", f"{VENDORS}/10_nvidia.json").having(
            files=DOCKER
            | compute_half(folder="/usr/local/nvidia/lib64")
            | graphics_half(folder="/usr/local/nvidia/lib64"),
            env={"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "all"},
        ),
        code="CTR307",
        twin=WHOLE,
    ),
    Case(
        id="ctr-old-toolkit",
        family="CTR",
        symptom="capabilities=all, libEGL_nvidia is mounted, and the renderer is llvmpipe",
        cause="a container toolkit before 1.12 mounts the library and not its vendor file",
        world=IN_DOCKER.without(f"{VENDORS}/10_nvidia.json"),
        code="CTR308",
        twin=WHOLE,
    ),
    Case(
        id="ctr-empty-libraries",
        family="CTR",
        symptom="libnvidia-ml.so.1: file too short, in an image that was built on a GPU machine",
        cause="the image was committed with the toolkit's mount points in it, and started without --gpus",
        world=PLAIN.having(
            files=DOCKER | dict.fromkeys(DRIVER_FILES, "") | {VENDOR_FILE: NVIDIA.files[VENDOR_FILE]},
            proc=kernel_module(DRIVER),
        ),
        code="CTR302",
        twin=WHOLE,
    ),
    Case(
        id="ctr-image-brings-a-driver",
        family="CTR",
        symptom="Failed to initialize NVML: Driver/library version mismatch, inside only",
        cause="nvidia-driver was installed in the image, in another version than the host's",
        world=IN_DOCKER.without(f"{LIBRARIES}/*").having(
            files=compute_half(OTHER_DRIVER) | graphics_half(OTHER_DRIVER)
        ),
        code="GPU106",
        twin=WHOLE,
    ),
    Case(
        id="ctr-devices-taken-away",
        family="CTR",
        symptom="worked for days, then: Failed to initialize NVML: Unknown Error",
        cause="systemd was reloaded on the host, and the container's device rules forgot the GPU",
        world=IN_DOCKER.having(setup=('mount -o remount,nodev "$R/dev"',)),
        code="GPU113",
        twin=WHOLE,
    ),
)
