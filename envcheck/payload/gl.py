"""Payload: the GL context that MediaPipe's own EGL request gives in this environment, as one JSON line.

The request is the one of mediapipe/gpu/gl_context_egl.cc: the default display, RGBA 8888 with 16 bits of depth on a
pbuffer, OpenGL ES 3 and then ES 2. Where the default display fails, EGL device enumeration is tried as MediaPipe
1.0.1 and later do. Wheels up to 0.10.21 bring their own libEGL, which is then the one that is asked.
"""

import ctypes
import glob
import importlib.util
import json
import os

EGL_DEFAULT_DISPLAY = None
EGL_NONE, EGL_VENDOR, EGL_VERSION, EGL_EXTENSIONS = 0x3038, 0x3053, 0x3054, 0x3055
EGL_OPENGL_ES_API, EGL_PLATFORM_DEVICE_EXT = 0x30A0, 0x313F
EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE = 0x3033, 0x0001, 0x3040
ES_BIT = {3: 0x0040, 2: 0x0004}
EGL_RED, EGL_GREEN, EGL_BLUE, EGL_ALPHA, EGL_DEPTH = 0x3024, 0x3023, 0x3022, 0x3021, 0x3025
EGL_CONTEXT_CLIENT_VERSION, EGL_WIDTH, EGL_HEIGHT = 0x3098, 0x3057, 0x3056
GL_VENDOR, GL_RENDERER, GL_VERSION = 0x1F00, 0x1F01, 0x1F02

POINTER, INT = ctypes.c_void_p, ctypes.c_int
SIGNATURES = {
    "eglGetDisplay": (POINTER, [POINTER]),
    "eglInitialize": (INT, [POINTER, POINTER, POINTER]),
    "eglBindAPI": (INT, [ctypes.c_uint]),
    "eglChooseConfig": (INT, [POINTER, POINTER, POINTER, INT, POINTER]),
    "eglCreateContext": (POINTER, [POINTER, POINTER, POINTER, POINTER]),
    "eglCreatePbufferSurface": (POINTER, [POINTER, POINTER, POINTER]),
    "eglMakeCurrent": (INT, [POINTER, POINTER, POINTER, POINTER]),
    "eglQueryString": (ctypes.c_char_p, [POINTER, INT]),
    "eglGetProcAddress": (POINTER, [ctypes.c_char_p]),
    "eglGetError": (INT, []),
}


class EglError(Exception):
    """An EGL call that failed, with its code."""


def attributes(*values):
    return (INT * (len(values) + 1))(*values, EGL_NONE)


def library_path():
    """The libEGL that MediaPipe of this environment uses: its own where the wheel brings one."""
    spec = importlib.util.find_spec("mediapipe")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for path in glob.glob(os.path.join(os.path.dirname(place), "mediapipe.libs", "libEGL*.so*")):
            return path
    return "libEGL.so.1"


def load(path):
    # A bundled libEGL finds its libGLdispatch by the search path of the library that loads it; here that is us.
    for dispatch in glob.glob(os.path.join(os.path.dirname(path), "libGLdispatch*.so*")) if "/" in path else ():
        ctypes.CDLL(dispatch, ctypes.RTLD_GLOBAL)
    egl = ctypes.CDLL(path)
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(egl, name)
        function.restype, function.argtypes = result, arguments
    return egl


def text(value):
    return value.decode("utf-8", "replace") if value else ""


def need(egl, value, call):
    if not value:
        raise EglError("%s failed with 0x%x" % (call, egl.eglGetError()))
    return value


def default_display(egl):
    display = need(egl, egl.eglGetDisplay(EGL_DEFAULT_DISPLAY), "eglGetDisplay(EGL_DEFAULT_DISPLAY)")
    need(egl, egl.eglInitialize(display, None, None), "eglInitialize on the default display")
    return display


def device_displays(egl):
    """(number of EGL devices, displays of those that initialise)."""
    query = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    open_display = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query or not open_display:
        return None, []
    query = ctypes.CFUNCTYPE(INT, INT, POINTER, POINTER)(query)
    open_display = ctypes.CFUNCTYPE(POINTER, ctypes.c_uint, POINTER, POINTER)(open_display)
    devices, found = (POINTER * 32)(), INT(0)
    if not query(32, devices, ctypes.byref(found)):
        return 0, []
    displays = [open_display(EGL_PLATFORM_DEVICE_EXT, device, None) for device in devices[: found.value]]
    return found.value, [d for d in displays if d and egl.eglInitialize(d, None, None)]


def make_current(egl, display, version):
    config, found = POINTER(), INT(0)
    wanted = attributes(
        EGL_RENDERABLE_TYPE, ES_BIT[version], EGL_SURFACE_TYPE, EGL_PBUFFER_BIT,
        EGL_RED, 8, EGL_GREEN, 8, EGL_BLUE, 8, EGL_ALPHA, 8, EGL_DEPTH, 16,
    )  # fmt: skip
    egl.eglBindAPI(EGL_OPENGL_ES_API)
    chosen = egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(found))
    need(egl, chosen, "eglChooseConfig")
    if not found.value:
        raise EglError("eglChooseConfig found no RGBA8888 D16 pbuffer configuration for OpenGL ES %d" % version)
    context = egl.eglCreateContext(display, config, None, attributes(EGL_CONTEXT_CLIENT_VERSION, version))
    need(egl, context, "eglCreateContext for OpenGL ES %d" % version)
    surface = egl.eglCreatePbufferSurface(display, config, attributes(EGL_WIDTH, 1, EGL_HEIGHT, 1))
    need(egl, surface, "eglCreatePbufferSurface")
    need(egl, egl.eglMakeCurrent(display, surface, surface, context), "eglMakeCurrent")


def describe(egl, display):
    try:
        make_current(egl, display, 3)
    except EglError:
        make_current(egl, display, 2)
    get_string = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(egl.eglGetProcAddress(b"glGetString"))
    return {
        "vendor": text(get_string(GL_VENDOR)),
        "renderer": text(get_string(GL_RENDERER)),
        "version": text(get_string(GL_VERSION)),
        "egl_vendor": text(egl.eglQueryString(display, EGL_VENDOR)),
        "egl_version": text(egl.eglQueryString(display, EGL_VERSION)),
    }


def observe():
    path = library_path()
    try:
        egl = load(path)
    except OSError as error:
        return {"path": "none", "egl_library": path, "error": str(error)}
    seen = {"path": "none", "egl_library": path}
    try:
        return dict(seen, path="default", **describe(egl, default_display(egl)))
    except EglError as error:
        seen["error"] = str(error)
    seen["devices"], displays = device_displays(egl)
    for display in displays:
        try:
            return dict(seen, path="device", **describe(egl, display))
        except EglError:
            continue
    return seen


channel = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
try:
    answer = observe()
except Exception as error:
    answer = {"unread": "%s: %s" % (type(error).__name__, error)}
channel.write(json.dumps(answer) + "\n")
channel.flush()
os._exit(0)
