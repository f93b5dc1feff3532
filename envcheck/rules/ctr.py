"""CTR3xx: containers, and how a GPU is handed into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from envcheck.compat.require import Properties, evaluate, required
from envcheck.facts import CdiSpec, Container, LibraryFile
from envcheck.model import Status, Unread
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import (
    NVIDIA_EGL,
    branch_of,
    cdi_of,
    container_of,
    default_missed,
    devices_of,
    driver_libraries,
    driver_missed,
    driver_version,
    files_missed,
    gpu_devices,
    gpus_of,
    hand_in_gpu,
    inside_missed,
    looked_only,
    module_of,
    named,
    names_nvidia,
    nvidia_devices,
    nvml_of,
    stem_of,
    usual_driver,
    variables_of,
    vendors_of,
)

TOOLKIT_VARIABLES = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html"
CAPABILITIES = "NVIDIA_DRIVER_CAPABILITIES"
VISIBLE = "NVIDIA_VISIBLE_DEVICES"
GRAPHICS = frozenset({"graphics", "display", "all"})
"""Capabilities for which the container toolkit mounts the graphics half of the driver."""
DEFAULT_CAPABILITIES = "utility,compute"
HIDING = frozenset({"", "none", "void"})
"""Values with which no GPU is handed in."""
VENDOR_FOLDERS = ("__EGL_VENDOR_LIBRARY_FILENAMES", "__EGL_VENDOR_LIBRARY_DIRS")
MANY = 6
ASKED_FOR = ("libcuda.so.1", "libnvidia-ml.so.1", NVIDIA_EGL, "libGLESv2_nvidia.so.2")
"""The names by which programs and libEGL ask the loader for the driver."""

WRITE_VENDOR_FILE = """\
mkdir -p /usr/share/glvnd/egl_vendor.d    # in the Dockerfile: RUN …
printf '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}' > /usr/share/glvnd/egl_vendor.d/10_nvidia.json"""
"""The vendor file as NVIDIA's driver installs it."""


def hidden(case: Case) -> str | None:
    """The variable that hands GPUs in says none, and none is there."""
    container, gpus = container_of(case), gpu_devices(case)
    if container is None or gpus is None or gpus or VISIBLE not in container.variables:
        return None
    value = container.variables[VISIBLE]
    return f"{VISIBLE}={value or '(empty)'}, no /dev/nvidia0" if value.strip().lower() in HIDING else None


def not_handed_in(case: Case) -> str | None:
    """A container that has no device file of NVIDIA's driver."""
    container, devices = container_of(case), nvidia_devices(case)
    dxg = any(one.path == "/dev/dxg" for one in devices_of(case) or ())
    if container is None or devices is None or devices or dxg or nvml_of_container(case):
        return None
    module = module_of(case)
    host = f"the host's driver {module.version} is loaded" if module else "no driver of the host is seen either"
    signs = f" ({', '.join(container.signs[:2])})" if container.signs else ""
    return f"{kind_of(container)}{signs} without /dev/nvidia*; {host}"


def nvml_of_container(case: Case) -> bool:
    """NVML answers, to an envcheck that is in the container itself."""
    return looked_only(case) and nvml_of(case) is not None


def kind_of(container: Container) -> str:
    """The container in words."""
    return "a container" if container.runtime == "unknown" else f"a {container.runtime} container"


def compute_only(case: Case) -> str | Unread | None:
    """The graphics half of the driver was not asked for, and is not there."""
    container = container_of(case)
    if container is None or not gpu_devices(case) or container.injection == "cdi":
        return None
    value = container.variables.get(CAPABILITIES)
    asked = {one.strip().lower() for one in (value or DEFAULT_CAPABILITIES).split(",")}
    libraries = driver_libraries(case)
    if asked & GRAPHICS or named(libraries, stem_of(NVIDIA_EGL)):
        return None
    words = f"{CAPABILITIES}={value}" if value else f"{CAPABILITIES} is not set, which means {DEFAULT_CAPABILITIES}"
    if libraries is None:
        return Unread(reason=f"{words}; the driver's libraries could not be listed")
    return words if libraries or nvml_of(case) else None


def with_graphics(case: Case) -> str:
    """Start it again with all capabilities; for those who cannot, what sometimes helps."""
    return (
        f"{hand_in_gpu()(case)}\n"
        "# Started by others (Colab, Kaggle)? Sometimes this helps, with the version that nvidia-smi shows:\n"
        f"apt-get install -y libnvidia-gl-{branch_of(case)}    # then look again: envcheck doctor"
    )


