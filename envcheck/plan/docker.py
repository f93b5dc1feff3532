"""The docker backend: an image per cell, built by Docker or Podman; uv locks and installs on the host.

axis       what comes of it
cuda       the base image that `backends.docker.images` names for it; without the axis, the one named "none"
python     the base's own, or its distribution's, or (with `managed_python`) uv's
mediapipe  wheels, as in a venv, for the image's platform
opencv     wheels, and the system libraries that they load
driver     nothing: the driver is the host's
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
from packaging.version import InvalidVersion, Version

from envcheck.boxes import Engine, RunOptions, argv
from envcheck.boxes.engine import STOPPED
from envcheck.errors import UsageError
from envcheck.model import cell_id
from envcheck.plan import UV, Diagnosis, File, Plan, Step, digest, dockerfile, venv

if TYPE_CHECKING:
    from envcheck.model import Axes

NAME = "docker"
NONE = "none"
"""Key of `images` for cells without CUDA."""
DEFAULT_BASE = "docker.io/library/python:{python}-slim-bookworm"
REPOSITORY = "localhost/envcheck/cell"
"""No registry can be asked for it."""

LOCK, CONTEXT = "lock.txt", "context"
OLDEST_GLIBC = "manylinux_2_28"
"""Wheels are chosen for this C library: that of Debian 10, Ubuntu 20.04, RHEL 8. A newer base takes them too."""
PASSED = ("GLOG_vmodule", "EGL_LOG_LEVEL")
"""Variables in which envcheck asks for the native logs."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""Builders know these build arguments, and leave them out of the image and of its history."""

GLVND = (("libegl1", "libEGL.so.1"), ("libgles2", "libGLESv2.so.2"))
OF_OPENCV = (("libgl1", "libGL.so.1"), ("libglib2.0-0", "libgthread-2.0.so.0"))
SOFTWARE = (("libegl-mesa0", "libEGL_mesa.so.0"), ("libgl1-mesa-dri", "swrast_dri.so"))

