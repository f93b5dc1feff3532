"""FaceMesh by the legacy API, and why it stays on the CPU whatever is installed.

    python face_mesh_legacy.py video.mp4

Wheels up to MediaPipe 0.10.21 bring this API with CPU graphs only: there is a face_landmark_front_cpu.binarypb in
them and no _gpu one, and no parameter of FaceMesh chooses a device. From 0.10.30 on the API is gone. No version of a
driver, of CUDA or of cuDNN changes either. Use mediapipe.tasks instead: face_mesh_gpu.py, beside this file.
"""

import os
import statistics
import sys
import time
from pathlib import Path

# Before MediaPipe is imported: the log then names the calculator that runs each model. It says Cpu here, every time.
os.environ.setdefault("GLOG_vmodule", "inference_calculator=1")

import cv2
import mediapipe as mp

WARM_UP = 10


def graphs():
    """Names of the face landmark graphs in this wheel: the reason in one line."""
    folder = Path(mp.__file__).parent / "modules" / "face_landmark"
    return sorted(path.name for path in folder.glob("face_landmark_front*.binarypb"))


def times_of(source):
    """(milliseconds of each detection, number of frames with a face). Decoding and colours are not in the times."""
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        raise SystemExit(f"{source} cannot be opened; is it a video?")
    times, faces = [], 0
    # model_selection is no parameter of FaceMesh (it belongs to FaceDetection); giving it is a TypeError.
    with mp.solutions.face_mesh.FaceMesh(max_num_faces=1) as mesh:
        while True:
            there, frame = capture.read()
            if not there:
                return times, faces
            image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            started = time.perf_counter()
            result = mesh.process(image)
            times.append((time.perf_counter() - started) * 1e3)
            faces += bool(result.multi_face_landmarks)


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    if not hasattr(mp, "solutions"):
        print(
            f"MediaPipe {mp.__version__} has no mp.solutions: it was removed in 0.10.30. Use "
            "face_mesh_gpu.py, or mediapipe<=0.10.21 (on Python 3.12 or older), where it runs on the CPU.",
            file=sys.stderr,
        )
        return 1
    times, faces = times_of(argv[1])
    print(f"MediaPipe {mp.__version__}, mp.solutions.face_mesh")
    print("device: CPU. Graphs in this wheel: {}".format(", ".join(graphs())))
    print(f"frames: {len(times)}, with a face: {faces}")
    if len(times) > WARM_UP:
        steady = times[WARM_UP:]
        print(f"detection alone: median {statistics.median(steady):.1f} ms over {len(steady)} frames")
    if not faces:
        print("No face was found, so the landmark model never ran: these times mean nothing.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
