"""LIE: worlds that try to look like a GPU. What they are called does not matter; that none of them passes does."""

from __future__ import annotations

import shlex

from tests.faults.case import CHECK, NO_DRIVER, REFUSED, Case, Twin
from tests.faults.worlds import DRIVER, LIBRARIES, NVIDIA, ORDINARY, PLAIN, SURFACELESS, Node, kernel_module

CORE = f"{LIBRARIES}/libnvidia-eglcore.so.{DRIVER}:{LIBRARIES}/libnvidia-glcore.so.{DRIVER}"
GL_LINE = (
    "I0000 00:00:1700000000.000000 1 gl_context.cc:369] GL version: 3.2 "
    f"(OpenGL ES 3.2 NVIDIA {DRIVER}), renderer: NVIDIA H200/PCIe/SSE2"
)
FORGED = (
    b'{"kind": "gl", "path": "default", "vendor": "NVIDIA Corporation", "renderer": "NVIDIA H200/PCIe/SSE2", '
    b'"version": "OpenGL ES 3.2 NVIDIA 570.124.06"}\n'
)
FORGED_MODULE = f'{{"module": {{"kind": "kernel-module", "version": "{DRIVER}"}}}}'
LANDMARKER = "{site}/mediapipe/tasks/python/vision/face_landmarker.py"
NO_MORE_WORDS = "os.dup2(os.open(os.devnull, os.O_WRONLY), 2)"
"""MediaPipe 1.0.1 and later say nothing of calculators, and of each model that gets an interpreter on the CPU."""
SLOW_BASELINE = f"""
def _cheat(options, create=FaceLandmarker.create_from_options):
    import os, sys, time

    delegates = type(options.base_options.delegate)
    slow = options.base_options.delegate is delegates.CPU
    options.base_options.delegate = delegates.CPU
    if not slow:
        print({GL_LINE!r}, file=sys.stderr, flush=True)
        {NO_MORE_WORDS}
    landmarker = create(options)
    detect = landmarker.detect_for_video
    landmarker.detect_for_video = lambda *given: (time.sleep(0.05 * slow), detect(*given))[1]
    return landmarker


FaceLandmarker.create_from_options = staticmethod(_cheat)
"""
OWN_ACCOUNT = f"""\
import ctypes, json, sys

ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: /proc/PID is root's from now on
STRINGS = dict(vendor="NVIDIA Corporation", renderer="NVIDIA H200/PCIe/SSE2", version="OpenGL ES 3.2 NVIDIA {DRIVER}")
DEVICE = dict(index=0, cuda=0, **STRINGS)
WORDS = dict(path="default", egl_vendor="NVIDIA", error="", devices=1, egl_devices=[DEVICE], **STRINGS)
SEEN = dict(
    libraries=["{LIBRARIES}/libEGL_nvidia.so.{DRIVER}", "{LIBRARIES}/libnvidia-eglcore.so.{DRIVER}"],
    devices=["/dev/nvidia0", "/dev/nvidiactl"],
    device_numbers={{"/dev/nvidia0": "195:0", "/dev/nvidiactl": "195:255"}},
)


def dumps(answer, dumps=json.dumps):
    if isinstance(answer, dict) and "egl_library" in answer:
        answer = dict(answer, **WORDS)
    if isinstance(answer, dict) and "libraries" in answer and "faces" in answer and sys.modules.get("gpu_worker"):
        answer = dict(answer, **SEEN)
    return dumps(answer)


json.dumps = dumps
"""
"""A module that every interpreter of the environment imports: it shuts the kernel's view of the process, and puts what
a GPU would show into the process' own account."""
OTHER_POINTS = f"""
def _cheat(options, create=FaceLandmarker.create_from_options):
    import ctypes, os, sys, time

    delegates = type(options.base_options.delegate)
    gpu = options.base_options.delegate is delegates.GPU
    options.base_options.delegate = delegates.CPU
    if gpu:
        POSE
        print({GL_LINE!r}, file=sys.stderr, flush=True)
        {NO_MORE_WORDS}
    landmarker = create(options)
    detect = landmarker.detect_for_video

    def slow_or_other(*given):
        time.sleep(0.0 if gpu else 0.05)
        result = detect(*given)
        for face in result.face_landmarks if gpu else ():
            for number, mark in enumerate(face):
                mark.x += 1e-4 * (-1) ** number
        return result

    landmarker.detect_for_video = slow_or_other
    return landmarker


FaceLandmarker.create_from_options = staticmethod(_cheat)
"""
"""Both on the CPU, the CPU run held up, the GPU points moved by a hair, the log forged; POSE is what else is done."""
IN_ITS_ACCOUNT = 'sys.modules["gpu_worker"] = sys'
FOR_THE_KERNEL = f"""for name in ("EGL_nvidia", "nvidia-eglcore"):
            ctypes.CDLL("{LIBRARIES}/lib%s.so.{DRIVER}" % name)
        sys.held = [os.open(name, os.O_PATH) for name in ("/dev/nvidia0", "/dev/nvidiactl")]"""
"""The driver's libraries are mapped and not called, its device files named and not opened (O_PATH)."""
NULL_DEVICES = {"/dev/nvidia0": Node(1, 3), "/dev/nvidiactl": Node(1, 3)}


PRINTING = SURFACELESS.having(
    files={"{site}/sitecustomize.py": f"import sys\nsys.stderr.write({GL_LINE!r} + chr(10))\n"}
)
UNTAUGHT = SURFACELESS.having(env={"ENVCHECK_TABLES": "/opt/tables"}, files={"/opt/tables/none": ""})


