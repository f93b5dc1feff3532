"""Payload: what is installed in this interpreter, as JSON lines of which the last counts.

Packages are read as files and not imported. The native library of cv2 is loaded last, when everything else has been
said, so that a crash or a hang of it costs that one answer.
"""

import json
import os
import re
import struct
import sys

RELEVANT = re.compile(
    r"(mediapipe|opencv|tensorflow|tf-nightly|onnxruntime|nvidia-|cupy|jax|torch|numpy$|protobuf$|absl-py$|attrs$"
    r"|flatbuffers$|matplotlib$|sounddevice$|sentencepiece$|certifi$|keras$|ai-edge-litert$|pyopengl|moderngl)"
)
MODULES = ("mediapipe", "cv2")
SUFFIXES = (".dist-info", ".egg-info")
HEADERS = 1 << 18  # bytes of metadata that are read; the headers come first
ENDED_HERE = {"unread": "the probe ended while cv2's native library was loaded"}
CUDA_LIBRARY = re.compile(rb"lib(cudart|cublas|cufft|cudnn|npp\w+|nvcuvid|opencv_cuda\w+)[-.]")


def read(path, limit=1 << 22):
    """A file's bytes; none where it is not there or may not be read."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except (OSError, ValueError):
        return b""


def listed(folder):
    try:
        return sorted(os.listdir(folder or "."))
    except (OSError, ValueError):
        return []


def part(look):
    """What `look` finds; what it raises is the reason why nobody could look."""
    try:
        return look()
    except Exception as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


# --- distributions ------------------------------------------------------------------------------------------------


def normal(name):
    """A name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(folder):
    """(name, version) in the name of a metadata folder; None where it is none."""
    stem, suffix = os.path.splitext(folder)
    match = re.match(r"([A-Za-z0-9][\w.-]*?)-([^-]+)(-py\d[\d.]*)?$", stem)
    return (normal(match.group(1)), match.group(2)) if match and suffix in SUFFIXES else None


def installed(paths):
    """{name: its metadata folder or file}; of two of one name the first counts, as for the interpreter."""
    found: dict[str, tuple[str, str]] = {}
    for entry in paths:
        for name in listed(entry):
            known = named(name) if name.endswith(SUFFIXES) else None
            if known:
                found.setdefault(known[0], (os.path.join(entry, name), known[1]))
    return found


def metadata(place):
    """The headers of a distribution's metadata, as (name, value)."""
    inside = [place] if os.path.isfile(place) else [os.path.join(place, one) for one in ("METADATA", "PKG-INFO")]
    text = next(filter(None, (read(path, HEADERS) for path in inside)), b"").decode("utf-8", "replace")
    return re.findall(r"^([\w-]+):[ \t]*(.*?)\r?$", re.split(r"\r?\n\r?\n", text, maxsplit=1)[0], re.MULTILINE)


def distribution(name, place, version):
    headers = metadata(place)
    requires = [value for header, value in headers if header.lower() == "requires-dist"]
    told = dict(reversed([(header.lower(), value.strip()) for header, value in headers]))
    return {
        "name": normal(told.get("name") or name),
        "version": told.get("version") or version,
        "requires": list(filter(None, map(applying, requires))),
    }


def applying(requirement):
    """The requirement without a marker that holds here; None where it does not hold, or belongs to an extra.

    Comparisons joined by "and" are understood; what is not understood stays as it is written.
    """
    bare, _, marker = requirement.partition(";")
    holds = [comparison(one) for one in re.split(r"\band\b", marker)] if marker.strip() else []
    if re.search(r"\bextra\b", marker) or False in holds:
        return None
    return requirement if None in holds else bare.strip()


def comparison(marker):
    """True or False for one comparison of a marker, None where it is not understood."""
    match = re.match(r"\s*\(?\s*(\w+)\s*(==|!=|<=|>=|<|>)\s*[\"']([^\"']*)[\"']\s*\)?\s*$", marker)
    machine = os.uname().machine if hasattr(os, "uname") else ""
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}.get(sys.platform, "")
    here = {"python_version": "%d.%d" % sys.version_info[:2], "sys_platform": sys.platform, "os_name": os.name}
    here.update(platform_machine=machine, platform_system=system)
    if not match or match.group(1) not in here or (match.group(1) != "python_version" and match.group(2)[0] in "<>"):
        return None
    return compared(here[match.group(1)], match.group(2), match.group(3), match.group(1) == "python_version")


