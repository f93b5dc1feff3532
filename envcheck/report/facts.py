"""Facts as labelled lines: what was seen, "none" where somebody looked, and why where nobody could.

Pure: a diagnosis in, (label, text) pairs out, in the order in which a person would ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from envcheck.facts import (
    Card,
    Container,
    DeviceFile,
    Distribution,
    Facts,
    GlFiles,
    KernelModule,
    LibraryFile,
    OpenCv,
    Packages,
    Resources,
    TensorFlow,
    VendorFile,
)
from envcheck.model import CudaDriver, Diagnosis, EglDevice, GlContext, Gpu, Host, Nvml, Unread

Line = tuple[str, str]
Value = TypeVar("Value")

COMPUTE = ("libcuda.so.1", "libnvidia-ml.so.1")
"""The compute half of NVIDIA's driver; the others are the graphics half, which is what MediaPipe needs."""
BESIDE_THE_POINT = "MediaPipe does not use CUDA"
EARLY = "the probe ended early"
"""What the GL probe's log ends in where the driver crashed or hung in the middle of the answers."""
GIB = 2**30
MANY_TASKS = 1000
"""A limit above this is not worth a word."""
MAKERS = {"10de": "NVIDIA", "1002": "AMD", "8086": "Intel", "15ad": "VMware", "1af4": "virtio", "1414": "Microsoft"}
"""By the numbers of the PCI bus."""


def facts_of(diagnosis: Diagnosis) -> Iterator[Line]:
    """Every line of the block."""
    host, facts = diagnosis.host, diagnosis.facts
    seen = facts if isinstance(facts, Facts) else None
    yield "System", system_words(host, seen)
    yield from driver_lines(host, seen)
    yield from (("GPUs", text) for text in gpu_lines(host.nvml))
    if seen:
        yield "Cards", listed(seen.cards, card_words)
    yield from gl_lines(diagnosis.gl)
    if seen:
        yield from gl_file_lines(seen.gl)
        yield "Devices", listed(seen.devices, device_words)
    yield "Variables", listed(sorted(variables_of(host, seen).items()), "=".join)
    if seen:
        yield "Container", container_words(seen.container)
    yield from (("CUDA", text) for text in cuda_lines(diagnosis.cuda_driver, seen))
    packages = seen.packages if seen else None
    version = f"{packages.python}, " if isinstance(packages, Packages) else ""
    yield "Python", f"{version}{diagnosis.python} ({diagnosis.chosen})"
    if seen:
        yield from package_lines(seen.packages)
        yield "Resources", resource_words(seen.resources)
    elif isinstance(facts, Unread):
        yield "Packages", could_not_look(facts)


def variables_of(host: Host, facts: Facts | None) -> dict[str, str]:
    """The variables that steer GL, as envcheck and as the interpreter that was asked sees them."""
    return host.steering | (facts.gl.variables if facts else {})


def unseen(diagnosis: Diagnosis) -> list[str]:
    """What could not be looked at, each with its reason."""
    asked = (("EGL and GL", diagnosis.gl), ("files and packages", diagnosis.facts), ("NVML", diagnosis.host.nvml))
    return [f"{name} ({answer.reason})" for name, answer in asked if isinstance(answer, Unread)]


# --- words ------------------------------------------------------------------------------------------------------


def could_not_look(why: Unread) -> str:
    """Never the same as none."""
    return f"could not look: {why.reason}"


def listed(values: Iterable[Value] | Unread, words: Callable[[Value], str]) -> str:
    """All of them, "none", or why nobody could look."""
    if isinstance(values, Unread):
        return could_not_look(values)
    return ", ".join(words(value) for value in values) or "none"


def told(*parts: str | None) -> str:
    """The parts that say something."""
    return ", ".join(part for part in parts if part)


# --- the machine ------------------------------------------------------------------------------------------------


def system_words(host: Host, facts: Facts | None) -> str:
    """Operating system, machine, C library, and what kind of place it is."""
    system = facts.system if facts else None
    return told(
        system.name if system else None,
        f"{host.platform} {host.machine}",
        f"kernel {system.release}" if system and system.release else None,
        f"glibc {host.glibc}" if host.glibc else None,
        "WSL" if system and system.wsl else None,
        system.jetson if system else None,
        host.cpu,
    )


def driver_lines(host: Host, facts: Facts | None) -> Iterator[Line]:
    """The kernel half and the user-mode halves of NVIDIA's driver."""
    yield "Driver", f"kernel module: {module_words(facts.driver.module if facts else host.kernel_driver)}"
    if facts:
        libraries = facts.driver.libraries
        if isinstance(libraries, Unread):
            yield "Driver", f"libraries: {could_not_look(libraries)}"
            return
        compute = [library for library in libraries if library.name in COMPUTE]
        graphics = [library for library in libraries if library.name not in COMPUTE]
        yield "Driver", f"compute half: {listed(compute, library_words)}"
        yield "Driver", f"graphics half: {listed(graphics, library_words)}"


