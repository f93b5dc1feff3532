"""The checks of Dockerfiles (SRC829-839), of compose files and pods (SRC840-844), and of `docker run` (SRC850-854)."""

from __future__ import annotations

from envcheck.lint.finding import Check, Level

ISSUES = "https://github.com/google-ai-edge/mediapipe/issues"
TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html"
MOBY = "https://github.com/moby/moby/blob/master/daemon/nvidia_linux.go"

NO_GRAPHICS = (
    "Without graphics, display or all among the capabilities the container toolkit mounts no EGL driver. nvidia-smi and "
    "CUDA work then, MediaPipe's GPU delegate does not. The container's variable goes before the image's ENV"
)
MESA = (
    "/dev/dri is for Mesa. NVIDIA's driver needs its own device files and libraries, which the container toolkit hands in; "
    "without them GL ends at Mesa's software renderer, or at another GPU."
)
SCREEN = (
    "With DISPLAY set, EGL asks that X server first: over ssh, VNC or Xvfb it answers with a software renderer or no "
    "configuration. MediaPipe draws into memory and needs no screen."
)
STEERED = (
    "LIBGL_ALWAYS_SOFTWARE and Mesa's driver variables choose its software renderer; EGL_PLATFORM chooses a platform that "
    "is Mesa's, or needs a screen. NVIDIA's driver is found when none of them is set."
)
GROUP = (
    "/dev/dri/renderD* belongs to the groups video and render. Another user than root is refused: failed to open "
    "/dev/dri/renderD128: Permission denied."
)

OF_DOCKERFILES: tuple[Check, ...] = (
    Check(
        code="SRC829",
        language="dockerfile",
        title="no vendor file of NVIDIA's EGL in the image",
        because="libEGL finds NVIDIA's driver through 10_nvidia.json. The container toolkit mounts it from 1.12.0 on; with an older one the image must hold it.",
        remedy="RUN mkdir -p /usr/share/glvnd/egl_vendor.d \\\n"
        """ && printf '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}' \\\n"""
        "    > /usr/share/glvnd/egl_vendor.d/10_nvidia.json",
        url="https://github.com/livepeer/comfystream/pull/205",
        level=Level.NOTE,
    ),
    Check(
        code="SRC830",
        language="dockerfile",
        title="a GPU image without the graphics half of the driver",
        because=f"{NO_GRAPHICS}: where every run passes one, this ENV does not matter.",
        remedy="ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all",
        url=TOOLKIT,
    ),
    Check(
        code="SRC831",
        language="dockerfile",
        title="the GL libraries that this MediaPipe loads are not installed",
        because="MediaPipe from 0.10.33 on loads the system's libEGL and libGLESv2, on the CPU too. The import succeeds; the first task ends in OSError.",
        remedy="RUN apt-get update && apt-get install -y --no-install-recommends libegl1 libgles2 \\\n"
        " && rm -rf /var/lib/apt/lists/*    # dnf: libglvnd-egl libglvnd-gles",
        url="https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/python/core/mediapipe_c_bindings.py",
        level=Level.ERROR,
    ),
    Check(
        code="SRC832",
        language="dockerfile",
        title="the libraries that OpenCV loads are not installed",
        because="opencv-python and opencv-contrib-python load libGL and GLib, also without a screen: ImportError: libGL.so.1. The headless ones do not.",
        remedy="RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \\\n"
        " && rm -rf /var/lib/apt/lists/*\n"
        "# or the headless OpenCV, after MediaPipe:\n"
        "RUN pip uninstall -y opencv-contrib-python && pip install opencv-contrib-python-headless",
        url="https://github.com/opencv/opencv-python/issues/370",
        level=Level.ERROR,
    ),
    Check(
        code="SRC833",
        language="dockerfile",
        title="this MediaPipe cannot use a GPU",
        because="Some wheels were built without GPU code (on Linux x86_64 before 0.10.8, 0.10.30 to 0.10.32, 1.0.0); 0.10.30 and 0.10.31 ignore delegate=GPU besides. On arm64 it is there from 1.0.1 on.",
        remedy="RUN pip install 'mediapipe>=1.0.1'    # with mp.solutions: mediapipe==0.10.21",
        url=f"{ISSUES}/6231",
        level=Level.ERROR,
    ),
    Check(
        code="SRC834",
        language="dockerfile",
        title="this MediaPipe does not fit here",
        because="Up to 0.10.21 there is a wheel for each Python, up to 3.12; for arm64 none from 0.10.20 to 0.10.35; some numbers were never published: No matching distribution found. Later wheels install on any Python, and their import fails before 3.9.",
        remedy="FROM python:3.12-slim    # for 0.10.21 and older\n# or\nRUN pip install 'mediapipe>=1.0.1'    # for Python 3.9 and newer, and for arm64",
        url=f"{ISSUES}/5708",
        level=Level.ERROR,
    ),
    Check(
        code="SRC835",
        language="dockerfile",
        title="MediaPipe has no wheel for musl",
        because="Its wheels are for glibc: pip finds no matching distribution on Alpine, and NVIDIA's driver libraries are for glibc too.",
        remedy="FROM python:3.12-slim",
        url=f"{ISSUES}/3677",
        level=Level.ERROR,
    ),
    Check(
        code="SRC836",
        language="dockerfile",
        title="two OpenCV distributions in one image",
        because="They write into the same folder: the last one installed wins file by file, and which one that is decides whether libGL is needed.",
        remedy="RUN pip install mediapipe \\\n"
        " && pip uninstall -y opencv-python opencv-contrib-python opencv-python-headless \\\n"
        " && pip install opencv-contrib-python-headless",
        url="https://github.com/opencv/opencv-python/issues/962",
    ),
    Check(
        code="SRC837",
        language="dockerfile",
        title="this CUDA image does not go with the driver",
        because="The container toolkit starts no container whose CUDA the driver cannot serve. MediaPipe needs no CUDA; what else is in the image may.",
        remedy="FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04    # one that the driver serves\n"
        "# or, where nothing uses CUDA:\nFROM python:3.12-slim\nENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all",
        url="https://docs.nvidia.com/deploy/cuda-compatibility/",
        level=Level.ERROR,
    ),
    Check(
        code="SRC838",
        language="dockerfile",
        title="CUDA that nothing here uses",
        because="MediaPipe's GPU delegate is OpenGL ES over EGL; CUDA and cuDNN never enter, and they are gigabytes. A plain image gets its driver from the container toolkit.",
        remedy="FROM python:3.12-slim\nENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends libegl1 libgles2 libgl1 libglib2.0-0 \\\n && rm -rf /var/lib/apt/lists/*",
        url=f"{ISSUES}/5503",
        level=Level.NOTE,
    ),
    Check(
        code="SRC839",
        language="dockerfile",
        title="a variable that leads EGL away from the GPU",
        because=STEERED,
        remedy="# delete the line, or set it where there is no GPU:\n# docker run -e LIBGL_ALWAYS_SOFTWARE=1 IMAGE",
        url="https://docs.mesa3d.org/envvars.html",
    ),
)

