"""MPP4xx: MediaPipe, its wheel, its Python and its packages."""

from __future__ import annotations

from envcheck import namesake
from envcheck.compat import (
    MissingLibrary,
    WheelFacts,
    host_platform,
    missing_library,
    newest_for,
    outgrown,
    wheel_facts,
)
from envcheck.model import Status, Verdict
from envcheck.reason import reason_of
from envcheck.rules.limits import SPACE, TASKS
from envcheck.rules.rule import (
    DISABLED_IN_BUILD,
    FOREIGN_OPERATIONS,
    Case,
    Rule,
    built,
    foreseen,
    on_verdict,
    refused_with,
)
from envcheck.rules.world import mediapipe_version

WITH_GPU = "Linux x86_64: 0.10.8 to 0.10.21, 0.10.33, 0.10.35, 1.0.1 and later; Linux aarch64: 1.0.1 and later"
CHOOSE_GPU_WHEEL = f"pip install 'mediapipe>=1.0.1'    # wheels with GPU code: {WITH_GPU}"

PYTHON = "3.11"
"""Every MediaPipe has a wheel for it."""
FITTING = (
    "pip install 'mediapipe>=1.0.1'    # fits every Python from 3.9 on\n"
    f"uv venv --python {PYTHON}    # for an older MediaPipe: 0.10.13 to 0.10.21 have wheels for 3.9 to 3.12, 0.10.8 to "
    "0.10.11 for 3.8 to 3.11"
)

ASK_ANOTHER_INDEX = (
    "Check the network; name a mirror with UV_INDEX_URL or PIP_INDEX_URL, a folder of wheels with PIP_FIND_LINKS."
)


def no_gpu_code(case: Case) -> str | None:
    """Foreseen by the table, or said by MediaPipe itself."""
    return foreseen("MPP401")(case) or refused_with(DISABLED_IN_BUILD)(case)


def delegate_ignored(case: Case) -> str | None:
    """Foreseen by the table, or proven by the run."""
    return foreseen("MPP402")(case) or on_verdict(Verdict.SILENT_CPU)(case)


def unfit(case: Case) -> str | None:
    """Foreseen by the table, said by the resolver, or shown by MediaPipe's code."""
    return foreseen("MPP403")(case) or built("no-wheel")(case) or import_on_old_python(case)


def import_on_old_python(case: Case) -> str | None:
    """The import failed, on a Python that is older than those that MediaPipe names."""
    worker, version = case.evidence.cpu, mediapipe_version(case)
    facts = wheel_facts(version, host_platform(case.evidence.host)) if version else None
    if worker.outcome != "import-failed" or facts is None:
        return None
    too_old = outgrown(facts, python_of(case))
    return f"{too_old} ({reason_of(worker, 120)})" if too_old else None


def python_of(case: Case) -> str:
    """The Python that ran, else the one that the cell names."""
    return case.evidence.cpu.python or case.evidence.cell.axes.python or ""


def fitting(case: Case) -> str:
    """The newest MediaPipe for this Python, and a Python for this MediaPipe, as far as the tables know them."""
    python, version = python_of(case), mediapipe_version(case) or case.evidence.cell.axes.mediapipe
    platform = host_platform(case.evidence.host)
    newest = newest_for(python, platform) if python else None
    facts = wheel_facts(version, platform) if version else None
    lines = (
        newest and f"pip install 'mediapipe=={newest}'    # the newest with GPU code for Python {python}",
        facts and f"uv venv --python {PYTHON}    # MediaPipe {facts.version} is for Python {fits(facts)}",
    )
    return "\n".join(line for line in lines if line) or FITTING


def fits(facts: WheelFacts) -> str:
    """The Pythons of a version, in words."""
    numbers = [f"3.{tag.removeprefix('cp3')}" for tag in facts.pythons if tag.startswith("cp3")]
    return f"{numbers[0]} to {numbers[-1]}" if numbers else f"{facts.oldest_python or '3'} and newer"


def library_of(case: Case) -> MissingLibrary | None:
    """The shared library that the failing worker could not load."""
    if case.judgement.verdict is not Verdict.BROKEN:
        return None
    failing = case.evidence.cpu if case.evidence.cpu.outcome != "ran" else case.evidence.gpu
    return missing_library(failing.error)


def library_missing(case: Case) -> str | None:
    """A shared library that MediaPipe or OpenCV needs is not on the system."""
    missing = library_of(case)
    return f"{missing.name} ({missing.purpose})" if missing else None


def library_install(case: Case) -> str:
    """The commands that bring the missing library, one line per distribution."""
    missing = library_of(case)
    return "\n".join(f"{command}    # {system}" for system, command in missing.install) if missing else ""


def install_python(case: Case) -> str:
    """The command that brings the Python this cell asks for."""
    wanted = case.evidence.cell.axes.python or "VERSION"
    return f"uv python install {wanted}    # or install it with your system's packages, or change axes.python"


def ask_elsewhere(case: Case) -> str:
    """Where else to ask; a conda cell has channels besides the index, a docker cell registries."""
    backend = case.evidence.cell.axes.backend
    if backend == "conda":
        return f"{ASK_ANOTHER_INDEX}\nFor conda packages name a mirror's address in backends.conda.channels."
    if backend == "docker":
        return f"{ASK_ANOTHER_INDEX}\nFor the base image: docker pull it first, or name another registry in backends.docker.mirror."
    return ASK_ANOTHER_INDEX


def cpu_fails(case: Case) -> str | None:
    """Broken at run time, and for no reason that has a name."""
    failed = case.evidence.cpu.outcome not in ("not-run", "ran") or case.evidence.gpu.outcome == "import-failed"
    broken = case.judgement.verdict is Verdict.BROKEN
    known = library_of(case) or import_on_old_python(case)
    return case.judgement.because if broken and failed and not known else None


