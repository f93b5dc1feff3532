"""The venv backend: uv resolves a cell to a hashed lock and installs it into a virtual environment.

Wheels only: a package that would have to be compiled first has no wheel for this cell, and that is the answer.

opencv axis     what comes beside MediaPipe
absent          what MediaPipe itself asks for (opencv-contrib-python)
headless        opencv-contrib-python-headless in its place
VERSION         opencv-contrib-python of that version: "4.11" means 4.11.*
SPECIFIER       opencv-contrib-python that fits a PEP 440 specifier, such as "<5"
headless…       both: "headless4.11", "headless<5"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from envcheck.errors import UsageError
from envcheck.plan import PYTHON, ROOT, UV, Diagnosis, File, Plan, Step

if TYPE_CHECKING:
    from envcheck.model import Axes

name = "venv"

LOCK = "lock.txt"
OPENCV = "opencv-contrib-python"
HEADLESS = "headless"

_COMMON = ("--color", "never", "--no-progress", "--no-build")
_RESOLVE_S = 300.0
_CREATE_S = 60.0
_INSTALL_S = 1800.0
_LONGEST_REASON = 400


def python(axes: Axes) -> str:
    """The host's interpreter of that version; the running one's where the matrix leaves the axis out."""
    return axes.python or ""


def resolve(axes: Axes) -> Plan:
    """`uv pip compile` for the interpreter of this host, with the hash of every file that may be installed."""
    files = [File("requirements.in", _text(requirements(axes)))]
    argv = [UV, "pip", "compile", "requirements.in", "--python", PYTHON]
    if left_out := overrides(axes):
        files.append(File("overrides.txt", _text(left_out)))
        argv += ["--overrides", "overrides.txt"]
    argv += ["--generate-hashes", "--no-annotate", "--no-header", "--output-file", LOCK, *_COMMON]
    return Plan((Step("resolving", tuple(argv), tuple(files), deadline_s=_RESOLVE_S),), result=LOCK)


def build(axes: Axes, lock: str) -> Plan:  # noqa: ARG001 - the lock says it all; other backends need the axes
    """`uv venv` and `uv pip sync`. Files are linked from uv's cache where the file system can."""
    inside = f"{ROOT}/venv/bin/python"
    create = (UV, "venv", "--relocatable", "--no-project", "--python", PYTHON, "--color", "never", "venv")
    install = (UV, "pip", "sync", LOCK, "--require-hashes", "--python", inside, *_COMMON)
    return Plan(
        (
            Step("creating the environment", create, (File(LOCK, lock),), deadline_s=_CREATE_S),
            Step("installing", install, deadline_s=_INSTALL_S),
        ),
        python=(inside,),
    )


def requirements(axes: Axes) -> tuple[str, ...]:
    """What the environment must hold, as PEP 508 requirements. Raises UsageError for a value that is no version."""
    wanted = [f"mediapipe=={_version('mediapipe', axes.mediapipe)}" if axes.mediapipe else "mediapipe"]
    if axes.cuda is not None:
        wanted.append(cuda_runtime(axes.cuda))
    if axes.opencv is not None:
        variant = f"{OPENCV}-{HEADLESS}" if axes.opencv.startswith(HEADLESS) else OPENCV
        wanted.append(variant + _specifier(axes.opencv))
    return tuple(wanted)


def overrides(axes: Axes) -> tuple[str, ...]:
    """What is left out though MediaPipe asks for it: a requirement that holds on no Python."""
    return (f'{OPENCV} ; python_version < "0"',) if (axes.opencv or "").startswith(HEADLESS) else ()


def cuda_runtime(cuda: str) -> str:
    """NVIDIA's wheel with libcudart of a CUDA release.

    Up to CUDA 12 the package name ends in -cu and the major version; from 13 on it does not. A
    wheel's third number counts builds, not CUDA updates, so "12.8.1" asks for 12.8.*.
    """
    release = _version("cuda", cuda).release
    suffix = f"-cu{release[0]}" if release[0] < 13 else ""
    return f"nvidia-cuda-runtime{suffix}=={'.'.join(map(str, release[:2]))}.*"


def _version(axis: str, value: str) -> Version:
    try:
        return Version(value)
    except InvalidVersion:
        raise UsageError(f"axis {axis}: {value!r} is no version", remedy="Write a version such as 12.8.") from None


