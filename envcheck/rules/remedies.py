"""Findings whose way out is a change to an image or to the command that starts it, as data: what to build, what to run.

Pure: evidence in, remedies out. What an image tells of itself gets into a command only in a form that no shell and no
Dockerfile reads as anything else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from envcheck.compat import missing_library
from envcheck.model import Evidence, Finding, Judgement, Status
from envcheck.rules.ctr import CAPABILITIES, VENDOR_FOLDERS, VISIBLE
from envcheck.rules.egl import displays_set
from envcheck.rules.egl_steering import DISPLAYS, forced_software
from envcheck.rules.mpp import library_of
from envcheck.rules.packages import OPENCVS, installed, opencv_of
from envcheck.rules.rule import Case
from envcheck.rules.world import family_of, gl_libraries, named, packages_of, variables_of

SAFE = re.compile(r"[A-Za-z0-9_./+@-]+")
"""What needs no quotes in a shell, and means nothing to a Dockerfile."""
VENDORS = "/usr/share/glvnd/egl_vendor.d"
INSTALL = {
    "debian": "apt-get update && apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*",
    "fedora": "dnf install -y {packages} && dnf clean all",
    "suse": "zypper --non-interactive install {packages} && zypper clean --all",
}
SYSTEMS = {"debian": "Debian", "fedora": "Fedora"}
TOGETHER = (("libegl1", "libgles2"), ("libgl1", "libglib2.0-0", "libxcb1"), ("libglvnd-egl", "libglvnd-gles"))
"""Packages that are missed one after the other."""
WITH_GPU_CODE = "mediapipe>=1.0.1"


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A change. `lines` are Dockerfile lines for root, `variables` replace the image's, `gpus` hands GPUs in."""

    code: str
    title: str
    lines: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    gpus: bool = False


def remedies(evidence: Evidence, judgement: Judgement, findings: Sequence[Finding]) -> tuple[Remedy, ...]:
    """The remedies of the findings that fail, in their order."""
    case = Case(evidence, judgement)
    failing = [finding.code for finding in findings if finding.status is Status.FAIL]
    found = ((code, look(case)) for code in failing for look in BY_CODE.get(code, ()))
    return tuple(replace(remedy, code=code) for code, remedy in found if remedy is not None)


# --- packages of the system ------------------------------------------------------------------------------------------


def library(case: Case) -> Remedy | None:
    """The package that brings the library which MediaPipe or OpenCV does not find."""
    opencv = opencv_of(case)
    missing = library_of(case) or (missing_library(opencv.error) if opencv and opencv.error else None)
    family = package_family(case)
    if missing is None or family not in SYSTEMS:
        return None
    command = next((one for system, one in missing.install if system.startswith(SYSTEMS[family])), "")
    package = command.rpartition(" ")[2] if missing.known else ""
    if not SAFE.fullmatch(package):
        return None
    names = next((group for group in TOGETHER if package in group), (package,))
    return installing(case, names, f"install {' '.join(names)}: {missing.name} is in it")


def dispatchers(case: Case) -> Remedy | None:
    """glvnd's own libraries."""
    names = {"debian": ("libegl1", "libgles2", "libglvnd0"), "fedora": ("libglvnd-egl", "libglvnd-gles", "libglvnd")}
    family = package_family(case)
    return installing(case, names[family], f"install {' '.join(names[family])}") if family in names else None


def package_family(case: Case) -> str:
    """The family by which packages are installed; Ubuntu's names are Debian's."""
    family = family_of(case)
    return "debian" if family == "ubuntu" else family


def installing(case: Case, packages: Sequence[str], title: str) -> Remedy:
    """A remedy that installs packages of the system."""
    command = INSTALL[package_family(case)].format(packages=" ".join(packages))
    return Remedy(code="", title=title, lines=(f"RUN {command}",))


# --- packages of the interpreter -------------------------------------------------------------------------------------


def pip(case: Case, title: str, *commands: str) -> Remedy | None:
    """A remedy of pip commands for the interpreter that was judged."""
    image, packages = case.evidence.image, packages_of(case)
    python = image.python if image and image.python else packages.executable if packages else ""
    if not SAFE.fullmatch(python):
        return None
    return Remedy(code="", title=title, lines=tuple(f"RUN {python} -m pip {one}" for one in commands))


def gpu_wheel(case: Case) -> Remedy | None:
    """A MediaPipe with GPU code in place of the one that is pinned."""
    return pip(case, f"replace MediaPipe by {WITH_GPU_CODE}", f"install --no-cache-dir --upgrade '{WITH_GPU_CODE}'")


def mediapipe(case: Case) -> Remedy | None:
    """MediaPipe itself."""
    return pip(case, "install MediaPipe", f"install --no-cache-dir '{WITH_GPU_CODE}'")


def requirements(case: Case) -> Remedy | None:
    """What the installed MediaPipe asks for: pip installs it with the same version."""
    packages = packages_of(case)
    found = installed(packages).get("mediapipe") if packages else None
    if found is None or not SAFE.fullmatch(found.version):
        return None
    return pip(case, "install what MediaPipe requires", f"install --no-cache-dir 'mediapipe=={found.version}'")