def another_cell(case: Case) -> str | None:
    """What ran is not what the cell names."""
    return namesake.another_cell(case.evidence) or None if case.judgement.verdict is Verdict.BROKEN else None


def named_again(case: Case) -> str:
    """How an environment comes to be what its records say: ours is built anew, a user's is installed over."""
    build, ran = case.evidence.build, case.evidence.cpu.mediapipe
    if build is None or build.outcome != "existing" or case.evidence.image is not None or not ran:
        return ""
    return (
        f"python -m pip uninstall -y mediapipe    # as often as it finds one\n"
        f"python -m pip install --force-reinstall mediapipe=={ran}    # or the version that you want"
    )


BUILD = (
    Rule(
        code="MPP406",
        title="no such Python here",
        see=built("no-interpreter"),
        because="The cell asks for a Python that is not installed and that uv may not or cannot download.",
        remedy="uv python install VERSION    # or install it with your system's packages, or change axes.python",
        fix=install_python,
        url="https://docs.astral.sh/uv/concepts/python-versions/",
    ),
    Rule(
        code="MPP403",
        title="MediaPipe does not fit this Python",
        see=unfit,
        because="MediaPipe is published as wheels only, and up to 0.10.21 there is one for each Python. Since then one wheel "
        "serves all, without a word on which; pip installs the newest on Python 3.8, where its import ends in a TypeError.",
        remedy=FITTING,
        fix=fitting,
        url="https://github.com/google-ai-edge/mediapipe/issues/5708",
    ),
    Rule(
        code="MPP417",
        title="no set of conda packages fits",
        see=built("unsolvable"),
        because="The channels of the matrix hold no packages that fit together for this Python, CUDA and driver.",
        remedy="Add a channel that has them, choose another version, or for a CUDA that the driver does not serve a newer driver.",
        url="https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html",
    ),
    Rule(
        code="MPP404",
        title="no MediaPipe wheel fits this platform",
        see=foreseen("MPP404"),
        because="Wheels are built for one platform and a smallest glibc.",
        remedy="Use a platform that has a wheel: docs/compatibility.md lists them.",
        url="https://github.com/google-ai-edge/mediapipe/issues/5965",
    ),
    Rule(
        code="MPP407",
        title="the environment could not be built",
        see=built("failed"),
        because="The installer failed; the end of its log is in the evidence.",
        remedy="envcheck validate --select CELL    # repeats the build; the installer's log is in logs/",
        url="https://docs.astral.sh/uv/reference/troubleshooting/",
    ),
    Rule(
        code="MPP408",
        title="the package index, channel or registry does not answer",
        see=built("unavailable"),
        because="The environment could not be resolved or fetched; a retry, or another index, may mend that.",
        remedy=ASK_ANOTHER_INDEX,
        fix=ask_elsewhere,
        url="https://docs.astral.sh/uv/concepts/indexes/",
        status=Status.UNKNOWN,
    ),
    Rule(
        code="MPP401",
        title="this MediaPipe was built without GPU code",
        see=no_gpu_code,
        because="No driver, CUDA version or flag changes that: the code is not in the wheel.",
        remedy=CHOOSE_GPU_WHEEL,
        url="https://github.com/google-ai-edge/mediapipe/issues/6231",
    ),
    Rule(
        code="MPP402",
        title="delegate=GPU is accepted and ignored",
        see=delegate_ignored,
        because="The work stays on the CPU without error or warning. 0.10.30 and 0.10.31 do not pass the delegate on to "
        "their native library; a delegate given as a number can have the same effect on 1.2.2.",
        remedy=CHOOSE_GPU_WHEEL,
        url="https://github.com/google-ai-edge/mediapipe/issues/6216",
    ),
)

LIBRARIES = (
    Rule(
        code="MPP405",
        title="a shared library is missing",
        see=library_missing,
        because="MediaPipe from 0.10.33 on needs the system's libEGL and libGLESv2 even on the CPU; OpenCV needs libGL "
        "unless it is the headless one. `import mediapipe` may succeed all the same.",
        remedy="Install the package that brings the library.",
        url="https://github.com/google-ai-edge/mediapipe/issues/6231",
        fix=library_install,
    ),
)

RUN = (
    Rule(
        code="MPP418",
        title="the model has operations that the GPU delegate does not",
        see=refused_with(FOREIGN_OPERATIONS),
        because="The delegate takes a model whole or not at all. FaceLandmarker's own models are made for it; one that was "
        "trained or converted otherwise is refused when the task is created, on every GPU and driver.",
        remedy="envcheck check --python EXE    # judges the GPU with FaceMesh's own model\nUse delegate=CPU for this one.",
        url="https://github.com/lanzani/jetson-docs/pull/11",
    ),
    Rule(
        code="MPP419",
        title="the environment is not the one that the cell names",
        see=another_cell,
        because="A cell stands for its versions. What was measured is another cell, so it says nothing of this one: "
        "somebody changed a kept environment, an upgrade that broke off left the old version's record, an image was "
        "pushed again under its tag, or evidence was put together.",
        remedy="envcheck prune --yes    # kept environments and images go; the next run builds them anew",
        fix=named_again,
        url="https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
    ),
    Rule(
        code="MPP409",
        title="FaceLandmarker does not even run on the CPU",
        see=cpu_fails,
        scope=lambda case: cpu_fails(case) is not None,
        after=(SPACE, TASKS),
        because="Nothing can be said of the GPU before the environment works on the CPU.",
        remedy="python -m pip check    # which pins are not met?\nRead the error and the native log in logs/.",
        url="https://github.com/google-ai-edge/mediapipe/issues/6113",
    ),
)
