"""GPU1xx: the driver, its devices, and what their witnesses say."""

from __future__ import annotations

import re

from envcheck.compat import gpu_prediction
from envcheck.model import Gpu, Status, Unread, Verdict
from envcheck.rules.rule import Case, Rule, foreseen, on_verdict
from envcheck.rules.world import (
    CONTROL_DEVICE,
    NVIDIA_EGL,
    by_family,
    cards_of,
    container_of,
    devices_of,
    driver_libraries,
    driver_missed,
    driver_version,
    facts_of,
    files_missed,
    gpu_devices,
    gpus_of,
    hand_in_gpu,
    missed,
    module_of,
    named,
    nvidia_cards,
    nvml_of,
)

GPU_SUPPORT = "https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support"
ON_THE_CPU = "# No NVIDIA GPU in this machine: FaceMesh runs on the CPU here; use delegate=CPU."
NO_CARD = f"{ON_THE_CPU}\n# In a virtual machine: its host must hand a card in (PCI passthrough), or take an instance with a GPU."
LENT = "# vfio-pci holds the card for virtual machines: use it in one, or take its id out of vfio-pci's options first."
NOT_HANDED_IN = ("CTR303", "CTR302")
ANOTHER_PLATFORM = ("GPU118", "GPU114")
IN_ERROR = re.compile(r"gpu ?is ?lost|reset ?required|unknown error|NVMLError_Unknown\b|did not answer", re.IGNORECASE)
NO_ANSWER = re.compile(r"NVML gave no answer")
"""The library ended the process that asked it; where there is no driver at all that says nothing of one."""
MISMATCH = re.compile(r"LibRmVersionMismatch|(RM|driver/library) version mismatch", re.IGNORECASE)
CANNOT_LOOK = re.compile(r"permission denied|not looked|not permitted", re.IGNORECASE)


def no_driver(case: Case) -> str | Unread | None:
    """No NVIDIA driver answers, neither through NVML nor through /proc, and MediaPipe got no GPU."""
    host, facts = case.evidence.host, facts_of(case)
    module = facts.driver.module if facts else host.kernel_driver
    if case.judgement.verdict in (Verdict.CRASHED, Verdict.CONTRADICTORY) or module_of(case):
        return None
    if not isinstance(host.nvml, Unread) or (facts is None and module is None):
        return None
    if MISMATCH.search(host.nvml.reason) or IN_ERROR.search(host.nvml.reason):
        return None
    if isinstance(module, Unread) and CANNOT_LOOK.search(module.reason) and devices_of(case) is None:
        return module
    loaded = module.reason if isinstance(module, Unread) else "no kernel module of NVIDIA's is loaded"
    return "; ".join(filter(None, (host.nvml.reason, loaded, cards_of(case))))


def install_driver(case: Case) -> str:
    """The commands that install a driver with its graphics half; where there is no card, none."""
    cards = nvidia_cards(case)
    if cards == ():
        return NO_CARD
    install = by_family(
        case,
        {
            "ubuntu": "sudo ubuntu-drivers install",
            "debian": "sudo apt-get install linux-headers-$(dpkg --print-architecture) nvidia-driver    # component non-free",
            "fedora": "sudo dnf install akmod-nvidia    # from RPM Fusion; NVIDIA's repository: nvidia-open",
            "suse": "sudo zypper install nvidia-open-driver-G06-signed-kmp-meta nvidia-gl-G06",
            "arch": "sudo pacman -S nvidia-open nvidia-utils",
        },
    )
    if cards is None:
        return f"lspci -nn | grep -i nvidia    # is there a card?\n{install}\nsudo reboot\n{ON_THE_CPU}"
    lent = any(one.driver == "vfio-pci" for one in cards)
    return (f"{LENT}\n" if lent else "") + f"{install}\nsudo reboot"


def mismatched(case: Case) -> str | None:
    """The kernel module and the libraries of the driver's compute half are of different versions."""
    nvml, module = case.evidence.host.nvml, module_of(case)
    said = isinstance(nvml, Unread) and MISMATCH.search(nvml.reason) is not None
    if module is None or (nvml_of(case) and not container_of(case)):
        return nvml.reason if said and isinstance(nvml, Unread) else None
    found = named(driver_libraries(case), "libnvidia-ml.so", loadable=True)
    found += tuple(
        one for one in named(driver_libraries(case), "libcuda.so", loadable=True) if "compat" not in one.target
    )
    others = [f"{one.target} is {one.version}" for one in found if one.version not in ("", module.version)]
    if not others and not said:
        return None
    return f"the kernel module is {module.version}; {', '.join(others) or getattr(nvml, 'reason', '')}"


