"""CUD: CUDA beside MediaPipe, which does not use it."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.worlds import NVIDIA

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
        world=NVIDIA.having(env={"STANDIN_CUINIT": "804"}),
        code="CUD706",
        exit=0,
    ),
)
