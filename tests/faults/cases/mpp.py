"""MPP: the wheel, the Python, and the packages around it."""

from __future__ import annotations

from tests.faults.case import CHECK, VALIDATE, Case
from tests.faults.worlds import LIBRARIES, NVIDIA, PLAIN, SURFACELESS, matrix


def distribution(name: str, version: str, record: str = "", requires: str = "") -> dict[str, str]:
    """An installed distribution, as its metadata shows it."""
    folder = f"{{site}}/{name}-{version}.dist-info"
    requirement = f"Requires-Dist: {requires}\n" if requires else ""
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirement}",
        f"{folder}/RECORD": record,
    }


CASES = (
    Case(
        id="mpp-not-installed",
        family="MPP",
        symptom="ModuleNotFoundError: No module named 'mediapipe', although I installed it",
        cause="it was installed in another interpreter",
        world=NVIDIA.having(hidden=("{site}/mediapipe*",)),
        code="MPP413",
    ),
    Case(
        id="mpp-two-opencvs",
        family="MPP",
        symptom="cv2 has lost its GUI functions since I installed another package",
        cause="opencv-python-headless and opencv-contrib-python share the folder cv2",
        world=NVIDIA.having(files=distribution("opencv_python_headless", "4.11.0.86", record="cv2/__init__.py,,\n")),
        code="MPP410",
        exit=0,
    ),
    Case(
        id="mpp-cv2-without-libgl",
        family="MPP",
        symptom="ImportError: libGL.so.1: cannot open shared object file",
        cause="a slim image: the OpenCV with windows needs libGL",
        world=NVIDIA.having(hidden=(f"{LIBRARIES}/libGL.so*",)),
        code="MPP411",
    ),
    Case(
        id="mpp-requirement-unmet",
        family="MPP",
        symptom="it stopped working when I installed TensorFlow",
        cause="flatbuffers was replaced by a version that MediaPipe does not allow",
        world=NVIDIA.having(hidden=("{site}/flatbuffers-*.dist-info",), files=distribution("flatbuffers", "24.3.25")),
        code="MPP412",
    ),
    Case(
        id="mpp-shadowed",
        family="MPP",
        symptom="AttributeError: module 'mediapipe' has no attribute 'tasks'",
        cause="a file called mediapipe.py lies in the folder of the program",
        world=NVIDIA.having(files={"{out}/mediapipe.py": "print('my first try')\n"}),
        code="MPP414",
    ),
    Case(
        id="mpp-wheel-ignores-delegate",
        family="MPP",
        symptom="delegate=GPU gives no error and no speed",
        cause="MediaPipe 0.10.31 does not pass the delegate on",
        world=NVIDIA.having(mediapipe="0.10.31"),
        code="MPP415",
    ),
    Case(
        id="mpp-wheel-without-gpu-code",
        family="MPP",
        symptom="1.0.0 is newer than 0.10.35, and the GPU is gone",
        cause="the Linux wheel of 1.0.0 was built without GPU code",
        world=NVIDIA.having(mediapipe="1.0.0"),
        code="MPP415",
    ),
    Case(
        id="mpp-ignored-by-behaviour",
        family="MPP",
        symptom="the GPU is idle, and FaceLandmarker is as fast as on the CPU",
        cause="MediaPipe 0.10.31 accepts delegate=GPU and stays on the CPU",
        world=SURFACELESS.having(mediapipe="0.10.31"),
        code="MPP402",
        twin=SURFACELESS.having(mediapipe="1.2.2"),
        command=CHECK,
        verdict="silent-cpu",
    ),
    Case(
        id="mpp-disabled-by-behaviour",
        family="MPP",
        symptom="ImageCloneCalculator: GPU processing is disabled in build flags",
        cause="the wheel of 0.10.32 was built without GPU code",
        world=SURFACELESS.having(mediapipe="0.10.32"),
        code="MPP401",
        twin=SURFACELESS.having(mediapipe="1.2.2"),
        command=CHECK,
        verdict="refused",
    ),
    Case(
        id="mpp-library-missing",
        family="MPP",
        symptom="import mediapipe works, and FaceLandmarker says OSError: libEGL.so.1",
        cause="python:slim has no libEGL and no libGLESv2, which MediaPipe from 0.10.33 on needs even on the CPU",
        world=PLAIN.having(hidden=(f"{LIBRARIES}/libEGL.so*", f"{LIBRARIES}/libGLESv2.so*")),
        code="MPP405",
        twin=PLAIN,
        command=CHECK,
        verdict="broken",
    ),
    Case(
        id="mpp-fails-on-cpu",
        family="MPP",
        symptom="it fails with delegate=CPU as well",
        cause="numpy is half uninstalled",
        world=PLAIN.having(files={"{site}/numpy/__init__.py": "raise ImportError('numpy was removed in part')\n"}),
        code="MPP409",
        twin=PLAIN,
        command=CHECK,
        verdict="broken",
    ),
    Case(
        id="mpp-no-wheel-for-python",
        family="MPP",
        symptom="No matching distribution found for mediapipe==0.10.21",
        cause="0.10.21 has no wheel for Python 3.13",
        world=PLAIN.having(files=matrix(python="3.13", mediapipe="0.10.21")),
        code="MPP403",
        twin=PLAIN.having(files=matrix(python="3.19", mediapipe="1.2.2"), env={"UV_PYTHON_DOWNLOADS": "never"}),
        command=VALIDATE,
        verdict="impossible",
    ),
    Case(
        id="mpp-no-such-python",
        family="MPP",
        symptom="the matrix names a Python that the runner does not have",
        cause="Python 3.19 is not installed, and uv may not download it",
        world=PLAIN.having(files=matrix(python="3.19", mediapipe="1.2.2"), env={"UV_PYTHON_DOWNLOADS": "never"}),
        code="MPP406",
        twin=PLAIN.having(files=matrix(python="3.13", mediapipe="0.10.21")),
        command=VALIDATE,
        verdict="broken",
    ),
    Case(
        id="mpp-index-does-not-answer",
        family="MPP",
        symptom="the nightly run fails once a week, and a retry mends it",
        cause="the package index does not answer",
        world=PLAIN.having(
            files=matrix(python="3.11", mediapipe="1.1.0"),
            env={
                "UV_INDEX_URL": "http://127.0.0.1:9/simple",
                "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
                "UV_HTTP_RETRIES": "0",
            },
        ),
        code="MPP408",
        twin=PLAIN.having(files=matrix(python="3.13", mediapipe="0.10.21")),
        command=(*VALIDATE, "--relock"),
        verdict="unknown",
        exit=75,
    ),
)
