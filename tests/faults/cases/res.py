"""RES: processes that end badly, and resources that are short."""

from __future__ import annotations

from tests.faults.case import CHECK, DOCTOR, REFUSED, Case, Twin
from tests.faults.worlds import NVIDIA, ORDINARY, PLAIN, Script, World

IMPATIENT = ("check", "--quiet", "--deadline", "30", "--python", "{python}")


def vendor_that(fault: str) -> World:
    """The driver's EGL library does this as soon as it is loaded."""
    return NVIDIA.having(env={"STANDIN_EGL": fault})


JOB = "/opt/job/python"
ABSTAINS = Twin(vendor_that("abstain"), "EGL202", "refused")
"""A driver whose EGL library gives no display, which is an ordinary refusal."""
HOOK = """\
import os, sys


class Licence:
    def find_spec(self, name, path=None, target=None):
        if name == "mediapipe":
            os.write(1, b"licence expired\\n")
            os._exit(3)


sys.meta_path.insert(0, Licence())
"""


def memory_limit(size: int) -> tuple[str, ...]:
    """Control groups that all allow so many bytes."""
    return (
        f'printf {size} > "$S/limit"',
        'find "$R/sys/fs/cgroup" -name memory.max -o -name memory.limit_in_bytes > "$S/limits"',
        'while read -r file; do mount --bind "$S/limit" "$file"; done < "$S/limits"',
    )


def in_a_service(count: int, machine: World = PLAIN) -> World:
    """An interpreter of an ordinary user who may have so many processes and threads."""
    script = Script(f'#!/bin/sh\nexec prlimit --nproc={count} {{python}} "$@"\n')
    return machine.having(env={"ENVCHECK_CACHE": "{out}/cache"}, **ORDINARY).having(files={JOB: script})


def in_a_job(size: int) -> World:
    """An interpreter that runs in a job whose processes may have so many bytes of addresses."""
    return PLAIN.having(files={JOB: Script(f'#!/bin/sh\nulimit -v {size >> 10} && exec {{python}} "$@"\n')})


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
        world=PLAIN.having(files={"{site}/licence.pth": "import licence\n", "{site}/licence.py": HOOK}),
        code="RES601",
        twin=REFUSED,
        command=CHECK,
        verdict="crashed",
    ),
    Case(
        id="res-address-space",
        family="RES",
        symptom="runs on the login node; in the batch job: libmediapipe.so: failed to map segment from shared object",
        cause="h_vmem=500M: each of the job's processes may have 500 MiB of addresses",
        world=in_a_job(500 << 20),
        code="RES613",
        twin=Twin(in_a_job(64 << 30), "GPU105", "refused"),
        command=(*CHECK[:-1], JOB),
        verdict="broken",
    ),
    Case(
        id="res-address-space-seen",
        family="RES",
        symptom="libmediapipe.so: failed to map segment from shared object",
        cause="LimitAS=768M in the unit of the service",
        world=NVIDIA.having(prefix=("prlimit", f"--as={768 << 20}")),
        code="RES613",
        twin=Twin(NVIDIA.having(prefix=("prlimit", f"--as={64 << 30}")), exit=0),
    ),
    Case(
        id="res-few-tasks",
        family="RES",
        symptom="RuntimeError: can't start new thread, in the service only",
        cause="the service's user may have four processes and threads",
        world=in_a_service(4),
        code="RES614",
        twin=Twin(in_a_service(60000), "GPU105", "refused"),
        command=(*CHECK[:-1], JOB),
        verdict="crashed",
    ),
    Case(
        id="res-few-tasks-seen",
        family="RES",
        symptom="OpenBLAS blas_thread_init: pthread_create failed: Resource temporarily unavailable",
        cause="TasksMax= and the like: the service may have eight processes and threads",
        world=in_a_service(8, NVIDIA),
        code="RES614",
        twin=Twin(in_a_service(60000, NVIDIA), exit=0),
        command=(*DOCTOR[:-1], JOB),
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
    Case(
        id="res-small-container",
        family="RES",
        symptom="Killed, in the container only",
        cause="docker run --memory 512m",
        world=NVIDIA.having(setup=memory_limit(512 << 20)),
        code="RES606",
        twin=Twin(NVIDIA.having(setup=memory_limit(64 << 30)), exit=0),
        exit=0,
    ),
)
