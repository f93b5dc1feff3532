"""What is known of base images by their names, and of packages by theirs. Anything else is not known.

What packages bring was followed through the dependencies of Debian 12, recommendations included.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LIBRARIES = ("egl", "gles", "gl", "glib")
"""In the order of the marks below."""

DEFAULT = "utility,compute"
"""What the container toolkit takes where NVIDIA_DRIVER_CAPABILITIES is not set."""
COMPUTE_ONLY = "compute,utility"


class Base(NamedTuple):
    """A base image. `family`: debian, fedora, alpine or ""; `bare`: nothing of GL is in it; `has`: what is; `python`:
    its Python; `nvidia`: made for NVIDIA GPUs; `capabilities`: what its ENV says, "" for nothing, None: not known.
    """

    family: str = ""
    bare: bool = False
    has: frozenset[str] = frozenset()
    python: str = ""
    nvidia: bool = False
    capabilities: str | None = None
    cuda: str = ""
    machine: str = "x86_64"


PYTHON_OF = {
    "ubuntu20.04": "3.8", "ubuntu22.04": "3.10", "ubuntu24.04": "3.12", "ubuntufocal": "3.8", "ubuntujammy": "3.10",
    "ubuntunoble": "3.12", "debianbookworm": "3.11", "debian12": "3.11", "debianbullseye": "3.9", "debian11": "3.9",
    "debiantrixie": "3.13", "debian13": "3.13",
}  # fmt: skip
"""The python3 of a distribution."""

OLD = re.compile(r"(?:14|16|18|20)\.04|xenial|bionic|focal|stretch|centos:?7|amazonlinux:2(?:$|[.-])")
"""Systems whose pip or C library does not take the newest wheels: which one they get is not known."""

FEDORAS = ("fedora", "rockylinux", "almalinux", "oraclelinux", "amazonlinux", "centos", "ubi8", "ubi9")
HUB = re.compile(r"^(?:(?:index\.)?docker\.io/)?(?:library/)?|^(?:public\.ecr\.aws/docker/library/)|^mirror\.gcr\.io/")
CUDA_TAG = re.compile(
    r"(?P<cuda>\d+\.\d+(?:\.\d+)?)-.*?(?P<system>ubuntu\d\d\.\d\d|rockylinux\d|ubi\d|centos\d|debian\d+)"
)


def base_of(image: str) -> Base:
    """What is known of an image by its name."""
    name, _, tag = HUB.sub("", image.partition("@")[0].lower()).partition(":")
    if "onbuild" in tag:  # its triggers may install anything
        return Base()
    if re.search(r"(?:^|[-.])(?:alpine|musl)", tag) or name == "alpine" or name.startswith("alpine/"):
        return Base(family="alpine", python=python_tag(tag) if name == "python" else "", capabilities="")
    if name == "python":
        return of_python(tag)
    if name in ("nvidia/cuda", "nvcr.io/nvidia/cuda"):
        return of_cuda(tag)
    if name in ("debian", "ubuntu", "debian/snapshot"):
        system = name.split("/")[0] + tag.split("-")[0]
        return Base(family="debian", bare=True, python=PYTHON_OF.get(system, ""), capabilities="")
    if name.split("/")[-1] in FEDORAS:
        return Base(family="fedora", bare=True, has=frozenset(("glib",)), capabilities="")
    return of_others(name, tag)


def of_python(tag: str) -> Base:
    """The official Python images: the slim ones are bare, the others hold GLib's headers and so GLib."""
    slim = "slim" in tag
    if "windows" in tag:
        return Base()
    return Base("debian", bare=True, has=frozenset(() if slim else ("glib",)), python=python_tag(tag), capabilities="")


def python_tag(tag: str) -> str:
    """The version in the tag of a Python image."""
    found = re.match(r"3\.\d+(?:\.\d+)?(?![\d.])", tag)
    return found[0] if found else ""