def compared(ours, operator, theirs, by_number):
    if by_number and not re.match(r"\d{1,3}(\.\d{1,3})?$", theirs):
        return None
    if by_number:
        ours, theirs = ([int(number) for number in (one + ".0").split(".")[:2]] for one in (ours, theirs))
    less = {"<": ours < theirs, "<=": ours <= theirs, ">": ours > theirs, ">=": ours >= theirs}
    return dict(less, **{"==": ours == theirs, "!=": ours != theirs})[operator]


def distributions(paths):
    """Those that matter here, and those that MediaPipe requires, sorted by name."""
    every = installed(paths)
    wanted = {name for name in every if RELEVANT.match(name)}
    if "mediapipe" in every:
        place, version = every["mediapipe"]
        required = distribution("mediapipe", place, version)["requires"]
        wanted |= {normal(re.split(r"[^\w.-]", one.strip(), maxsplit=1)[0]) for one in required} & set(every)
    return [distribution(name, *every[name]) for name in sorted(wanted)]


# --- OpenCV -------------------------------------------------------------------------------------------------------


def owners(paths):
    """Distributions that brought files of cv2."""
    return [name for name, (place, _version) in sorted(installed(paths).items()) if "opencv" in name and owns(place)]


def owns(place):
    record = read(os.path.join(place, "RECORD")) or read(os.path.join(place, "installed-files.txt"))
    if record.strip():
        return re.search(rb"^\"?(\.\./)*cv2[/.]", record, re.MULTILINE) is not None
    return b"cv2" in read(os.path.join(place, "top_level.txt")).split()


def native_library(paths):
    """(where cv2 lies, its native library); the library is empty in a folder that has lost it."""
    for entry in paths:
        folder = os.path.join(entry, "cv2")
        if os.path.isdir(folder):
            here = [os.path.join(folder, name) for name in listed(folder)]
            here += [os.path.join(one, name) for one in here if "/python-" in one for name in listed(one)]
            files = [path for path in here if is_native(path)]
            if files or os.path.exists(os.path.join(folder, "__init__.py")):
                return folder, files[0] if files else ""
        for name in listed(entry):
            if is_native(name):
                return os.path.join(entry, name), os.path.join(entry, name)
    return "", ""


def is_native(path):
    return re.match(r"cv2(\.[\w-]+)?\.(so|pyd)$", os.path.basename(path)) is not None


def opencv(paths):
    """What can be said of cv2 without loading it; None where there is none."""
    where, library = native_library(paths)
    brought = owners(paths)
    if not where:
        return None if not brought else opencv_of(brought, "", "no folder cv2 where these are installed", no_library())
    if not library:
        return opencv_of(brought, where, "%s has no native library any more" % where, no_library())
    return opencv_of(brought, library, "", part(lambda: built_with_cuda(library)))


def opencv_of(brought, path, error, cuda):
    return {"kind": "opencv", "owners": brought, "path": path, "error": error, "cuda": cuda}


def no_library():
    return {"unread": "no native library of cv2"}


def sections(file):
    """{name: (offset, size)} of the sections of a 64-bit little-endian ELF file."""
    header = file.read(64)
    if header[:6] != b"\x7fELF\x02\x01" or len(header) < 64:
        raise ValueError("not a 64-bit ELF file")
    offset = struct.unpack("<Q", header[40:48])[0]
    size, count, names = struct.unpack("<HHH", header[58:64])
    file.seek(offset)
    table = file.read(size * count)
    if size != 64 or names >= len(table) // 64:
        raise ValueError("it has no section names")
    rows = [struct.unpack("<IIQQQQIIQQ", table[at : at + 64]) for at in range(0, len(table) - 63, 64)]
    file.seek(rows[names][4])
    texts = file.read(min(rows[names][5], 1 << 20))
    return {texts[row[0] :].split(b"\0", 1)[0]: (row[4], row[5]) for row in rows}


def built_with_cuda(path):
    """By the names of libraries it needs, and then by the line on CUDA in its build information."""
    with open(path, "rb") as file:
        found = sections(file)
        offset, size = found.get(b".dynstr", (0, 0))
        file.seek(offset)
        if CUDA_LIBRARY.search(file.read(min(size, 1 << 24))):
            return True
        offset, size = found.get(b".rodata", (0, 0))
        file.seek(offset)
        content = file.read(min(size, 1 << 27))
    start = content.find(b"General configuration for OpenCV")
    if start < 0:
        return {"unread": "no build information in " + path}
    return re.search(rb"NVIDIA CUDA:\s*YES", content[start : start + (1 << 15)]) is not None


def loading_error(path):
    """The loader's message where cv2's native library does not load, else nothing."""
    import ctypes

    try:
        ctypes.CDLL(path)
    except OSError as error:
        return str(error)
    return ""


# --- TensorFlow, conda, and what hides what --------------------------------------------------------------------------