def same_versions(case: Case) -> str:
    """Load the new module on the host; take the driver out of an image."""
    if container_of(case):
        return (
            "# The image brings a driver of its own. On the host's, remove it from the image:\n"
            "dpkg -l 'libnvidia-*' 'nvidia-*' | grep ^ii    # what is installed\n"
            "apt-get purge -y 'libnvidia-*' 'nvidia-driver-*'"
        )
    return (
        "cat /proc/driver/nvidia/version; ls -l /usr/lib/*/libnvidia-ml.so.*    # the two versions\n"
        "sudo reboot    # after an update of the driver the old module stays loaded\n"
        "# without a restart, with every program off the GPU:\n"
        "sudo rmmod nvidia_drm nvidia_modeset nvidia_uvm nvidia && sudo modprobe nvidia"
    )


def not_permitted(case: Case) -> str | None:
    """Device files of the GPU that this user may not open."""
    devices = devices_of(case) or ()
    closed = [one for one in (*(gpu_devices(case) or ()), *devices) if not one.usable]
    closed = [one for one in closed if one in (gpu_devices(case) or ()) or one.path == CONTROL_DEVICE]
    facts = facts_of(case)
    if not closed or not facts:
        return None
    files = ", ".join(dict.fromkeys(f"{one.path} ({one.mode} {one.owner}:{one.group})" for one in closed))
    return f"{files}; user {facts.system.user or '?'} in groups {', '.join(facts.system.groups) or 'unknown'}"


def permit(case: Case) -> str:
    """Join the group that owns the files, or let everyone open them."""
    group = next((one.group for one in gpu_devices(case) or () if not one.usable), "")
    if container_of(case):
        return "ls -l /dev/nvidia*; id\n" + hand_in_gpu()(case)
    join = f"sudo usermod -aG {group} $USER    # then log in again\n" if group not in ("", "root") else ""
    return (
        f"ls -l /dev/nvidia*; id\n{join}"
        "# or for everyone, after a restart: echo 'options nvidia NVreg_DeviceFileMode=0666' | sudo tee /etc/modprobe.d/nvidia-devices.conf"
    )


def no_device_files(case: Case) -> str | None:
    """The kernel module is loaded, and a device file that every program needs is not there."""
    module, gpus, devices = module_of(case), gpu_devices(case), devices_of(case)
    if module is None or gpus is None or devices is None or (nvml_of(case) and gpus):
        return None
    missing = [] if gpus else ["/dev/nvidia0"]
    missing += [] if any(one.path == CONTROL_DEVICE for one in devices) else [CONTROL_DEVICE]
    return f"module {module.version} is loaded, {' and '.join(missing)} missing" if missing else None


def in_error(case: Case) -> str | None:
    """The driver answers that a GPU is lost, or with an error that it has no word for."""
    nvml = case.evidence.host.nvml
    if isinstance(nvml, Unread):
        ended = NO_ANSWER.search(nvml.reason) and module_of(case) is not None
        return nvml.reason if (ended or IN_ERROR.search(nvml.reason)) and not MISMATCH.search(nvml.reason) else None
    return next((words for gpu in nvml.gpus if (words := lost(gpu))), None)


def lost(gpu: Gpu) -> str:
    """Why this GPU counts as lost, or an empty text."""
    told = (gpu.compute_capability, gpu.mig, gpu.throttle, gpu.ecc_errors, gpu.temperature, gpu.processes)
    reasons = (value.reason for value in told if isinstance(value, Unread))
    return next((f"GPU {gpu.index}: {one}" for one in reasons if re.search(r"gpu ?is ?lost", one, re.IGNORECASE)), "")


def recover(case: Case) -> str:
    """The kernel's own words, then a fresh start."""
    if container_of(case):
        return (
            "Start the container again: a reload of systemd on the host takes the GPU from running containers.\n"
            "# If that does not help, on the host: sudo dmesg | grep -i -e xid -e nvrm"
        )
    return "sudo dmesg | grep -i -e xid -e nvrm    # what the driver complains of\nsudo nvidia-smi --gpu-reset    # or restart"


