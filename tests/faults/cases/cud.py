"""CUD: CUDA beside MediaPipe, which does not use it."""

from __future__ import annotations

from tests.faults.case import VALIDATE, Case
from tests.faults.worlds import NVIDIA, Built, matrix

DESKTOP = {"STANDIN_NAME": "NVIDIA GeForce RTX 4090"}
"""A GPU that NVIDIA's forward-compatibility packages do not serve."""
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
        world=NVIDIA.having(
            files={f"{COMPAT}/libcuda.so.1": Built("cuda.c")},
            env={"STANDIN_CUINIT": "804", "LD_LIBRARY_PATH": COMPAT},
        ),
        code="CUD706",
        exit=0,
    ),
    Case(
        id="cud-driver-too-old",
        family="CUD",
        symptom="the CUDA 13 wheels are installed, and nothing of CUDA starts",
        cause="the driver is older than CUDA 13 needs",
        world=NVIDIA.having(files=matrix(python="3.11", mediapipe="1.2.2", cuda="13.0"), env=DESKTOP),
        code="CUD701",
        twin=NVIDIA.having(files=matrix(python="3.13", mediapipe="0.10.21", cuda="12.8")),
        command=VALIDATE,
        verdict="impossible",
    ),
)
