"""MPP41x: the interpreter's packages: MediaPipe, OpenCV and what they need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envcheck.compat import missing_library, wheel_facts, wheel_platform, wheel_reason
from envcheck.facts import Distribution, OpenCv, Packages
from envcheck.model import Axes, Status, Unread
from envcheck.rules.limits import SPACE
from envcheck.rules.mpp import CHOOSE_GPU_WHEEL
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import facts_of, looked_only, mediapipe_version, not_starting, packages_of

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OPENCVS = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
ONLY_ONE = "https://github.com/opencv/opencv-python/issues/962"
UNUSED = frozenset({"jax", "jaxlib", "torch", "sentencepiece", "sounddevice"})
"""Requirements of some versions that FaceMesh runs without."""


def interpreter(case: Case) -> str:
    """The interpreter, as it is typed."""
    packages = packages_of(case)
    return packages.executable if packages and packages.executable else "python"


def pip(case: Case, arguments: str) -> str:
    """A pip command for this interpreter."""
    return f"{interpreter(case)} -m pip {arguments}"


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(packages: Packages) -> dict[str, Distribution]:
    """The distributions by canonical name."""
    return {canonical(one.name): one for one in packages.distributions}


def not_installed(case: Case) -> str | None:
    """There is no MediaPipe in this interpreter."""
    packages = packages_of(case)
    if packages is None or "mediapipe" in installed(packages) or packages.shadowed:
        return None
    return f"Python {packages.python}, {packages.executable}" + elsewhere(packages)


def elsewhere(packages: Packages) -> str:
    """Where the user's own run finds MediaPipe all the same, to follow what was seen; empty where it finds none."""
    found = next((one for one in packages.outside if canonical(one.name) == "mediapipe"), None)
    if found is None:
        return ""
    where = "PYTHONPATH or the user's own site-packages, which an isolated interpreter (python -I) does not search"
    return f"; MediaPipe {found.version} is in {where}"


def install(case: Case) -> str:
    """MediaPipe where it belongs: pip takes one that only the user's own run finds for installed."""
    packages = packages_of(case)
    if packages is None or not elsewhere(packages):
        return pip(case, "install 'mediapipe>=1.0.1'")
    made = f"{interpreter(case)} -m venv .venv && .venv/bin/python -m pip install 'mediapipe>=1.0.1'"
    return f"{made}\nenvcheck check --python .venv/bin/python"


def shadowed(case: Case) -> str | None:
    """A file that is imported in place of the installed module."""
    packages = packages_of(case)
    return packages.shadowed if packages and packages.shadowed else None


def rename(case: Case) -> str:
    """Give the file another name."""
    path = shadowed(case) or "FILE"
    return f"mv '{path}' '{path.removesuffix('.py')}_app{'.py' if path.endswith('.py') else ''}'    # and delete its __pycache__"


def opencv_of(case: Case) -> OpenCv | None:
    """The interpreter's cv2."""
    packages = packages_of(case)
    return packages.opencv if packages and isinstance(packages.opencv, OpenCv) else None


def several_opencvs(case: Case) -> str | None:
    """More than one distribution brought files of cv2."""
    packages, opencv = packages_of(case), opencv_of(case)
    if packages is None:
        return None
    owners = {canonical(name) for name in (opencv.owners if opencv else ())}
    owners |= set(OPENCVS) & set(installed(packages))
    return ", ".join(sorted(owners)) if len(owners) > 1 else None


def opencv_status(case: Case) -> Status:
    """FAIL where cv2 does not load; two that happen to work are a remark."""
    opencv = opencv_of(case)
    return Status.FAIL if opencv and opencv.error else Status.UNKNOWN


def keep_one(case: Case) -> str:
    """Uninstall all, install one: they overwrite each other's files."""
    names = [name for name in OPENCVS if name in (several_opencvs(case) or "").split(", ")]
    keep = names[-1] if any("headless" in name for name in names) else "opencv-contrib-python"
    every = " ".join(names or OPENCVS)
    return f"{pip(case, f'uninstall -y {every}')}\n{pip(case, f'install {keep}')}"


def opencv_not_loading(case: Case) -> str | None:
    """The native library of cv2 does not load."""
    opencv = opencv_of(case)
    return f"{opencv.error} ({opencv.path})" if opencv and opencv.error else None


def load_opencv(case: Case) -> str:
    """The missing library's package, or the OpenCV that does not need it."""
    opencv = opencv_of(case)
    missing = missing_library(opencv.error) if opencv else None
    lines = [f"{command}    # {system}" for system, command in missing.install] if missing else []
    lines += [missing.advice] if missing and missing.advice else []
    without = pip(case, "install --force-reinstall opencv-contrib-python-headless")
    return "\n".join([*lines, f"{without}    # without a window system"])


def unmet_requirements(case: Case) -> str | None:
    """What MediaPipe's own metadata asks for, and is not so."""
    packages = packages_of(case)
    mediapipe = installed(packages).get("mediapipe") if packages else None
    if packages is None or mediapipe is None:
        return None
    unmet = [words for text in mediapipe.requires if (words := objection(text, packages))]
    return f"MediaPipe {mediapipe.version} needs {', '.join(unmet)}" if unmet else None