def _specifier(opencv: str) -> str:
    """A version as a prefix ("4.11" is ==4.11.*), or a specifier as it is; without the word headless."""
    value = opencv.removeprefix(HEADLESS)
    try:
        version = Version(value) if value else None
    except InvalidVersion:
        pass
    else:
        return "" if version is None else f"=={version}" + (".*" if str(version) == version.base_version else "")
    try:
        return str(SpecifierSet(value))
    except InvalidSpecifier:
        raise UsageError(
            f"axis opencv: {opencv!r} is neither {HEADLESS!r} nor a version nor a specifier",
            remedy="Write headless, a version such as 4.11, or a specifier such as <5.",
        ) from None


def _text(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


# --- what uv says when it cannot -----------------------------------------------------------------------------------

_DISK = re.compile(r"No space left on device|[Dd]isk quota exceeded|os error (?:28|122)\b")
_INDEX = re.compile(
    r"Failed to fetch|error sending request|HTTP status (?:client|server) error|dns error|tcp connect error"
    r"|invalid peer certificate|Could not connect|Request failed after|operation timed out|error decoding response"
    r"|lack of valid authentication|\b40[137] (?:Unauthorized|Forbidden|Proxy)|network was disabled"
)
_UNSOLVED = "No solution found when resolving"
_NO_MEDIAPIPE = re.compile(r"mediapipe was not found in the (?:package registry|provided package locations)")
_BECAUSE = re.compile(r"Because (?P<cause>.+?)(?:,? and you require|, we can conclude|$)")
_WHEELS_FOR = re.compile(
    r"we only found wheels for `[^`]+` \([^)]*\) with the following [\w ]+?: (?P<tags>(?:`[^`]+`(?:, )?)+)"
)
_WHEELS_ON = re.compile(r"Wheels are available for .+? on the following platforms?: (?P<tags>(?:`[^`]+`(?:, )?)+)")
_ADDRESS = re.compile(r"https?://[^\s`'\"<>()]+")


def diagnose(output: str) -> Diagnosis:
    """What uv's complaint means (read from uv 0.8 and 0.13).

    A full disk; an index that does not answer, refuses us or has no MediaPipe at all (unavailable: elsewhere, or later,
    it may); no set of wheels that fits (no-wheel); anything else has failed.
    """
    lines = [line for raw in output.splitlines() if (line := _plain(raw))]
    text = " ".join(lines)
    if _DISK.search(text):
        return Diagnosis("failed", "the disk is full")
    if "Hash mismatch" in text:
        return Diagnosis("failed", f"the index serves a file that differs from the lock: {_cut(text)}")
    if _INDEX.search(text) or _NO_MEDIAPIPE.search(text):
        return Diagnosis("unavailable", _silence(lines, text))
    if _UNSOLVED in text:
        return Diagnosis("no-wheel", _contradiction(text))
    return Diagnosis("failed", _cut(lines[-1]) if lines else "it ended without a word")


def _plain(line: str) -> str:
    """The line without uv's drawing and without the words that introduce a cause."""
    return re.sub(r"^(?:error: |cause: |Caused by: )", "", re.sub(r"[×╰├─▶│]+", " ", line).strip())


def _silence(lines: list[str], text: str) -> str:
    if "network was disabled" in text:
        return "uv is told to stay offline, and its cache lacks a package"
    if _UNSOLVED in text:
        hint = text.partition("hint: ")[2]
        return f"the package index has no mediapipe{': ' + _cut(hint) if hint else ''}"
    address = _ADDRESS.search(text)
    return f"the package index did not answer ({_cut(lines[-1])}{'; ' + address[0] if address else ''})"


def _contradiction(text: str) -> str:
    """uv's first cause in one sentence, with the wheels there are, if it names them."""
    cause = _BECAUSE.search(text)
    tags = _WHEELS_FOR.search(text) or _WHEELS_ON.search(text)
    reason = cause["cause"].replace("`", "") if cause else text.partition(_UNSOLVED)[2]
    return _cut(reason) + (f"; there are wheels for {tags['tags'].replace('`', '').strip(' ,')}" if tags else "")


def _cut(text: str) -> str:
    text = text.strip().rstrip(".")
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
