"""What a broken world is: this very machine, with variables, files, devices and limits laid over it.

A world is data. `entering.script` turns it into the commands that build it, in a mount namespace of its own over an
overlay of the whole file system, so that nothing of it is left behind and nothing outside can see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from typing import Any

DRIVER = "570.124.06"
OTHER_DRIVER = "570.133.20"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
VENDORS = "/usr/share/glvnd/egl_vendor.d"


@dataclass(frozen=True)
class Built:
    """A library compiled from `native/SOURCE`, which may define NEEDS to use a function of `needs`.

    `needs` is a library that it is linked with, in a version of its own: a world does not have it, or has an older one
    without `symbols`, the name of the function's symbol version.
    """

    source: str
    needs: str = ""
    symbols: str = ""


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Script:
    """An executable text file."""

    text: str


@dataclass(frozen=True)
class Node:
    """A character device: numbers, mode and owner as mknod, chmod and chown take them."""

    major: int
    minor: int = 0
    mode: str = "666"
    owner: str = "0:0"


Content = str | Built | Link | Script


@dataclass(frozen=True)
class World:
    """`env` and `files` are laid over this machine; `hidden` paths and `devices` outside of /dev's usual few are gone.

    `{site}`, `{prefix}` and `{python}` in a path or a text stand for the environment under test, `mediapipe` is its
    version; `{uv}` for uv's cache, `{roads}` for the folders that lead to interpreter and environment. `proc` lays
    files over /proc/driver. `prefix` are words in front of the command, such as prlimit.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    devices: Mapping[str, Node] = field(default_factory=dict)
    proc: Mapping[str, str] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    mediapipe: str = "1.2.2"
    setup: tuple[str, ...] = ()
    """Shell lines that run last, before the command, with $R the new root."""

    @property
    def built(self) -> bool:
        """True where a mount namespace is needed; else variables and limits are all there is."""
        return bool(self.files or self.hidden or self.devices or self.proc or self.namespaces or self.setup)

    def having(self, **more: Any) -> World:
        """This world with more in it: mappings and tuples are added to, texts replaced."""
        changes: dict[str, Any] = {}
        for name, value in more.items():
            before = getattr(self, name)
            if isinstance(before, str):
                changes[name] = value
            elif isinstance(before, tuple):
                changes[name] = before + tuple(value)
            else:
                changes[name] = {**before, **value}
        return replace(self, **changes)

    def without(self, *paths: str) -> World:
        """This world without files, devices or variables of these names, which may be patterns."""
        known = {*self.files, *self.devices, *self.proc, *self.env}
        idle = [path for path in paths if not any(fnmatch(name, path) for name in known)]
        assert not idle, f"nothing of this world is called {idle}"

        def gone(name: str) -> bool:
            return any(fnmatch(name, path) for path in paths)

        return replace(
            self,
            files={name: value for name, value in self.files.items() if not gone(name)},
            devices={name: value for name, value in self.devices.items() if not gone(name)},
            proc={name: value for name, value in self.proc.items() if not gone(name)},
            env={name: value for name, value in self.env.items() if not gone(name)},
        )


def module_text(version: str) -> str:
    """/proc/driver/nvidia/version as the driver writes it."""
    return (
        f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Wed Feb 26 02:09:05 UTC 2025\n"
        "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
    )


def vendor_text(library: str) -> str:
    """A glvnd vendor file."""
    return f'{{"file_format_version": "1.0.0", "ICD": {{"library_path": "{library}"}}}}\n'


def linked(name: str, short: str, content: Built, version: str, folder: str) -> dict[str, Content]:
    """A library of the driver as packages install it: the file with the version, and the link to it."""
    return {f"{folder}/{name}.{version}": content, f"{folder}/{short}": Link(f"{name}.{version}")}


def compute_half(version: str = DRIVER, folder: str = LIBRARIES) -> dict[str, Content]:
    """libcuda and libnvidia-ml."""
    return linked("libcuda.so", "libcuda.so.1", Built("cuda.c"), version, folder) | linked(
        "libnvidia-ml.so", "libnvidia-ml.so.1", Built("nvml.c"), version, folder
    )


def graphics_half(version: str = DRIVER, folder: str = LIBRARIES) -> dict[str, Content]:
    """libEGL_nvidia and what it stands on."""
    parts = {
        f"{folder}/libnvidia-{part}.so.{version}": Built("empty.c")
        for part in ("eglcore", "glcore", "glsi", "tls", "gpucomp")
    }
    return (
        parts
        | linked("libEGL_nvidia.so", "libEGL_nvidia.so.0", Built("egl.c"), version, folder)
        | linked("libGLESv2_nvidia.so", "libGLESv2_nvidia.so.2", Built("empty.c"), version, folder)
    )


def kernel_module(version: str) -> dict[str, str]:
    """What a loaded kernel module shows of itself."""
    return {"/proc/driver/nvidia/version": module_text(version)}


def matrix(**axes: str) -> dict[str, str]:
    """A matrix of one cell."""
    listed = ", ".join(f'{name}: ["{value}"]' for name, value in axes.items())
    return {"/opt/matrix.yaml": f"version: 1\naxes: {{{listed}}}\n"}


def distribution(name: str, version: str, record: str = "", requires: str = "") -> dict[str, str]:
    """An installed distribution, as its metadata shows it."""
    folder = f"{{site}}/{name}-{version}.dist-info"
    requirement = f"Requires-Dist: {requires}\n" if requires else ""
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirement}",
        f"{folder}/RECORD": record,
    }


OURS = ("/.dockerenv", "/run/.containerenv", "/etc/cdi", "/var/run/cdi", "/usr/local/cuda*", "/usr/local/nvidia")
"""Signs of a container and parts of CUDA that this very machine may have."""

PLAIN = World(hidden=OURS)
"""This machine as it is: software GL, no NVIDIA driver, no container."""

SURFACELESS = PLAIN.having(env={"EGL_PLATFORM": "surfaceless"})
"""As it is, with a default display that works: Mesa's software GL."""

MODULE = PLAIN.having(
    proc=kernel_module(DRIVER),
    devices={
        "/dev/nvidiactl": Node(195, 255),
        "/dev/nvidia0": Node(195, 0),
        "/dev/nvidia-modeset": Node(195, 254),
        "/dev/nvidia-uvm": Node(511, 0),
        "/dev/dri/card0": Node(226, 0),
        "/dev/dri/renderD128": Node(226, 128),
    },
)
"""A loaded kernel module and its device files, and nothing else of the driver."""

COMPUTE = MODULE.having(files=compute_half())
"""A driver without its graphics half."""

NVIDIA = COMPUTE.having(files=graphics_half() | {f"{VENDORS}/10_nvidia.json": vendor_text("libEGL_nvidia.so.0")})
"""A whole driver, made of stand-ins: everything is in its place, and nothing of it is real."""

IN_DOCKER = NVIDIA.having(
    files={"/.dockerenv": ""},
    env={"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "all"},
)
"""The same in a container, handed in by NVIDIA's runtime with all its capabilities."""

ORDINARY: Mapping[str, tuple[str, ...]] = {
    "prefix": ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    "setup": ('for at in {roads}; do chmod a+rx "$R$at"; done', 'chmod -R a+rwX "$R{out}"'),
}
"""A user without any group, for whom the folders of interpreter and environment are opened."""
