"""RES: processes that end badly, and resources that are short."""

from __future__ import annotations

from tests.faults.case import CHECK, Case
from tests.faults.worlds import NVIDIA, PLAIN, World

IMPATIENT = ("check", "--quiet", "--deadline", "15", "--python", "{python}")


def vendor_that(fault: str) -> World:
    """The driver's EGL library does this as soon as it is loaded."""
    return NVIDIA.having(env={"STANDIN_EGL": fault})


ABSTAINS = vendor_that("abstain")
"""A driver whose EGL library gives no display, which is an ordinary refusal."""

CASES = (
    Case(
        id="res-vendor-crashes",
        family="RES",
        symptom="the app dies with exit code 139 and no Python traceback",
        cause="the driver's EGL library ends in a segmentation fault",
        world=vendor_that("segfault"),
        code="RES601",
        twin=ABSTAINS,
        command=CHECK,
        verdict="crashed",
    ),
    Case(
        id="res-vendor-killed",
        family="RES",
        symptom="Killed",
        cause="the process is killed while it loads the driver",
        world=vendor_that("kill"),
        code="RES601",
        twin=ABSTAINS,
        command=CHECK,
        verdict="crashed",
    ),
    Case(
        id="res-vendor-exits",
        family="RES",
        symptom="the app ends at once, with exit code 0",
        cause="the driver's EGL library calls exit",
        world=vendor_that("exit"),
        code="RES601",
        twin=ABSTAINS,
        command=CHECK,
        verdict="crashed",
    ),
    Case(
        id="res-vendor-hangs",
        family="RES",
        symptom="the app stands still at its first frame",
        cause="the driver's EGL library does not come back",
        world=vendor_that("hang"),
        code="RES602",
        twin=ABSTAINS,
        command=IMPATIENT,
        verdict="crashed",
        deadline_s=150,
    ),
    Case(
        id="res-vendor-floods",
        family="RES",
        symptom="the app's output is garbage",
        cause="the driver's EGL library writes to every open descriptor",
        world=vendor_that("stdout"),
        code="RES603",
        twin=ABSTAINS,
        command=CHECK,
        verdict="crashed",
    ),
    Case(
        id="res-start-up-hook-ends",
        family="RES",
        symptom="python works, and every program with mediapipe ends without a word",
        cause="a .pth file of another package ends the interpreter when mediapipe is imported",
        world=PLAIN.having(
            files={
                "{site}/mediapipe/__init__.py": "import os\nos.write(1, b'licence expired\\n')\nos._exit(3)\n",
            }
        ),
        code="RES601",
        twin=PLAIN,
        command=CHECK,
        verdict="crashed",
    ),
    Case(
        id="res-few-cores",
        family="RES",
        symptom="the CPU baseline is half of what it was",
        cause="the service is pinned to one core",
        world=NVIDIA.having(prefix=("taskset", "-c", "0")),
        code="RES604",
        exit=0,
    ),
)