def module_words(module: KernelModule | Unread | str | None) -> str:
    """The loaded kernel module: its version and flavour."""
    if isinstance(module, Unread):
        return could_not_look(module)
    if isinstance(module, KernelModule):
        return f"{module.version}{' (open)' if module.open else ''}"
    return module or "none"


def library_words(library: LibraryFile) -> str:
    """Name, version, and where it lies if the loader would not find it there."""
    version = f" {library.version}" if library.version and library.version not in library.name else ""
    return f"{library.name}{version}" + ("" if library.loadable else f" (in {folder(library.path)}, not searched)")


def folder(path: str) -> str:
    """The folder of a path."""
    return path.rpartition("/")[0] or "/"


def gpu_lines(nvml: Nvml | Unread) -> Iterator[str]:
    """NVML's GPUs, one a line."""
    if isinstance(nvml, Unread):
        yield could_not_look(nvml)
        return
    yield f"NVML answers: driver {nvml.driver}" + ("" if nvml.gpus else ", no GPU")
    yield from (gpu_words(gpu) for gpu in nvml.gpus)


def gpu_words(gpu: Gpu) -> str:
    """What matters of one GPU; what could not be read is left out here and stands in the JSON."""
    throttle = gpu.throttle if isinstance(gpu.throttle, tuple) else ()
    capability, mode = gpu.compute_capability, gpu.compute_mode
    return told(
        f"{gpu.index}: {gpu.name}",
        f"{gpu.memory_total / GIB:.0f} GiB" if gpu.memory_total else None,
        f"compute capability {capability}" if isinstance(capability, str) else None,
        "MIG" if gpu.mig is True else None,
        "drives a screen" if gpu.display_active is True else None,
        f"compute mode {mode}" if isinstance(mode, str) and mode != "default" else None,
        f"{gpu.sm_mhz} of {gpu.sm_max_mhz} MHz"
        if isinstance(gpu.sm_mhz, int) and isinstance(gpu.sm_max_mhz, int)
        else None,
        f"held down by {' and '.join(throttle)}" if throttle else None,
        f"{gpu.ecc_errors} memory errors" if isinstance(gpu.ecc_errors, int) and gpu.ecc_errors else None,
        f"{gpu.temperature} °C" if isinstance(gpu.temperature, int) else None,
        f"{len(gpu.processes)} processes" if isinstance(gpu.processes, tuple) and gpu.processes else None,
    )


def card_words(card: Card) -> str:
    """A card on the PCI bus: its maker, as far as FaceMesh's users meet them, and the kernel driver that has it."""
    maker = MAKERS.get(card.device.partition(":")[0], "")
    return f"{card.address} {f'{maker} ' if maker else ''}[{card.device}] ({card.driver or 'no driver'})"


def device_words(device: DeviceFile) -> str:
    """A device file, and who may open it where we may not."""
    return device.path + ("" if device.usable else f" (not for us: {device.mode} {device.owner}:{device.group})")


# --- GL ---------------------------------------------------------------------------------------------------------


def gl_lines(gl: GlContext | Unread) -> Iterator[Line]:
    """The context that MediaPipe's own request gives, and the devices of EGL."""
    if isinstance(gl, Unread):
        yield "GL", could_not_look(gl)
        return
    egl = told(gl.egl_library, gl.egl_version and f"EGL {gl.egl_version}", gl.egl_vendor)
    if gl.path == "none":
        yield "GL", f"no context: {gl.error}"
    else:
        way = "the default display" if gl.path == "default" else f"EGL device enumeration, because {gl.error}"
        yield "GL", f"{gl.renderer} ({gl.version}), through {way}"
    yield "EGL", egl or "no library"
    if gl.log and gl.log[-1].startswith(EARLY):
        yield "EGL", gl.log[-1]
    if isinstance(gl.egl_devices, Unread):
        if gl.devices is not None:
            yield "EGL devices", str(gl.devices)
    elif not gl.egl_devices:
        yield "EGL devices", "none"
    else:
        yield from (("EGL devices", egl_device_words(device)) for device in gl.egl_devices)


def egl_device_words(device: EglDevice) -> str:
    """What one EGL device is."""
    return f"{device.index}: " + told(
        device.renderer or f"no context: {device.error}",
        device.drm,
        device.render_node if device.render_node != device.drm else None,
        f"CUDA device {device.cuda}" if device.cuda is not None else None,
    )


def gl_file_lines(files: GlFiles) -> Iterator[Line]:
    """The vendor files that libEGL reads, and the libraries of GL."""
    yield "Vendor files", listed(files.vendors, vendor_words)
    yield "GL libraries", listed(files.libraries, library_words)


def vendor_words(vendor: VendorFile) -> str:
    """A vendor file, and the library it leads to."""
    leads = vendor.error or (vendor.library if vendor.found else f"{vendor.library}, which is not found")
    return f"{vendor.path} ({leads})"


# --- the surroundings -------------------------------------------------------------------------------------------