def of_cuda(tag: str) -> Base:
    """NVIDIA's CUDA images."""
    found = CUDA_TAG.match(tag)
    system = found["system"] if found else ""
    fedora = system.startswith(("rocky", "ubi", "centos"))
    family = "fedora" if fedora else "debian" if system else ""
    has = frozenset(("glib",) if fedora else ())
    python = PYTHON_OF.get(system, "")
    cuda = found["cuda"] if found else ""
    return Base(family, bool(system), has, python, nvidia=True, capabilities=COMPUTE_ONLY, cuda=cuda)


def of_others(name: str, tag: str) -> Base:
    """Images of which only some things are known."""
    if name in ("nvidia/opengl", "nvidia/cudagl"):
        return Base(family="debian", nvidia=True)
    if name in ("pytorch/pytorch", "tensorflow/tensorflow"):
        gpu = "cuda" in tag or "gpu" in tag
        return Base(nvidia=gpu, capabilities=COMPUTE_ONLY if gpu else None)
    if "/l4t" in name:
        return Base(nvidia=True, machine="aarch64")
    return Base(nvidia=name.startswith(("nvidia/", "nvcr.io/nvidia/")))


NOTHING = frozenset(
    """
    curl wget git ca-certificates build-essential gcc g++ make cmake ninja-build pkg-config python3 python3-pip
    python3-venv python3-dev python3-setuptools python3-wheel python-is-python3 gnupg gnupg2 gpg apt-transport-https
    lsb-release unzip zip tar gzip bzip2 xz-utils vim vim-tiny nano less htop tmux screen sudo tini dumb-init
    openssh-client openssh-server rsync procps net-tools iputils-ping iproute2 dnsutils netcat-openbsd netcat socat
    jq tree file locales tzdata libssl-dev libffi-dev zlib1g-dev zlib1g libbz2-dev libreadline-dev libsqlite3-dev
    sqlite3 liblzma-dev libncurses5-dev libncursesw5-dev llvm libxml2-dev libxmlsec1-dev libxslt1-dev libsm6
    libxext6 libxrender1 libxrender-dev libx11-6 libxcb1 libgl1-mesa-dri libegl-mesa0 libglvnd0 libopengl0 libglx0
    libglx-mesa0 libglu1-mesa libosmesa6 libgbm1 mesa-vulkan-drivers libvulkan1 vulkan-tools xauth libv4l-dev
    v4l-utils libv4l-0 libjpeg-dev libjpeg62-turbo-dev libpng-dev libtiff-dev libtiff5-dev libwebp-dev
    libxvidcore-dev libx264-dev libatlas-base-dev libopenblas-dev liblapack-dev gfortran libhdf5-dev libeigen3-dev
    libboost-all-dev libprotobuf-dev protobuf-compiler libportaudio2 portaudio19-dev libasound2 libasound2-dev
    libsndfile1 libsndfile1-dev sox espeak espeak-ng alsa-utils libpulse0 libgomp1 libstdc++6 libgcc-s1 libusb-1.0-0
    libusb-1.0-0-dev usbutils pciutils kmod libdrm2 libfontconfig1 libfreetype6 libfreetype6-dev libice6
    fonts-dejavu fonts-dejavu-core fonts-noto-cjk fonts-liberation fontconfig libpq-dev libpq5 libmariadb-dev
    default-libmysqlclient-dev postgresql-client redis-server redis-tools nginx supervisor cron nodejs libmagic1
    poppler-utils autoconf automake libtool swig patch patchelf ccache strace clang binutils dpkg-dev libzmq3-dev
    libevent-dev libyaml-dev libgmp-dev libcurl4-openssl-dev libcurl4 libkrb5-dev gettext gettext-base bash zsh
    git-lfs aria2 p7zip-full parallel bc time gosu ocl-icd-libopencl1 opencl-headers clinfo libtbb-dev adduser
    passwd libjemalloc2 numactl libnuma-dev coreutils findutils sed grep gawk libexpat1 python3-tk python3-numpy
    libwebp7 pipx python3-full libc6 libc6-dev libc-bin yasm nasm ssh-client rustc cargo golang libxi6 libxfixes3
    libxdamage1 libxcomposite1 libxrandr2 libxtst6 libnss3 libxkbcommon0 python3-distutils libcudnn8
    libcudnn8-dev libcudnn9-cuda-12 libcudnn9-dev-cuda-12
    """.split()  # noqa: SIM905 (one word for one package reads better)
)
"""Packages of Debian and Ubuntu that bring none of the libraries."""

