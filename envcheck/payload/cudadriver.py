"""Payload: the CUDA driver library as the loader finds it, and whether it starts, as JSON lines; the last counts.

libcuda.so.1 is loaded and cuInit called; no context is created. What is about to be tried is said first, because a
broken driver may hang or crash inside it.
"""

import ctypes
import json
import os
import re

LIBRARY = "libcuda.so.1"


def version(number):
    return "%d.%d" % (number // 1000, number % 1000 // 10)


def loaded_file(maps):
    """The file behind the library, from the text of /proc/self/maps."""
    match = re.search(r"\s(/\S.*/libcuda\.so\S*)$", maps, re.MULTILINE)
    return match.group(1) if match else LIBRARY


def maps():
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def described(driver, function, code):
    """What cuGetErrorName or cuGetErrorString says of a code; drivers before CUDA 6 have neither."""
    words = ctypes.c_char_p()
    try:
        getattr(driver, function)(code, ctypes.byref(words))
    except AttributeError:
        return ""
    return (words.value or b"").decode("utf-8", "replace")


def error_of(driver, code):
    words = (described(driver, "cuGetErrorName", code), described(driver, "cuGetErrorString", code))
    return ": ".join(filter(None, words)) or "error %d" % code


def asked(driver, function):
    """The number that a call gives, or None where it fails."""
    value = ctypes.c_int(0)
    return value.value if getattr(driver, function)(ctypes.byref(value)) == 0 else None


def absent(message):
    """True where the loader found no file of that name; one that is there and does not load has another message."""
    return message.startswith(LIBRARY + ": cannot open shared object file: No such file")


def observe(say):
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError as error:
        say({"library": "", "error": str(error)} if absent(str(error)) else {"unread": str(error)})
        return
    path = loaded_file(maps())
    say({"unread": "the probe ended inside cuInit of " + path})
    code = driver.cuInit(0)
    newest = asked(driver, "cuDriverGetVersion")
    say(
        {
            "library": path,
            "code": code,
            "error": error_of(driver, code) if code else "",
            "cuda": version(newest) if newest else None,
            "devices": asked(driver, "cuDeviceGetCount") if code == 0 else None,
        }
    )


def serve():
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        channel.write(json.dumps(answer) + "\n")
        channel.flush()

    try:
        observe(say)
    except Exception as failure:
        say({"unread": "%s: %s" % (type(failure).__name__, failure)})


if __name__ == "__main__":
    serve()
    os._exit(0)
