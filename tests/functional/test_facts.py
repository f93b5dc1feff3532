"""Facts of worlds that are really there: drivers laid out in a mount namespace, packages really installed."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from envcheck.cell.observe import observe_cuda_driver, observe_facts, observe_packages
from envcheck.facts import Facts, OpenCv, Packages, TensorFlow
from envcheck.model import CudaDriver, Unread
from tests.conftest import unable

PYTHON = [sys.executable]
DEADLINE_S = 240.0
IN_VAIN_S = 8.0
"""Short for what never comes, and many times what an interpreter takes to get there."""
DRIVER = "570.124.06"
LIB = f"/usr/lib/{os.uname().machine}-linux-gnu"
ASK = (
    "import os, sys, msgspec; from envcheck.cell.observe import observe_facts;"
    "sys.stdout.buffer.write(msgspec.json.encode(observe_facts([sys.executable], os.environ, 60)))"
)
CHANGED = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$0"
for folder in $FOLDERS; do
  mkdir -p "$folder" "$0$folder/upper" "$0$folder/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$0$folder/upper,workdir=$0$folder/work" "$folder"
done
eval "$SCRIPT"
exec "$@"
"""
VENDORS = "/usr/share/glvnd/egl_vendor.d"

World = Callable[..., dict[str, Any]]


def program(name: str, reason: str, path: str | None = None) -> str:
    """The program of this name; without it the test cannot run."""
    found = shutil.which(name, path=path)
    if found is None:
        unable(reason)
    return str(found)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The facts in a mount namespace of its own, after a script has changed these folders."""

    def facts(script: str, *folders: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        # Folders of this test run may lie below those that are covered; the interpreter's own do not.
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", CHANGED, str(tmp_path), sys.executable, "-c", ASK],
            env={**os.environ, "FOLDERS": " ".join(folders), "SCRIPT": script, **(env or {})},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["kind"] == "facts", answer
        return answer

    return facts


def lay_out(folder: str, version: str = DRIVER, *, graphics: bool = True) -> str:
    """A script that lays out a driver's libraries as empty files with their links."""
    links = {"libcuda.so": "1", "libnvidia-ml.so": "1"}
    parts = []
    if graphics:
        links |= {"libEGL_nvidia.so": "0", "libGLESv2_nvidia.so": "2"}
        parts = ["eglcore", "glcore", "glsi", "tls", "gpucomp"]
    lines = [
        f"touch {folder}/{name}.{version}; ln -s {name}.{version} {folder}/{name}.{so}" for name, so in links.items()
    ]
    return "; ".join([*lines, *(f"touch {folder}/libnvidia-{part}.so.{version}" for part in parts)])


def names(libraries: list[dict[str, Any]], *, loadable: bool | None = None) -> set[str]:
    """Names of libraries, of those only that are loadable or not."""
    return {one["name"] for one in libraries if loadable is None or one.get("loadable", False) == loadable}


WHOLE = {
    "libcuda.so.1", "libnvidia-ml.so.1", "libEGL_nvidia.so.0", "libGLESv2_nvidia.so.2",
    *(f"libnvidia-{part}.so.{DRIVER}" for part in ("eglcore", "glcore", "glsi", "tls", "gpucomp")),
}  # fmt: skip


@pytest.mark.root
def test_a_whole_driver_is_seen_where_the_loader_searches(world: World) -> None:
    facts = world(lay_out(LIB), LIB)

    assert names(facts["driver"]["libraries"], loadable=True) == WHOLE
    assert {one["version"] for one in facts["driver"]["libraries"]} == {DRIVER}


@pytest.mark.root
def test_a_compute_half_alone_is_seen_as_that(world: World) -> None:
    facts = world(lay_out(LIB, graphics=False), LIB)

    assert names(facts["driver"]["libraries"]) == {"libcuda.so.1", "libnvidia-ml.so.1"}


