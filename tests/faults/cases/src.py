"""SRC: programs that never ask for the GPU."""

from __future__ import annotations

import textwrap

from tests.faults.case import Case, Twin
from tests.faults.worlds import World

APP = "/opt/app/app.py"
RECIPE = "/opt/app/Dockerfile"
LINT_IMAGE = ("lint", "--format", "json", RECIPE)
LINT = ("lint", "--format", "json", APP)
START = "import mediapipe as mp\nfrom mediapipe.tasks import python\nfrom mediapipe.tasks.python import vision\n\n"
GOOD = START + (
    "base = python.BaseOptions(model_asset_path='face_landmarker.task', delegate=python.BaseOptions.Delegate.GPU)\n"
    "options = vision.FaceLandmarkerOptions(base_options=base, running_mode=vision.RunningMode.VIDEO)\n"
    "landmarker = vision.FaceLandmarker.create_from_options(options)\n"
)


LOOP = GOOD.replace("import mediapipe", "import cv2\nimport mediapipe", 1) + (
    "\ncamera = cv2.VideoCapture(0)\nclock = 0\nwhile True:\n    clock += 33\n"
    "    ok, frame = camera.read()\n"
    "    picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA)\n"
    "    image = mp.Image(image_format=mp.ImageFormat.SRGBA, data=picture)\n"
    "    landmarker.detect_for_video(image, clock)\n"
)
LEGACY = "import mediapipe as mp\n\nmesh = mp.solutions.face_mesh.FaceMesh()\n"
CREATE = "landmarker = vision.FaceLandmarker.create_from_options(options)\n"
OTHERWISE = GOOD.replace(
    CREATE,
    f"try:\n    {CREATE}except Exception{{}}:\n    print('using the CPU'{{}})\n"
    "    base = python.BaseOptions(model_asset_path='face_landmarker.task', delegate=python.BaseOptions.Delegate.CPU)\n"
    "    options = vision.FaceLandmarkerOptions(base_options=base, running_mode=vision.RunningMode.VIDEO)\n"
    f"    {CREATE}",
)
PER_FRAME = LOOP.replace(CREATE, "", 1).replace("    image = ", f"    {CREATE}    image = ")
HEAD, BODY = GOOD.split("\n\n", 1)
FORKED = (
    f"import os\n{HEAD}\n\n\ndef work():\n{textwrap.indent(BODY, '    ')}    landmarker.detect(image)\n\n\n"
    "if os.fork() == 0:\n    work()\n"
)
FORKING = f"import os\n{GOOD}\nif os.fork() == 0:\n    landmarker.detect(image)\n"
ASKS_CUDA = GOOD.replace("\nbase", "\nimport torch\n\nDelegate = python.BaseOptions.Delegate\nbase", 1).replace(
    "python.BaseOptions.Delegate.GPU", "Delegate.GPU if torch.cuda.is_available() else Delegate.CPU"
)
IMAGE = """\
FROM ubuntu:24.04
ENV NVIDIA_DRIVER_CAPABILITIES=all
RUN apt-get update && apt-get install -y python3-pip libegl1 libgles2 libgl1 libglib2.0-0
RUN mkdir -p /usr/share/glvnd/egl_vendor.d && \\
    echo '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}' \\
    > /usr/share/glvnd/egl_vendor.d/10_nvidia.json
RUN pip install --break-system-packages mediapipe==1.2.2
"""


def timed(before_camera: str, after_camera: str) -> str:
    """The loop with its times printed, from a start before or after the frame is read."""
    return (
        LOOP.replace("import mediapipe", "import time\nimport mediapipe", 1)
        .replace("    ok, frame = ", f"{before_camera}    ok, frame = ")
        .replace("    landmarker.detect", f"{after_camera}    landmarker.detect")
        + "    print(time.perf_counter() - start)\n"
    )


def dockerfile(text: str) -> World:
    """A Dockerfile and nothing else."""
    return World(files={RECIPE: text})


def program(text: str) -> World:
    """A program and nothing else."""
    return World(files={APP: text})


ASKING = Twin(program(GOOD), exit=0)
BUILDING = Twin(dockerfile(IMAGE), exit=0)
LOOPING = Twin(program(LOOP), exit=0)