def no_gpu(case: Case) -> str | None:
    """The driver answers and lists no GPU."""
    nvml = nvml_of(case)
    return (
        "; ".join(filter(None, (f"driver {nvml.driver} lists none", cards_of(case))))
        if nvml and not nvml.gpus
        else None
    )


def no_compute_half(case: Case) -> str | None:
    """The kernel module is loaded, and there is no libnvidia-ml for it."""
    module, libraries = module_of(case), driver_libraries(case)
    if module is None or libraries is None or nvml_of(case) or named(libraries, "libnvidia-ml.so"):
        return None
    others = ", ".join(one.name for one in libraries)
    return f"module {module.version} is loaded; of its libraries there is {others or 'none'}"


def compute_status(case: Case) -> Status:
    """EGL works without libnvidia-ml; only what witnesses the GPU does not."""
    return Status.UNKNOWN if named(driver_libraries(case), NVIDIA_EGL, loadable=True) else Status.FAIL


def compute_install(case: Case) -> str:
    """The package of the compute half, of the module's own version."""
    if container_of(case):
        return hand_in_gpu()(case)
    branch = driver_version(case).partition(".")[0] or "BRANCH"
    return by_family(
        case,
        {
            "ubuntu": f"sudo apt-get install libnvidia-compute-{branch} libnvidia-gl-{branch} nvidia-utils-{branch}",
            "debian": "sudo apt-get install libcuda1 libnvidia-ml1 nvidia-driver-libs    # component non-free",
            "fedora": "sudo dnf install nvidia-driver-cuda nvidia-driver-libs    # RPM Fusion: xorg-x11-drv-nvidia-cuda",
            "suse": "sudo zypper install nvidia-compute-utils-G06 nvidia-gl-G06",
            "arch": "sudo pacman -S nvidia-utils",
        },
    )


def sliced(case: Case) -> str | None:
    """Every GPU is in MIG mode: foreseen, or seen where a run or a look went without GPU."""
    told = foreseen("GPU102")(case)
    if told is not None or not missed(case) or not any(gpu.mig is True for gpu in gpus_of(case)):
        return told
    found = gpu_prediction(case.evidence.host)
    return found.because if found else None


