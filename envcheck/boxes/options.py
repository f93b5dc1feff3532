"""The command that starts a container, written down: nothing in it may be harmed by the image, or harm the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envcheck.boxes.engine import CDI_KIND, Engine

LABEL = "envcheck.run"
"""Every container of ours carries it; its value names the run it belongs to."""
START = "{start}"
"""Stands in a name for what differs from start to start; `fresh` fills it."""
RUN = "{run}"
"""Stands in the label for the run, so that a plan does not depend on who carries it out; `fresh` fills it too."""
CAPABILITIES = "compute,utility,graphics"
"""NVIDIA's driver capabilities that GL over EGL needs; the toolkit's default lacks graphics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What is started in which image, and what it may do. The defaults allow nothing but computing.

    `command[0]` takes the place of the image's entry point. `passed` are variables whose value the client's own
    environment has; `unset` are variables of the image that are taken away.
    """

    image: str
    command: tuple[str, ...]
    run: str = RUN
    """Value of the label."""
    name: str = f"envcheck-{START}"
    env: tuple[tuple[str, str], ...] = ()
    passed: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    gpus: bool = True
    """GPUs are given as the engine can."""
    capabilities: str | None = None
    """NVIDIA_DRIVER_CAPABILITIES over the image's own; None leaves what the image says."""
    user: str | None = None
    """None: the image's own."""
    network: str = "none"
    read_only: bool = True
    tmpfs: tuple[str, ...] = ("/tmp:rw,exec,nosuid,nodev,size=512m",)  # noqa: S108 - inside the container
    pids: int = 1024
    memory: str | None = None
    pull: str = "never"
    extra: tuple[str, ...] = ()
    """Options of the engine that the user asks for, before the image."""


def argv(engine: Engine, options: RunOptions) -> tuple[str, ...]:
    """The command, from the client's words to the last argument of the program inside."""
    return tuple(engine.command("run", *_flags(engine, options), options.image, *options.command[1:]))


def _flags(engine: Engine, options: RunOptions) -> Iterator[str]:
    yield from ("--rm", "--interactive", "--pull", options.pull, "--network", options.network)
    yield from ("--name", options.name, "--label", f"{LABEL}={options.run}")
    yield from ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(options.pids))
    # The engine's log of a container that floods its output would fill the host's disk.
    yield from ("--log-driver", "none", "--no-healthcheck")
    if options.read_only:
        yield "--read-only"
    for mount in options.tmpfs:
        yield from ("--tmpfs", mount)
    if options.memory is not None:
        yield from ("--memory", options.memory)
    if options.user is not None:
        yield from ("--user", options.user)
    if options.gpus:
        yield from gpu_flags(engine)
    yield from _variables(engine, options)
    yield from options.extra
    yield from ("--entrypoint", options.command[0])


def gpu_flags(engine: Engine) -> tuple[str, ...]:
    """The flags that give GPUs to a container; none where the engine has no way."""
    match engine.gpu.mode:
        case "nvidia-runtime":
            return ("--runtime", "nvidia", "--gpus", "all")
        case "cdi":
            return ("--device", f"{CDI_KIND}=all")
        case "hook":
            return ("--gpus", "all")
        case _:
            return ()


def _variables(engine: Engine, options: RunOptions) -> Iterator[str]:
    for name, value in options.env:
        yield from ("--env", f"{name}={value}")
    if options.capabilities is not None:
        yield from ("--env", f"NVIDIA_DRIVER_CAPABILITIES={options.capabilities}")
    for name in options.passed:
        yield from ("--env", name)
    for name in options.unset:
        # Docker takes a variable away that is named without a value and is not in the client's environment.
        yield from ("--unsetenv", name) if engine.kind == "podman" else ("--env", name)