_BROUGHT = {
    "0001": "software-properties-common libglib2.0-0 libglib2.0-0t64 libglib2.0-dev libgtk-3-0 libgtk2.0-0"
    " libgtk2.0-dev libgstreamer1.0-0 libgstreamer1.0-dev gstreamer1.0-plugins-base"
    " gstreamer1.0-plugins-good gstreamer1.0-tools libatk1.0-0 libatk-bridge2.0-0 libpango-1.0-0"
    " libpangocairo-1.0-0 libcairo2-dev graphviz imagemagick libmagickwand-dev tesseract-ocr gdb"
    " python3-gi valgrind google-perftools",
    "0010": "libgl1 libgl1-mesa-glx libgl-dev libglu1-mesa-dev libglfw3 libosmesa6-dev xvfb x11-utils x11vnc"
    " tigervnc-standalone-server libavutil-dev libswscale-dev ocl-icd-opencl-dev",
    "0011": "ffmpeg libavdevice-dev default-jre openjdk-17-jdk gstreamer1.0-libav libavcodec-dev libavformat-dev"
    " libavfilter-dev pulseaudio",
    "0100": "libgles2 libgles2-mesa",
    "1000": "libegl1 libegl1-mesa",
    "1010": "libegl-dev",
    "1011": "gstreamer1.0-gl libopencv-dev python3-opencv libopencv-highgui-dev libqt5gui5 qtbase5-dev chromium"
    " chromium-driver npm xfce4 python3-pyqt5",
    "1110": "libgl1-mesa-dev libegl1-mesa-dev libgles2-mesa-dev libgles-dev libglvnd-dev freeglut3-dev libglfw3-dev"
    " libglew-dev mesa-utils",
    "1111": "libgtk-3-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-plugins-bad libreoffice",
}
_FEDORA = {
    "1000": "libglvnd-egl mesa-libEGL", "0100": "libglvnd-gles mesa-libGLES", "0010": "libglvnd-glx mesa-libGL",
    "0001": "glib2", "1110": "libglvnd-devel mesa-libGL-devel mesa-libEGL-devel",
    "0000": "python3 python3-pip python3.11 python3.11-pip python3.12 python3.12-pip python3-devel gcc gcc-c++ make"
    " git curl wget tar gzip which cmake unzip ca-certificates libSM libXext libXrender libglvnd findutils procps-ng",
}  # fmt: skip


def _table(rows: dict[str, str]) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(library for library, mark in zip(LIBRARIES, marks, strict=True) if mark == "1")
        for marks, names in rows.items()
        for name in names.split()
    }


BROUGHT = {
    "debian": {**dict.fromkeys(NOTHING, frozenset[str]()), **_table(_BROUGHT)},
    "fedora": _table(_FEDORA),
}
HARMLESS = re.compile(r"python3\.\d+(?:-(?:dev|venv|distutils|minimal))?|libpython3\.\d+(?:-dev)?|linux-headers.*")


def brought(family: str, package: str) -> frozenset[str] | None:
    """The libraries that a package brings, with what it depends on; None where nobody knows."""
    name = re.split(r"[=/:]", package, maxsplit=1)[0]
    found = BROUGHT.get(family, {}).get(name)
    return frozenset() if found is None and HARMLESS.fullmatch(name) else found


PACKAGES = {
    "debian": {"egl": "libegl1", "gles": "libgles2", "gl": "libgl1", "glib": "libglib2.0-0"},
    "fedora": {"egl": "libglvnd-egl", "gles": "libglvnd-gles", "gl": "libglvnd-glx", "glib": "glib2"},
}
"""The package to install for each library."""
