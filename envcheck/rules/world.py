"""Questions that several rules put to a case: what is there, what was reached, and in which form a remedy is typed.

A question answers None where nobody could look; an empty tuple means "looked, and there was none".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from envcheck.facts import Card, CdiSpec, Container, DeviceFile, Facts, KernelModule, LibraryFile, Packages, VendorFile
from envcheck.model import GlContext, Gpu, Nvml, Says, Unread, Verdict
from envcheck.probes import renderer
from envcheck.rules.rule import DISABLED_IN_BUILD, Case, refused_with

HERE = "here"
"""The id of the cell of a look without a run: `envcheck doctor`."""

NVIDIA_EGL = "libEGL_nvidia.so.0"
GPU_DEVICE = re.compile(r"/dev/nvidia\d+$")
CONTROL_DEVICE = "/dev/nvidiactl"
NVIDIA_VENDOR_ID = "10de:"
"""How the PCI bus names the maker."""

NOT_REACHED = frozenset({Verdict.REFUSED, Verdict.EMULATED, Verdict.OTHER_GPU, Verdict.CONTRADICTORY, Verdict.CRASHED})
"""Verdicts of cells in which the driver, GL or the container can be the reason."""
MEASURED = frozenset({Verdict.ACCELERATED, Verdict.SLOWER, Verdict.INCONCLUSIVE, Verdict.WRONG})
"""Verdicts of cells in which the GPU was proven to work, whatever facts say."""


# --- scopes: when a rule has something to say --------------------------------------------------------------------


def looked_only(case: Case) -> bool:
    """Nothing was run: what facts predict is all there is."""
    return case.evidence.cell.id == HERE and case.evidence.cpu.outcome == case.evidence.gpu.outcome == "not-run"


def missed(case: Case) -> bool:
    """The GPU was not reached, and for another reason than a MediaPipe without GPU code; or nothing was run."""
    without_code = refused_with(DISABLED_IN_BUILD)(case) is not None
    return looked_only(case) or (case.judgement.verdict in NOT_REACHED and not without_code)


def driver_missed(case: Case) -> bool:
    """`missed` on Linux with a driver of the usual kind, and no EGL road leads to NVIDIA's driver: not even one that
    MediaPipe does not take. What files say against a driver that works is wrong."""
    return missed(case) and usual_driver(case) and not reached_by_default(case) and not reached_by_device(case)


def default_missed(case: Case) -> bool:
    """`missed` on Linux, and the default display, which MediaPipe asks for, is not NVIDIA's."""
    return missed(case) and on_linux(case) and not reached_by_default(case)


def files_missed(case: Case) -> bool:
    """`driver_missed`, for rules that look at files."""
    return driver_missed(case) and facts_of(case) is not None


def inside_missed(case: Case) -> bool:
    """`driver_missed`, for rules on the container around the environment."""
    return driver_missed(case) and container_of(case) is not None


def steering_missed(case: Case) -> bool:
    """`default_missed`, for rules that look at variables and permissions."""
    return default_missed(case) and facts_of(case) is not None


def not_starting(case: Case) -> bool:
    """MediaPipe does not even work on the CPU, or nothing was run: for rules that look at packages."""
    broken = looked_only(case) or case.judgement.verdict is Verdict.BROKEN
    return broken and facts_of(case) is not None


def measured(case: Case) -> bool:
    """Times were taken, or would be: remarks on what disturbs them are of use."""
    return looked_only(case) or case.judgement.verdict in MEASURED


def timed(case: Case) -> bool:
    """Times were taken, and the verdict may rest on them."""
    return case.judgement.verdict in MEASURED


def reached_by_default(case: Case) -> bool:
    """MediaPipe's own EGL request gives a context of NVIDIA's driver."""
    gl = case.evidence.gl
    return isinstance(gl, GlContext) and gl.path == "default" and is_nvidia(gl.renderer, gl.version, gl.vendor)


def reached_by_device(case: Case) -> bool:
    """EGL's device enumeration gives a context of NVIDIA's driver."""
    gl = case.evidence.gl
    if not isinstance(gl, GlContext):
        return False
    if gl.path == "device" and is_nvidia(gl.renderer, gl.version, gl.vendor):
        return True
    devices = () if isinstance(gl.egl_devices, Unread) else gl.egl_devices
    return any(is_nvidia(device.renderer, device.version, device.vendor) for device in devices)


