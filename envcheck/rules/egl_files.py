"""EGL2xx: the files that lead from libEGL to NVIDIA's driver: dispatcher, vendor file, graphics libraries."""

from __future__ import annotations

from envcheck.compat import missing_library, wheel_facts, wheel_platform
from envcheck.compat.versions import components
from envcheck.facts import LibraryFile, VendorFile
from envcheck.model import GlContext, LoadedVendor
from envcheck.rules.ctr import VENDOR_FOLDERS, WRITE_VENDOR_FILE
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import (
    NVIDIA_EGL,
    branch_of,
    by_family,
    container_of,
    driver_libraries,
    driver_missed,
    driver_version,
    facts_of,
    family_of,
    files_missed,
    gl_libraries,
    mediapipe_version,
    module_of,
    named,
    names_nvidia,
    nvml_of,
    steering_missed,
    stem_of,
    variables_of,
    vendors_of,
)

ENUMERATION = "https://github.com/NVIDIA/libglvnd/blob/master/src/EGL/icd_enumeration.md"
SAME_VERSION = "https://github.com/facebookresearch/habitat-sim/issues/288"
PARTS = ("libnvidia-eglcore.so", "libnvidia-glsi.so")
"""What libEGL_nvidia loads, each under its own version's name."""
EARLY_PART, LATE_PART = "libnvidia-tls.so", "libnvidia-gpucomp.so"
WITHOUT_EARLY_PART = (580,)
"""From here on EGL was seen to work without it: https://github.com/openresearchtools/WildBuzzardRust, docs/handoffs/
W4-A4P-linux-presenter.md lists what 610.43.02 loads, and docs/recordings.md of ours what 580 has mapped."""
FIRST_WITH_LATE_PART = (545, 29)
"""https://github.com/getsolus/packages/pull/762 quotes the driver's own list of changes. Not of the open module alone:
https://github.com/NVIDIA/egl-wayland/issues/185 has it mapped on a GTX 750 Ti, which that module does not drive."""
DISPATCHERS = ("libEGL.so.1", "libGLESv2.so.2")
DISPATCH = "libGLdispatch.so.0"

NO_DRIVER_HERE = ("GPU114", "GPU105", "CTR303", "CTR302", "CTR307")
"""Rules that explain a missing graphics half: there is no driver at all, or it is elsewhere."""


def no_graphics_half(case: Case) -> str | None:
    """libcuda or libnvidia-ml are there, libEGL_nvidia is not."""
    libraries = driver_libraries(case)
    if libraries is None or named(libraries, stem_of(NVIDIA_EGL)):
        return None
    compute = (*named(libraries, "libcuda.so"), *named(libraries, "libnvidia-ml.so"))
    if not compute and not nvml_of(case):
        return None
    there = ", ".join(one.path for one in compute) or "NVML answers"
    version = driver_version(case)
    return f"{there}; no {NVIDIA_EGL}" + (f" (driver {version})" if version else "")


def graphics_install(case: Case) -> str:
    """The package of the graphics half, of the driver's own version."""
    branch, version = branch_of(case), driver_version(case) or "VERSION"
    install = by_family(
        case,
        {
            "ubuntu": f"sudo apt-get install libnvidia-gl-{branch}    # beside nvidia-headless-…-server: libnvidia-gl-{branch}-server",
            "debian": "sudo apt-get install nvidia-driver-libs    # component non-free",
            "fedora": "sudo dnf install nvidia-driver-libs    # RPM Fusion: xorg-x11-drv-nvidia-libs",
            "suse": "sudo zypper install nvidia-gl-G06",
            "arch": "sudo pacman -S nvidia-utils",
        },
    )
    inside = "# On the host; then start the container again with -e NVIDIA_DRIVER_CAPABILITIES=all:\n"
    return (
        (inside if container_of(case) else "")
        + install
        + f"\n# Driver from NVIDIA's installer: sh NVIDIA-Linux-{machine(case)}-{version}.run, without --no-opengl-files"
    )


def machine(case: Case) -> str:
    """The processor, as installers name it."""
    facts = facts_of(case)
    return facts.system.machine if facts else case.evidence.host.machine


def egl_library(case: Case) -> LibraryFile | None:
    """NVIDIA's EGL library as the loader finds it."""
    return next(iter(named(driver_libraries(case), NVIDIA_EGL, loadable=True)), None)


def incomplete(case: Case) -> str | None:
    """libEGL_nvidia is there, and what it loads is not."""
    library, libraries = egl_library(case), driver_libraries(case)
    if library is None:
        return None
    wanted = [f"{part}.{library.version}" if library.version else part for part in parts_of(library.version)]
    missing = [name for name in wanted if not named(libraries, name)]
    return f"{library.target} is there, {', '.join(missing)} not" if missing else None