COMPOSE_GPU = """\
services:
  app:
    environment:
      NVIDIA_DRIVER_CAPABILITIES: all
    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}
# Kubernetes: env: [{name: NVIDIA_DRIVER_CAPABILITIES, value: all}]"""

RUN_GPU = "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all IMAGE"


def started(
    family: str, language: str, gpu: str, display: str, steering: str, group: str
) -> tuple[Check, ...]:  # fmt: skip
    """The checks of one way to start containers, with its own words to paste."""
    return (
        Check(
            code=f"{family}0", language=language,
            title="a GPU is handed in without the graphics half of its driver",
            because=f"{NO_GRAPHICS}; `gpu` in a list of device capabilities asks for a device only, and other words in it go before both.",
            remedy=gpu,
            url=MOBY,
        ),
        Check(
            code=f"{family}1", language=language,
            title="/dev/dri is not how an NVIDIA GPU is handed in",
            because=MESA,
            remedy=gpu,
            url=f"{ISSUES}/4310",
        ),
        Check(code=f"{family}2", language=language, title="a screen is passed in", because=SCREEN, remedy=display, url=f"{ISSUES}/2987", level=Level.NOTE),
        Check(
            code=f"{family}3", language=language,
            title="a variable leads EGL away from the GPU",
            because=STEERED,
            remedy=steering,
            url="https://docs.mesa3d.org/envvars.html",
        ),
        Check(
            code=f"{family}4", language=language,
            title="a user who may not open /dev/dri",
            because=GROUP,
            remedy=group,
            url="https://github.com/google-deepmind/dm_control/issues/214",
            level=Level.NOTE,
        ),
    )  # fmt: skip


CONTAINER_CHECKS: tuple[Check, ...] = (
    *OF_DOCKERFILES,
    *started(
        "SRC84",
        "yaml",
        COMPOSE_GPU,
        "# delete DISPLAY from environment, or empty it:\nenvironment:\n  DISPLAY: \"\"",
        "# delete the variable from environment",
        "group_add: [video, render]    # or the numbers: stat -c %g /dev/dri/renderD128",
    ),
    *started(
        "SRC85",
        "sh",
        RUN_GPU,
        f"{RUN_GPU}    # without -e DISPLAY",
        f"{RUN_GPU}    # without that -e",
        'docker run --device /dev/dri --user 1000 --group-add "$(stat -c %g /dev/dri/renderD128)" IMAGE',
    ),
)  # fmt: skip