DRIVER = (
    Rule(
        code="GPU101",
        title="no host with this driver",
        see=foreseen("GPU101"),
        because="A container or an environment cannot change the host's kernel driver; this cell needs another host.",
        remedy="Run this cell on a host with that driver (`nvidia-smi` names it), or use `driver: any` in matrix.yaml.",
        url="https://docs.nvidia.com/datacenter/tesla/drivers/",
    ),
    Rule(
        code="GPU102",
        title="every GPU is in MIG mode",
        see=sliced,
        because="A MIG slice serves CUDA but no graphics API, and MediaPipe's GPU delegate is OpenGL ES through EGL.",
        remedy="sudo nvidia-smi -i 0 -mig 0    # with every program off the GPU",
        url="https://docs.nvidia.com/datacenter/tesla/mig-user-guide/",
    ),
    Rule(
        code="GPU105",
        title="no NVIDIA driver answers here",
        see=no_driver,
        scope=driver_missed,
        after=(*ANOTHER_PLATFORM, *NOT_HANDED_IN),
        because="Without the driver there is no GPU to use, whatever MediaPipe, CUDA or Python is installed. In a container "
        "it also means that the GPU was not handed in.",
        remedy="nvidia-smi    # does it work on the host?\n"
        "# Debian, Ubuntu: apt-get install nvidia-driver-570 (or `ubuntu-drivers install`), then restart\n"
        "# Docker: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …\n"
        "# No NVIDIA GPU in this machine: FaceMesh runs on the CPU here; use delegate=CPU.",
        url=GPU_SUPPORT,
        fix=install_driver,
    ),
    Rule(
        code="GPU106",
        title="driver library and kernel module are of different versions",
        see=mismatched,
        scope=driver_missed,
        after=NOT_HANDED_IN,
        because="The libraries talk to the module of their own version only; with another one NVML, CUDA and EGL all fail. It "
        "happens when the driver was updated and the machine not restarted, or when an image brings a driver.",
        remedy="sudo reboot    # after an update of the driver; in an image: remove its own libnvidia-* packages",
        url="https://github.com/NVIDIA/ubuntu-packaging-nvidia-driver/issues/3",
        fix=same_versions,
    ),
    Rule(
        code="GPU107",
        title="this user may not open the GPU's device files",
        see=not_permitted,
        scope=files_missed,
        after=NOT_HANDED_IN,
        because="EGL, CUDA and NVML open /dev/nvidiactl and /dev/nvidia0 as the calling user; without permission the driver "
        "looks as if it were not there.",
        remedy="ls -l /dev/nvidia*; id\nsudo usermod -aG video $USER    # the group that ls shows; then log in again",
        url="https://man.archlinux.org/man/nvidia-modprobe.1.txt",
        fix=permit,
    ),
    Rule(
        code="GPU116",
        title="the driver is loaded, but it has no GPU",
        see=no_gpu,
        scope=driver_missed,
        after=("CTR303",),
        because="The kernel module runs and drives no card: the card is bound to another driver (vfio, nouveau), was removed "
        "from the bus, or is too old or too new for this driver.",
        remedy="lspci -nnk | grep -iA3 nvidia    # which kernel driver is in use?\nsudo dmesg | grep -i nvrm",
        url="https://docs.nvidia.com/datacenter/tesla/drivers/cuda-toolkit-driver-and-architecture-matrix.html",
    ),
    Rule(
        code="GPU108",
        title="the kernel module is loaded, but its device files are not there",
        see=no_device_files,
        scope=files_missed,
        after=("GPU105", "GPU116", *NOT_HANDED_IN),
        because="The driver is reached through /dev/nvidiactl and /dev/nvidia0. They are made by nvidia-modprobe, or handed "
        "into a container one by one.",
        remedy="sudo nvidia-modprobe -c 0 && nvidia-smi    # in a container: docker run --gpus all …",
        url="https://man.archlinux.org/man/nvidia-modprobe.1.txt",
    ),
    Rule(
        code="GPU113",
        title="the GPU is lost, or its driver is in error",
        see=in_error,
        scope=driver_missed,
        after=("GPU107", *NOT_HANDED_IN),
        because="The driver is there and cannot speak to its GPU: it fell off the bus, or the container lost its devices.",
        remedy="sudo dmesg | grep -i -e xid -e nvrm    # what the driver complains of; then restart",
        url="https://github.com/NVIDIA/nvidia-container-toolkit/issues/48",
        fix=recover,
    ),
    Rule(
        code="GPU117",
        title="the compute half of the driver is missing",
        see=no_compute_half,
        scope=files_missed,
        after=("GPU105", "CTR307", *NOT_HANDED_IN),
        because="The kernel module is loaded, and its libraries are not installed or were not handed into this container. "
        "Without them no program reaches the GPU; without libnvidia-ml alone nothing can witness that one does.",
        remedy="sudo apt-get install libnvidia-compute-BRANCH libnvidia-gl-BRANCH    # the module's branch, such as 570",
        url="https://packages.debian.org/source/bookworm/nvidia-graphics-drivers",
        weigh=compute_status,
        fix=compute_install,
    ),
)

VERDICTS = (
    Rule(
        code="GPU103",
        title="witnesses disagree about the device",
        see=on_verdict(Verdict.CONTRADICTORY),
        because="One observation speaks for the GPU and another against it; either may be wrong, so nothing is proven.",
        remedy="Compare the witnesses in the evidence file. Often two GL drivers are installed side by side:\n"
        "export __EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json\nunset DISPLAY WAYLAND_DISPLAY",
        url="https://github.com/NVIDIA/libglvnd/blob/master/src/EGL/icd_enumeration.md",
    ),
    Rule(
        code="GPU104",
        title="another GPU did the work",
        see=on_verdict(Verdict.OTHER_GPU),
        because="EGL chose a driver that is not NVIDIA's own: Mesa on an integrated GPU, D3D12 under WSL, a virtual GPU.",
        remedy="export __EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json\n"
        "unset DISPLAY WAYLAND_DISPLAY EGL_PLATFORM",
        url="https://github.com/google-ai-edge/mediapipe/issues/3353",
    ),
)