@pytest.mark.root
def test_a_driver_in_a_folder_that_nobody_searches_is_not_loadable(world: World) -> None:
    """As Google's Kubernetes mounts it."""
    folder = "/usr/local/nvidia/lib64"
    facts = world(f"mkdir -p {folder}; {lay_out(folder)}", "/usr/local")
    searched = world(f"mkdir -p {folder}; {lay_out(folder)}", "/usr/local", env={"LD_LIBRARY_PATH": folder})

    assert names(facts["driver"]["libraries"], loadable=False) == WHOLE
    assert names(searched["driver"]["libraries"], loadable=True) == WHOLE


@pytest.mark.root
def test_vendor_files_are_listed_with_what_is_wrong_with_them(world: World) -> None:
    whole = '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s"}}'
    contents = {
        "05_broken.json": '{"file_format_version": "1.0.0",',
        "10_nvidia.json": whole % "libEGL_nvidia.so.0",
        "20_gone.json": whole % "libEGL_gone.so.0",
    }
    written = [f"printf %s '{text}' > {VENDORS}/{name}" for name, text in contents.items()]
    script = "; ".join([lay_out(LIB), *written])
    vendors = {Path(one["path"]).name: one for one in world(script, LIB, "/usr/share/glvnd")["gl"]["vendors"]}

    assert list(vendors)[:3] == ["05_broken.json", "10_nvidia.json", "20_gone.json"]
    assert "not JSON" in vendors["05_broken.json"]["error"]
    assert vendors["10_nvidia.json"]["found"].endswith("/libEGL_nvidia.so.0")
    assert (vendors["20_gone.json"].get("found", ""), vendors["20_gone.json"].get("error", "")) == ("", "")


@pytest.mark.root
def test_device_files_are_seen_as_a_user_without_rights_sees_them(world: World) -> None:
    script = (
        "mount -t tmpfs tmpfs /dev; mknod /dev/null c 1 3; mkdir -p /dev/dri /dev/nvidia-caps /dev/nvidiactl;"
        "mknod -m 660 /dev/dri/renderD128 c 226 128; mknod -m 600 /dev/nvidia0 c 195 0; chgrp video /dev/dri/renderD128"
    )
    devices = {one["path"]: one for one in world(script)["devices"]}

    assert set(devices) == {"/dev/dri/renderD128", "/dev/nvidia0", "/dev/nvidiactl"}
    assert (devices["/dev/nvidia0"]["mode"], devices["/dev/nvidia0"]["owner"]) == ("crw-------", "root")
    assert devices["/dev/dri/renderD128"]["group"] == "video"
    assert devices["/dev/nvidiactl"]["mode"].startswith("d")  # what a bind mount of nothing leaves
    assert not devices["/dev/nvidiactl"]["usable"]


@pytest.mark.root
def test_device_files_that_are_not_ours_are_not_usable(tmp_path: Path) -> None:
    setpriv = program("setpriv", "needs setpriv; enable with: apt-get install util-linux")
    script = (
        "mount -t tmpfs tmpfs /dev; mknod /dev/null c 1 3; mknod -m 600 /dev/nvidia0 c 195 0;"
        "mknod -m 666 /dev/nvidiactl c 195 255"
    )
    payload = Path(__file__).parents[2] / "envcheck/payload/host.py"
    python = program("python3", "needs a Python that everyone may run: /usr/bin/python3", "/usr/bin")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", CHANGED, str(tmp_path), setpriv, "--reuid=65534", "--regid=65534",
         "--clear-groups", python, "-I", "-"],
        env={**os.environ, "FOLDERS": "", "SCRIPT": script}, input=payload.read_bytes(),
        capture_output=True, check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout)

    assert {one["path"]: one["usable"] for one in answer["devices"]} == {"/dev/nvidia0": False, "/dev/nvidiactl": True}
    assert answer["system"]["user"] in ("nobody", "65534", os.environ.get("LOGNAME"))