CASES = (
    Case(
        id="src-legacy",
        family="SRC",
        symptom="GPU 0 %, with the code of every tutorial",
        cause="mp.solutions.face_mesh has CPU graphs only",
        world=program(LEGACY),
        code="SRC801",
        twin=ASKING,
        command=LINT,
    ),
    Case(
        id="src-no-delegate",
        family="SRC",
        symptom="FaceLandmarker on the new API is as slow as before",
        cause="no delegate is given, which means CPU",
        world=program(GOOD.replace(", delegate=python.BaseOptions.Delegate.GPU", "")),
        code="SRC804",
        twin=ASKING,
        command=LINT,
    ),
    Case(
        id="src-delegate-by-number",
        family="SRC",
        symptom="since the update to 1.2.2 it runs on the CPU",
        cause="the delegate is given as the number 1, which is CPU since 1.2.2",
        world=program(GOOD.replace("Delegate.GPU", "Delegate(1)")),
        code="SRC806",
        twin=ASKING,
        command=LINT,
    ),
    Case(
        id="src-per-frame",
        family="SRC",
        symptom="two frames a second, on the CPU and on the GPU",
        cause="a landmarker is made for every frame",
        world=program(PER_FRAME),
        code="SRC807",
        twin=LOOPING,
        command=LINT,
    ),
    Case(
        id="src-before-fork",
        family="SRC",
        symptom="the workers stand still at their first frame",
        cause="the landmarker is made before the fork and used in the child, where its threads are not",
        world=program(FORKING),
        code="SRC808",
        twin=Twin(program(FORKED), exit=0),
        command=LINT,
    ),
    Case(
        id="src-image-mode",
        family="SRC",
        symptom="a video takes as long as the same number of photographs",
        cause="IMAGE mode looks for the face anew in every frame",
        world=program(
            LOOP.replace("RunningMode.VIDEO", "RunningMode.IMAGE").replace("_for_video(image, clock)", "(image)")
        ),
        code="SRC812",
        twin=LOOPING,
        command=LINT,
    ),
    Case(
        id="src-camera-timed",
        family="SRC",
        symptom="CPU and GPU both take 33 ms",
        cause="the timed region waits for the camera, which gives 30 frames a second",
        world=program(timed("    start = time.perf_counter()\n", "")),
        code="SRC814",
        twin=Twin(program(timed("", "    start = time.perf_counter()\n")), exit=0),
        command=LINT,
    ),
    Case(
        id="src-cuda-asked",
        family="SRC",
        symptom="torch.cuda.is_available() is False, so our program never tries the GPU",
        cause="CUDA is asked whether MediaPipe may use OpenGL",
        world=program(ASKS_CUDA),
        code="SRC819",
        twin=ASKING,
        command=LINT,
    ),
    Case(
        id="src-refusal-unheard",
        family="SRC",
        symptom="it asks for the GPU, prints nothing bad, and runs on the CPU on every server",
        cause="an except around the GPU delegate drops MediaPipe's reason and goes on with the CPU",
        world=program(OTHERWISE.format("", "")),
        code="SRC820",
        twin=Twin(program(OTHERWISE.format(" as error", ", error")), exit=0),
        command=LINT,
    ),
    Case(
        id="src-image-without-graphics",
        family="SRC",
        symptom="nvidia-smi works in our image, FaceMesh does not",
        cause="the Dockerfile asks the toolkit for the compute half of the driver only",
        world=dockerfile(IMAGE.replace("=all", "=compute,utility")),
        code="SRC830",
        twin=BUILDING,
        command=LINT_IMAGE,
    ),
    Case(
        id="src-image-without-gl",
        family="SRC",
        symptom="OSError: libEGL.so.1, in an image that was just built",
        cause="the Dockerfile installs MediaPipe and not the libraries that it loads",
        world=dockerfile(IMAGE.replace("libegl1 libgles2 ", "")),
        code="SRC831",
        twin=BUILDING,
        command=LINT_IMAGE,
    ),
    Case(
        id="src-image-musl",
        family="SRC",
        symptom="No matching distribution found for mediapipe, in python:3.11-alpine",
        cause="MediaPipe has no wheel for musl",
        world=dockerfile("FROM python:3.11-alpine\nRUN pip install mediapipe==1.2.2\n"),
        code="SRC835",
        twin=Twin(dockerfile("FROM python:3.11-slim\nRUN pip install mediapipe==1.2.2\n"), "SRC831"),
        command=LINT_IMAGE,
    ),
)
