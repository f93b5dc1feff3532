"""Payload: the interpreters of an image, found by names and folders; then it keeps its container up until it is left.

Nothing is run: an environment is known by its files. One JSON line: {"version", "prefix", "executable", "found",
"pythons": [{"path", "prefix", "python", "mediapipe"}], "shell"}. Then standard input is read to its end.
"""

import glob
import json
import os
import re
import signal
import sys

NAME = re.compile(r"python(3(\.\d+)?)?$")
PLACES = (
    "/opt/*/bin", "/opt/*/envs/*/bin", "/opt/bin", "/usr/bin", "/usr/local/bin", "/usr/local/*/bin",
    "/venv/bin", "/.venv/bin", "/env/bin", "/*/venv/bin", "/*/.venv/bin", "/*/*/.venv/bin", "/*/*/venv/bin",
    "/conda/bin", "/conda/envs/*/bin", "/opt/pyenv/versions/*/bin", "/usr/local/pyenv/versions/*/bin",
)  # fmt: skip
AT_HOME = (
    ".venv/bin", "venv/bin", "*/.venv/bin", "*/venv/bin", ".local/bin", ".virtualenvs/*/bin", ".pyenv/versions/*/bin",
    "*conda*/bin", "*conda*/envs/*/bin", "*mamba*/bin", "*mamba*/envs/*/bin", "miniforge3/bin", "miniforge3/envs/*/bin",
    ".local/share/uv/python/*/bin",
)  # fmt: skip
NAMES = ("mediapipe", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")
MOST = 64


def folders():
    """Where interpreters are, the image's own search path first."""
    named = [os.path.join(os.environ[name], "bin") for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    path = [place for place in os.environ.get("PATH", "").split(os.pathsep) if place.startswith("/")]
    homes = ["/root", *sorted(glob.glob("/home/*")), os.path.expanduser("~"), os.getcwd()]
    below = [os.path.join(glob.escape(home), place) for home in homes for place in AT_HOME]
    globbed = [place for pattern in [*PLACES, *below] for place in sorted(glob.glob(pattern))]
    return list(dict.fromkeys(named + path + globbed))


def interpreters(folder):
    """The programs in a folder that bear an interpreter's name, the plainest name first; scripts (shims) are none."""
    try:
        names = sorted(filter(NAME.match, os.listdir(folder)), key=len)
    except OSError:
        return []
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK) and not is_script(path)]


def is_script(path):
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False  # one that may be run and not be read


def packages_of(path):
    """The folders of installed packages that belong to an interpreter, and the prefix it would tell."""
    prefix = os.path.dirname(os.path.dirname(path))
    version = version_of(path, prefix)
    if not os.path.isfile(os.path.join(prefix, "pyvenv.cfg")):
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    library = "python" + version if version else "python3*"
    found = [os.path.join(glob.escape(prefix), "lib*", library, "*-packages")]
    if prefix == "/usr":
        found += ["/usr/local/lib/%s/*-packages" % library, "/usr/lib/python3/*-packages"]
    return prefix, version, [folder for pattern in found for folder in sorted(glob.glob(pattern))]


def version_of(path, prefix):
    """Major and minor version, by the name behind the links or by the environment's library folder."""
    named = re.search(r"python(\d+\.\d+)$", os.path.realpath(path))
    inside = sorted(glob.glob(os.path.join(glob.escape(prefix), "lib", "python3.*")))
    if os.path.isfile(os.path.join(prefix, "pyvenv.cfg")) and inside:
        return os.path.basename(inside[0])[len("python") :]
    return named.group(1) if named else os.path.basename(inside[0])[len("python") :] if len(inside) == 1 else ""


def mediapipe_in(places):
    """The version of the installed MediaPipe, by the folder of its metadata."""
    for place in places:
        for found in glob.glob(os.path.join(glob.escape(place), "mediapipe-*.dist-info")):
            return os.path.basename(found)[len("mediapipe-") : -len(".dist-info")]
    return None


def listed():
    """One entry for each environment."""
    found: "dict[tuple[str, str], dict[str, str | None]]" = {}
    for path in [one for folder in folders() for one in interpreters(folder)]:
        prefix, version, places = packages_of(path)
        key = (prefix, version)
        if key not in found and len(found) < MOST:
            found[key] = {"path": path, "prefix": prefix, "python": version, "mediapipe": mediapipe_in(places)}
    return list(found.values())


def versions():
    """What importlib.metadata says in this very interpreter."""
    from importlib import metadata

    found = {}
    for name in NAMES:
        try:
            found[name] = metadata.version(name)
        except Exception:
            pass
    return found


def attempt(look, otherwise):
    try:
        return look()
    except Exception:
        return otherwise


def find():
    return {
        "version": list(sys.version_info[:3]),
        "prefix": sys.prefix,
        "executable": sys.executable,
        "found": attempt(versions, {}),
        "pythons": attempt(listed, []),
        "shell": any(os.access(path, os.X_OK) for path in ("/bin/sh", "/usr/bin/sh", "/bin/bash")),
    }


signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the first process of a container is given every orphan
sys.stdout.write(json.dumps(find()) + "\n")
sys.stdout.flush()
sys.stdin.buffer.read()
