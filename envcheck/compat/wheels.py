"""What MediaPipe's wheels can do, by version and platform."""

from __future__ import annotations

import re

from envcheck.compat import codes
from envcheck.compat.tables import ANY_PYTHON, MediapipeTable, Release, Tables, Wheel, load_tables
from envcheck.compat.versions import components
from envcheck.model import Axes, Foresight, Host, Record

_SYSTEMS = {"darwin": "macos"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_PYTHON = re.compile(r"3\.([0-9]{1,3})(?:\.[0-9]+)?", re.ASCII)


class WheelFacts(Record, frozen=True):
    """What the wheels of one MediaPipe version are on one platform; the fields are those of tables.Release and Wheel.

    `delegate_passed` is False where `delegate=GPU` is accepted and never reaches the native library.
    """

    version: str
    platform: str
    gpu: str
    delegate_passed: bool
    members: dict[str, int]
    api: str
    native: str
    pythons: tuple[str, ...]
    oldest_python: str | None
    glibc: str | None
    gl: str
    needs: tuple[str, ...]
    software_gl: str | None
    vmodule: bool
    log_callback: bool
    source: str


def wheel_platform(system: str, machine: str) -> str:
    """The tables' name of a platform: linux-x86_64, linux-aarch64, windows-x86_64, windows-arm64, macos-arm64, …"""
    name = _SYSTEMS.get(system.lower(), system.lower())
    chip = _MACHINES.get(machine.lower(), machine.lower())
    return f"{name}-{chip if name == 'linux' or chip != 'aarch64' else 'arm64'}"


def host_platform(host: Host) -> str:
    """The tables' name of this host's platform."""
    return wheel_platform(host.platform, host.machine)


def wheel_facts(version: str, platform: str, tables: Tables | None = None) -> WheelFacts | None:
    """What the tables know of this version's wheels on this platform; None where they know none."""
    table = (tables or load_tables()).mediapipe
    release, wheel = _release(version, table), _wheel(version, platform, table)
    if release is None or wheel is None:
        return None
    return WheelFacts(
        version=version,
        platform=platform,
        gpu=wheel.gpu,
        delegate_passed=release.delegate == "passed",
        members=release.members,
        api=release.api,
        native=release.native,
        pythons=release.pythons,
        oldest_python=release.oldest_python,
        glibc=wheel.glibc,
        gl=wheel.gl,
        needs=wheel.needs,
        software_gl=wheel.software_gl,
        vmodule=wheel.vmodule,
        log_callback=wheel.log_callback,
        source=wheel.source or table.wheels.source,
    )


def wheel_reason(axes: Axes, platform: str, glibc: str | None = None, tables: Tables | None = None) -> Foresight | None:
    """Why FaceMesh cannot use the GPU with this MediaPipe on this Python, platform and C library (None: not known).

    None where the tables know no reason, which includes versions, platforms and Pythons they do not know.
    """
    known = tables or load_tables()
    version = axes.mediapipe
    if version is None:
        return None
    unpublished = _unpublished(version, platform, known.mediapipe)
    if unpublished:
        return _impossible(codes.NO_WHEEL_FOR_PLATFORM, unpublished, known.mediapipe.wheels.source, known)
    facts = wheel_facts(version, platform, known)
    if facts is None:
        return None
    code, because = _installable(facts, axes.python, glibc) or _capable(facts) or ("", "")
    return _impossible(code, because, facts.source, known) if code else None


def newest_for(python: str, platform: str, tables: Tables | None = None) -> str | None:
    """The newest version that runs on this Python and can use the GPU on this platform; None where there is none."""
    known = tables or load_tables()
    for release in reversed(known.mediapipe.releases.rows):
        axes = Axes(backend="venv", mediapipe=release.version, python=python)
        if wheel_facts(release.version, platform, known) and wheel_reason(axes, platform, tables=known) is None:
            return release.version
    return None


def _unpublished(version: str, platform: str, table: MediapipeTable) -> str:
    """Why there is no wheel of this version at all, or none for this platform; "" where there is or nobody knows."""
    if any(row.version == version for row in table.never_released.rows):
        return f"MediaPipe {version} was never published"
    covered = any(row.platform == platform for row in table.wheels.rows)
    if covered and _release(version, table) is not None and _wheel(version, platform, table) is None:
        return f"MediaPipe {version} has no wheel for {platform}"
    return ""


def _installable(facts: WheelFacts, python: str | None, glibc: str | None) -> tuple[str, str] | None:
    tag = _python_tag(python)
    if tag is not None and ANY_PYTHON not in facts.pythons and tag not in facts.pythons:
        fits = ", ".join(f"3.{name.removeprefix('cp3')}" for name in facts.pythons)
        return codes.NO_WHEEL_FOR_PYTHON, f"MediaPipe {facts.version} has wheels for Python {fits}, not for {python}"
    if because := outgrown(facts, python or ""):
        return codes.NO_WHEEL_FOR_PYTHON, because
    needed, here = components(facts.glibc or ""), components(glibc or "")
    if needed is not None and here is not None and here < needed:
        because = f"the wheels of MediaPipe {facts.version} need glibc {facts.glibc}, and this is {glibc}"
        return codes.NO_WHEEL_FOR_PLATFORM, because
    return None


def outgrown(facts: WheelFacts, python: str) -> str:
    """Why MediaPipe does not run on a Python that its wheel installs on; "" where it does, or nobody knows."""
    oldest, here = components(facts.oldest_python or ""), components(python)
    if oldest is None or here is None or len(here) < len(oldest) or here[: len(oldest)] >= oldest:
        return ""
    return (
        f"MediaPipe {facts.version} runs on Python {facts.oldest_python} and newer, and this is {python}; pip installs "
        "it all the same, because its wheel says py3 and no Requires-Python"
    )


def _capable(facts: WheelFacts) -> tuple[str, str] | None:
    without = facts.gpu == "none"
    if not facts.delegate_passed:
        also = "; the wheel holds no GPU code either" if without else ""
        because = f"MediaPipe {facts.version} accepts delegate=GPU and never hands it to its native library{also}"
        return codes.DELEGATE_IGNORED, because
    if without:
        return codes.NO_GPU_CODE, f"the {facts.platform} wheel of MediaPipe {facts.version} was built without GPU code"
    return None


def _release(version: str, table: MediapipeTable) -> Release | None:
    return next((row for row in table.releases.rows if row.version == version), None)


def _wheel(version: str, platform: str, table: MediapipeTable) -> Wheel | None:
    return next((row for row in table.wheels.rows if (row.version, row.platform) == (version, platform)), None)


def _python_tag(python: str | None) -> str | None:
    """The interpreter tag of CPython "3.11" or "3.11.7"; None for what is no such version."""
    match = _PYTHON.fullmatch(python or "")
    return f"cp3{match[1]}" if match else None


def _impossible(code: str, because: str, source: str, tables: Tables) -> Foresight:
    return Foresight(state="impossible", because=because, code=code, source=tables.cite(source))