def one_opencv(case: Case) -> Remedy | None:
    """One OpenCV in place of several: the headless one, which needs nothing of the system."""
    return pip(
        case,
        "keep one OpenCV, the headless one",
        f"uninstall -y {' '.join(OPENCVS)}",
        "install --no-cache-dir opencv-contrib-python-headless",
    )


def readable(case: Case) -> Remedy | None:
    """An environment that the image's user, who is not root, may not be able to read."""
    image, cpu = case.evidence.image, case.evidence.cpu
    if image is None or image.user.partition(":")[0] in ("", "0", "root"):
        return None
    closed = cpu.error_type in ("PermissionError", "ModuleNotFoundError", "ImportError") or "denied" in cpu.error
    prefix = posixpath.dirname(posixpath.dirname(image.python))
    if not closed or prefix in ("", "/", "/usr") or not SAFE.fullmatch(prefix):
        return None
    return Remedy(code="", title=f"let every user read {prefix}", lines=(f"RUN chmod -R a+rX {prefix}",))


# --- EGL -------------------------------------------------------------------------------------------------------------


def vendor_file(case: Case) -> Remedy | None:
    """The vendor files of the EGL drivers that are there."""
    libraries = gl_libraries(case) or ()
    facts = case.evidence.facts
    driver = getattr(getattr(facts, "driver", None), "libraries", ())
    there = (*libraries, *(driver if isinstance(driver, tuple) else ()))
    drivers = {"10_nvidia.json": "libEGL_nvidia.so.0", "50_mesa.json": "libEGL_mesa.so.0"}
    lines = [writing(file, name) for file, name in drivers.items() if named(there, name, loadable=True)]
    if not lines:
        return None
    return Remedy(code="", title="write the vendor files of the EGL drivers that are there", lines=tuple(lines))


def writing(file: str, name: str) -> str:
    """The Dockerfile line that writes a vendor file; one that nobody may read is replaced."""
    text = f'{{"file_format_version":"1.0.0","ICD":{{"library_path":"{name}"}}}}'
    return (
        f"RUN mkdir -p {VENDORS} && rm -f {VENDORS}/{file} && printf '%s' '{text}' > {VENDORS}/{file} "
        f"&& chmod 644 {VENDORS}/{file}"
    )


def vendor_variables(case: Case) -> Remedy | None:
    """The folders where vendor files are, in place of what hides them."""
    values = {
        "__EGL_VENDOR_LIBRARY_FILENAMES": f"{VENDORS}/10_nvidia.json:{VENDORS}/50_mesa.json",
        "__EGL_VENDOR_LIBRARY_DIRS": f"/etc/glvnd/egl_vendor.d:{VENDORS}",
    }
    return setting({name: values[name] for name in VENDOR_FOLDERS if name in variables_of(case)})


def software(case: Case) -> Remedy | None:
    """The variables that force software GL."""
    return emptied(part.partition("=")[0] for part in (forced_software(case) or "").split(", "))


def displays(case: Case) -> Remedy | None:
    """The variables that name a display."""
    return emptied([*(name for name in DISPLAYS if name in variables_of(case)), *displays_set(case)])


def emptied(names: Sequence[str] | object) -> Remedy | None:
    """A remedy that empties variables: a Dockerfile cannot take one away, and Mesa, X and Wayland read empty as none."""
    return setting({name: "" for name in names if name}) if hasattr(names, "__iter__") else None


def setting(variables: Mapping[str, str]) -> Remedy | None:
    """A remedy that sets variables."""
    if not variables:
        return None
    words = ", ".join(f"{name}={value}" if value else f"{name} (empty)" for name, value in variables.items())
    return Remedy(code="", title=f"set {words}", variables=tuple(variables.items()))


# --- the GPU ---------------------------------------------------------------------------------------------------------


def handed_in(_case: Case) -> Remedy:
    """A GPU, with the graphics half of its driver."""
    return Remedy(code="", title="hand the GPU in", gpus=True, variables=((CAPABILITIES, "all"),))


BY_CODE: dict[str, tuple[Callable[[Case], Remedy | None], ...]] = {
    "MPP405": (library,),
    "MPP411": (library,),
    "EGL215": (dispatchers,),
    "MPP401": (gpu_wheel,),
    "MPP402": (gpu_wheel,),
    "MPP413": (readable, mediapipe),
    "MPP412": (requirements,),
    "MPP410": (one_opencv,),
    "MPP409": (readable,),
    "EGL201": (vendor_file,),
    "EGL211": (vendor_file,),
    "EGL212": (vendor_file,),
    "CTR308": (vendor_file,),
    "EGL213": (vendor_variables,),
    "EGL217": (software,),
    "EGL202": (displays,),
    "EGL214": (displays,),
    "EGL220": (lambda _case: setting({"EGL_PLATFORM": ""}),),
    "CTR301": (lambda _case: setting({CAPABILITIES: "all"}),),
    "CTR302": (handed_in,),
    "CTR303": (lambda _case: setting({VISIBLE: "all", CAPABILITIES: "all"}),),
    "CTR304": (lambda _case: setting({"NVIDIA_DISABLE_REQUIRE": "1"}),),
}
"""What may mend a finding, by its code, the likelier remedy first."""
