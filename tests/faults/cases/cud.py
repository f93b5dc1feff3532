"""CUD: CUDA beside MediaPipe, which does not use it."""

from __future__ import annotations

from tests.faults.case import HASTY_DOCTOR, VALIDATE, Case, Twin
from tests.faults.worlds import (
    MODULE,
    NVIDIA,
    VENDORS,
    Built,
    compute_half,
    distribution,
    graphics_half,
    kernel_module,
    matrix,
    vendor_text,
)

NEWER = "580.65.06"


def cell(cuda: str) -> dict[str, str]:
    """A matrix of one cell with this CUDA beside MediaPipe."""
    return matrix(python="3.11", mediapipe="1.2.2", cuda=cuda)


DESKTOP = NVIDIA.having(env={"STANDIN_NAME": "NVIDIA GeForce RTX 4090", "STANDIN_CAPABILITY": "8.9"})
"""A GPU that NVIDIA's forward-compatibility packages do not serve."""
GAMING = DESKTOP.having(env={"STANDIN_EGL": "abstain"})
VOLTA = MODULE.having(
    proc=kernel_module(NEWER),
    files=compute_half(NEWER) | graphics_half(NEWER) | {f"{VENDORS}/10_nvidia.json": vendor_text("libEGL_nvidia.so.0")},
    env={
        "STANDIN_NAME": "Tesla V100-SXM2-16GB",
        "STANDIN_CAPABILITY": "7.0",
        "STANDIN_DRIVER": NEWER,
        "STANDIN_EGL": "abstain",
    },
)
SERVED = Twin(GAMING.having(files=cell("12.8")), "EGL202", "refused")
SERVED_VOLTA = Twin(VOLTA.having(files=cell("12.8")), "EGL202", "refused")
COMPAT = "/usr/local/cuda/compat"


CASES = (
    Case(
        id="cud-cuinit-fails",
        family="CUD",
        symptom="torch.cuda.is_available() is False, so I thought FaceMesh cannot work either",
        cause="cuInit fails; MediaPipe does not need it",
        world=NVIDIA.having(env={"STANDIN_CUINIT": "999"}),
        code="CUD707",
        exit=0,
    ),
    Case(
        id="cud-cuinit-hangs",
        family="CUD",
        symptom="every CUDA program stands still at its start",
        cause="cuInit does not come back",
        world=NVIDIA.having(env={"STANDIN_CUINIT": "hang"}),
        code="CUD707",
        command=HASTY_DOCTOR,
        exit=0,
    ),
    Case(
        id="cud-cuinit-crashes",
        family="CUD",
        symptom="import torch ends in a segmentation fault",
        cause="cuInit crashes",
        world=NVIDIA.having(env={"STANDIN_CUINIT": "segfault"}),
        code="CUD707",
        exit=0,
    ),
    Case(
        id="cud-forward-compatibility",
        family="CUD",
        symptom="CUDA error 804: forward compatibility was attempted on non supported HW",
        cause="a forward-compatibility libcuda stands in front of a driver that it does not serve",
        world=DESKTOP.having(files={f"{COMPAT}/libcuda.so.1": Built("cuda.c")}, env={"LD_LIBRARY_PATH": COMPAT}),
        code="CUD706",
        twin=Twin(DESKTOP, exit=0),
        exit=0,
    ),
    Case(
        id="cud-driver-too-old",
        family="CUD",
        symptom="the CUDA 13 wheels are installed, and nothing of CUDA starts",
        cause="the driver is older than CUDA 13 needs",
        world=GAMING.having(files=cell("13.0")),
        code="CUD701",
        twin=SERVED,
        command=VALIDATE,
        verdict="impossible",
    ),
    Case(
        id="cud-architecture-dropped",
        family="CUD",
        symptom="no kernel image is available for execution on the device, on a Tesla V100",
        cause="CUDA 13 builds nothing for Volta any more",
        world=VOLTA.having(files=cell("13.0")),
        code="CUD702",
        twin=SERVED_VOLTA,
        command=VALIDATE,
        verdict="impossible",
    ),
    Case(
        id="cud-hidden-by-variable",
        family="CUD",
        symptom="torch sees no GPU in this service, so FaceMesh cannot see one either",
        cause="CUDA_VISIBLE_DEVICES=-1 hides every GPU from CUDA, and from nothing else",
        world=NVIDIA.having(env={"CUDA_VISIBLE_DEVICES": "-1"}),
        code="CUD707",
        exit=0,
    ),
    Case(
        id="cud-belief",
        family="CUD",
        symptom="I installed torch for CUDA 12.8, so that FaceMesh may use the GPU",
        cause="MediaPipe does not use what torch brings",
        world=NVIDIA.having(files=distribution("torch", "2.8.0+cu128")),
        code="CUD708",
        exit=0,
    ),
)
