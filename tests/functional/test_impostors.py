"""Worlds that look like an NVIDIA GPU and are not: a vendor library, a preloaded library and printed lines that lie.

The library renders with Mesa's llvmpipe and says of itself what NVIDIA's would; NVML, too, is a stand-in, which lists
every worker. Whatever is forged, the verdict must not be accelerated, and a witness must say what gave it away.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import unable
from tests.functional.conftest import Command, Ran

pytestmark = [pytest.mark.software_gl, pytest.mark.network, pytest.mark.timeout(1800)]

MatrixOf = Callable[..., Path]

HERE = Path(__file__).parent
DRIVER = "570.124.06"
CLAIMS = {"IMPOSTOR_RENDERER": "NVIDIA H200/PCIe/SSE2", "IMPOSTOR_VERSION": f"OpenGL ES 3.2 NVIDIA {DRIVER}"}
VERSIONS = ("0.10.35", "1.2.2")


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a world in which libraries lie: EGL's vendor and NVML."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    folder = tmp_path_factory.mktemp("impostor")
    vendor, core = folder / f"libEGL_nvidia.so.{DRIVER}", folder / f"libnvidia-eglcore.so.{DRIVER}"
    (folder / "empty.c").write_text("int nothing;\n", encoding="utf-8")
    shared(HERE / "impostor.c", vendor)
    shared(folder / "empty.c", core)
    shared(HERE / "nvml.c", folder / "libnvidia-ml.so.1")
    shared(HERE / "impostor.c", folder / "preloaded.so", "-DPRELOADED")
    file = folder / "10_nvidia.json"
    file.write_text(
        json.dumps({"file_format_version": "1.0.0", "ICD": {"library_path": str(vendor)}}), encoding="utf-8"
    )
    return {
        "EGL_PLATFORM": "surfaceless",
        "__EGL_VENDOR_LIBRARY_FILENAMES": str(file),
        "LD_LIBRARY_PATH": str(folder),
        "STANDIN_DRIVER": DRIVER,
        "STANDIN_PIDS": "siblings",
        "IMPOSTOR_LOAD": str(core),
    }


def shared(source: Path, library: Path, *flags: str) -> None:
    subprocess.run(["gcc", "-shared", "-fPIC", *flags, "-o", str(library), str(source), "-ldl"], check=True)


def says(cell: dict[str, Any]) -> dict[str, str]:
    return {witness["name"]: witness["says"] for witness in cell["witnesses"]}


def test_a_vendor_library_that_calls_itself_nvidia_is_not_believed(
    envcheck: Command, matrix_of: MatrixOf, forged: dict[str, str]
) -> None:
    """All words say NVIDIA, NVML lists the worker, files bear the driver's names; no device of the driver is open."""
    ran = envcheck("validate", "--matrix", str(matrix_of(*VERSIONS)), env=forged | CLAIMS)

    for version in VERSIONS:
        cell = ran.cell(version)
        heard = says(cell)
        assert (cell["verdict"], cell["status"]) == ("contradictory", "FAIL")
        assert (heard["native-log"], heard["gl-context"], heard["egl-devices"]) == ("hardware",) * 3
        assert heard["devices"] == "cpu"
        assert heard["libraries"] == "nothing"
    assert says(ran.cell("1.2.2"))["nvml-process"] in ("hardware", "nothing")
    assert ran.code == 1


def test_the_same_library_that_does_not_lie_is_emulated(
    envcheck: Command, matrix_of: MatrixOf, forged: dict[str, str]
) -> None:
    """Without NVML's lie, too: a worker that it lists is one witness for hardware against the others."""
    honest = forged | {"STANDIN_PIDS": ""}
    cell = envcheck("validate", "--matrix", str(matrix_of("0.10.35")), env=honest).cell("0.10.35")

    assert cell["verdict"] == "emulated"


def test_a_driver_that_names_another_version_than_the_kernels_is_contradictory(
    envcheck: Command, matrix_of: MatrixOf, forged: dict[str, str]
) -> None:
    world = forged | CLAIMS | {"STANDIN_DRIVER": "580.95.05"}
    cell = envcheck("validate", "--matrix", str(matrix_of("0.10.35")), env=world).cell("0.10.35")

    assert cell["verdict"] == "contradictory"
    assert says(cell)["native-log"] == says(cell)["gl-context"] == "contradicts"
    assert "570.124.06 cannot work with kernel module 580.95.05" in cell["because"]


def test_a_preloaded_library_that_lies_to_mediapipe_alone_is_contradictory(
    envcheck: Command, matrix_of: MatrixOf, forged: dict[str, str]
) -> None:
    """It stands in front of the glGetString that MediaPipe links to; a context of our own asks the driver itself."""
    preloaded = Path(forged["LD_LIBRARY_PATH"]) / "preloaded.so"
    world = {"EGL_PLATFORM": "surfaceless", "LD_PRELOAD": str(preloaded)} | CLAIMS
    cell = envcheck("validate", "--matrix", str(matrix_of("0.10.35")), env=world).cell("0.10.35")

    assert (says(cell)["native-log"], says(cell)["gl-context"]) == ("hardware", "software")
    assert cell["verdict"] == "contradictory"


FORGED_KERNEL = f"""
set -e
mount --make-rprivate /
mkdir "$0/old"; mount --rbind /dev "$0/old"; mount -t tmpfs tmpfs /dev
for name in null zero full random urandom tty; do touch /dev/$name; mount --bind "$0/old/$name" /dev/$name; done
mkdir /dev/shm; ln -s /proc/self/fd /dev/fd
mknod /dev/nvidia0 c 1 3; mknod /dev/nvidiactl c 1 3
mount -t tmpfs tmpfs /proc/driver; mkdir /proc/driver/nvidia; cd /proc/driver/nvidia
echo "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {DRIVER}  Thu Mar  6 16:35:48 UTC 2025" > version
cd "$OLDPWD"
exec "$@"
"""


@pytest.fixture(scope="module")
def all_forged(
    envcheck: Command, matrix_of: MatrixOf, forged: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """The device files and the kernel module's version are forged as well, in a mount namespace."""
    held = {"IMPOSTOR_OPEN": "/dev/nvidia0:/dev/nvidiactl"}
    wrapper = ("unshare", "-m", "sh", "-c", FORGED_KERNEL, str(tmp_path_factory.mktemp("dev")))
    return envcheck("validate", "--matrix", str(matrix_of(*VERSIONS)), env=forged | CLAIMS | held, wrapper=wrapper)


@pytest.mark.root
@pytest.mark.parametrize("version", VERSIONS)
def test_device_files_that_are_no_devices_of_the_driver_give_a_forged_world_away(all_forged: Ran, version: str) -> None:
    cell = all_forged.cell(version)

    assert cell["verdict"] == "contradictory"
    assert says(cell)["devices"] == "contradicts"
    assert "no device of NVIDIA's driver" in cell["because"]