def parts_of(version: str) -> tuple[str, ...]:
    """What libEGL_nvidia of this driver loads; where its version is not told, what every driver's does."""
    known = components(version)
    if known is None:
        return PARTS
    early = (EARLY_PART,) if known < WITHOUT_EARLY_PART else ()
    return PARTS + early + ((LATE_PART,) if known >= FIRST_WITH_LATE_PART else ())


def another_version(case: Case) -> str | None:
    """Graphics libraries of another version than the kernel module."""
    module = module_of(case)
    if module is None:
        return None
    libraries = named(driver_libraries(case), "libEGL_nvidia", loadable=True)
    libraries += named(driver_libraries(case), "libGLESv2_nvidia", loadable=True)
    others = [f"{one.target} is {one.version}" for one in libraries if one.version not in ("", module.version)]
    return f"the kernel module is {module.version}; {', '.join(others)}" if others else None


def no_vendor_file(case: Case) -> str | None:
    """NVIDIA's EGL library is there, and no vendor file names it. In a container CTR308 says so."""
    vendors, library = vendors_of(case), egl_library(case)
    if vendors is None or library is None or container_of(case) or any(map(names_nvidia, vendors)):
        return None
    if any(name in variables_of(case) for name in VENDOR_FOLDERS):
        return None
    return f"{library.path} is there; vendor files: {', '.join(one.path for one in vendors) or 'none'}"


def bad_vendor_file(case: Case) -> str | None:
    """A vendor file that is NVIDIA's, or the only one, is of no use."""
    vendors = vendors_of(case) or ()
    bad = [one for one in vendors if useless(one)]
    telling = [one for one in bad if names_nvidia(one)] or (bad if len(bad) == len(vendors) else [])
    return "; ".join(f"{one.path}: {one.error or f'{one.library} is not found'}" for one in telling) or None


def useless(vendor: VendorFile) -> bool:
    """glvnd passes it over."""
    return bool(vendor.error) or not vendor.found


def no_dispatcher(case: Case) -> str | None:
    """glvnd's libraries are missing, and this MediaPipe does not bring its own."""
    libraries = gl_libraries(case)
    if libraries is None:
        return None
    missing = [name for name in DISPATCHERS if not named(libraries, name, loadable=True)]
    made = isinstance(case.evidence.gl, GlContext) and case.evidence.gl.path != "none"
    if not missing and not made and not named(libraries, DISPATCH, loadable=True):
        missing = [DISPATCH]
    return ", ".join(missing) if missing and not brings_its_own(case) else None


def brings_its_own(case: Case) -> bool:
    """The wheels of 0.10.8 to 0.10.21 bundle libEGL."""
    facts = facts_of(case)
    version = mediapipe_version(case)
    if facts is None or version is None:
        return False
    known = wheel_facts(version, wheel_platform(facts.system.platform, facts.system.machine))
    return known is not None and known.gl == "bundled"


def dispatcher_install(case: Case) -> str:
    """The packages of this distribution."""
    packages = {
        "debian": "sudo apt-get install -y libegl1 libgles2 libglvnd0",
        "fedora": "sudo dnf install -y libglvnd-egl libglvnd-gles libglvnd",
        "suse": "sudo zypper install libglvnd",
        "arch": "sudo pacman -S libglvnd",
        "alpine": "# MediaPipe's wheels need glibc, which Alpine does not have: use a Debian or Fedora image",
    }
    if not family_of(case):
        packages.pop("alpine")
    missing = missing_library(f"{no_dispatcher(case) or ''}: cannot open shared object file")
    conda = next((command for system, command in missing.install if "conda" in system), "") if missing else ""
    return by_family(case, packages) + (f"\n# in a conda environment: {conda}" if conda else "")


def loaded_vendors(case: Case) -> tuple[LoadedVendor, ...]:
    """The vendor libraries that were loaded as libEGL would."""
    gl = case.evidence.gl
    return gl.vendors if isinstance(gl, GlContext) and isinstance(gl.vendors, tuple) else ()


def not_loading(case: Case) -> str | None:
    """NVIDIA's EGL library fails to load, by the loader's own word."""
    failing = [one for one in loaded_vendors(case) if one.error and "nvidia" in one.library]
    return "; ".join(f"{one.library}: {one.error}" for one in failing) or None