def unmet(case: Case) -> str | Unread | None:
    """The image asks for another driver than there is."""
    container = container_of(case)
    if container is None or not (driver := driver_version(case)) or not required(container.variables):
        return None
    nvml = nvml_of(case)
    cuda = nvml.cuda if nvml else None
    known = [gpu.compute_capability for gpu in gpus_of(case)]
    properties = [Properties(cuda, driver, one if isinstance(one, str) else None) for one in known]
    answer = evaluate(container.variables, properties or [Properties(cuda, driver)])
    return f"{answer.term}, driver {driver}" if answer.satisfied is False else None


def unmet_status(case: Case) -> Status:
    """Where a GPU was handed in all the same, the requirement keeps nobody from it."""
    return Status.FAIL if driver_missed(case) and gpu_devices(case) == () else Status.UNKNOWN


def stale_cdi(case: Case) -> str | None:
    """A CDI specification mounts the libraries of another driver."""
    module = module_of(case)
    return specs(case, lambda spec: module is not None and spec.driver not in ("", module.version))


def bare_cdi(case: Case) -> str | None:
    """A CDI specification mounts no graphics libraries."""
    return specs(case, lambda spec: spec.graphics is False)


def specs(case: Case, wrong: Callable[[CdiSpec], bool]) -> str | None:
    """The CDI specifications that are wrong, in words."""
    module = module_of(case)
    words = [
        f"{spec.path}" + (f" is for driver {spec.driver}" if spec.driver else "")
        for spec in cdi_of(case)
        if wrong(spec)
    ]
    return ", ".join(words) + (f"; the kernel module is {module.version}" if module else "") if words else None


def cdi_scope(case: Case) -> bool:
    """There are specifications, and the GPU was missed or nothing was run."""
    return bool(cdi_of(case)) and (default_missed(case) or looked_only(case))


def cdi_status(case: Case) -> Status:
    """Outside a container a specification is a remark: it concerns those that will be started."""
    return Status.FAIL if container_of(case) and driver_missed(case) else Status.UNKNOWN


def not_searched(case: Case) -> str | None:
    """The driver's libraries are there, in a folder that the loader does not look into, or without the link by which
    they are asked for."""
    lost = lost_libraries(case)
    return f"{', '.join(one.path for one in lost)}, and the loader does not find {names_of(lost)}" if lost else None


def lost_libraries(case: Case) -> tuple[LibraryFile, ...]:
    """For each library of which files are there and none is found by its name: those files."""
    libraries = driver_libraries(case) or ()
    asked = (name for name in ASKED_FOR if not named(libraries, name, loadable=True))
    return tuple(one for name in asked for one in named(libraries, stem_of(name)))


def names_of(lost: Iterable[LibraryFile]) -> str:
    """The names by which they would be asked for."""
    return ", ".join(name for name in ASKED_FOR if any(one.name.startswith(stem_of(name)) for one in lost))


def folder_of(path: str) -> str:
    """The folder of a file."""
    return path.rpartition("/")[0] or "/"


def search_there(case: Case) -> str:
    """Name the folders to the loader."""
    folders = ":".join(dict.fromkeys(folder_of(one.path) for one in lost_libraries(case))) or "/usr/local/nvidia/lib64"
    return (
        f"export LD_LIBRARY_PATH={folders}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n"
        f"# or in the image: RUN echo {folders.split(':')[0]} > /etc/ld.so.conf.d/nvidia.conf && ldconfig"
    )


def no_vendor_file(case: Case) -> str | None:
    """In a container: NVIDIA's EGL library was mounted, and the file that leads glvnd to it was not."""
    vendors = vendors_of(case)
    library = named(driver_libraries(case), NVIDIA_EGL, loadable=True)
    if container_of(case) is None or vendors is None or not library or any(map(names_nvidia, vendors)):
        return None
    if any(name in variables_of(case) for name in VENDOR_FOLDERS):
        return None
    found = ", ".join(vendor.path for vendor in vendors[:MANY])
    return f"{library[0].path} is there; of vendor files there {'are ' + found if found else 'is none'}"