def container_words(container: Container | Unread) -> str:
    """The container around us, how the GPU came in, and what told us."""
    if isinstance(container, Unread):
        return could_not_look(container)
    if not container.runtime:
        return "none"
    variables = " ".join(f"{name}={value}" for name, value in sorted(container.variables.items()))
    return told(
        container.runtime,
        f"GPU handed in by {container.injection}" if container.injection not in ("", "none") else "no GPU handed in",
        f"told by {' and '.join(container.signs)}" if container.signs else None,
        variables,
    )


def cuda_lines(driver: CudaDriver | Unread, facts: Facts | None) -> Iterator[str]:
    """CUDA's driver API and the libraries of its toolkit; none of them matters to MediaPipe."""
    yield f"{BESIDE_THE_POINT}; {cuda_driver_words(driver)}"
    if facts:
        found = (
            ("runtime", facts.cuda.runtime),
            ("cuDNN", facts.cuda.cudnn),
            ("forward compatibility", facts.cuda.compat),
        )
        yield "; ".join(f"{name}: {listed(libraries, library_words)}" for name, libraries in found)


def cuda_driver_words(driver: CudaDriver | Unread) -> str:
    """What cuInit says."""
    if isinstance(driver, Unread):
        return could_not_look(driver)
    if driver.code is None:
        return f"driver API: none ({driver.error})"
    if driver.code:
        return f"cuInit fails with {driver.code} {driver.error} ({driver.library})"
    return f"driver API serves CUDA {driver.cuda}, {driver.devices} devices ({driver.library})"


def package_lines(packages: Packages | Unread) -> Iterator[Line]:
    """The interpreter, and MediaPipe, OpenCV and TensorFlow in it."""
    if isinstance(packages, Unread):
        yield "Packages", could_not_look(packages)
        return
    if packages.conda:
        yield "Python", f"conda prefix {packages.conda}"
    if packages.shadowed:
        yield "MediaPipe", f"hidden by {packages.shadowed}"
    yield "MediaPipe", listed(packages_named(packages, "mediapipe"), version_words)
    yield from opencv_lines(packages)
    yield "TensorFlow", tensorflow_words(packages)


def packages_named(packages: Packages, start: str) -> list[Distribution]:
    """Installed distributions whose name begins so."""
    return [one for one in packages.distributions if one.name.lower().startswith(start)]


def version_words(distribution: Distribution) -> str:
    """Name and version."""
    return f"{distribution.name} {distribution.version}"


def opencv_lines(packages: Packages) -> Iterator[Line]:
    """Which distributions brought cv2, and whether it loads."""
    yield "OpenCV", listed(packages_named(packages, "opencv"), version_words)
    cv2 = packages.opencv
    if isinstance(cv2, Unread):
        yield "OpenCV", f"cv2: {could_not_look(cv2)}"
    elif isinstance(cv2, OpenCv):
        cuda = ", built with CUDA, which MediaPipe does not use" if cv2.cuda is True else ""
        yield "OpenCV", f"cv2 does not load: {cv2.error}" if cv2.error else f"cv2 loads{cuda}"


def tensorflow_words(packages: Packages) -> str:
    """TensorFlow's build, where it is installed."""
    found = packages.tensorflow
    if isinstance(found, Unread):
        return could_not_look(found)
    if not isinstance(found, TensorFlow):
        return "none; MediaPipe does not use it"
    built = f"built for CUDA {found.cuda}" if found.cuda else "built without CUDA"
    gpus = found.gpus
    sees = f"its GPUs: {could_not_look(gpus)}" if isinstance(gpus, Unread) else f"sees {', '.join(gpus) or 'no GPU'}"
    return f"{found.version}, {built}, {sees}; MediaPipe does not use it"


def resource_words(resources: Resources) -> str:
    """Cores, load, pressure and memory."""
    return told(
        cores_words(resources),
        f"limited to {resources.quota_cores:g} by quota" if resources.quota_cores is not None else None,
        f"load {resources.load:.2f}" if isinstance(resources.load, (int, float)) else None,
        f"{pressure:.0f} % CPU pressure" if isinstance(pressure := resources.cpu_pressure, (int, float)) else None,
        f"{free / GIB:.1f} GiB free" if isinstance(free := resources.memory_available, int) else None,
        f"memory limit {resources.memory_limit / GIB:.1f} GiB" if resources.memory_limit else None,
        f"address space limit {limit / GIB:.1f} GiB" if isinstance(limit := resources.address_space, int) else None,
        f"at most {limit} processes and threads"
        if isinstance(limit := resources.tasks, int) and limit < MANY_TASKS
        else None,
        f"governor {resources.governor}" if isinstance(resources.governor, str) else None,
    )


def cores_words(resources: Resources) -> str:
    """Cores that we may run on, and how many the machine has if those are more."""
    if isinstance(resources.cores, Unread):
        return f"cores: {could_not_look(resources.cores)}"
    more = resources.machine_cores is not None and resources.machine_cores > resources.cores
    return f"{resources.cores}{f' of {resources.machine_cores}' if more else ''} cores"