RULES = (
    Rule(
        code="EGL215",
        title="libEGL, libGLESv2 or their dispatcher is missing",
        see=no_dispatcher,
        scope=steering_missed,
        after=("MPP405",),
        because="MediaPipe 0.10.33 and later load the system's libEGL and libGLESv2, on the CPU as well: `import mediapipe` "
        "works, and the first task fails. Slim and CUDA base images do not have them.",
        remedy="sudo apt-get install -y libegl1 libgles2 libglvnd0    # Fedora, RHEL: libglvnd-egl libglvnd-gles",
        url="https://github.com/google-ai-edge/mediapipe/issues/6231",
        fix=dispatcher_install,
    ),
    Rule(
        code="EGL208",
        title="the graphics half of the driver is missing",
        see=no_graphics_half,
        scope=files_missed,
        after=(*NO_DRIVER_HERE, "CTR301"),
        because="A driver has a compute half (CUDA, NVML) and a graphics half (EGL, OpenGL ES). MediaPipe needs the second. "
        "Headless and server packages, and many cloud images, install the first alone: nvidia-smi works all the same.",
        remedy="sudo apt-get install libnvidia-gl-BRANCH    # Ubuntu; the driver's branch, such as 570\n"
        "# In a container: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …",
        url="https://github.com/selkies-project/docker-nvidia-egl-desktop/issues/34",
        fix=graphics_install,
    ),
    Rule(
        code="EGL210",
        title="the graphics half of the driver is of another version",
        see=another_version,
        scope=files_missed,
        after=(*NO_DRIVER_HERE, "GPU106"),
        because="NVIDIA's EGL works with the kernel module of exactly its version, and fails without a word with any other.",
        remedy="cat /proc/driver/nvidia/version; ls /usr/lib/*/libEGL_nvidia.so.*    # the two versions\n"
        "sudo apt-get install --reinstall libnvidia-gl-BRANCH    # of the module's version, then restart",
        url=SAME_VERSION,
        fix=lambda case: (
            f"cat /proc/driver/nvidia/version; ls /usr/lib/*/libEGL_nvidia.so.*    # both {driver_version(case)}?\n"
            + graphics_install(case)
        ),
    ),
    Rule(
        code="EGL209",
        title="the graphics half of the driver is incomplete",
        see=incomplete,
        scope=files_missed,
        after=(*NO_DRIVER_HERE, "EGL208", "EGL210"),
        because="libEGL_nvidia loads these libraries by name when it starts; without one of them EGL passes NVIDIA over and "
        "takes Mesa's software renderer without an error.",
        remedy="ldconfig -p | grep libnvidia    # which are there?\n"
        "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml    # podman, CDI: on the host, with a current toolkit",
        url="https://github.com/NVIDIA/nvidia-container-toolkit/issues/1908",
        fix=lambda case: (
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml    # CDI: on the host, with a current toolkit\n"
            "# without CDI: docker run --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all -e NVIDIA_DRIVER_CAPABILITIES=all …"
            if container_of(case)
            else graphics_install(case)
        ),
    ),
    Rule(
        code="EGL212",
        title="a vendor file leads nowhere",
        see=bad_vendor_file,
        scope=files_missed,
        after=(*NO_DRIVER_HERE, "CTR301", "EGL208"),
        because="libEGL reads its drivers' names from these files, and passes over one that it cannot read or whose library "
        "it cannot find.",
        remedy=WRITE_VENDOR_FILE,
        url=ENUMERATION,
    ),
    Rule(
        code="EGL211",
        title="no vendor file names NVIDIA's EGL library",
        see=no_vendor_file,
        scope=files_missed,
        after=(*NO_DRIVER_HERE, "EGL208", "EGL212"),
        because="libEGL finds its drivers through files in egl_vendor.d alone; the library itself is not enough.",
        remedy="sudo mkdir -p /usr/share/glvnd/egl_vendor.d\n"
        """echo '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}' | sudo tee /usr/share/glvnd/egl_vendor.d/10_nvidia.json""",
        url=ENUMERATION,
    ),
    Rule(
        code="EGL219",
        title="NVIDIA's EGL library does not load",
        see=not_loading,
        scope=lambda case: driver_missed(case) and bool(loaded_vendors(case)),
        after=("GPU105", "GPU106", "CTR301", "CTR302", "CTR303", "CTR307", "EGL208", "EGL209", "EGL210", "EGL212"),
        because="libEGL passes over a driver that the loader refuses, without an error; the loader's message is its reason.",
        remedy="ldd $(ldconfig -p | grep -m1 -o '/.*libEGL_nvidia.so.0')    # which library is not found?",
        url=ENUMERATION,
    ),
)
