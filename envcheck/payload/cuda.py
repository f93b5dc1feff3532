"""Payload: the CUDA runtime library of this environment, and whether the driver here serves it, as one JSON line.

Loads libcudart as NVIDIA's runtime wheels install it (or as the loader finds it), and asks it for its own version,
for the driver's, and for the number of devices. No context is created.
"""

import ctypes
import glob
import json
import os
import sys


def candidates():
    for folder in sys.path:
        yield from sorted(glob.glob(os.path.join(folder, "nvidia", "cu*", "lib", "libcudart.so*")))
    yield from ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so")


def load():
    reasons = []
    for path in candidates():
        try:
            return path, ctypes.CDLL(path)
        except OSError as error:
            reasons.append(str(error))
    return None, "; ".join(reasons[:2])


def asked(function):
    value = ctypes.c_int(0)
    code = function(ctypes.byref(value))
    return value.value if code == 0 else None, code


def version(number):
    return "%d.%d" % (number // 1000, number % 1000 // 10) if number else None


def observe():
    path, library = load()
    if path is None:
        return {"unread": "no CUDA runtime library loads: " + library}
    runtime, code = asked(library.cudaRuntimeGetVersion)
    if not runtime:
        return {"unread": "cudaRuntimeGetVersion failed with %d in %s" % (code, path)}
    driver, _ = asked(library.cudaDriverGetVersion)
    devices, code = asked(library.cudaGetDeviceCount)
    library.cudaGetErrorString.restype = ctypes.c_char_p
    error = "" if code == 0 else "cudaGetDeviceCount: %d %s" % (code, library.cudaGetErrorString(code).decode())
    return {
        "library": path, "runtime": version(runtime), "driver": version(driver), "devices": devices, "error": error,
    }  # fmt: skip


channel = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
try:
    answer = observe()
except Exception as failure:
    answer = {"unread": "%s: %s" % (type(failure).__name__, failure)}
channel.write(json.dumps(answer) + "\n")
channel.flush()
os._exit(0)
