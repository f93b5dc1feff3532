"""LIE: worlds that try to look like a GPU. What they are called does not matter; that none of them passes does."""

from __future__ import annotations

from tests.faults.case import CHECK, Case
from tests.faults.worlds import DRIVER, LIBRARIES, NVIDIA, PLAIN, SURFACELESS, Node

LONG = 240.0
CORE = f"{LIBRARIES}/libnvidia-eglcore.so.{DRIVER}:{LIBRARIES}/libnvidia-glcore.so.{DRIVER}"
GL_LINE = (
    "I0000 00:00:1700000000.000000 1 gl_context.cc:369] GL version: 3.2 "
    f"(OpenGL ES 3.2 NVIDIA {DRIVER}), renderer: NVIDIA H200/PCIe/SSE2"
)
NULL_DEVICES = {"/dev/nvidia0": Node(1, 3), "/dev/nvidiactl": Node(1, 3)}

CASES = (
    Case(
        id="lie-strings",
        family="LIE",
        symptom="every log line says NVIDIA H200, and it is slow",
        cause="a library under NVIDIA's name renders with Mesa on the CPU",
        world=NVIDIA,
        code="GPU103",
        twin=PLAIN,
        command=CHECK,
        verdict="contradictory",
        deadline_s=LONG,
    ),
    Case(
        id="lie-strings-and-libraries",
        family="LIE",
        symptom="libnvidia-eglcore is mapped, and it is slow",
        cause="the library loads NVIDIA's parts as well and renders with Mesa",
        world=NVIDIA.having(env={"STANDIN_LOAD": CORE}),
        code="GPU103",
        twin=PLAIN,
        command=CHECK,
        verdict="contradictory",
        deadline_s=LONG,
    ),
    Case(
        id="lie-device-files",
        family="LIE",
        symptom="/dev/nvidia0 is open, and it is slow",
        cause="/dev/nvidia0 is a copy of /dev/null",
        world=NVIDIA.having(
            env={"STANDIN_LOAD": CORE, "STANDIN_OPEN": "/dev/nvidia0:/dev/nvidiactl"}, devices=NULL_DEVICES
        ),
        code="GPU103",
        twin=PLAIN,
        command=CHECK,
        verdict="contradictory",
        deadline_s=LONG,
    ),
    Case(
        id="lie-everything",
        family="LIE",
        symptom="strings, libraries, device files and nvidia-smi all say GPU, and it is slow",
        cause="stand-ins for all of them; Mesa renders",
        world=NVIDIA.having(
            env={
                "STANDIN_LOAD": CORE,
                "STANDIN_OPEN": "/dev/nvidia0:/dev/nvidiactl",
                "STANDIN_PIDS": "siblings",
            },
            devices=NULL_DEVICES,
            mediapipe="0.10.35",
        ),
        code="GPU103",
        twin=PLAIN.having(mediapipe="0.10.35"),
        command=CHECK,
        verdict="contradictory",
        deadline_s=LONG,
    ),
    Case(
        id="lie-log-lines",
        family="LIE",
        symptom="the log says renderer: NVIDIA H200, and the times are the CPU's",
        cause="the environment prints the log line that everyone looks for",
        world=SURFACELESS.having(
            mediapipe="0.10.31",
            files={"{site}/sitecustomize.py": f"import sys\nsys.stderr.write({GL_LINE!r} + chr(10))\n"},
        ),
        code="MPP402",
        twin=SURFACELESS,
        command=CHECK,
        verdict="silent-cpu",
        deadline_s=LONG,
    ),
    Case(
        id="lie-tables",
        family="LIE",
        symptom="our own table says that this wheel uses the GPU",
        cause="the table of versions is replaced by an empty one",
        world=SURFACELESS.having(
            mediapipe="0.10.31", env={"ENVCHECK_TABLES": "/opt/tables"}, files={"/opt/tables/none": ""}
        ),
        code="MPP402",
        twin=SURFACELESS,
        command=CHECK,
        verdict="silent-cpu",
        deadline_s=LONG,
    ),
)
