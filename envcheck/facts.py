"""What an interpreter sees around itself: driver, device files, container, GL, CUDA, packages, resources.

Records only, with the conventions of `model`: `X | Unread` is what was seen or why nobody could look, and an empty
tuple means "looked, and there was none". A payload fills them from inside the environment; rules read them.
"""

from __future__ import annotations

from envcheck.record import Record, Unread


class LibraryFile(Record, frozen=True):
    """A shared library found in a folder: `name` such as libEGL_nvidia.so.0, `path` as found, `target` behind links.

    `version` is the driver version in the target's name ("570.124.06"), empty where the name holds none. `loadable` is
    True where the dynamic loader finds this very file by its name; a file in a folder that nobody searches is False.
    """

    name: str
    path: str
    target: str
    version: str = ""
    loadable: bool = False


class KernelModule(Record, frozen=True, tag_field="kind", tag="kernel-module"):
    """The loaded NVIDIA kernel module. `open` is True for the open flavour."""

    version: str
    open: bool = False


class DriverFiles(Record, frozen=True):
    """The NVIDIA driver as files show it: kernel half, and the user-mode libraries of its compute and graphics halves.

    `module` comes from /proc/driver/nvidia/version, and is None where no module of NVIDIA's is loaded. `libraries` are
    libcuda.so.1, libnvidia-ml.so.1 (compute) and libEGL_nvidia.so.0, libGLESv2_nvidia.so.2,
    libnvidia-{eglcore,glcore,glsi,tls,gpucomp}.so.VERSION (graphics).
    """

    module: KernelModule | Unread | None
    libraries: tuple[LibraryFile, ...] | Unread


class DeviceFile(Record, frozen=True):
    """A device file: `mode` as ls prints it, owner and group by name where known; `usable` if we may read and write."""

    path: str
    mode: str
    owner: str
    group: str
    usable: bool


class Card(Record, frozen=True):
    """A display adapter on the PCI bus: `address` such as 0000:17:00.0, `device` vendor and device as lspci -n writes
    them, `driver` the kernel driver that has it, empty if none has."""

    address: str
    device: str
    driver: str = ""


class CdiSpec(Record, frozen=True):
    """A CDI specification: `kind` such as nvidia.com/gpu, the driver version its mounts name, whether it mounts GL.

    `graphics` is None for one that is not to: for another device than a GPU, or of WSL, which has no GL of NVIDIA's.
    """

    path: str
    kind: str
    driver: str = ""
    graphics: bool | None = None


class Container(Record, frozen=True, tag_field="kind", tag="container"):
    """The container around us. `runtime`: docker, podman, kubernetes, lxc, nspawn, apptainer, wsl, unknown, or "".

    `signs` are what told us. `injection` is how the GPU was handed in, as its traces show: nvidia-runtime, cdi, mounts,
    none or "" (no container). `variables` are the NVIDIA_* ones, NVIDIA_REQUIRE_* among them.
    """

    runtime: str
    signs: tuple[str, ...] = ()
    injection: str = ""
    variables: dict[str, str] = {}
    cdi: tuple[CdiSpec, ...] | Unread = ()


class VendorFile(Record, frozen=True):
    """A glvnd vendor file, in the order in which libEGL reads them. `error` tells why it is of no use, else "".

    `library` is its library_path; `found` the file that the loader would take for it, empty if there is none.
    """

    path: str
    library: str
    found: str = ""
    error: str = ""


class GlFiles(Record, frozen=True):
    """OpenGL as files and variables show it. `libraries`: libEGL.so.1, libGLESv2.so.2, libGLdispatch.so.0,
    libEGL_mesa.so.0, libGL.so.1 where found. `vendors` in glvnd's order, steered by __EGL_VENDOR_LIBRARY_*.
    `variables`: what steers EGL and the loader, and whatever begins with MEDIAPIPE_."""

    libraries: tuple[LibraryFile, ...] | Unread
    vendors: tuple[VendorFile, ...] | Unread
    variables: dict[str, str] = {}