RULES = (
    Rule(
        code="CTR303",
        title="the container was told to have no GPU",
        see=hidden,
        scope=inside_missed,
        after=("GPU114",),
        because="The container toolkit hands in what NVIDIA_VISIBLE_DEVICES names; with void, none or nothing it hands in no "
        "GPU, whatever else is set.",
        remedy="docker run --gpus all -e NVIDIA_VISIBLE_DEVICES=all -e NVIDIA_DRIVER_CAPABILITIES=all …",
        url=TOOLKIT_VARIABLES,
        fix=hand_in_gpu(),
    ),
    Rule(
        code="CTR304",
        title="the image asks for another driver than this host has",
        see=unmet,
        scope=lambda case: (
            container_of(case) is not None and (driver_missed(case) or (looked_only(case) and usual_driver(case)))
        ),
        because="The container toolkit starts no container whose NVIDIA_REQUIRE_* variables the driver does not meet. They "
        "are about CUDA; MediaPipe does not need what they ask for.",
        remedy="docker run --gpus all -e NVIDIA_DISABLE_REQUIRE=1 -e NVIDIA_DRIVER_CAPABILITIES=all …    # MediaPipe needs no CUDA\n"
        "# or update the host's driver, or take an image with an older CUDA",
        url=TOOLKIT_VARIABLES,
        weigh=unmet_status,
    ),
    Rule(
        code="CTR302",
        title="no GPU was handed into this container",
        see=not_handed_in,
        scope=inside_missed,
        after=("GPU114", "CTR303"),
        because="A container sees the devices and driver libraries that it is given, and was given none. What is installed "
        "in the image cannot change that.",
        remedy="docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …    # podman: --device nvidia.com/gpu=all",
        url="https://github.com/google-ai-edge/mediapipe/issues/5503",
        fix=hand_in_gpu(),
    ),
    Rule(
        code="CTR307",
        title="the driver's libraries lie where the loader does not look",
        see=not_searched,
        scope=files_missed,
        after=("GPU105", "CTR302", "CTR303"),
        because="They are mounted into a folder that is neither in the loader's cache nor in LD_LIBRARY_PATH, so EGL cannot "
        "load its driver. Some Kubernetes services do that.",
        remedy="export LD_LIBRARY_PATH=/usr/local/nvidia/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
        url="https://github.com/GoogleCloudPlatform/container-engine-accelerators/issues/94",
        fix=search_there,
    ),
    Rule(
        code="CTR301",
        title="this container has the compute half of the driver only",
        see=compute_only,
        scope=inside_missed,
        after=("GPU105", "CTR302", "CTR303", "CTR307"),
        because="Without graphics or display among the capabilities the container toolkit mounts no EGL driver. nvidia-smi, "
        "CUDA, torch and TensorFlow all work then, and MediaPipe's GPU delegate does not.",
        remedy="docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …    # or ENV NVIDIA_DRIVER_CAPABILITIES=all in the image",
        url=TOOLKIT_VARIABLES,
        fix=with_graphics,
    ),
    Rule(
        code="CTR305",
        title="a CDI specification was made for another driver",
        see=stale_cdi,
        scope=cdi_scope,
        because="It names the driver's files with their version. After an update of the driver those are gone, and containers "
        "do not start or get no driver.",
        remedy="sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml    # on the host, after each update of the driver",
        url="https://github.com/containers/podman/issues/23935",
        weigh=cdi_status,
    ),
    Rule(
        code="CTR306",
        title="a CDI specification mounts no graphics libraries",
        see=bare_cdi,
        scope=cdi_scope,
        because="Containers that get their GPU through it have CUDA and no EGL driver: GL falls back to Mesa's software "
        "renderer without an error.",
        remedy="sudo apt-get install libnvidia-gl-BRANCH    # the driver's branch, such as 570; on the host\n"
        "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml    # with a current nvidia-container-toolkit\n"
        "grep -c libnvidia-eglcore /etc/cdi/nvidia.yaml    # not 0",
        url="https://github.com/NVIDIA/nvidia-container-toolkit/issues/1908",
        weigh=cdi_status,
    ),
    Rule(
        code="CTR308",
        title="NVIDIA's EGL library was mounted, its vendor file was not",
        see=no_vendor_file,
        scope=inside_missed,
        after=("GPU105", "CTR302", "CTR303", "CTR307", "EGL212"),
        because="libEGL finds its drivers through files in egl_vendor.d alone. The container toolkit mounts NVIDIA's from "
        "1.12.0 on, and only through its own runtime or CDI.",
        remedy=WRITE_VENDOR_FILE,
        url="https://github.com/livepeer/comfystream/pull/205",
    ),
)