@pytest.mark.root
def test_the_kernel_module_and_a_container_are_read_from_proc(world: World) -> None:
    """As nvidia-container-runtime leaves it: a file system over /proc/driver/nvidia."""
    if not Path("/proc/driver").is_dir():
        unable("needs /proc/driver")
    script = (
        "mount -t tmpfs tmpfs /proc/driver; mkdir /proc/driver/nvidia; mount -t tmpfs tmpfs /proc/driver/nvidia;"
        "echo 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build' "
        "> /proc/driver/nvidia/version;"
        "mount -t tmpfs tmpfs /run; touch /run/.containerenv"
    )
    facts = world(script, env={"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_REQUIRE_CUDA": "cuda>=12.8"})

    assert facts["driver"]["module"] == {"kind": "kernel-module", "version": DRIVER, "open": True}
    assert (facts["container"]["runtime"], facts["container"]["injection"]) == ("podman", "nvidia-runtime")
    assert facts["container"]["variables"]["NVIDIA_REQUIRE_CUDA"] == "cuda>=12.8"


@pytest.mark.root
def test_a_cdi_specification_of_an_older_driver_is_seen(world: World) -> None:
    spec = "kind: nvidia.com/gpu\\ncontainerEdits:\\n  mounts:\\n  - hostPath: /lib/libcuda.so.535.183.01\\n"
    facts = world(f"mkdir -p /etc/cdi; printf '{spec}' > /etc/cdi/nvidia.yaml", "/etc")

    (found,) = facts["container"]["cdi"]
    assert (found["driver"], found["graphics"]) == ("535.183.01", False)


@pytest.mark.root
def test_a_forward_compatibility_package_belongs_to_no_driver(world: World) -> None:
    folder = "/usr/local/cuda-99.9/compat"
    script = f"mkdir -p {folder}; {lay_out(folder, '590.44.01', graphics=False)}; {lay_out(LIB, graphics=False)}"
    facts = world(script, "/usr/local", LIB, env={"LD_LIBRARY_PATH": folder})

    assert {one["version"] for one in facts["driver"]["libraries"]} == {DRIVER}
    (compat,) = [one for one in facts["cuda"]["compat"] if one["path"].startswith(folder)]
    assert (compat["version"], compat["loadable"]) == ("590.44.01", True)
    assert facts["cuda"]["compat_branches"]["kind"] == "unread"  # an empty file has no note


def test_facts_of_this_machine_are_read() -> None:
    facts = observe_facts(PYTHON, os.environ, DEADLINE_S)

    assert isinstance(facts, Facts)
    assert isinstance(facts.packages, Packages)
    assert facts.system.platform == "linux"


@pytest.mark.root
def test_what_is_not_there_is_none_and_what_is_hidden_could_not_be_looked_at(world: World) -> None:
    """A machine without a driver; then one whose /proc and /sys are covered."""
    facts = world("mount -t tmpfs tmpfs /proc/driver") if Path("/proc/driver").is_dir() else world("true")
    hidden = world("mount -t tmpfs tmpfs /sys; mount -t tmpfs tmpfs /proc/driver 2>/dev/null || true")

    assert hidden["cards"]["kind"] == "unread"
    assert hidden["driver"]["module"]["kind"] == "unread"
    if not Path("/sys/module/nvidia").exists():
        assert facts["driver"]["module"] is None
    if Path("/sys/bus/pci/devices").is_dir():
        assert isinstance(facts["cards"], list)


def test_an_interpreter_that_is_none_leaves_its_reason() -> None:
    for program in ("/nonexistent/python", "/bin/true"):
        assert isinstance(observe_facts([program], os.environ, DEADLINE_S), Unread)


