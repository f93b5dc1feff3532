"""The conda backend: an interpreter and libraries from conda channels, MediaPipe's wheels on top.

The conda half is solved, locked and installed by py-rattler, in a process of its own (`envcheck.condaenv`), or by a
conda program that the matrix names. The wheels are resolved and installed by uv with hashes, as in the venv backend.

axis       what comes of it
python     `python 3.11.*`
cuda       `cuda-version 12.8.*`, and the runtime library: cuda-cudart; up to CUDA 11 cudatoolkit
driver     the virtual package __cuda: the newest CUDA that driver serves, whatever the machine that solves has
mediapipe  wheels, as in a venv
opencv     wheels, as in a venv
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec
from packaging.version import InvalidVersion, Version

from envcheck.errors import UsageError
from envcheck.plan import HOME, ROOT, SELF, UV, Diagnosis, File, Plan, Step, venv

if TYPE_CHECKING:
    from envcheck.model import Axes

NAME = "conda"
PROGRAMS = ("micromamba", "mamba", "conda")
WHICH_PROGRAM = (
    "Name micromamba, mamba or conda, with its folder if it is not on the PATH, or leave it out for py-rattler."
)
INSTALL = "pip install 'envcheck[conda]'"
VOICE = "envcheck-conda"
"""First word of the line in which `envcheck.condaenv` says why it failed."""

LOCK = "lock.txt"
WHEELS = "requirements.txt"
PIXI = "pixi.lock"
PREFIX = "prefix"
STAGED = "prefix-until-it-is-published"
"""Where it is made. Its path is never shorter than the one it gets, so that paths inside binaries can be replaced."""

_MODULE = (SELF, "-I", "-m", "envcheck.condaenv")
_UV_COMMON = ("--color", "never", "--no-progress", "--no-build")
_SOLVE_S = 600.0
_INSTALL_S = 1800.0
_SHORT_S = 120.0
_LONGEST_REASON = 600


@dataclass(frozen=True, slots=True)
class Settings:
    """What the matrix says: channels, the first preferred; further packages; a program in place of py-rattler."""

    channels: tuple[str, ...] = ("conda-forge",)
    packages: tuple[str, ...] = ()
    program: str | None = None


@dataclass(frozen=True, slots=True)
class Conda:
    """The backend, set up for the machine whose packages it plans.

    `virtual` are the virtual packages without __cuda; `cuda_served` is the newest CUDA of a cell's driver axis, None
    where there is no driver; `can_solve` is False where py-rattler, or the program in its place, is not installed.
    """

    settings: Settings = Settings()
    subdir: str = "linux-64"
    virtual: tuple[str, ...] = ()
    cuda_served: Callable[[str | None], str | None] = lambda _driver: None
    running_python: str = "3"
    can_solve: bool = True

    @property
    def name(self) -> str:
        """The value of the backend axis."""
        return NAME

    def python(self, axes: Axes) -> None:  # noqa: ARG002 - the protocol's
        """None: the environment brings its own."""
        return

    def resolve(self, axes: Axes) -> Plan:
        """Solve the channels, resolve the wheels for the Python that is asked for, and write both into one lock."""
        self._check()
        explicit = explicit_name(self.subdir)
        program = self.settings.program
        parts = (explicit, WHEELS) if program else (explicit, WHEELS, PIXI)
        conda = self._solve_by_program(axes, program) if program else (self._solve(axes),)
        join = Step("writing the lock", (*_MODULE, "join", "--out", LOCK, *parts), deadline_s=_SHORT_S)
        return Plan((*conda, self._wheels(axes), join), result=LOCK)

    def build(self, axes: Axes, lock: str) -> Plan:  # noqa: ARG002 - the lock says it all
        """Install the conda packages, then the wheels, then put in the path that the environment is published to."""
        self._check()
        files = tuple(File(name, text) for name, text in split(lock, self.subdir).items())
        staged, final = f"{ROOT}/{STAGED}", f"{HOME}/{PREFIX}"
        conda = self._install_by_program(staged) if self.settings.program else self._install(staged, final)
        wheels = (UV, "pip", "install", "--requirements", WHEELS, "--require-hashes", "--no-deps", "--python",
                  f"{staged}/bin/python", *_UV_COMMON)  # fmt: skip
        finish = (*_MODULE, "finish", "--prefix", staged, "--final", final, "--rename", PREFIX)
        return Plan(
            (
                replace(conda, files=files),
                Step("installing wheels", wheels, deadline_s=_INSTALL_S),
                Step("finishing", finish, deadline_s=_SHORT_S),
            ),
            python=(f"{ROOT}/{PREFIX}/bin/python",),
        )

    def diagnose(self, output: str) -> Diagnosis:
        """What the output of a failed step means."""
        return diagnose(output)

    def virtual_packages(self, axes: Axes) -> tuple[str, ...]:
        """NAME=VERSION=BUILD of everything the solver is to take as given, __cuda of the cell's driver included."""
        served = self.cuda_served(axes.driver)
        return self.virtual if served is None else (*self.virtual, f"__cuda={served}=0")

    def specs(self, axes: Axes) -> tuple[str, ...]:
        """What the channels are asked for. Raises UsageError for a value that is no version."""
        python = axes.python or self.running_python
        return (f"python {_release('python', python)}.*", *cuda_packages(axes.cuda), *self.settings.packages)

    # --- py-rattler ------------------------------------------------------------------------------------------------

    def _solve(self, axes: Axes) -> Step:
        options = [f"--channel={channel}" for channel in self.settings.channels]
        options += [f"--virtual={package}" for package in self.virtual_packages(axes)]
        written = ("--explicit", explicit_name(self.subdir), "--lock", PIXI)
        argv = (*_MODULE, "solve", "--subdir", self.subdir, *options, *written, *self.specs(axes))
        return Step("solving conda packages", argv, deadline_s=_SOLVE_S)

    def _install(self, staged: str, final: str) -> Step:
        argv = (*_MODULE, "install", "--subdir", self.subdir, "--lock", PIXI, "--prefix", staged, "--final", final)
        return Step("installing conda packages", argv, deadline_s=_INSTALL_S)

    # --- a program that is here ------------------------------------------------------------------------------------

    def _solve_by_program(self, axes: Axes, program: str) -> tuple[Step, ...]:
        """Made once to see what is chosen; a second time, from its cache, for good."""
        solved = f"{ROOT}/solved"
        channels = [f"--channel={channel}" for channel in self.settings.channels]
        create = (program, "create", "--yes", "--prefix", solved, "--override-channels", *channels, *self.specs(axes))
        listed = (*_MODULE, "list", "--subdir", self.subdir, "--prefix", solved, "--out", explicit_name(self.subdir))
        return (
            Step("solving conda packages", create, env=self._overrides(axes), deadline_s=_SOLVE_S + _INSTALL_S),
            Step("reading what was chosen", listed, deadline_s=_SHORT_S),
        )

    def _install_by_program(self, staged: str) -> Step:
        argv = (str(self.settings.program), "create", "--yes", "--prefix", staged, "--file", explicit_name(self.subdir))
        return Step("installing conda packages", argv, deadline_s=_INSTALL_S)

    def _overrides(self, axes: Axes) -> tuple[tuple[str, str], ...]:
        """The virtual packages as conda's own variables; an empty one means that there is no such package."""
        found = {"CONDA_SUBDIR": self.subdir, "CONDA_OVERRIDE_CUDA": ""}
        for package in self.virtual_packages(axes):
            name, version, build = package.split("=")
            if name != "__unix":
                found[f"CONDA_OVERRIDE_{name.strip('_').upper()}"] = build if name == "__archspec" else version
        return tuple(found.items())

    # --- shared ----------------------------------------------------------------------------------------------------

    def _wheels(self, axes: Axes) -> Step:
        """The same requirements as a venv's, without NVIDIA's runtime: that comes from the channels."""
        point = msgspec.structs.replace(axes, cuda=None)
        files = [File("requirements.in", _text(venv.requirements(point)))]
        argv = [UV, "pip", "compile", "requirements.in", "--python", SELF, "--python-version"]
        argv.append(axes.python or self.running_python)
        if left_out := venv.overrides(point):
            files.append(File("overrides.txt", _text(left_out)))
            argv += ["--overrides", "overrides.txt"]
        argv += ["--generate-hashes", "--no-annotate", "--no-header", "--output-file", WHEELS, *_UV_COMMON]
        return Step("resolving wheels", tuple(argv), tuple(files), deadline_s=_SOLVE_S)

    def _check(self) -> None:
        for channel in self.settings.channels:
            check_channel(channel)
        for package in self.settings.packages:
            check_package(package)
        program = self.settings.program
        if program is None:
            if not self.can_solve:
                raise UsageError("the conda backend needs py-rattler, which is not installed", remedy=INSTALL)
        elif PurePosixPath(program).name not in PROGRAMS:
            raise UsageError(
                f"backends.conda.program: {program!r} is none of {', '.join(PROGRAMS)}",
                remedy=WHICH_PROGRAM,
            )
        elif not self.can_solve:
            raise UsageError(f"backends.conda.program: {program} is not installed here", remedy=WHICH_PROGRAM)