class CudaFiles(Record, frozen=True):
    """CUDA as files show it: the runtime's and cuDNN's libraries, and the forward-compatibility package's libcuda.

    `compat_branches` are the driver branches (such as 535) that the newest libcuda of a cuda-compat package says it
    serves, from its ELF note .note.cuda.fwd_compatibility; Unread where the note is not there or not understood.
    """

    runtime: tuple[LibraryFile, ...] | Unread
    cudnn: tuple[LibraryFile, ...] | Unread
    compat: tuple[LibraryFile, ...] | Unread
    compat_branches: tuple[int, ...] | Unread = Unread(reason="no forward-compatibility library")


class Distribution(Record, frozen=True):
    """An installed distribution. `requires` are its unconditional requirements, as its metadata gives them."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


class OpenCv(Record, frozen=True, tag_field="kind", tag="opencv"):
    """The `cv2` of an interpreter: which distributions brought files of it, whether its native library loads.

    `error` is the loader's message, empty if it loads. `cuda` is True where it was built with CUDA.
    """

    owners: tuple[str, ...]
    path: str
    error: str = ""
    cuda: bool | Unread = Unread(reason="not looked")


class TensorFlow(Record, frozen=True, tag_field="kind", tag="tensorflow"):
    """TensorFlow's build, read from its files: CUDA and cuDNN it was built for; and the GPUs that it says it sees."""

    version: str
    cuda: str = ""
    cudnn: str = ""
    gpus: tuple[str, ...] | Unread = Unread(reason="not looked")


class Packages(Record, frozen=True, tag_field="kind", tag="packages"):
    """One interpreter and what is installed in it. `distributions` are those that matter here, sorted by name.

    `shadowed` is the path of a module named mediapipe or cv2 that hides the installed one, empty if none does.
    `conda` is the prefix where the interpreter is conda's. `libstdcxx` is the newest GLIBCXX_x.y.z of the prefix' own
    libstdc++, empty where it has none. `outside` is what only the user's own run finds, in PYTHONPATH and in the user's
    site-packages: envcheck asks the interpreter in isolation (python -I), which searches neither.
    """

    python: str
    executable: str
    prefix: str
    distributions: tuple[Distribution, ...]
    opencv: OpenCv | Unread | None = None
    tensorflow: TensorFlow | Unread | None = None
    conda: str = ""
    libstdcxx: str = ""
    shadowed: str = ""
    outside: tuple[Distribution, ...] = ()


class Resources(Record, frozen=True):
    """What a measurement has to share. Cores as numbers of cores, memory in bytes, pressure as percent of the last
    10 s in which some task waited, load as the one-minute average, temperature in degrees Celsius.

    `cores` are those that we may run on, `machine_cores` those that the machine has."""

    cores: int | Unread
    machine_cores: int | None = None
    quota_cores: float | None = None
    load: float | Unread = Unread(reason="not looked")
    cpu_pressure: float | Unread = Unread(reason="not looked")
    memory_pressure: float | Unread = Unread(reason="not looked")
    memory_available: int | Unread = Unread(reason="not looked")
    memory_limit: int | None = None
    address_space: int | Unread | None = Unread(reason="not looked")
    """Bytes of addresses that one process may have (RLIMIT_AS, `ulimit -v`); None where there is no such limit."""
    tasks: int | Unread | None = Unread(reason="not looked")
    """Processes and threads that there may be: the control group's, and the user's unless that is root; None: any."""
    involuntary_switches: int | Unread = Unread(reason="not looked")
    temperature: float | Unread = Unread(reason="not looked")
    governor: str | Unread = Unread(reason="not looked")


class System(Record, frozen=True):
    """The operating system: `platform` linux, darwin or windows; `release` of the kernel; `name` from os-release;
    `wsl` under WSL; `jetson` the board's name on NVIDIA Jetson."""

    platform: str
    machine: str
    release: str = ""
    name: str = ""
    wsl: bool = False
    jetson: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()


class Facts(Record, frozen=True, tag_field="kind", tag="facts"):
    """Everything above, as one interpreter sees it."""

    system: System
    driver: DriverFiles
    devices: tuple[DeviceFile, ...] | Unread
    container: Container | Unread
    gl: GlFiles
    cuda: CudaFiles
    packages: Packages | Unread
    resources: Resources
    cards: tuple[Card, ...] | Unread = Unread(reason="not looked")
