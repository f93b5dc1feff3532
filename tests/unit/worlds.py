"""Composed worlds for tests: a healthy Linux host with an NVIDIA GPU, and the same with something changed.

`healthy_facts(driver=..., gl=...)` replaces whole parts; `changed(record, field=...)` one field of a part. `looked_at`
is the evidence of a look without a run, as `envcheck doctor` makes it; `refused` and `ran` are workers' ends.
"""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from envcheck.facts import (
    Container,
    CudaFiles,
    DeviceFile,
    Distribution,
    DriverFiles,
    Facts,
    GlFiles,
    KernelModule,
    LibraryFile,
    OpenCv,
    Packages,
    Resources,
    System,
    VendorFile,
)
from envcheck.model import (
    Axes,
    Build,
    Cell,
    CudaDriver,
    EglDevice,
    Evidence,
    Foresight,
    Gate,
    GlContext,
    Gpu,
    Host,
    LoadedVendor,
    Nvml,
    WorkerRun,
    Workload,
)
from envcheck.record import Record, Unread

DRIVER = "570.124.06"
LIB = "/usr/lib/x86_64-linux-gnu"
VENDORS = "/usr/share/glvnd/egl_vendor.d"
NO_FILE = Unread(reason="No such file or directory")

R = TypeVar("R", bound=Record)


def changed(record: R, **changes: Any) -> R:
    """The record with some fields replaced."""
    return replace(record, **changes)


def library(name: str, version: str = "", *, folder: str = LIB, loadable: bool = True) -> LibraryFile:
    """A library of the driver as ldconfig knows it; `version` is the driver's."""
    stem = name.partition(".so")[0]
    target = f"{folder}/{stem}.so.{version}" if version else f"{folder}/{name}"
    return LibraryFile(name=name, path=f"{folder}/{name}", target=target, version=version, loadable=loadable)


def compute_half(version: str = DRIVER, **where: Any) -> tuple[LibraryFile, ...]:
    """The driver's compute libraries."""
    return tuple(library(name, version, **where) for name in ("libcuda.so.1", "libnvidia-ml.so.1"))


def graphics_half(version: str = DRIVER, **where: Any) -> tuple[LibraryFile, ...]:
    """The driver's graphics libraries."""
    links = (library(name, version, **where) for name in ("libEGL_nvidia.so.0", "libGLESv2_nvidia.so.2"))
    parts = ("eglcore", "glcore", "glsi", "tls", "gpucomp")
    return (*links, *(library(f"libnvidia-{part}.so.{version}", version, **where) for part in parts))


def device(path: str, *, group: str = "root", mode: str = "crw-rw-rw-", usable: bool = True) -> DeviceFile:
    """A device file."""
    return DeviceFile(path=path, mode=mode, owner="root", group=group, usable=usable)


