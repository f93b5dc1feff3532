"""Every check: what it says, why it matters, the way out as code to paste, and where that is known from."""

from __future__ import annotations

from envcheck.invented import GPU_SUPPORT, WHY_INVENTED
from envcheck.lint.catalogue_containers import CONTAINER_CHECKS
from envcheck.lint.finding import Check, Level

ISSUES = "https://github.com/google-ai-edge/mediapipe/issues"
PYTHON_API = "https://developers.google.com/edge/api/mediapipe/python/mp/tasks/vision/FaceLandmarker"

TO_TASKS = """\
from mediapipe.tasks.python import BaseOptions, vision

options = vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path="face_landmarker.task", delegate=BaseOptions.Delegate.GPU),
    running_mode=vision.RunningMode.VIDEO,
)
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    result = landmarker.detect_for_video(image, timestamp_ms)"""

TRY_THE_GPU = """\
try:
    landmarker = vision.FaceLandmarker.create_from_options(gpu_options)
except (RuntimeError, NotImplementedError) as error:
    logging.warning("no GPU: %s", error)
    landmarker = vision.FaceLandmarker.create_from_options(cpu_options)"""

CHECKS: tuple[Check, ...] = (
    Check(
        code="SRC800",
        title="this file cannot be read",
        because="What cannot be parsed was not checked; other files were.",
        remedy="Correct the file, or leave it out.",
        url="https://docs.python.org/3/reference/lexical_analysis.html",
        level=Level.ERROR,
    ),
    Check(
        code="SRC801",
        title="mp.solutions FaceMesh never uses the GPU",
        because="The wheels hold CPU graphs only, and from 0.10.30 on mp.solutions is gone. No flag, driver or CUDA version changes that.",
        remedy=TO_TASKS,
        url=f"{ISSUES}/1651",
        level=Level.ERROR,
    ),
    Check(
        code="SRC802",
        title="mp.solutions never uses the GPU",
        because="The wheels hold CPU graphs only, and from 0.10.30 on mp.solutions is gone. Each solution has a task in its place.",
        remedy="from mediapipe.tasks.python import BaseOptions, vision\n\nBaseOptions(model_asset_path=MODEL, delegate=BaseOptions.Delegate.GPU)",
        url=f"{ISSUES}/6200",
        level=Level.NOTE,
    ),
    Check(
        code="SRC803",
        title="no such parameter",
        because="MediaPipe answers with a TypeError. No parameter of FaceMesh chooses a device, and model_selection is not one of them.",
        remedy="FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)\n"
        "FaceLandmarkerOptions(base_options=BaseOptions(..., delegate=BaseOptions.Delegate.GPU), num_faces=1)",
        url="https://github.com/google-ai-edge/mediapipe/blob/v0.10.21/mediapipe/python/solutions/face_mesh.py",
        level=Level.ERROR,
    ),
    Check(
        code="SRC804",
        title="no delegate is given: the CPU works",
        because="Without a delegate MediaPipe takes the CPU on every machine, and says nothing.",
        remedy='BaseOptions(model_asset_path="face_landmarker.task", delegate=BaseOptions.Delegate.GPU)',
        url=f"{ISSUES}/5344",
    ),
    Check(
        code="SRC805",
        title="the CPU delegate is chosen",
        because="Nothing is wrong if that is meant; the GPU is not used.",
        remedy='BaseOptions(model_asset_path="face_landmarker.task", delegate=BaseOptions.Delegate.GPU)',
        url=f"{ISSUES}/5130",
        level=Level.NOTE,
    ),
    Check(
        code="SRC806",
        title="the delegate is not given by its name",
        because="1.2.2 renumbered the delegates (CPU 0 to 1, GPU 1 to 2), and what a bare number does differs by version. Some stay on the CPU silently.",
        remedy="delegate=BaseOptions.Delegate.GPU",
        url=f"{ISSUES}/5181",
        level=Level.ERROR,
    ),
    Check(
        code="SRC807",
        title="a landmarker is made for every frame",
        because="Each one loads its model, makes a GL context and compiles shaders: far more work than the frame itself. What is not closed also piles up.",
        remedy="with vision.FaceLandmarker.create_from_options(options) as landmarker:    # once\n"
        "    for number, frame in enumerate(frames):\n"
        "        result = landmarker.detect_for_video(frame, number * 33)",
        url=f"{ISSUES}/6152",
    ),
    Check(
        code="SRC808",
        title="a landmarker is made before a fork and used in the child",
        because="The child gets neither the threads nor the GL context of its parent: it hangs, or dies.",
        remedy='multiprocessing.set_start_method("spawn")    # and make the landmarker in the child:\n'
        "def work(frames):\n"
        "    with vision.FaceLandmarker.create_from_options(options) as landmarker:\n"
        "        return [landmarker.detect(frame) for frame in frames]",
        url=f"{ISSUES}/2323",
        level=Level.ERROR,
    ),
    Check(
        code="SRC809",
        title="a landmarker is made at import, in a module that starts processes",
        because="A forked child inherits threads and a GL context that do not work in it; a spawned one imports the module and makes one more landmarker.",
        remedy="def work(frames):    # make it where it is used\n"
        "    with vision.FaceLandmarker.create_from_options(options) as landmarker:\n"
        "        return [landmarker.detect(frame) for frame in frames]",
        url=f"{ISSUES}/3194",
    ),
    Check(
        code="SRC810",
        title="SRGB images for the GPU delegate: macOS needs SRGBA",
        because="On macOS the process aborts (unsupported ImageFormat: 1). Linux takes both.",
        remedy="rgba = cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA)\nimage = mp.Image(image_format=mp.ImageFormat.SRGBA, data=rgba)",
        url=f"{ISSUES}/5565",
        level=Level.NOTE,
    ),
    Check(
        code="SRC811",
        title="a BGR frame is passed as RGB",
        because="OpenCV reads blue first. MediaPipe sees blue faces: fewer are found, and landmarks are worse. Nothing complains.",
        remedy="rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)\nimage = mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)",
        url="https://docs.opencv.org/4.x/d4/da8/group__imgcodecs.html",
        level=Level.ERROR,
    ),
    Check(
        code="SRC812",
        title="IMAGE mode on the frames of a video",
        because="Each frame runs the face detector again; VIDEO mode follows the face it has found, and is faster on CPU and GPU.",
        remedy="options = vision.FaceLandmarkerOptions(base_options=base, running_mode=vision.RunningMode.VIDEO)\n"
        "result = landmarker.detect_for_video(image, timestamp_ms)",
        url=PYTHON_API,
    ),
    Check(
        code="SRC813",
        title="timestamps do not grow",
        because="VIDEO and LIVE_STREAM mode want milliseconds that grow with each call: Input timestamp must be monotonically increasing.",
        remedy="for number, image in enumerate(images):\n    result = landmarker.detect_for_video(image, int(number * 1000 / fps))",
        url="https://github.com/KegangWangCCNU/open-rppg/issues/1",
        level=Level.ERROR,
    ),
    Check(
        code="SRC814",
        title="camera, disk or screen inside the timed region",
        because="A camera gives 30 frames a second however fast the GPU is: the time measured is its, and CPU and GPU look alike.",
        remedy="image = mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)    # read and convert before\n"
        "start = time.perf_counter()\n"
        "result = landmarker.detect_for_video(image, timestamp_ms)\n"
        "elapsed = time.perf_counter() - start    # draw after",
        url=f"{ISSUES}/4712",
    ),
    Check(
        code="SRC815",
        title="only the first call is timed",
        because="The first call compiles shaders and allocates buffers; on a GPU it takes many times as long as the next ones.",
        remedy="for _ in range(10):\n    landmarker.detect(image)    # warm up\nstart = time.perf_counter()",
        url="https://github.com/tensorflow/tensorflow/issues/46132",
    ),
    Check(
        code="SRC816",
        title="a CUDA setting in a file that uses no CUDA",
        because="MediaPipe's GPU delegate is OpenGL ES over EGL; CUDA and cuDNN never enter. It takes the first EGL device.",
        remedy="docker run --gpus device=1 -e NVIDIA_DRIVER_CAPABILITIES=all IMAGE    # one GPU in the container chooses it",
        url=f"{ISSUES}/6337",
    ),
    Check(
        code="SRC817",
        title="this line of the log proves nothing",
        because="It appears on CPU and GPU alike, or on software GL, or not in every version.",
        remedy="envcheck check --python python3    # or: envcheck watch -- python app.py",
        url=f"{ISSUES}/4712",
    ),
    Check(
        code="SRC818",
        title="mp.solutions is gone from MediaPipe 0.10.30 on",
        because="Drawing helpers and connections went with it: AttributeError: module 'mediapipe' has no attribute 'solutions'.",
        remedy="from mediapipe.tasks.python.vision import FaceLandmarksConnections, drawing_styles, drawing_utils    # 0.10.32 and later",
        url=f"{ISSUES}/6200",
        level=Level.NOTE,
    ),
    Check(
        code="SRC819",
        title="CUDA is asked whether MediaPipe may use the GPU",
        because="The GPU delegate needs OpenGL ES over EGL. A container can have CUDA without it, and a machine can have it without CUDA.",
        remedy=TRY_THE_GPU,
        url=f"{ISSUES}/5503",
    ),
    Check(
        code="SRC820",
        title="a refused GPU delegate goes unheard",
        because="MediaPipe's error says why: a library, a display, software GL, a wheel without GPU code. Dropped here, all that is left is a program that is slow and cannot tell why.",
        remedy=TRY_THE_GPU,
        url=f"{ISSUES}/5871",
    ),
    Check(
        code="SRC821",
        title="a setting that MediaPipe does not have",
        because=WHY_INVENTED,
        remedy='BaseOptions(model_asset_path="face_landmarker.task", delegate=BaseOptions.Delegate.GPU)    # or Delegate.CPU',
        url=GPU_SUPPORT,
    ),
    *CONTAINER_CHECKS,
    Check(
        code="SRC898",
        title="an ignore without a reason or without codes",
        because="Who reads it later cannot tell whether it still holds.",
        remedy="face_mesh = FaceMesh()  # envcheck: ignore[SRC801] kept until the port is done",
        url="https://docs.astral.sh/ruff/linter/#error-suppression",
    ),
    Check(
        code="SRC899",
        title="an ignore that ignores nothing",
        because="The finding is gone, or the code is misspelt: the comment hides what comes next.",
        remedy="Delete the comment, or correct its code.",
        url="https://docs.astral.sh/ruff/rules/unused-noqa/",
    ),
)

BY_CODE = {check.code: check for check in CHECKS}
