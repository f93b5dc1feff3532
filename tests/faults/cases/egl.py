"""EGL: the road from MediaPipe to the GPU, broken at each of its stations."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.worlds import (
    COMPUTE,
    DRIVER,
    LIBRARIES,
    NVIDIA,
    OTHER_DRIVER,
    VENDORS,
    Built,
    graphics_half,
    vendor_text,
)

FRONT = f"{LIBRARIES}/libEGL_nvidia.so.{DRIVER}"
VENDOR_FILE = f"{VENDORS}/10_nvidia.json"

CASES = (
    Case(
        id="egl-no-graphics-half",
        family="EGL",
        symptom="nvidia-smi and PyTorch work, FaceMesh says kGpuService was not provided",
        cause="a headless driver: libcuda is installed, libEGL_nvidia is not",
        world=COMPUTE,
        code="EGL208",
    ),
    Case(
        id="egl-graphics-half-incomplete",
        family="EGL",
        symptom="EGL falls back to Mesa without any error",
        cause="libEGL_nvidia is there, libnvidia-eglcore and libnvidia-glsi of its version are not",
        world=NVIDIA.without(f"{LIBRARIES}/libnvidia-eglcore*", f"{LIBRARIES}/libnvidia-glsi*"),
        code="EGL209",
    ),
    Case(
        id="egl-graphics-half-of-another-version",
        family="EGL",
        symptom="I copied libEGL_nvidia into the image, and it is refused on the new host",
        cause="the graphics half is of another version than the kernel module",
        world=COMPUTE.having(
            files=graphics_half(OTHER_DRIVER) | {VENDOR_FILE: vendor_text("libEGL_nvidia.so.0")},
        ),
        code="EGL210",
    ),
    Case(
        id="egl-no-vendor-file",
        family="EGL",
        symptom="libEGL_nvidia.so.0 is installed, and the renderer is llvmpipe",
        cause="no vendor file names NVIDIA's library, so libEGL never loads it",
        world=NVIDIA.without(VENDOR_FILE),
        code="EGL211",
    ),
    Case(
        id="egl-vendor-file-malformed",
        family="EGL",
        symptom="I wrote 10_nvidia.json by hand, and nothing changed",
        cause="the vendor file is not JSON: it ends in a comma",
        world=NVIDIA.having(
            files={VENDOR_FILE: '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"},}'}
        ),
        code="EGL212",
    ),
    Case(
        id="egl-vendor-file-names-nothing",
        family="EGL",
        symptom="the vendor file of the old driver's folder is still there",
        cause="the vendor file names a library in a folder that is gone",
        world=NVIDIA.having(files={VENDOR_FILE: vendor_text("/usr/lib/nvidia-470/libEGL_nvidia.so.0")}),
        code="EGL212",
    ),
    Case(
        id="egl-vendor-hidden-by-variable",
        family="EGL",
        symptom="works in a shell, not in the service",
        cause="__EGL_VENDOR_LIBRARY_FILENAMES names Mesa's vendor file alone",
        world=NVIDIA.having(env={"__EGL_VENDOR_LIBRARY_FILENAMES": f"{VENDORS}/50_mesa.json"}),
        code="EGL213",
    ),
    Case(
        id="egl-vendor-folder-hidden-by-variable",
        family="EGL",
        symptom="works outside of our launcher, not inside",
        cause="__EGL_VENDOR_LIBRARY_DIRS names a folder without vendor files",
        world=NVIDIA.having(env={"__EGL_VENDOR_LIBRARY_DIRS": "/opt/launcher/egl"}),
        code="EGL213",
    ),
    Case(
        id="egl-foreign-display",
        family="EGL",
        symptom="works at the machine, not over ssh -X",
        cause="DISPLAY names the X server of another machine, and EGL asks that one",
        world=NVIDIA.having(env={"DISPLAY": "localhost:10.0"}),
        code="EGL214",
    ),
    Case(
        id="egl-foreign-wayland",
        family="EGL",
        symptom="refused in the remote desktop session",
        cause="WAYLAND_DISPLAY names a compositor that is not there",
        world=NVIDIA.having(env={"WAYLAND_DISPLAY": "wayland-9"}),
        code="EGL214",
    ),
    Case(
        id="egl-no-glvnd",
        family="EGL",
        symptom="OSError: libGLESv2.so.2: cannot open shared object file",
        cause="the image has no libglvnd: no libEGL.so.1, no libGLESv2.so.2",
        world=NVIDIA.having(
            hidden=(f"{LIBRARIES}/libEGL.so*", f"{LIBRARIES}/libGLESv2.so*", f"{LIBRARIES}/libGLdispatch.so*")
        ),
        code="EGL215",
    ),
    Case(
        id="egl-software-forced",
        family="EGL",
        symptom="20 times slower than the CPU, and no error",
        cause="LIBGL_ALWAYS_SOFTWARE=1, left from a remote desktop's set-up",
        world=NVIDIA.having(env={"LIBGL_ALWAYS_SOFTWARE": "1", "STANDIN_EGL": "abstain"}),
        code="EGL217",
        twin=NVIDIA.having(env={"STANDIN_EGL": "abstain"}),
    ),
    Case(
        id="egl-vendor-does-not-load",
        family="EGL",
        symptom="everything is installed, and the renderer is llvmpipe",
        cause="libEGL_nvidia.so.0 needs a library that is not there",
        world=NVIDIA.having(files={FRONT: Built("egl.c", needs="libnvidia-api.so.1")}),
        code="EGL219",
    ),
    Case(
        id="egl-platform-gbm",
        family="EGL",
        symptom="eglChooseConfig() returned no matching EGL configuration",
        cause="EGL_PLATFORM=gbm keeps EGL from NVIDIA's device platform",
        world=NVIDIA.having(env={"EGL_PLATFORM": "gbm"}),
        code="EGL220",
    ),
    Case(
        id="egl-platform-x11",
        family="EGL",
        symptom="Unable to initialize EGL, on a server without a display",
        cause="EGL_PLATFORM=x11, and there is no X server",
        world=NVIDIA.having(env={"EGL_PLATFORM": "x11"}),
        code="EGL220",
    ),
)