NVIDIA_VENDOR = VendorFile(
    path=f"{VENDORS}/10_nvidia.json", library="libEGL_nvidia.so.0", found=f"{LIB}/libEGL_nvidia.so.0"
)
MESA_VENDOR = VendorFile(path=f"{VENDORS}/50_mesa.json", library="libEGL_mesa.so.0", found=f"{LIB}/libEGL_mesa.so.0")
GLVND = tuple(map(library, ("libEGL.so.1", "libGLESv2.so.2", "libGLdispatch.so.0", "libGL.so.1", "libEGL_mesa.so.0")))
NVIDIA_DEVICES = tuple(map(device, ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm")))
RENDER_NODE = device("/dev/dri/renderD128", group="render", mode="crw-rw----")
NO_CONTAINER = Container(runtime="")
DOCKER = Container(
    runtime="docker",
    signs=("/.dockerenv",),
    injection="nvidia-runtime",
    variables={"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "all"},
)
BARE_CONTAINER = Container(runtime="docker", signs=("/.dockerenv",), injection="none")
MEDIAPIPE = Distribution(name="mediapipe", version="1.2.2", requires=("numpy", "opencv-contrib-python"))

HEALTHY = Facts(
    system=System(
        platform="linux", machine="x86_64", release="6.8.0-60-generic", name="Ubuntu 24.04.2 LTS", user="user",
        groups=("user", "render", "video"),
    ),
    driver=DriverFiles(module=KernelModule(version=DRIVER), libraries=(*compute_half(), *graphics_half())),
    devices=(*NVIDIA_DEVICES, RENDER_NODE),
    container=NO_CONTAINER,
    gl=GlFiles(libraries=GLVND, vendors=(NVIDIA_VENDOR, MESA_VENDOR)),
    cuda=CudaFiles(runtime=(), cudnn=(), compat=()),
    packages=Packages(
        python="3.11.9",
        executable="/home/user/venv/bin/python",
        prefix="/home/user/venv",
        distributions=(
            MEDIAPIPE,
            Distribution(name="numpy", version="2.2.6"),
            Distribution(name="opencv-contrib-python", version="4.11.0.86", requires=("numpy>=1.21.2",)),
        ),
        opencv=OpenCv(owners=("opencv-contrib-python",), path="/home/user/venv/lib/cv2/cv2.abi3.so", cuda=False),
    ),
    resources=Resources(
        cores=16, load=0.4, cpu_pressure=0.0, memory_pressure=0.0, memory_available=32 << 30, temperature=45.0,
        governor="performance",
    ),
)  # fmt: skip

GPU = Gpu(
    index=0,
    name="NVIDIA RTX A4000",
    uuid="GPU-00000000-0000-0000-0000-000000000000",
    compute_capability="8.6",
    compute_mode="default",
    throttle=(),
    ecc_errors=0,
    processes=(),
)
NVML = Nvml(driver=DRIVER, cuda="12.8", gpus=(GPU,))
NO_NVML = Unread(reason="NVMLError_LibraryNotFound: NVML Shared Library Not Found")
HOST = Host(
    platform="linux", machine="x86_64", nvml=NVML, glibc="2.39", cores=16, kernel_driver=DRIVER, nested_pids=False
)
NO_GPU_HOST = changed(HOST, nvml=NO_NVML, kernel_driver="")
GL = GlContext(
    path="default",
    vendor="NVIDIA Corporation",
    renderer="NVIDIA RTX A4000/PCIe/SSE2",
    version=f"OpenGL ES 3.2 NVIDIA {DRIVER}",
    egl_vendor="NVIDIA",
    egl_version="1.5",
    egl_library="libEGL.so.1",
    devices=1,
    egl_devices=(
        EglDevice(index=0, drm="/dev/dri/card0", cuda=0, renderer="NVIDIA RTX A4000/PCIe/SSE2", vendor="NVIDIA"),
    ),
    vendors=(LoadedVendor(library="libEGL_nvidia.so.0"), LoadedVendor(library="libEGL_mesa.so.0")),
)
CUDA_DRIVER = CudaDriver(library=f"{LIB}/libcuda.so.1", code=0, cuda="12.8", devices=1)


def healthy_facts(**changes: Any) -> Facts:
    """The facts of a host on which FaceMesh can use the GPU, with whole parts replaced by name."""
    return replace(HEALTHY, **changes)


def driver_files(*libraries: LibraryFile, module: str | None = DRIVER) -> DriverFiles:
    """A driver of these libraries, and of this module if any."""
    return DriverFiles(module=KernelModule(version=module) if module else None, libraries=libraries)


def no_driver_facts(**changes: Any) -> Facts:
    """The facts of a host without any NVIDIA driver or device, where Mesa serves EGL."""
    nothing = {
        "driver": driver_files(module=None),
        "devices": (),
        "gl": changed(HEALTHY.gl, vendors=(MESA_VENDOR,)),
    }
    return healthy_facts(**(nothing | changes))


def looked_at(facts: Facts | Unread = HEALTHY, **changes: Any) -> Evidence:
    """A look without a run, as `envcheck doctor` takes it."""
    seen = Evidence(
        cell=Cell(id="here", axes=Axes(backend="here")),
        host=HOST,
        foresight=Foresight(state="reachable"),
        gate=Gate(),
        workload=Workload(),
        gl=GL,
        cuda_driver=CUDA_DRIVER,
        facts=facts,
    )
    return replace(seen, **changes)


def ran(delegate: str = "CPU", **changes: Any) -> WorkerRun:
    """A worker that came to its end."""
    return replace(WorkerRun(delegate=delegate, outcome="ran", stage="done"), **changes)


def refused(error: str, *log: str) -> WorkerRun:
    """A GPU worker that MediaPipe refused."""
    return WorkerRun(delegate="GPU", outcome="refused", stage="create", error_type="RuntimeError", error=error, log=log)


def tried(gpu: WorkerRun, facts: Facts | Unread = HEALTHY, **changes: Any) -> Evidence:
    """A cell in which both workers were run; the CPU's came to its end."""
    cell = Cell(id="venv-py3.11-mp1.2.2", axes=Axes(backend="venv", python="3.11", mediapipe="1.2.2"))
    return looked_at(facts, cell=cell, build=Build(outcome="built"), cpu=ran(), gpu=gpu, **changes)


NO_CONTEXT = GlContext(path="none", egl_library="libEGL.so.1", error="eglInitialize failed with 0x3001", devices=0)
LLVMPIPE = GlContext(
    path="default",
    vendor="Mesa",
    renderer="llvmpipe (LLVM 15.0.6, 256 bits)",
    version="OpenGL ES 3.2 Mesa 22.3.6",
    egl_library="libEGL.so.1",
)
UMBRELLA = 'Service "kGpuService", required by node x, was not provided and cannot be created: '
NO_VENDOR_LOADS = f"{UMBRELLA}RET_CHECK display != EGL_NO_DISPLAYeglGetDisplay() returned error 0x300c"
NO_DISPLAY = f"{UMBRELLA}RET_CHECK egl_initializedUnable to initialize EGL"
EMULATION = f"{UMBRELLA}GPU emulation detected, but not supported. Please run in an environment that exposes a GPU."
