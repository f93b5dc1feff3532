"""Which container engine answers here, and what it offers: Docker or Podman, rootless or not, GPUs by which way.

`docker info` and `podman info` are asked, so contexts, DOCKER_HOST, CONTAINER_HOST and the user's configuration hold as
they do for the user. What answers is known by the shape of its answer: a program named docker may be Podman.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from envcheck import process
from envcheck.errors import InfrastructureError

if TYPE_CHECKING:
    from envcheck.outcomes import Completed

VARIABLE = "ENVCHECK_ENGINE"
"""Names the engine's program, options may follow: "podman", "/opt/bin/docker --context lab"."""
PROGRAMS = ("docker", "podman")
INFO = ("info", "--format", "{{json .}}")
DEADLINE_S = 30.0
CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
CDI_KIND = "nvidia.com/gpu"
HOOK = "nvidia-container-runtime-hook"
TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
NONE_ANSWERS, STOPPED = "no container engine answers", "the container engine stopped answering"
"""How our messages begin."""
REMEDY = "Install Docker or Podman, or name the program with ENVCHECK_ENGINE."
_QUOTE = 300


class EngineMissingError(InfrastructureError):
    """No container engine answers; the message says which were asked, the remedy what is missing."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """How containers get NVIDIA GPUs.

    `mode`: nvidia-runtime (the toolkit's runtime is registered), cdi (device specifications are there), hook (`--gpus`
    with the toolkit's hook only, which mounts no GL vendor file), none. `because` says what was seen or is missing.
    """

    mode: str
    because: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answered. `words` start its client; `kind` is docker or podman."""

    words: tuple[str, ...]
    kind: str
    version: str
    rootless: bool = False
    architecture: str = ""
    """As the kernel says: x86_64, aarch64."""
    buildkit: bool = False
    """Dockerfiles may use `RUN --mount`: BuildKit, or Podman's builder, which has the same mounts."""
    gpu: Gpu = Gpu("none")

    def command(self, *words: str) -> list[str]:
        """The argv of a command of its client."""
        return [*self.words, *words]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What this machine shows about GPUs for containers."""

    cdi: bool = False
    """A CDI specification of NVIDIA GPUs is in one of the usual folders."""
    hook: bool = False
    """The toolkit's hook is installed."""
    driver: bool = False
    """NVIDIA's kernel driver runs."""


Run = Callable[..., "Completed"]
"""`process.run`, or a fake of it."""


def find(
    env: Mapping[str, str],
    *,
    named: str | None = None,
    run: Run = process.run,
    surroundings: Surroundings | None = None,
) -> Engine:
    """The engine that is named (a program, options may follow), else ENVCHECK_ENGINE's, else the first that answers.

    Raises EngineMissingError with what every program that was asked has said.
    """
    around = look_around() if surroundings is None else surroundings
    said: list[tuple[str, str]] = []
    for words in candidates(named or env.get(VARIABLE) or ""):
        done = run([*words, *INFO], deadline_s=DEADLINE_S, env=env)
        engine = parse(words, done.stdout, around) if done.started else None
        if engine is not None:
            return with_builder(engine, env)
        said.append((words[0], why_not(done)))
    raise missing(said, env)


def silence(words: Sequence[str], env: Mapping[str, str], run: Run = process.run) -> str:
    """Why an engine that answered before does not any more; empty where it answers."""
    done = run([*words, *INFO], deadline_s=DEADLINE_S, env=env)
    if done.started and parse(tuple(words), done.stdout, Surroundings()) is not None:
        return ""
    return f"{STOPPED} meanwhile: {why_not(done)}"


def candidates(named: str) -> list[tuple[str, ...]]:
    """The commands to ask, in order."""
    if not named.strip():
        return [(program,) for program in PROGRAMS]
    try:
        return [tuple(shlex.split(named))]
    except ValueError:
        return [(named,)]


def look_around(proc: Path = Path("/proc"), folders: Iterable[Path] = CDI_FOLDERS) -> Surroundings:
    """What this machine shows."""
    return Surroundings(
        cdi=any(names_gpus(file) for folder in folders for file in listed(folder)),
        hook=shutil.which(HOOK) is not None,
        driver=(proc / "driver/nvidia/version").exists(),
    )


def listed(folder: Path) -> list[Path]:
    """The specifications in a folder; none where it cannot be read."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml", ".json"))
    except OSError:
        return []


def names_gpus(file: Path) -> bool:
    """True for a specification of NVIDIA GPUs."""
    try:
        return CDI_KIND in file.read_text("utf-8", "replace")[:65536]
    except OSError:
        return False


# --- what the answers mean -----------------------------------------------------------------------------------------


def parse(words: tuple[str, ...], answer: bytes, around: Surroundings) -> Engine | None:
    """The engine of an answer to `info`; None where no engine speaks."""
    try:
        told = msgspec.json.decode(answer.strip() or b"null")
    except msgspec.MsgspecError:
        return None
    if not isinstance(told, dict):
        return None
    if isinstance(told.get("host"), dict):
        return of_podman(words, told, around)
    return of_docker(words, told, around) if told.get("ServerVersion") else None


def of_docker(words: tuple[str, ...], told: Mapping[str, Any], around: Surroundings) -> Engine:
    """Docker's answer: `SecurityOptions` tell of rootless, `Runtimes` of NVIDIA's, `DiscoveredDevices` of CDI."""
    security = [str(option) for option in told.get("SecurityOptions") or ()]
    client = told.get("ClientInfo") or {}
    plugins = [plugin.get("Name") for plugin in client.get("Plugins") or () if isinstance(plugin, dict)]
    return Engine(
        words=words,
        kind="docker",
        version=str(told["ServerVersion"]),
        rootless=any("rootless" in option for option in security),
        architecture=str(told.get("Architecture") or ""),
        # Clients before 23, which do not tell their version here, have BuildKit built in.
        buildkit="buildx" in plugins or not client.get("Version"),
        gpu=gpu_of_docker(told, around),
    )


def gpu_of_docker(told: Mapping[str, Any], around: Surroundings) -> Gpu:
    """NVIDIA's runtime before CDI: it mounts what GL needs by the capabilities, whatever a specification lacks."""
    devices = [str(device.get("ID")) for device in told.get("DiscoveredDevices") or () if isinstance(device, dict)]
    if "nvidia" in (told.get("Runtimes") or {}):
        return Gpu("nvidia-runtime", "the engine has a runtime named nvidia")
    if any(CDI_KIND in device for device in devices) or (told.get("CDISpecDirs") and around.cdi):
        return Gpu("cdi", f"the engine has CDI devices {CDI_KIND}")
    if around.hook:
        return Gpu("hook", f"{HOOK} is installed, and no runtime named nvidia is registered", of_runtime())
    return no_gpu(around, of_runtime())


def of_runtime() -> str:
    """How Docker comes to NVIDIA's runtime."""
    return (
        "Install the NVIDIA Container Toolkit, then: "
        f"sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker ({TOOLKIT})"
    )


def of_podman(words: tuple[str, ...], told: Mapping[str, Any], around: Surroundings) -> Engine:
    """Podman's answer. Its GPUs come by CDI."""
    host, version = told["host"], told.get("version") or {}
    security = host.get("security") or {}
    generate = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
    make = f"Install the NVIDIA Container Toolkit, then: {generate} ({TOOLKIT})"
    return Engine(
        words=words,
        kind="podman",
        version=str(version.get("Version") or host.get("buildahVersion") or ""),
        rootless=bool(security.get("rootless")),
        architecture=kernel_name(str(host.get("arch") or "")),
        buildkit=True,
        gpu=Gpu("cdi", f"a CDI specification names {CDI_KIND}") if around.cdi else no_gpu(around, make),
    )


def no_gpu(around: Surroundings, remedy: str) -> Gpu:
    """No way to a GPU: a fault only where there is one."""
    if around.driver:
        return Gpu(
            "none", "NVIDIA's driver runs here, and the engine has no way to give its GPUs to containers", remedy
        )
    return Gpu("none", "the engine offers no NVIDIA GPU, and this machine shows no NVIDIA driver")


def kernel_name(architecture: str) -> str:
    """Go's name of an architecture as the kernel's."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(architecture, architecture)


def with_builder(engine: Engine, env: Mapping[str, str]) -> Engine:
    """The engine; DOCKER_BUILDKIT=0 means the plain builder, as it does for the client."""
    plain = engine.kind == "docker" and env.get("DOCKER_BUILDKIT") == "0"
    return replace(engine, buildkit=False) if plain else engine


# --- what is missing -----------------------------------------------------------------------------------------------

_CAUSES = (
    (
        re.compile(r"permission denied", re.IGNORECASE),
        "This user may not talk to the engine: join the group docker (sudo usermod -aG docker $USER), or go rootless.",
    ),
    (
        re.compile(r"cannot connect|connection refused|is the docker daemon running|no such file", re.IGNORECASE),
        "Start the engine (sudo systemctl start docker), or set DOCKER_HOST or a context to one that runs.",
    ),
    (
        re.compile(r"newuidmap|newgidmap|subuid|subgid|user namespaces?", re.IGNORECASE),
        "Rootless containers need newuidmap (package uidmap) and lines for this user in /etc/subuid and /etc/subgid.",
    ),
)


def why_not(done: Completed) -> str:
    """What a program that is no engine for us has said, in one line."""
    if not done.started:
        return "not installed" if "No such file" in done.reason else done.reason
    told = errors_in(done.stdout) or done.stderr.decode("utf-8", "replace")
    line = " ".join(told.split())[:_QUOTE]
    return line or done.describe()


def errors_in(answer: bytes) -> str:
    """Docker's client answers even where no daemon does: its list of errors."""
    try:
        told = msgspec.json.decode(answer.strip() or b"null")
    except msgspec.MsgspecError:
        return ""
    return "; ".join(map(str, told.get("ServerErrors") or ())) if isinstance(told, dict) else ""


def missing(said: list[tuple[str, str]], env: Mapping[str, str]) -> EngineMissingError:
    """The error: every program with its words, and the remedy that fits the first cause known."""
    listed_words = "; ".join(f"{program}: {words}" for program, words in said)
    where = f" (DOCKER_HOST={env['DOCKER_HOST']})" if env.get("DOCKER_HOST") else ""
    found = (
        remedy for _, words in said for cause, remedy in _CAUSES if words != "not installed" and cause.search(words)
    )
    return EngineMissingError(f"{NONE_ANSWERS}{where}: {listed_words}", remedy=next(found, REMEDY))