def objection(text: str, packages: Packages) -> str:
    """Why a requirement is not met, or an empty text; what cannot be told is none."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        wanted = Requirement(text)
        found = installed(packages).get(canonical(wanted.name))
        if found is None:
            return f"{wanted.name}, which is not installed" if is_missed(wanted, packages) else ""
        fits = wanted.specifier.contains(found.version, prereleases=True)
    except (InvalidRequirement, InvalidVersion):
        return ""
    return "" if fits else f"{wanted.name}{wanted.specifier} (here: {found.version})"


def is_missed(wanted: Requirement, packages: Packages) -> bool:
    """FaceMesh needs it, and no other distribution gives it: another OpenCV does as well as the one that is named."""
    name = canonical(wanted.name)
    replaced = name in OPENCVS and packages.opencv is not None
    return wanted.marker is None and name not in UNUSED and not replaced


def install_requirements(case: Case) -> str:
    """Let pip choose again."""
    version = mediapipe_version(case) or ""
    return (
        f"{pip(case, 'check')}\n"
        f"{pip(case, f'install --upgrade --upgrade-strategy eager mediapipe=={version}')}\n"
        "# What another package of this environment pins against MediaPipe needs an environment of its own."
    )


def without_gpu(case: Case) -> str | None:
    """The table knows that the installed MediaPipe's wheel cannot use a GPU here."""
    facts, version = facts_of(case), mediapipe_version(case)
    if facts is None or version is None or packages_of(case) is None:
        return None
    platform = wheel_platform(facts.system.platform, facts.system.machine)
    known = wheel_facts(version, platform)
    if known is None or (known.gpu != "none" and known.delegate_passed):
        return None
    reason = wheel_reason(Axes(backend="existing", mediapipe=version), platform)
    return reason.because if reason else f"MediaPipe {version}"


def could_not_look(case: Case) -> Unread | None:
    """Nobody could read the interpreter's packages."""
    facts = facts_of(case)
    return facts.packages if facts and isinstance(facts.packages, Unread) else None


RULES = (
    Rule(
        code="MPP414",
        title="a file of yours hides the installed package",
        see=shadowed,
        scope=not_starting,
        because="Python imports the first module of a name that it finds, and looks in the script's own folder first.",
        remedy="mv mediapipe.py my_app.py    # and delete its __pycache__",
        url="https://docs.python.org/3/library/sys_path_init.html",
        fix=rename,
    ),
    Rule(
        code="MPP413",
        title="MediaPipe is not installed in this interpreter",
        see=lambda case: could_not_look(case) or not_installed(case),
        scope=not_starting,
        after=("MPP414",),
        because="What another interpreter or environment has installed does not count: each has its own packages.",
        remedy="python -m pip install mediapipe    # with the interpreter that runs your program",
        url="https://ai.google.dev/edge/mediapipe/solutions/setup_python",
        fix=install,
    ),
    Rule(
        code="MPP411",
        title="cv2 does not load",
        see=opencv_not_loading,
        scope=not_starting,
        after=("MPP405", "MPP414", SPACE),
        because="MediaPipe imports OpenCV, and its native library lacks something here. The usual builds need the libraries of a "
        "window system; the headless ones do not.",
        remedy="sudo apt-get install -y libgl1 libglib2.0-0    # or: python -m pip install opencv-contrib-python-headless",
        url="https://github.com/opencv/opencv-python/issues/370",
        fix=load_opencv,
    ),
    Rule(
        code="MPP412",
        title="MediaPipe's own requirements are not met",
        see=unmet_requirements,
        scope=not_starting,
        after=("MPP413",),
        because="Its metadata pins what it was built against (numpy, protobuf); with other versions it fails at import, or later "
        "with an error that says nothing of versions.",
        remedy="python -m pip check\npython -m pip install --upgrade --upgrade-strategy eager mediapipe",
        url="https://github.com/google-ai-edge/mediapipe/issues/6113",
        fix=install_requirements,
    ),
    Rule(
        code="MPP410",
        title="several OpenCV distributions share cv2",
        see=several_opencvs,
        scope=not_starting,
        because="They write into the same folder: the last one installed wins file by file, and uninstalling one breaks the other.",
        remedy="python -m pip uninstall -y opencv-python opencv-contrib-python opencv-python-headless opencv-contrib-python-headless\n"
        "python -m pip install opencv-contrib-python",
        url=ONLY_ONE,
        weigh=opencv_status,
        fix=keep_one,
    ),
    Rule(
        code="MPP415",
        title="the installed MediaPipe cannot use a GPU",
        see=without_gpu,
        scope=looked_only,
        because="By what its wheel holds: GPU code is missing, or the delegate is never handed to it. No driver, CUDA version or "
        "flag changes that.",
        remedy=CHOOSE_GPU_WHEEL,
        url="https://github.com/google-ai-edge/mediapipe/issues/6231",
        fix=lambda case: pip(case, CHOOSE_GPU_WHEEL.removeprefix("pip ")),
    ),
)