def is_nvidia(name: str, version: str, vendor: str) -> bool:
    """The strings are those of NVIDIA's own driver."""
    return renderer.classify(name, version, vendor) is Says.HARDWARE


# --- what is there ----------------------------------------------------------------------------------------------


def facts_of(case: Case) -> Facts | None:
    """What the interpreter sees around itself."""
    facts = case.evidence.facts
    return facts if isinstance(facts, Facts) else None


def on_linux(case: Case) -> bool:
    """The environment is Linux."""
    facts = facts_of(case)
    return (facts.system.platform if facts else case.evidence.host.platform) == "linux"


def usual_driver(case: Case) -> bool:
    """Linux with a driver for graphics cards, which a Jetson does not have."""
    facts = facts_of(case)
    return on_linux(case) and not (facts and facts.system.jetson)


def container_of(case: Case) -> Container | None:
    """The container around the environment; None where there is none or nobody could look. WSL is none."""
    facts = facts_of(case)
    found = facts.container if facts else None
    return found if isinstance(found, Container) and found.runtime not in ("", "wsl") else None


def cdi_of(case: Case) -> tuple[CdiSpec, ...]:
    """CDI specifications for NVIDIA GPUs, in a container or not."""
    facts = facts_of(case)
    found = facts.container if facts else None
    specs = found.cdi if isinstance(found, Container) else ()
    return () if isinstance(specs, Unread) else tuple(spec for spec in specs if spec.kind.startswith("nvidia.com/"))


def module_of(case: Case) -> KernelModule | None:
    """The loaded kernel module."""
    facts = facts_of(case)
    if facts and isinstance(facts.driver.module, KernelModule):
        return facts.driver.module
    known = case.evidence.host.kernel_driver
    return KernelModule(version=known) if isinstance(known, str) and known else None


def nvml_of(case: Case) -> Nvml | None:
    """What NVML says, where it answers."""
    nvml = case.evidence.host.nvml
    return nvml if isinstance(nvml, Nvml) else None


def gpus_of(case: Case) -> tuple[Gpu, ...]:
    """The GPUs that NVML lists."""
    nvml = nvml_of(case)
    return nvml.gpus if nvml else ()


def driver_version(case: Case) -> str:
    """The driver's version, "" where nobody tells it."""
    module, nvml = module_of(case), nvml_of(case)
    return module.version if module else nvml.driver if nvml else ""


def driver_libraries(case: Case) -> tuple[LibraryFile, ...] | None:
    """The driver's user-mode libraries."""
    facts = facts_of(case)
    found = facts.driver.libraries if facts else None
    return found if isinstance(found, tuple) else None


def gl_libraries(case: Case) -> tuple[LibraryFile, ...] | None:
    """glvnd's and Mesa's libraries."""
    facts = facts_of(case)
    found = facts.gl.libraries if facts else None
    return found if isinstance(found, tuple) else None


def vendors_of(case: Case) -> tuple[VendorFile, ...] | None:
    """glvnd's vendor files, in its order."""
    facts = facts_of(case)
    found = facts.gl.vendors if facts else None
    return found if isinstance(found, tuple) else None


def devices_of(case: Case) -> tuple[DeviceFile, ...] | None:
    """Device files of GPUs."""
    facts = facts_of(case)
    return facts.devices if facts and isinstance(facts.devices, tuple) else None


def packages_of(case: Case) -> Packages | None:
    """The interpreter and its packages."""
    facts = facts_of(case)
    return facts.packages if facts and isinstance(facts.packages, Packages) else None


def named(libraries: Iterable[LibraryFile] | None, start: str, *, loadable: bool = False) -> tuple[LibraryFile, ...]:
    """The libraries whose name begins so; with `loadable` only those that the loader finds."""
    return tuple(one for one in libraries or () if one.name.startswith(start) and (one.loadable or not loadable))


def stem_of(name: str) -> str:
    """A library's name without its number: what every file of it begins with."""
    return name.partition(".so")[0] + ".so"


def variables_of(case: Case) -> dict[str, str]:
    """The variables that steer GL in the environment."""
    facts = facts_of(case)
    return facts.gl.variables if facts else {}


def nvidia_cards(case: Case) -> tuple[Card, ...] | None:
    """NVIDIA's display adapters on the PCI bus."""
    facts = facts_of(case)
    cards = facts.cards if facts else None
    return tuple(one for one in cards if one.device.startswith(NVIDIA_VENDOR_ID)) if isinstance(cards, tuple) else None


