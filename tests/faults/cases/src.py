"""SRC: programs that never ask for the GPU."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.worlds import World

APP = "/opt/app/app.py"
LINT = ("lint", "--format", "json", APP)
START = "import mediapipe as mp\nfrom mediapipe.tasks import python\nfrom mediapipe.tasks.python import vision\n\n"
GOOD = START + (
    "base = python.BaseOptions(model_asset_path='face_landmarker.task', delegate=python.BaseOptions.Delegate.GPU)\n"
    "options = vision.FaceLandmarkerOptions(base_options=base, running_mode=vision.RunningMode.VIDEO)\n"
    "landmarker = vision.FaceLandmarker.create_from_options(options)\n"
)


def program(text: str) -> World:
    """A program and nothing else."""
    return World(files={APP: text})


CASES = (
    Case(
        id="src-legacy",
        family="SRC",
        symptom="GPU 0 %, with the code of every tutorial",
        cause="mp.solutions.face_mesh has CPU graphs only",
        world=program("import mediapipe as mp\n\nmesh = mp.solutions.face_mesh.FaceMesh()\n"),
        code="SRC801",
        twin=program(GOOD),
        command=LINT,
    ),
    Case(
        id="src-no-delegate",
        family="SRC",
        symptom="FaceLandmarker on the new API is as slow as before",
        cause="no delegate is given, which means CPU",
        world=program(GOOD.replace(", delegate=python.BaseOptions.Delegate.GPU", "")),
        code="SRC804",
        twin=program(GOOD),
        command=LINT,
    ),
    Case(
        id="src-delegate-by-number",
        family="SRC",
        symptom="since the update to 1.2.2 it runs on the CPU",
        cause="the delegate is given as the number 1, which is CPU since 1.2.2",
        world=program(GOOD.replace("Delegate.GPU", "Delegate(1)")),
        code="SRC806",
        twin=program(GOOD),
        command=LINT,
    ),
)