_CREDENTIALS = re.compile(r"://[^/@\s]+@|/t/[^/\s]+/")


def check_channel(channel: str) -> None:
    """A channel is a name, an address or an absolute folder. Raises UsageError for others, and for a secret in it."""
    if _CREDENTIALS.search(channel):
        raise UsageError(
            "backends.conda.channels: an address with a password or token would stand in every lock",
            remedy="Write the address without it, and keep it in ~/.rattler/credentials.json (pixi auth login).",
        )
    if not channel.strip() or channel.startswith("-"):
        raise UsageError(
            f"backends.conda.channels: {channel!r} is no channel", remedy="Write a name, such as conda-forge."
        )
    if channel.startswith("."):
        raise UsageError(
            f"backends.conda.channels: {channel!r} is a relative folder",
            remedy="Write it as file:///… or as an absolute path.",
        )


def check_package(package: str) -> None:
    """A package is asked for by its name first. Raises UsageError for others: an option would be obeyed as one."""
    if not re.match(r"[\w*]", package):
        raise UsageError(
            f"backends.conda.packages: {package!r} names no package", remedy="Write a name first: libegl >=1.7."
        )


def cuda_packages(cuda: str | None) -> tuple[str, ...]:
    """conda-forge's packages of a CUDA release: cuda-version pins it; the runtime's name changed with CUDA 12."""
    if cuda is None:
        return ()
    release = _release("cuda", cuda)
    major = int(release.partition(".")[0])
    runtime = "cuda-cudart" if major >= 12 else f"cudatoolkit {release}.*"
    return (f"cuda-version {release}.*", runtime)


