"""Payload: libraries of NVIDIA's driver, of GL and of CUDA, as the dynamic loader would find them, as one JSON line.

Files and variables are read, nothing else: no library is loaded and no process is started, so that a broken driver
cannot break the answer. A part that cannot be looked at is {"unread": reason}.
"""

import glob
import json
import os
import re
import struct
import sys

LINUX = sys.platform.startswith("linux")
NOT_LINUX = {"unread": "looked at on Linux only; this is " + sys.platform}

# What is looked for. The parts of the graphics half have the driver's version as their whole suffix.
DRIVER = re.compile(
    r"lib(cuda\.so\.1|nvidia-ml\.so\.1|EGL_nvidia\.so\.0|GLESv2_nvidia\.so\.2"
    r"|(cuda|nvidia-ml|EGL_nvidia|GLESv2_nvidia|nvidia-(eglcore|glcore|glsi|tls|gpucomp))\.so\.\d{3,}\.\d+(\.\d+)?)$"
)
GL = re.compile(r"lib(EGL\.so\.1|GLESv2\.so\.2|GLdispatch\.so\.0|EGL_mesa\.so\.0|GL\.so\.1)$")
RUNTIME, CUDNN = re.compile(r"libcudart\.so\.\d+(\.0)?$"), re.compile(r"libcudnn\.so\.\d+$")
FAMILIES = (DRIVER, GL, RUNTIME, CUDNN)
DRIVER_VERSION = re.compile(r"\.so\.(\d{3,}\.\d+(?:\.\d+)?)$")
LIBRARY_VERSION = re.compile(r"\.so\.(\d+\.\d+(?:\.\d+)*)$")

# Folders that are known to hold drivers, whether or not the loader searches them.
KNOWN_FOLDERS = (
    "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib",
    "/usr/lib/x86_64-linux-gnu/nvidia/current", "/usr/lib/aarch64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu/tegra", "/usr/lib/aarch64-linux-gnu/tegra-egl", "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib64/nvidia", "/usr/lib64-nvidia", "/usr/lib/nvidia",
    "/usr/lib/x86_64-linux-gnu/nvidia", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu", "/home/kubernetes/bin/nvidia/lib64", "/.singularity.d/libs",
    "/usr/lib/x86_64-linux-gnu/GL/default/lib", "/var/lib/nvidia/lib64",
)  # fmt: skip
DEFAULT_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
CACHE_MAGIC, CACHE_HEADER, CACHE_ENTRY = b"glibc-ld.so.cache1.1", 48, struct.Struct("=iIIIQ")
DT_RPATH, DT_RUNPATH = 15, 29
CACHE_ARCHITECTURE = {"x86_64": 0x0300, "aarch64": 0x0A00}  # sysdeps/generic/ldconfig.h of the GNU C library

