"""Payload: the GL context that MediaPipe's own EGL request gives in this environment, as JSON lines.

The request is the one of mediapipe/gpu/gl_context_egl.cc: the default display, RGBA 8888 with 16 bits of depth on a
pbuffer, OpenGL ES 3 and then ES 2. Where the default display fails, EGL device enumeration is tried as MediaPipe
1.0.1 and later do. Wheels up to 0.10.21 bring their own libEGL, which is then the one that is asked.

Every line is a whole answer and tells more than the one before: first the context, then the vendor libraries that
glvnd would load, then each EGL device. The last one counts. What is about to be tried is written down first as what
ended the probe, so that a vendor library that crashes or hangs costs its own row and no other.
"""

import ctypes
import glob
import importlib.util
import json
import os
import signal

TOUR_S = 10
"""Seconds for everything after the first answer; then the kernel ends this process, even inside native code."""
ENDED_HERE = "the probe ended here, inside this driver"
VENDOR_FOLDERS = "/etc/glvnd/egl_vendor.d:/usr/share/glvnd/egl_vendor.d"

EGL_DEFAULT_DISPLAY = None
EGL_NONE, EGL_VENDOR, EGL_VERSION, EGL_EXTENSIONS = 0x3038, 0x3053, 0x3054, 0x3055
EGL_OPENGL_ES_API, EGL_PLATFORM_DEVICE_EXT = 0x30A0, 0x313F
EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE = 0x3033, 0x0001, 0x3040
EGL_DRM_DEVICE_FILE_EXT, EGL_DRM_RENDER_NODE_FILE_EXT, EGL_CUDA_DEVICE_NV = 0x3233, 0x3377, 0x323A
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


def procedure(egl, name, result, *arguments):
    """An extension's function, or None where this libEGL has none of that name."""
    address = egl.eglGetProcAddress(name)
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None


def enumerated(egl):
    """The EGL devices, or None where this libEGL cannot enumerate them."""
    query = procedure(egl, b"eglQueryDevicesEXT", INT, INT, POINTER, POINTER)
    if query is None:
        return None
    devices, found = (POINTER * 32)(), INT(0)
    return devices[: found.value] if query(32, devices, ctypes.byref(found)) else []


def device_display(egl, device):
    """The display of an EGL device, initialised."""
    open_display = procedure(egl, b"eglGetPlatformDisplayEXT", POINTER, ctypes.c_uint, POINTER, POINTER)
    if open_display is None:
        raise EglError("eglGetPlatformDisplayEXT is not there")
    display = need(egl, open_display(EGL_PLATFORM_DEVICE_EXT, device, None), "eglGetPlatformDisplayEXT")
    need(egl, egl.eglInitialize(display, None, None), "eglInitialize on the device")
    return display


def device_displays(egl):
    """(number of EGL devices, displays of those that initialise)."""
    devices, displays = enumerated(egl), []
    for device in devices or ():
        try:
            displays.append(device_display(egl, device))
        except EglError:
            pass
    return None if devices is None else len(devices), displays


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


def vendor_files():
    """glvnd's vendor files in its order: those named, or those of the folders, by name."""
    named = os.environ.get("__EGL_VENDOR_LIBRARY_FILENAMES")
    if named:
        return named.split(":")
    folders = os.environ.get("__EGL_VENDOR_LIBRARY_DIRS") or VENDOR_FOLDERS
    return [path for folder in folders.split(":") for path in sorted(glob.glob(os.path.join(folder, "*.json")))]


def library_of(path):
    """The library that a vendor file names, or None where it names none."""
    try:
        with open(path, "rb") as file:
            library = json.loads(file.read(65536).decode("utf-8", "replace"))["ICD"]["library_path"]
    except Exception:
        return None
    return library if isinstance(library, str) and library else None


def loader_message(library):
    try:
        ctypes.CDLL(library, os.RTLD_LAZY)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def tour_of_vendors(seen):
    """Load each vendor library as libEGL would; yields the answer before and after each."""
    rows = []
    for library in dict.fromkeys(filter(None, map(library_of, vendor_files()))):
        rows.append({"library": library, "error": ENDED_HERE})
        yield dict(seen, vendors=rows)
        rows[-1]["error"] = loader_message(library)
    yield dict(seen, vendors=rows)


def device_files(egl, device):
    """What the device's extensions tell: DRM nodes, and its number to CUDA."""
    ask_text = procedure(egl, b"eglQueryDeviceStringEXT", ctypes.c_char_p, POINTER, INT)
    ask_number = procedure(egl, b"eglQueryDeviceAttribEXT", INT, POINTER, INT, POINTER)
    if ask_text is None:
        return {}
    extensions, found = text(ask_text(device, EGL_EXTENSIONS)).split(), {}
    if "EGL_EXT_device_drm" in extensions:
        found["drm"] = text(ask_text(device, EGL_DRM_DEVICE_FILE_EXT))
    if "EGL_EXT_device_drm_render_node" in extensions:
        found["render_node"] = text(ask_text(device, EGL_DRM_RENDER_NODE_FILE_EXT))
    number, has_number = ctypes.c_ssize_t(-1), "EGL_NV_device_cuda" in extensions and ask_number is not None
    if has_number and ask_number(device, EGL_CUDA_DEVICE_NV, ctypes.byref(number)) and number.value >= 0:
        found["cuda"] = number.value
    return found


def context_on(egl, device):
    """Strings of a context on an EGL device, or the call that failed."""
    try:
        strings = describe(egl, device_display(egl, device))
    except EglError as error:
        return {"error": str(error)}
    return {name: strings[name] for name in ("renderer", "version", "vendor")}


def tour_of_devices(egl, seen):
    """A context on each EGL device; yields the answer before and after each."""
    devices = enumerated(egl)
    if devices is None:
        yield dict(seen, egl_devices={"unread": "this libEGL enumerates no devices"})
        return
    rows, seen = [], dict(seen, devices=len(devices))
    for index, device in enumerate(devices):
        rows.append({"index": index, "error": ENDED_HERE})
        yield dict(seen, egl_devices=rows)
        rows[-1] = dict({"index": index}, **device_files(egl, device))
        yield dict(seen, egl_devices=[*rows[:-1], dict(rows[-1], error=ENDED_HERE)])
        rows[-1].update(context_on(egl, device))
    yield dict(seen, egl_devices=rows)


def answers():
    """Whole answers, each telling more than the one before."""
    first = observe()
    yield first
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(TOUR_S)
    second = first
    for second in tour_of_vendors(first):
        yield second
    try:
        egl = load(first["egl_library"])
    except OSError as error:
        yield dict(second, egl_devices={"unread": str(error)})
        return
    yield from tour_of_devices(egl, second)


def main():
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    said = False
    try:
        for answer in answers():
            channel.write(json.dumps(answer) + "\n")
            channel.flush()
            said = True
    except Exception as error:
        if not said:
            channel.write(json.dumps({"unread": "%s: %s" % (type(error).__name__, error)}) + "\n")
            channel.flush()


main()
os._exit(0)