def tensorflow(paths, known):
    """TensorFlow's build by its own build_info.py; None where it is not installed."""
    for entry in paths:
        path = os.path.join(entry, "tensorflow", "python", "platform", "build_info.py")
        if os.path.exists(path):
            import ast

            build = build_info(ast, read(path))
            versions = [
                one["version"] for one in known if re.match(r"tensorflow(-cpu|-gpu|-intel)?$|tf-nightly", one["name"])
            ]
            return {
                "kind": "tensorflow", "version": versions[0] if versions else "",
                "cuda": str(build.get("cuda_version", "")), "cudnn": str(build.get("cudnn_version", "")),
            }  # fmt: skip
    return None


def build_info(ast, source):
    """Every pair of constants in dictionaries and in tuples of two, as build_info.py writes them."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        pairs = list(map(tuple, zip(node.keys, node.values))) if isinstance(node, ast.Dict) else []  # noqa: B905 - 3.8
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            pairs = [node.elts]
        for key, value in pairs:
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                found[key.value] = value.value
    return found


def conda_prefix():
    for prefix in (sys.prefix, sys.base_prefix):
        if os.path.isdir(os.path.join(prefix, "conda-meta")):
            return prefix
    return ""


def newest_glibcxx(content):
    """The newest GLIBCXX_x.y.z that a libstdc++ defines."""
    found = set(re.findall(rb"GLIBCXX_(\d{1,6}(?:\.\d{1,6}){1,3})\0", content))
    newest = max(found, key=lambda one: [int(number) for number in one.split(b".")], default=b"")
    return "GLIBCXX_" + newest.decode("ascii") if newest else ""


def own_libstdcxx():
    prefix = conda_prefix() or sys.prefix
    system = prefix in ("/", "/usr", "/usr/local")
    return "" if system else newest_glibcxx(read(os.path.join(prefix, "lib", "libstdc++.so.6"), 1 << 26))


def unisolated(env):
    """Folders that the user's own run searches besides ours: the current one, PYTHONPATH, the user's site-packages."""
    first = [] if env.get("PYTHONSAFEPATH") else [os.getcwd()]
    paths = [os.path.abspath(one) for one in env["PYTHONPATH"].split(os.pathsep)] if env.get("PYTHONPATH") else []
    return first, paths + user_site(env)


def user_site(env):
    if env.get("PYTHONNOUSERSITE") or sys.prefix != sys.base_prefix:
        return []
    import site

    folder = site.getusersitepackages()
    return [folder] if os.path.isdir(folder) else []


def shadowed(folders):
    """The first module named like one of ours in these folders; what was installed there hides only another one."""
    ours = {os.path.realpath(entry) for entry in sys.path}
    for folder in folders:
        for module in MODULES if os.path.realpath(folder) not in ours else ():
            paths = [os.path.join(folder, module + ".py"), os.path.join(folder, module, "__init__.py")]
            hiding = [path for path in paths if os.path.isfile(path)]
            if hiding and (provided(module, sys.path) or not provided(module, [folder])):
                return hiding[0]
    return ""


def provided(module, paths):
    """True where an installed distribution brings this module."""
    return any(name.startswith("opencv" if module == "cv2" else module) for name in installed(paths))


# --- all of it ----------------------------------------------------------------------------------------------------


def observe(env):
    paths = [entry for entry in sys.path if os.path.isdir(entry)]
    known = distributions(paths)
    first, beside = part_of_path(env)
    return {
        "kind": "packages",
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable or "",
        "prefix": sys.prefix,
        "distributions": known,
        "outside": part_or(lambda: distributions(beside), []),
        "opencv": part(lambda: opencv(paths)),
        "tensorflow": part(lambda: tensorflow(paths, known)),
        "conda": conda_prefix(),
        "libstdcxx": part_or(own_libstdcxx, ""),
        "shadowed": part_or(lambda: shadowed(first + [one for one in beside if one not in user_site(env)]), ""),
    }


def part_of_path(env):
    """What the user's own run searches; nothing where that cannot be told."""
    return part_or(lambda: unisolated(env), ([], []))


def part_or(look, otherwise):
    found = part(look)
    return otherwise if isinstance(found, dict) and "unread" in found else found


def say(answer):
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def serve():
    answer = part(lambda: observe(os.environ))
    cv2 = answer.get("opencv")
    if not cv2 or "unread" in cv2 or cv2["error"]:
        say(answer)
        return
    say(dict(answer, opencv=ENDED_HERE))
    say(dict(answer, opencv=dict(cv2, error=loading_error(cv2["path"]))))


if __name__ == "__main__":
    serve()
    sys.stdout.flush()
    os._exit(0)