# --- packages -----------------------------------------------------------------------------------------------------


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture(scope="module")
def two_opencvs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A virtual environment with two OpenCV distributions."""
    folder = tmp_path_factory.mktemp("opencv")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = str(folder / "bin/python")
    uv = program("uv", "needs uv; enable with: pip install uv")
    for name in ("opencv-python", "opencv-contrib-python-headless"):
        run(uv, "pip", "install", "--quiet", "--no-deps", "--python", python, f"{name}==4.11.0.86")
    return python


def opencv_of(python: str, env: Mapping[str, str]) -> OpenCv | Unread | None:
    found = observe_packages([python], env, DEADLINE_S)
    assert isinstance(found, Packages)
    return found.opencv


@pytest.mark.network
def test_two_distributions_that_share_cv2_are_both_seen(two_opencvs: str) -> None:
    cv2 = opencv_of(two_opencvs, os.environ)

    assert isinstance(cv2, OpenCv)
    assert cv2.owners == ("opencv-contrib-python-headless", "opencv-python")
    assert (cv2.error, cv2.cuda) == ("", False)


@pytest.fixture
def standin(tmp_path: Path) -> Callable[[str, str], str]:
    """A shared library compiled from one line of C."""

    def build(name: str, source: str) -> str:
        gcc = program("gcc", "needs gcc; enable with: apt-get install gcc")
        (tmp_path / "source.c").write_text(source)
        run(gcc, "-shared", "-fPIC", "-o", str(tmp_path / name), str(tmp_path / "source.c"))
        return str(tmp_path / name)

    return build


def cv2_of(tmp_path: Path, library: str) -> str:
    """An interpreter whose cv2 is this library."""
    folder = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    cv2 = next((folder / "lib").glob("python*")) / "site-packages/cv2"
    cv2.mkdir()
    (cv2 / "__init__.py").touch()
    shutil.copy(library, cv2 / "cv2.abi3.so")
    return str(folder / "bin/python")


def test_a_cv2_that_crashes_costs_its_own_answer(tmp_path: Path, standin: Callable[[str, str], str]) -> None:
    crash = "#include <signal.h>\n__attribute__((constructor)) static void start(void) { raise(SIGSEGV); }"
    cv2 = opencv_of(cv2_of(tmp_path, standin("cv2.so", crash)), os.environ)

    assert isinstance(cv2, Unread)
    assert "cv2's native library" in cv2.reason
    assert "SIGSEGV" in cv2.reason


def test_a_cv2_whose_library_is_missing_has_the_loaders_message(
    tmp_path: Path, standin: Callable[[str, str], str]
) -> None:
    needed = standin("libenvcheck_gone.so.1", "int gone;")
    gcc = program("gcc", "needs gcc; enable with: apt-get install gcc")
    run(
        gcc,
        "-shared",
        "-fPIC",
        "-Wl,--no-as-needed",
        "-o",
        str(tmp_path / "cv2.so"),
        str(tmp_path / "source.c"),
        needed,
    )
    Path(needed).unlink()
    cv2 = opencv_of(cv2_of(tmp_path, str(tmp_path / "cv2.so")), os.environ)

    assert isinstance(cv2, OpenCv)
    assert "libenvcheck_gone.so.1" in cv2.error


def test_files_that_hide_mediapipe_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mediapipe.py").touch()
    monkeypatch.chdir(tmp_path)
    found = observe_packages(PYTHON, os.environ, DEADLINE_S)

    assert isinstance(found, Packages)
    assert found.shadowed == str(tmp_path / "mediapipe.py")


@pytest.mark.parametrize(
    ("module", "gpus"),
    [
        (
            "class Gpu: name = '/physical_device:GPU:0'\ndef list_physical_devices(kind): return [Gpu]",
            ("/physical_device:GPU:0",),
        ),
        ("def list_physical_devices(kind): return []", ()),
        ('print(\'{"gpus": ["forged"]}\', flush=True)\ndef list_physical_devices(kind): return []', ()),
        ("raise ImportError('numpy 2')", "ImportError: numpy 2"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
    ],
    ids=["one", "none", "chatter", "broken", "crash"],
)
def test_tensorflow_is_asked_for_its_gpus_in_a_process_of_its_own(
    tmp_path: Path, module: str, gpus: tuple[str, ...] | str
) -> None:
    """A TensorFlow of two files in place of the real one, which takes half a gigabyte."""
    folder = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "tensorflow/python/platform").mkdir(parents=True)
    (site / "tensorflow/__init__.py").write_text("from tensorflow import config\n", encoding="utf-8")
    (site / "tensorflow/config.py").write_text(module, encoding="utf-8")
    (site / "tensorflow/python/platform/build_info.py").write_text(
        "build_info = {'cuda_version': '12.5', 'cudnn_version': '9'}\n", encoding="utf-8"
    )
    found = observe_packages([str(folder / "bin/python")], os.environ, DEADLINE_S)

    assert isinstance(found, Packages)
    assert isinstance(found.tensorflow, TensorFlow)
    assert found.tensorflow.cuda == "12.5"
    if isinstance(gpus, tuple):
        assert found.tensorflow.gpus == gpus
    else:
        assert isinstance(found.tensorflow.gpus, Unread)
        assert gpus in found.tensorflow.gpus.reason


# --- the CUDA driver ----------------------------------------------------------------------------------------------

CUDA = """
#include <unistd.h>
int cuInit(unsigned flags) { %s }
int cuDriverGetVersion(int *version) { return *version = 12080, 0; }
int cuDeviceGetCount(int *count) { return *count = 2, 0; }
int cuGetErrorName(int code, const char **name) { return *name = code == 100 ? "CUDA_ERROR_NO_DEVICE" : 0, 0; }
"""


@pytest.mark.parametrize(
    ("body", "code", "error", "devices"),
    [("return 0;", 0, "", 2), ("return 100;", 100, "CUDA_ERROR_NO_DEVICE", None), ("return 7;", 7, "error 7", None)],
)
def test_cuinit_is_asked_and_its_library_named(
    tmp_path: Path, standin: Callable[[str, str], str], body: str, code: int, error: str, devices: int | None
) -> None:
    library = standin("libcuda.so.1", CUDA % body)
    found = observe_cuda_driver(PYTHON, {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, DEADLINE_S)

    assert found == CudaDriver(library=library, code=code, error=error, cuda="12.8", devices=devices)


@pytest.mark.parametrize(
    ("body", "says", "deadline_s"),
    [("for (;;) sleep(1);", "deadline", IN_VAIN_S), ("_exit(3);", "exit status 3", DEADLINE_S)],
)
def test_a_cuinit_that_does_not_return_is_named(
    tmp_path: Path, standin: Callable[[str, str], str], body: str, says: str, deadline_s: float
) -> None:
    library = standin("libcuda.so.1", CUDA % body)
    found = observe_cuda_driver(PYTHON, {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, deadline_s)

    assert isinstance(found, Unread)
    assert f"inside cuInit of {library}" in found.reason
    assert says in found.reason


def test_a_libcuda_that_does_not_load_could_not_be_asked(tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_bytes(b"not a library")
    found = observe_cuda_driver(PYTHON, {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, DEADLINE_S)

    assert isinstance(found, Unread)
    assert str(tmp_path) in found.reason


def test_an_interpreters_own_search_path_comes_first(tmp_path: Path) -> None:
    """conda's interpreter has one, so that its libraries come before the system's."""
    gcc = program("gcc", "needs gcc; enable with: apt-get install gcc")
    (tmp_path / "main.c").write_text("int main(void) { return 0; }")
    built = str(tmp_path / "bin")
    run(gcc, "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/lib", "-o", built, str(tmp_path / "main.c"))
    libraries: Any = importlib.import_module("envcheck.payload.libraries")

    assert libraries.own_folders(built) == [str(tmp_path / "lib")]