def subdir_of(platform: str, machine: str) -> str:
    """conda's word for a platform: linux-64, linux-aarch64, osx-arm64, …"""
    system = "osx" if platform == "darwin" else "linux"
    machine = machine.lower()
    if machine in {"x86_64", "amd64"}:
        return f"{system}-64"
    return f"{system}-{'arm64' if system == 'osx' else machine}"


_LEVELS = (
    ("x86_64_v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    ("x86_64_v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}),
    ("x86_64_v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)
"""What each level adds, in Linux's words for CPU flags. Source: the x86-64 psABI, gitlab.com/x86-psABIs/x86-64-ABI"""


def archspec(machine: str, flags: str) -> str:
    """The build of __archspec: the level of an x86-64 CPU by its flags, else the machine itself."""
    level, have = machine.lower(), set(flags.split())
    if level not in {"x86_64", "amd64"}:
        return level
    level = "x86_64"
    for name, needed in _LEVELS:
        if not needed <= have:
            break
        level = name
    return level


# --- the lock: its parts, each a file that other tools read --------------------------------------------------------

_HEADING = "# ===== {name}: {use}"
_HEADING_RE = re.compile(r"^# ===== (?P<name>[\w.-]+): .*$", re.MULTILINE)
_USES = {
    WHEELS: f"pip install --no-deps --require-hashes -r {WHEELS}",
    PIXI: "the conda packages as pixi and rattler lock them",
}


def explicit_name(subdir: str) -> str:
    """The name of the explicit list, which tells its platform."""
    return f"conda-{subdir}.txt"


def join(parts: dict[str, str]) -> str:
    """One lock of several files."""
    return "".join(f"{_HEADING.format(name=name, use=_use(name))}\n{text.rstrip()}\n" for name, text in parts.items())


def _use(name: str) -> str:
    return _USES.get(name, f"conda create --name NAME --file {name}")


def split(lock: str, subdir: str) -> dict[str, str]:
    """The files of a lock. A text without headings, such as a dry run's, stands for the explicit list."""
    found = list(_HEADING_RE.finditer(lock))
    if not found:
        return {explicit_name(subdir): lock}
    ends = [*(match.start() for match in found[1:]), len(lock)]
    return {match["name"]: lock[match.end() + 1 : end] for match, end in zip(found, ends, strict=True)}


# --- why it failed -------------------------------------------------------------------------------------------------

_VOICE = re.compile(rf"^{VOICE}: (?P<outcome>unsolvable|unavailable|failed): (?P<because>.+)$", re.MULTILINE)
_UNSOLVED = re.compile(
    r"Could not solve for environment specs|PackagesNotFoundError|(?:LibMamba)?UnsatisfiableError"
    r"|ResolvePackageNotFound|nothing provides requested|package could not be installed"
)
_SILENT = re.compile(
    r"CondaHTTPError|HTTP 000|UnavailableInvalidChannel|Could not resolve host|Failed to connect|Download error"
    r"|Multiple errors occurred|Transfer finalized, status: [45]\d\d|Connection refused|Name or service not known"
)


def diagnose(output: str) -> Diagnosis:
    """What the complaint of condaenv, of a conda program or of uv means."""
    if said := _VOICE.search(output):
        return Diagnosis(said["outcome"], _cut(said["because"]))
    if "No space left on device" in output:
        return Diagnosis("failed", "the disk is full")
    if found := _SILENT.search(output):
        return Diagnosis("unavailable", f"a conda channel did not answer ({_line_of(output, found.start())})")
    if found := _UNSOLVED.search(output):
        return Diagnosis("unsolvable", _cut(" ".join(output[found.start() :].split())))
    return venv.diagnose(output)


def _line_of(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    return _cut(text[start:].partition("\n")[0].strip())


def _release(axis: str, value: str) -> str:
    """Major and minor number, or what there is of them."""
    try:
        release = Version(value).release
    except InvalidVersion:
        raise UsageError(f"axis {axis}: {value!r} is no version", remedy="Write a version such as 12.8.") from None
    return ".".join(map(str, release[: 3 if axis == "python" else 2]))


def _text(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _cut(text: str) -> str:
    text = text.strip().rstrip(".")
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