def cards_of(case: Case) -> str:
    """What the PCI bus shows of NVIDIA's cards, in words; nothing where nobody could look."""
    cards = nvidia_cards(case)
    if cards is None:
        return ""
    words = [
        f"{one.address} [{one.device}], {'driven by ' + one.driver if one.driver else 'without driver'}"
        for one in cards
    ]
    return f"on the PCI bus: {'; '.join(words)}" if words else "no NVIDIA card on the PCI bus"


def nvidia_devices(case: Case) -> tuple[DeviceFile, ...] | None:
    """The device files of NVIDIA's driver."""
    devices = devices_of(case)
    return None if devices is None else tuple(one for one in devices if one.path.startswith("/dev/nvidia"))


def gpu_devices(case: Case) -> tuple[DeviceFile, ...] | None:
    """/dev/nvidia0 and so on."""
    devices = devices_of(case)
    return None if devices is None else tuple(one for one in devices if GPU_DEVICE.match(one.path))


def mediapipe_version(case: Case) -> str | None:
    """The installed MediaPipe's version; the cell's where packages were not read."""
    packages = packages_of(case)
    if packages:
        return next((one.version for one in packages.distributions if one.name.lower() == "mediapipe"), None)
    return case.evidence.gpu.mediapipe or case.evidence.cell.axes.mediapipe


def names_nvidia(vendor: VendorFile) -> bool:
    """A vendor file for NVIDIA's EGL, by its library or, where that cannot be read, by its own name."""
    return "nvidia" in (vendor.library or vendor.path.rsplit("/", 1)[-1]).lower()


def egl_in_place(case: Case) -> bool:
    """NVIDIA's EGL library is found by the loader, and a vendor file leads to it."""
    vendors = vendors_of(case) or ()
    library = named(driver_libraries(case), NVIDIA_EGL, loadable=True)
    return bool(library) and any(names_nvidia(one) and not one.error for one in vendors)


# --- how a remedy is typed --------------------------------------------------------------------------------------

FAMILIES = {
    "ubuntu": re.compile(r"ubuntu|mint|pop!", re.IGNORECASE),
    "debian": re.compile(r"debian|raspbian|kali", re.IGNORECASE),
    "fedora": re.compile(r"fedora|red hat|rhel|centos|rocky|alma|oracle|amazon|ubi", re.IGNORECASE),
    "suse": re.compile(r"suse|sles", re.IGNORECASE),
    "arch": re.compile(r"arch|manjaro|endeavour", re.IGNORECASE),
    "alpine": re.compile(r"alpine", re.IGNORECASE),
}


def family_of(case: Case) -> str:
    """The distribution's family by os-release: ubuntu, debian, fedora, suse, arch, alpine, or "" for another."""
    facts = facts_of(case)
    name = facts.system.name if facts else ""
    return next((family for family, pattern in FAMILIES.items() if pattern.search(name)), "")


def by_family(case: Case, commands: dict[str, str]) -> str:
    """The commands of this distribution; all of them, each with its system's name, where it is not known. Where Ubuntu
    has none of its own it takes Debian's."""
    family = family_of(case)
    if family == "ubuntu" and family not in commands:
        family = "debian"
    if family in commands:
        return commands[family]
    return "\n".join(f"{command}    # {name}" for name, command in commands.items())


def branch_of(case: Case) -> str:
    """The driver's branch, such as 570; BRANCH where it is not known."""
    return driver_version(case).partition(".")[0] or "BRANCH"


def hand_in_gpu(capabilities: str = "all") -> Callable[[Case], str]:
    """A remedy that starts the container again with a GPU and these driver capabilities, in its runtime's own words."""
    docker = f"docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES={capabilities} …    # as before, with these options"
    podman = (
        "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml    # on the host, and after each driver update\n"
        "podman run --device nvidia.com/gpu=all …"
    )
    kubernetes = (
        "# In the pod's container (the node needs NVIDIA's device plugin and container toolkit):\n"
        "resources: {limits: {nvidia.com/gpu: 1}}\n"
        f"env: [{{name: NVIDIA_DRIVER_CAPABILITIES, value: {capabilities}}}]"
    )
    apptainer = "apptainer exec --nv IMAGE …    # then look again: it may leave out NVIDIA's vendor file"
    forms = {"docker": docker, "podman": podman, "kubernetes": kubernetes, "apptainer": apptainer}

    def fix(case: Case) -> str:
        container = container_of(case)
        every = f"{docker}\n{podman}"
        return forms.get(container.runtime, every) if container else every

    return fix