VENDOR_FOLDERS = "/etc/glvnd/egl_vendor.d:/usr/share/glvnd/egl_vendor.d"
STEERING = (
    "DISPLAY", "WAYLAND_DISPLAY", "EGL_PLATFORM", "__EGL_VENDOR_LIBRARY_FILENAMES", "__EGL_VENDOR_LIBRARY_DIRS",
    "__EGL_EXTERNAL_PLATFORM_CONFIG_DIRS", "__EGL_EXTERNAL_PLATFORM_CONFIG_FILENAMES", "__GLX_VENDOR_LIBRARY_NAME",
    "__NV_PRIME_RENDER_OFFLOAD", "DRI_PRIME", "LIBGL_ALWAYS_SOFTWARE", "LIBGL_DRIVERS_PATH", "LIBGL_KOPPER_DRI2",
    "GALLIUM_DRIVER", "MESA_LOADER_DRIVER_OVERRIDE", "MESA_GL_VERSION_OVERRIDE", "MESA_GLES_VERSION_OVERRIDE",
    "MESA_D3D12_DEFAULT_ADAPTER_NAME", "GBM_BACKEND", "GBM_BACKENDS_PATH", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
BELIEVED = "MEDIAPIPE_"  # what is thought to steer MediaPipe; none of it is read


def why(path, error):
    return {"unread": "%s: %s" % (path, getattr(error, "strerror", None) or error)}


def read(path, limit=1 << 20):
    """A file's text, or {"unread": reason}."""
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return why(path, error)


def listed(folder):
    """Names in a folder; none where it is not there or may not be read."""
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []


# --- the loader ---------------------------------------------------------------------------------------------------


def cache_entries(data, architecture):
    """Library name -> paths, as ldconfig wrote them down; None where this is no cache that we understand."""
    base = data.find(CACHE_MAGIC)
    if base < 0 or len(data) < base + CACHE_HEADER:
        return None
    count = struct.unpack_from("=I", data, base + 20)[0]
    entries: dict[str, list[str]] = {}
    start = base + CACHE_HEADER
    if start + count * CACHE_ENTRY.size > len(data):
        return None
    table = data[start : start + count * CACHE_ENTRY.size]
    for flags, key, value, _version, _features in CACHE_ENTRY.iter_unpack(table):
        if architecture is None or flags & 0xFF00 == architecture:
            entries.setdefault(string_at(data, base + key), []).append(string_at(data, base + value))
    return entries


def string_at(data, offset):
    end = data.find(b"\0", offset)
    return data[offset:end].decode("utf-8", "surrogateescape") if 0 <= offset < end else ""


def conf_folders(path="/etc/ld.so.conf", seen=()):
    """Folders that /etc/ld.so.conf names, in its order."""
    seen = seen or set()
    text = read(path)
    for line in () if isinstance(text, dict) or path in seen else text.splitlines():
        seen.add(path)
        words = line.split("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                for found in sorted(glob.glob(os.path.join(os.path.dirname(path), pattern))):
                    yield from conf_folders(found, seen)
        elif words:
            yield words[0]


def path_folders(value):
    """The folders of LD_LIBRARY_PATH; an empty entry is the current folder, as for the loader."""
    return [part or "." for part in re.split("[:;]", value)] if value else []


def kind_of(path):
    """Class and machine in an ELF header, None where the file is none; OSError where it may not be read."""
    with open(path, "rb") as file:
        start = file.read(20)
    return start[4:6] + start[18:20] if start[:4] == b"\x7fELF" and len(start) == 20 else None


def own_folders(path="/proc/self/exe"):
    """The folders of the interpreter's own DT_RPATH, as conda's has one; they come first for every library."""
    try:
        tags, texts = elf_section(path, b".dynamic") or b"", elf_section(path, b".dynstr") or b""
    except (OSError, OverflowError, ValueError, struct.error):
        return []
    values = dict(struct.iter_unpack("<qQ", tags[: len(tags) // 16 * 16]))
    if DT_RPATH not in values or DT_RUNPATH in values:
        return []
    origin = os.path.dirname(os.path.realpath(path))
    folders = string_at(texts, values[DT_RPATH]).split(":")
    return [os.path.normpath(one.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)) for one in folders if one]


class Loader:
    """Where the dynamic loader looks for a library by its name, in its order."""

    def __init__(self, env, machine):
        self.first = own_folders() + path_folders(env.get("LD_LIBRARY_PATH", ""))
        self.cache: dict[str, list[str]] = {}
        understood = True
        try:
            with open("/etc/ld.so.cache", "rb") as file:
                cache = cache_entries(file.read(), CACHE_ARCHITECTURE.get(machine))
            self.cache, understood = cache or {}, cache is not None
        except OSError:
            pass
        multiarch = "%s-linux-gnu" % machine
        last = ["/lib/" + multiarch, "/usr/lib/" + multiarch, *DEFAULT_FOLDERS]
        self.last = last if understood else list(conf_folders()) + last
        if os.path.realpath(sys.executable or "").startswith("/nix/store/"):  # its loader knows no folder of the system
            self.cache, self.last = {}, []
        self.taken: dict[str, str] = {}
        try:
            self.ours = kind_of("/proc/self/exe")
        except OSError:
            self.ours = None

    def fits(self, path):
        """True unless the loader passes this file over: not there, not readable, or of another machine."""
        try:
            kind = kind_of(path)
        except (OSError, ValueError):
            return False
        return None in (kind, self.ours) or kind == self.ours

    def foreign(self, path):
        """True for a library of another machine, such as the 32-bit half of a driver; what cannot be read is none."""
        try:
            kind = kind_of(path)
        except (OSError, ValueError):
            return False
        return None not in (kind, self.ours) and kind != self.ours

    def find(self, name):
        """The file that the loader takes for this name or path, or ""."""
        if name not in self.taken:
            if "/" in name:
                paths = [name]
            else:
                paths = [os.path.join(folder, name) for folder in self.first]
                paths += self.cache.get(name, ())
                paths += [os.path.join(folder, name) for folder in self.last]
            self.taken[name] = next((path for path in paths if self.fits(path)), "")
        return self.taken[name]

    def folders(self):
        """Every folder in which libraries may lie, those that the loader searches first; each folder once."""
        cached = [os.path.dirname(path) for name in self.cache if interesting(name) for path in self.cache[name]]
        seen: dict[str, str] = {}
        for folder in self.first + cached + self.last + list(KNOWN_FOLDERS):
            try:
                seen.setdefault(os.path.realpath(folder), folder)
            except OSError:  # a relative one, where the current folder is gone
                continue
        return list(seen.values())


def interesting(name):
    return name.startswith("lib") and any(family.match(name) for family in FAMILIES)


def library(loader, path, version=DRIVER_VERSION):
    name, target = os.path.basename(path), os.path.realpath(path)
    match, taken = version.search(target), loader.find(os.path.basename(path))
    return {
        "name": name, "path": path, "target": target, "version": match.group(1) if match else "",
        "loadable": bool(taken) and os.path.realpath(taken) == target,
    }  # fmt: skip


def libraries(loader, names):
    """{family: [library files]}. A versioned name stands for itself only where no link leads to it."""
    found: dict[object, dict[object, object]] = {family: {} for family in FAMILIES}
    paths = [os.path.join(folder, name) for folder, inside in names for name in inside if name.startswith("lib")]
    for path in sorted(paths, key=lambda one: DRIVER_VERSION.search(one) is not None):
        name = os.path.basename(path)
        for family in FAMILIES:
            if family.match(name) and not loader.foreign(path):
                seen = library(loader, path, DRIVER_VERSION if family in (DRIVER, GL) else LIBRARY_VERSION)
                found[family].setdefault((name.partition(".so")[0], seen["target"]), seen)
    return {family: list(files.values()) for family, files in found.items()}


# --- GL -----------------------------------------------------------------------------------------------------------


def vendor_files(env):
    """The vendor files that glvnd's libEGL reads, in its order (src/EGL/icd_enumeration.md of libglvnd)."""
    if "__EGL_VENDOR_LIBRARY_FILENAMES" in env:
        return [path for path in env["__EGL_VENDOR_LIBRARY_FILENAMES"].split(":") if path]
    folders = [folder for folder in env.get("__EGL_VENDOR_LIBRARY_DIRS", VENDOR_FOLDERS).split(":") if folder]
    return [
        os.path.join(folder, name)
        for folder in folders
        for name in sorted(listed(folder), key=os.fsencode)
        if name.endswith(".json") and not os.path.isdir(os.path.join(folder, name))
    ]


def vendor_library(text):
    """(library_path, what is wrong) of a vendor file's text, by the checks that libEGL makes."""
    if isinstance(text, dict):
        return "", text["unread"]
    try:
        root = json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError) as error:
        return "", "not JSON: %s" % error
    root = root if isinstance(root, dict) else {}
    version, icd = root.get("file_format_version"), root.get("ICD")
    path = icd.get("library_path") if isinstance(icd, dict) else None
    number = re.match(r"\s*0*1(?:\.(\d+))?(?!\d)", version) if isinstance(version, str) else None
    if number is None or int(number.group(1) or 0) > 0:
        return "", "file_format_version must be 1.0.x, not %.40r" % (version,)
    return (path, "") if isinstance(path, str) and path else ("", "it names no ICD.library_path")


def vendor(loader, path):
    name, error = vendor_library(read(path))
    return {"path": path, "library": name, "found": loader.find(name) if name else "", "error": error}


# --- CUDA ---------------------------------------------------------------------------------------------------------


def compat_note(data):
    """Driver branches in the note of a cuda-compat libcuda: JSON of the owner "NVIDIA Corporation" (nvidia-container-
    toolkit, cmd/nvidia-cdi-hook/cudacompat/cuda-elf-header.go); None where it is none."""
    try:
        name_size, size, _kind = struct.unpack_from("=III", data)
        start = 12 + (name_size + 3 & ~3)
        if data[12 : 12 + name_size].rstrip(b"\0") != b"NVIDIA Corporation":
            return None
        branches = json.loads(data[start : start + size].rstrip(b"\0").decode("utf-8"))["Driver"]
        return [branch for branch in branches if type(branch) is int] or None
    except (ValueError, LookupError, TypeError, RecursionError, struct.error):
        return None


def elf_section(path, wanted):
    """The bytes of a section of a 64-bit little-endian ELF file, or None; OSError or ValueError where it is none."""
    with open(path, "rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01" or len(header) < 64:
            raise ValueError("not a 64-bit ELF file")
        offset, size, count, names = struct.unpack("<Q", header[40:48]) + struct.unpack("<HHH", header[58:64])
        if size != 64 or not names < count:
            raise ValueError("it has no section names")
        file.seek(offset)
        table = file.read(size * count)
        sections = [struct.unpack("<IIQQQQIIQQ", table[at : at + 64]) for at in range(0, len(table) - 63, 64)]
        if names >= len(sections):
            raise ValueError("its section table is cut short")
        file.seek(sections[names][4])
        texts = file.read(min(sections[names][5], 1 << 20))
        for section in sections:
            if texts[section[0] :].split(b"\0", 1)[0] == wanted:
                file.seek(section[4])
                return file.read(min(section[5], 1 << 20))
    return None


def compat_branches(compat):
    """The branches that the newest forward-compatibility libcuda serves."""
    if not compat:
        return {"unread": "no forward-compatibility library"}
    newest = max(compat, key=lambda one: [int(part) for part in one["version"].split(".") if part])["target"]
    try:
        note = elf_section(newest, b".note.cuda.fwd_compatibility")
    except (OSError, OverflowError, ValueError) as error:
        return why(newest, error)
    branches = None if note is None else compat_note(note)
    return branches or {"unread": "%s has no note of the drivers it serves that we understand" % newest}


def matching(folders, family):
    return [os.path.join(folder, name) for folder in folders for name in sorted(listed(folder)) if family.match(name)]


def cuda_folders():
    """Where CUDA lies besides the loader's folders: NVIDIA's wheels, /usr/local/cuda*, the interpreter's prefix."""
    found = [folder for entry in sys.path for folder in sorted(glob.glob(os.path.join(entry, "nvidia", "*", "lib")))]
    for root in sorted(glob.glob("/usr/local/cuda*")):
        found += [os.path.join(root, "lib64"), os.path.join(root, "targets", os.uname().machine + "-linux", "lib")]
    return [*found, os.path.join(sys.prefix, "lib")]


def compat_folders():
    return [*sorted(glob.glob("/usr/local/cuda*/compat*")), os.path.join(sys.prefix, "cuda-compat")]


def cuda(loader, found):
    folders = cuda_folders()
    compat = libraries(loader, [(folder, listed(folder)) for folder in compat_folders()])[DRIVER]
    compat = [one for one in unique(compat) if one["name"].startswith("libcuda.")]
    return {
        "runtime": cuda_libraries(loader, found[RUNTIME], folders, RUNTIME),
        "cudnn": cuda_libraries(loader, found[CUDNN], folders, CUDNN),
        "compat": compat,
        "compat_branches": compat_branches(compat),
    }


def cuda_libraries(loader, found, folders, family):
    return unique(found + [library(loader, path, LIBRARY_VERSION) for path in matching(folders, family)])


def unique(files):
    """Each file once, by where its links lead."""
    return list({one["target"]: one for one in reversed(files)}.values())[::-1]


# --- all of it ----------------------------------------------------------------------------------------------------


def part(look):
    """What `look` finds; what it raises is the reason why nobody could look."""
    try:
        return look()
    except Exception as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


def observe(env):
    asked = [name for name in STEERING if name in env] + sorted(name for name in env if name.startswith(BELIEVED))
    gl = {"variables": {name: env[name] for name in asked}}
    if not LINUX:
        cuda_nothing = {"runtime": NOT_LINUX, "cudnn": NOT_LINUX, "compat": NOT_LINUX}
        gl.update(libraries=NOT_LINUX, vendors=NOT_LINUX)
        return {"libraries": NOT_LINUX, "gl": gl, "cuda": cuda_nothing}
    loader = Loader(env, os.uname().machine)
    found = part(lambda: libraries(loader, [(folder, listed(folder)) for folder in loader.folders()]))
    every = {family: found if "unread" in found else found[family] for family in FAMILIES}
    gl.update(libraries=every[GL], vendors=part(lambda: [vendor(loader, path) for path in vendor_files(env)]))
    seen = part(lambda: cuda(loader, every))
    driver = every[DRIVER]
    return {
        "libraries": driver if "unread" in driver else [one for one in driver if not is_compat(one)],
        "gl": gl,
        "cuda": {"runtime": seen, "cudnn": seen, "compat": seen} if "unread" in seen else seen,
    }


def is_compat(file):
    """True for a library of a forward-compatibility package, which belongs to no driver."""
    return re.search(r"/(cuda-)?compat[^/]*/", file["target"]) is not None


if __name__ == "__main__":
    sys.stdout.buffer.write(json.dumps(observe(os.environ), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