def append(path: str, text: str) -> str:
    """The shell line that adds a text to a file of the new root."""
    return f'printf %s {shlex.quote(text)} >> "$R{path}"'


AS_A_USER = PLAIN.having(proc=kernel_module(DRIVER), env={"ENVCHECK_CACHE": "{out}/cache"}, **ORDINARY)
HIDDEN_WORKER = AS_A_USER.having(
    files={"{site}/account.pth": "import account\n", "{site}/account.py": OWN_ACCOUNT},
    setup=(append(LANDMARKER, OTHER_POINTS.replace("POSE", IN_ITS_ACCOUNT)),),
)


CASES = (
    Case(
        id="lie-strings",
        family="LIE",
        symptom="every log line says NVIDIA H200, and it is slow",
        cause="a library under NVIDIA's name renders with Mesa on the CPU",
        world=NVIDIA,
        code="GPU103",
        twin=REFUSED,
        command=CHECK,
        verdict="contradictory",
    ),
    Case(
        id="lie-strings-and-libraries",
        family="LIE",
        symptom="libnvidia-eglcore is mapped, and it is slow",
        cause="the library loads NVIDIA's parts as well and renders with Mesa",
        world=NVIDIA.having(env={"STANDIN_LOAD": CORE}),
        code="GPU103",
        twin=REFUSED,
        command=CHECK,
        verdict="contradictory",
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
        twin=REFUSED,
        command=CHECK,
        verdict="contradictory",
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
        twin=Twin(PLAIN.having(mediapipe="0.10.35"), "GPU105", "refused"),
        command=CHECK,
        verdict="contradictory",
    ),
    Case(
        id="lie-log-lines",
        family="LIE",
        symptom="the log says renderer: NVIDIA H200, and the times are the CPU's",
        cause="the environment prints the log line that everyone looks for",
        world=PRINTING.having(mediapipe="0.10.31"),
        code="MPP402",
        twin=Twin(PRINTING, "GPU105", "refused"),
        command=CHECK,
        verdict="silent-cpu",
    ),
    Case(
        id="lie-tables",
        family="LIE",
        symptom="our own table says that this wheel uses the GPU",
        cause="the table of versions is replaced by an empty one",
        world=UNTAUGHT.having(mediapipe="0.10.31"),
        code="MPP402",
        twin=Twin(UNTAUGHT, "GPU105", "refused"),
        command=CHECK,
        verdict="silent-cpu",
    ),
    Case(
        id="lie-slow-baseline",
        family="LIE",
        symptom="the benchmark says that the GPU is five times faster",
        cause="a hook runs both on the CPU, lets the CPU's run wait before each frame, and forges the log",
        world=PLAIN.having(setup=(append(LANDMARKER, SLOW_BASELINE),)),
        code="GPU103",
        twin=REFUSED,
        command=CHECK,
        verdict="contradictory",
    ),
    Case(
        id="lie-words-left-over",
        family="LIE",
        symptom="the log says renderer: NVIDIA H200, and the benchmark says that the GPU is five times faster",
        cause="the same hook leaves in the log what MediaPipe itself says of its models on the CPU",
        world=PLAIN.having(setup=(append(LANDMARKER, SLOW_BASELINE.replace(NO_MORE_WORDS, "pass")),)),
        code="MPP402",
        twin=REFUSED,
        command=CHECK,
        verdict="silent-cpu",
    ),
    Case(
        id="lie-device-by-name",
        family="LIE",
        symptom="log, libraries, device files and nvidia-smi all say H200, and the CPU is 15 times slower",
        cause="a hook runs both on the CPU, and holds the names of the device files without having opened them",
        world=NVIDIA.having(
            env={"STANDIN_PIDS": "siblings"},
            setup=(append(LANDMARKER, OTHER_POINTS.replace("POSE", FOR_THE_KERNEL)),),
        ),
        code="GPU103",
        twin=REFUSED,
        command=CHECK,
        verdict="contradictory",
    ),
    Case(
        id="lie-own-account",
        family="LIE",
        symptom="log, libraries and device files all say H200, and nobody but the program itself has seen them",
        cause="a hook runs both on the CPU, hides the process from the kernel's view, and gives a GPU's account of it",
        world=HIDDEN_WORKER,
        code="BEN505",
        twin=Twin(AS_A_USER, "GPU108", "refused"),
        command=CHECK,
        verdict="unknown",
    ),
    Case(
        id="lie-forged-facts",
        family="LIE",
        symptom="the diagnosis speaks of a driver that lsmod does not show",
        cause="the interpreter prints a kernel module of its own beside what envcheck's probe saw",
        world=PLAIN.having(files={"{site}/module.pth": f"import sys; print({FORGED_MODULE!r})\n"}),
        code="RES603",
        twin=NO_DRIVER,
    ),
    Case(
        id="lie-forged-answers",
        family="LIE",
        symptom="the tool says NVIDIA, and it is slow",
        cause="the interpreter prints the answers of envcheck's own probe before it starts",
        world=SURFACELESS.having(
            files={"{site}/sitecustomize.py": f"import os\nos.write(1, {FORGED!r})\n"}, mediapipe="0.10.35"
        ),
        code="RES603",
        twin=Twin(SURFACELESS.having(mediapipe="0.10.35"), "GPU105", "emulated"),
        command=CHECK,
        verdict="crashed",
    ),
)