_RESOLVE_S, _INSTALL_S, _BUILD_S, _SHORT_S = 300.0, 1800.0, 3600.0, 120.0
_COMMON = ("--color", "never", "--no-progress", "--no-build")
_QUOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the matrix says under `backends.docker`."""

    images: Mapping[str, str] = field(default_factory=dict)
    mirror: str | None = None
    network: str | None = None
    apt_mirror: str | None = None
    ca_bundle: str | None = None
    """A file with certificates, absolute."""
    software_gl: bool = False
    managed_python: bool = False
    environment: tuple[tuple[str, str], ...] = ()


def nobody() -> Engine:
    """An engine to write plans for where none was looked for."""
    return Engine(("docker",), "docker", "")


@dataclass(frozen=True, slots=True)
class Docker:
    """The backend, told what the matrix says and which engine answers.

    `proxies` are the names of the proxy variables that are set; `labels` stand in every image.
    """

    settings: Settings = field(default_factory=Settings)
    engine: Callable[[], Engine] = nobody
    running_python: str = "3"
    machine: str = "x86_64"
    proxies: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The value of the backend axis."""
        return NAME

    def python(self, axes: Axes) -> None:  # noqa: ARG002 - the protocol's
        """None: the image brings its own."""
        return

    def resolve(self, axes: Axes) -> Plan:
        """`uv pip compile` on the host, for the image's Python and platform."""
        base_of(axes, self.settings, self._version(axes))
        wheels = msgspec.structs.replace(axes, cuda=None)  # CUDA comes with the base
        files = [File("requirements.in", _text(venv.requirements(wheels)))]
        words = [UV, "pip", "compile", "requirements.in", *self._target(axes)]
        if left_out := venv.overrides(wheels):
            files.append(File("overrides.txt", _text(left_out)))
            words += ["--overrides", "overrides.txt"]
        words += ["--generate-hashes", "--no-annotate", "--no-header", "--output-file", LOCK, *_COMMON]
        return Plan((Step("resolving", tuple(words), tuple(files), deadline_s=_RESOLVE_S),), result=LOCK)

    def build(self, axes: Axes, lock: str) -> Plan:
        """Install into folders of the build context, build the image, and remove the context."""
        engine, recipe = self.engine(), self.recipe(axes, lock)
        image = f"{REPOSITORY}:{digest([dockerfile.text(recipe), lock, engine.words])[:24]}"
        others, own = split(lock)
        files = (
            File(LOCK, lock),
            File("others.txt", others),
            File("mediapipe.txt", own),
            File("Dockerfile", dockerfile.text(recipe)),
            File(f"{CONTEXT}/{dockerfile.VENDOR}", dockerfile.VENDOR_TEXT),
            File(f"{CONTEXT}/.dockerignore", f"{dockerfile.OTHERS}/bin\n{dockerfile.MEDIAPIPE}/bin\n"),
        )
        install = [
            self._install(axes, "others.txt", dockerfile.OTHERS),
            self._install(axes, "mediapipe.txt", dockerfile.MEDIAPIPE),
        ]
        fetch = [self._fetch_python(axes)] if self.settings.managed_python else []
        making = Step(
            "building the image", self._build_argv(engine, image), env=builder_env(engine), deadline_s=_BUILD_S
        )
        tidy = Step("removing the build context", ("rm", "-rf", CONTEXT), deadline_s=_SHORT_S)
        return Plan(
            (replace(install[0], files=files), *install[1:], *fetch, making, tidy),
            python=argv(engine, self._options(image)),
            outside=tuple(engine.command("image", "inspect", image, recipe.base)),
        )

    def diagnose(self, output: str) -> Diagnosis:
        """What the output of a failed step means."""
        return diagnose(output)

    def account(self, answer: bytes) -> dict[str, str] | None:
        """What `outside` tells of the image, as fields of `model.Build`; None where it is gone."""
        try:
            told = msgspec.json.decode(answer.strip() or b"[]")
        except msgspec.MsgspecError:
            return None
        images = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
        mine = next((one for one in images if any(REPOSITORY in str(tag) for tag in one.get("RepoTags") or ())), None)
        if mine is None:
            return None
        base = next((one for one in images if one is not mine), {})
        injection = self.engine().gpu
        because = "; ".join(filter(None, (f"{injection.mode}: {injection.because}", injection.remedy)))
        known = digest_of(base) if stands_on(mine, base) else ""
        return {"image": str(mine.get("Id") or ""), "base_digest": known, "injection": because}

    def recipe(self, axes: Axes, lock: str) -> dockerfile.Recipe:
        """What the image is made of. Raises UsageError for settings that this engine cannot follow."""
        asked, engine, version = self.settings, self.engine(), self._version(axes)
        if asked.ca_bundle and not engine.buildkit:
            raise UsageError(
                "backends.docker.ca_bundle: the plain builder cannot lend a file to a step; it would stay in the image",
                remedy="Install Docker's buildx, use Podman, or a package mirror over http (apt checks signatures).",
            )
        wanted = system(axes, software_gl=asked.software_gl)
        about = (
            ("envcheck.cell", cell_id(msgspec.structs.replace(axes, driver=None))),
            ("envcheck.lock", hashlib.sha256(lock.encode()).hexdigest()),
            *self.labels,
        )
        return dockerfile.Recipe(
            base=base_of(axes, asked, version),
            python=version,
            packages=tuple(package for package, _ in wanted),
            libraries=tuple(library for _, library in wanted),
            managed=asked.managed_python,
            # Podman 4.3 waits for ever for a cache that an earlier step of the same build has locked.
            mounts=engine.buildkit and engine.kind == NAME,
            apt_mirror=asked.apt_mirror,
            certificates=bool(asked.ca_bundle),
            labels=about,
        )

    def _version(self, axes: Axes) -> str:
        python = axes.python or self.running_python
        try:
            release = Version(python).release
        except InvalidVersion:
            raise UsageError(f"axis python: {python!r} is no version", remedy="Write a version such as 3.11.") from None
        return ".".join(map(str, release[:2]))

    def _target(self, axes: Axes) -> tuple[str, ...]:
        machine = self.engine().architecture or self.machine
        return ("--python-version", self._version(axes), "--python-platform", f"{machine}-{OLDEST_GLIBC}")

    def _install(self, axes: Axes, lock: str, folder: str) -> Step:
        target = ("--target", f"{CONTEXT}/{folder}", *self._target(axes))
        words = (UV, "pip", "install", "--requirements", lock, "--require-hashes", "--no-deps", *target, *_COMMON)
        return Step(f"installing {folder}", words, deadline_s=_INSTALL_S)

    def _fetch_python(self, axes: Axes) -> Step:
        machine = self.engine().architecture or self.machine
        wanted = f"cpython-{self._version(axes)}-linux-{machine}-gnu"
        into = ("--install-dir", f"{CONTEXT}/{dockerfile.MANAGED}", "--no-bin", "--color", "never", "--no-progress")
        return Step("fetching Python", (UV, "python", "install", wanted, *into), deadline_s=_INSTALL_S)

    def _build_argv(self, engine: Engine, image: str) -> tuple[str, ...]:
        asked = self.settings
        words = ["build", "--file", "Dockerfile", "--tag", image, "--force-rm"]
        words += ["--network", asked.network] if asked.network else []
        words += ["--secret", f"id={dockerfile.SECRET},src={asked.ca_bundle}"] if asked.ca_bundle else []
        words += [word for name in self.proxies for word in ("--build-arg", name)]
        return tuple(engine.command(*words, CONTEXT))

    def _options(self, image: str) -> RunOptions:
        inside = (f"{dockerfile.HOME}/bin/python",)
        return RunOptions(image=image, command=inside, env=self.settings.environment, passed=PASSED)


def builder_env(engine: Engine) -> tuple[tuple[str, str], ...]:
    """Which builder Docker's client takes."""
    return (("DOCKER_BUILDKIT", "1" if engine.buildkit else "0"),) if engine.kind == "docker" else ()


