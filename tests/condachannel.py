"""A conda channel made on the spot: an interpreter of this machine packed as a conda package, and small stand-ins."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envcheck.executor import find_uv

PLACEHOLDER = "/" + "_placehold" * 25
"""As conda-build's: longer than any prefix, so that binaries can be patched."""
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo"} | {
    "ensurepip",
    "__pycache__",
}
LAUNCHER = """
#include <Python.h>
volatile const char prefix[] = "%s/share/made-by-tests";
int main(int argc, char **argv) { (void)prefix[0]; return Py_BytesMain(argc, argv); }
"""
DESCRIBE = """
import json, platform, sys, sysconfig
value = sysconfig.get_config_var
print(json.dumps({"version": platform.python_version(), "prefix": sys.base_prefix, "exe": sys.executable,
    "include": sysconfig.get_path("include"), "stdlib": sysconfig.get_path("stdlib"), "libdir": value("LIBDIR"),
    "library": value("INSTSONAME") or "", "shared": bool(value("Py_ENABLE_SHARED"))}))
"""


@dataclass
class Package:
    """What a package's index.json says, its files, and where a prefix stands in them (placeholder and mode)."""

    name: str
    version: str
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    files: dict[str, bytes | Path] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    prefixed: dict[str, tuple[str, str]] = field(default_factory=dict)
    subdir: str = "linux-64"

    def write(self, channel: Path) -> None:
        """Put the package into a channel, which is then to be indexed."""
        target = channel / self.subdir / f"{self.name}-{self.version}-0.tar.bz2"
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
            add(archive, "info/index.json", json.dumps(self.index()).encode())
            add(archive, "info/paths.json", json.dumps({"paths_version": 1, "paths": self.paths()}).encode())
            add(archive, "info/about.json", b"{}")
            for path, content in self.files.items():
                if isinstance(content, Path):
                    archive.add(content, path, recursive=False)
                else:
                    add(archive, path, content)
            for path, goal in self.links.items():
                link = tarfile.TarInfo(path)
                link.type, link.linkname = tarfile.SYMTYPE, goal
                archive.addfile(link)

    def index(self) -> dict[str, Any]:
        said: dict[str, Any] = {"name": self.name, "version": self.version, "build": "0", "build_number": 0}
        said |= {"depends": list(self.depends), "constrains": list(self.constrains), "subdir": self.subdir}
        said |= {"license": "none", "timestamp": 1700000000000}
        return said | ({"noarch": "generic"} if self.subdir == "noarch" else {"platform": "linux", "arch": "x86_64"})

    def paths(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path, content in self.files.items():
            data = content.read_bytes() if isinstance(content, Path) else content
            found.append(path_entry(path, "hardlink", data))
            if path in self.prefixed:
                placeholder, mode = self.prefixed[path]
                found[-1] |= {"prefix_placeholder": placeholder, "file_mode": mode}
        return found + [path_entry(path, "softlink", b"") for path in self.links]


def path_entry(path: str, kind: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return {"_path": path, "path_type": kind, "sha256": digest, "size_in_bytes": len(data)}


def add(archive: tarfile.TarFile, path: str, data: bytes) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
    archive.addfile(member, io.BytesIO(data))


def find_python(version: str) -> str:
    """An interpreter of this machine, or an empty text."""
    done = subprocess.run(
        [find_uv(), "python", "find", "--system", "--no-project", version], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def python_package(interpreter: str, work: Path) -> Package:
    """An interpreter of this machine, relocatable as conda's are: it finds its library and itself by where it lies."""
    said = json.loads(subprocess.check_output([interpreter, "-I", "-c", DESCRIBE]))
    short = ".".join(said["version"].split(".")[:2])
    package = Package("python", said["version"], depends=("libstdcxx >=13",))
    launcher = work / f"python{short}"
    if said["shared"]:
        link_launcher(said, short, launcher)
        package.prefixed[f"bin/python{short}"] = (PLACEHOLDER, "binary")
        package.files[f"lib/{said['library']}"] = Path(said["libdir"], said["library"])
    else:
        launcher.write_bytes(Path(said["exe"]).resolve().read_bytes())
        launcher.chmod(0o755)
    package.files[f"bin/python{short}"] = launcher
    package.links |= {"bin/python": f"python{short}", "bin/python3": f"python{short}"}
    for inside, path in library_files(Path(said["stdlib"]), f"lib/python{short}"):
        package.files[inside] = path
        if path.name.startswith("_sysconfigdata") and said["prefix"].encode() in path.read_bytes():
            package.prefixed[inside] = (said["prefix"], "text")
    package.files[f"lib/python{short}/site-packages/README.txt"] = b"packages\n"
    return package


def link_launcher(said: dict[str, Any], short: str, launcher: Path) -> None:
    """The main program linked anew: it finds libpython beside itself, and a path stands in it to be patched."""
    source = launcher.with_name("launcher.c")
    source.write_text(LAUNCHER % PLACEHOLDER)
    where = [f"-I{said['include']}", f"-L{said['libdir']}", f"-lpython{short}"]
    rpath = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"
    subprocess.check_call(["gcc", "-O1", str(source), "-o", str(launcher), *where, rpath])


def library_files(stdlib: Path, inside: str) -> list[tuple[str, Path]]:
    found = []
    for folder, folders, names in os.walk(stdlib):
        folders[:] = [one for one in folders if one not in LEFT_OUT and not one.startswith("config-")]
        paths = [Path(folder, name) for name in names]
        found += [(f"{inside}/{path.relative_to(stdlib).as_posix()}", path) for path in paths if not path.is_symlink()]
    return found


def make(channel: Path, interpreter: str, work: Path) -> None:
    """A channel with an interpreter, and packages that bear the names and constraints of conda-forge's CUDA ones."""
    python_package(interpreter, work).write(channel)
    Package("libstdcxx", "14.2.0", files={"share/doc/libstdcxx/README": b"stand-in\n"}).write(channel)
    for version in ("11.8", "12.8", "13.0"):
        wanted = (f"__cuda >={version.partition('.')[0]}",)
        Package("cuda-version", version, constrains=wanted, subdir="noarch").write(channel)
    Package("cudatoolkit", "11.8.0", depends=("__cuda >=11", "cuda-version 11.8.*")).write(channel)
    Package("cuda-cudart", "12.8.90", depends=("__cuda >=12", "cuda-version >=12.8,<12.9")).write(channel)
    if library := system_library("libEGL.so.1"):
        Package("libegl", "1.7.0", files={"lib/libEGL.so.1": library}).write(channel)
    index(channel)


def system_library(name: str) -> Path | None:
    """A library of this machine."""
    folders = (Path("/usr/lib"), Path("/lib"))
    found = (path for folder in folders for path in (folder / name, *folder.glob(f"*-linux-gnu/{name}")))
    return next((path.resolve() for path in found if path.exists()), None)


def index(channel: Path) -> None:
    """Write the channel's repodata."""
    from rattler.index import index_fs

    (channel / "noarch").mkdir(parents=True, exist_ok=True)
    asyncio.run(index_fs(channel, write_zst=False, write_shards=False))