def base_of(axes: Axes, settings: Settings, python: str) -> str:
    """The base image of a cell, asked of the mirror where there is one. Raises UsageError where none is named."""
    if axes.cuda is None:
        return mirrored(settings.images.get(NONE) or DEFAULT_BASE.replace("{python}", python), settings.mirror)
    named = settings.images.get(axes.cuda)
    if named is None:
        raise UsageError(
            f"backends.docker.images names no base image for CUDA {axes.cuda}",
            remedy=f'Add one, such as images: {{"{axes.cuda}": "nvidia/cuda:{axes.cuda}.0-base-ubuntu22.04"}}.',
        )
    return mirrored(named, settings.mirror)


def mirrored(reference: str, mirror: str | None) -> str:
    """The reference with the mirror in place of its registry; `python:3.11` is docker.io/library/python:3.11."""
    if mirror is None:
        return reference
    first, slash, rest = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        path = rest
    else:
        path = reference if slash else f"library/{reference}"
    return f"{mirror.rstrip('/')}/{path}"


def system(axes: Axes, *, software_gl: bool) -> tuple[tuple[str, str], ...]:
    """Debian's packages that the wheels need of the system, each with a file that tells it is there."""
    headless = (axes.opencv or "").startswith(venv.HEADLESS)
    return (*GLVND, *(() if headless else OF_OPENCV), *(SOFTWARE if software_gl else ()))


def split(lock: str) -> tuple[str, str]:
    """A lock in two: everything else, and MediaPipe."""
    blocks = re.split(r"\n(?=\S)", lock.strip())
    own = [block for block in blocks if re.match(r"mediapipe\b(?!-)", block)]
    others = [block for block in blocks if block not in own]
    return "\n".join([*others, ""]), "\n".join([*own, ""])


def stands_on(image: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether an image was built on a base: a tag may have moved since, and then names another image."""
    own, under = layers_of(image), layers_of(base)
    return bool(under) and own[: len(under)] == under


def layers_of(image: Mapping[str, Any]) -> list[str]:
    """The layers of an inspected image, the lowest first; none where they are not told."""
    found = image.get("RootFS")
    listed = found.get("Layers") if isinstance(found, dict) else None
    return [str(one) for one in listed] if isinstance(listed, list) else []


def digest_of(base: Mapping[str, Any]) -> str:
    """The digest a registry knows a base image by, else its own id."""
    digests = base.get("RepoDigests") or ()
    return str(digests[0]) if digests else str(base.get("Id") or "")


def _text(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


# --- what builders say when they cannot ------------------------------------------------------------------------------

_SAID = r"(?m)^(?:#\d+ [\d.]+ )?"
"""A line of a command's own output, in the plain builder's words or BuildKit's; not the command itself."""
_PYTHON = re.compile(rf"{_SAID}{dockerfile.NO_PYTHON} (?P<rest>.+)$")
_APT = re.compile(rf"{_SAID}{dockerfile.NO_APT} (?P<rest>.+)$")
_SILENT = re.compile(
    rf"{_SAID}(?P<line>(?:E|Err:\d+|W): ?.*(?:Failed to fetch|Temporary failure|Could not|Unable to).*)$"
)
_BASE = re.compile(
    r"(?mi)^.*(?:pull access denied|manifest unknown|manifest for .+ not found|repository .+ not found|no such host"
    r"|initializing source|dial tcp|TLS handshake|i/o timeout|failed to resolve source metadata|short-name).*$"
)
_DAEMON = re.compile(r"(?i)cannot connect to the docker daemon|permission denied while trying to connect")
_DISK = re.compile(r"(?i)no space left on device|disk quota exceeded")
_COMPLAINT = re.compile(rf"{_SAID}E: (?P<line>.+)$")
_ERROR = re.compile(r"(?mi)^(?:#\d+ )?(?:error|E): ?(?P<line>.+)$")


def diagnose(output: str) -> Diagnosis:
    """What a builder's or uv's complaint means (read from Docker 20.10 and 28, Podman 4.3)."""
    if _DISK.search(output):
        return Diagnosis("failed", "the disk is full")
    if found := _PYTHON.search(output):
        remedy = "name another base in backends.docker.images, or set backends.docker.managed_python"
        return Diagnosis("no-interpreter", f"no Python {found['rest']}; {remedy}")
    if found := _APT.search(output):
        return Diagnosis("failed", f"no apt-get {found['rest']}; name a base that has these in backends.docker.images")
    if found := _SILENT.search(output):
        remedy = "backends.docker.network, apt_mirror and ca_bundle say how builds reach one"
        return Diagnosis("unavailable", f"the package mirror did not answer ({_cut(found['line'])}); {remedy}")
    if _DAEMON.search(output):
        return Diagnosis("no-engine", STOPPED)
    if found := _BASE.search(output):
        return Diagnosis("unavailable", f"the base image cannot be had ({_cut(found[0])})")
    known = venv.diagnose(output)
    told = _COMPLAINT.search(output) or _ERROR.search(output)
    return Diagnosis("failed", _cut(told["line"])) if known.outcome == "failed" and told else known


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _QUOTE else f"{text[:_QUOTE]}…"
