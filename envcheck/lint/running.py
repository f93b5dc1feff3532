"""SRC840-844 and SRC850-854: how a container is started, whether compose, Kubernetes or a command line says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from envcheck.invented import INVENTED
from envcheck.lint.bases import DEFAULT, base_of
from envcheck.lint.finding import Level
from envcheck.lint.image import Beside, Image, image_of
from envcheck.lint.imagechecks import MEDIAPIPE, expects_gpu, speaks_of_mediapipe
from envcheck.lint.source import Unreadable
from envcheck.lint.steering import GRAPHICS, grants_graphics, steers
from envcheck.lint.textual import Spot, decoded

CAPABILITIES = "NVIDIA_DRIVER_CAPABILITIES"
VISIBLE = "NVIDIA_VISIBLE_DEVICES"
OF_A_DEVICE = frozenset(("compute", "compat32", "graphics", "utility", "video", "display"))
"""What Docker takes from a list of device capabilities for NVIDIA_DRIVER_CAPABILITIES; it goes before any variable.

https://github.com/moby/moby/blob/master/daemon/nvidia_linux.go
"""
HIDING = frozenset(("", "none", "void"))
ROOT = frozenset(("", "0", "root"))

Place = tuple[int, int]


@dataclass(kw_only=True)
class Run:
    """How one container is started. `gpu`: where a GPU is asked for by the container toolkit's variables; `cdi`: by
    CDI, which mounts all of the driver; `unsure`: something that is not known may set variables; `image`: what its
    Dockerfile makes; `name`: the image's name; `capabilities`: those in the request for the device itself.
    """

    family: str
    place: Place
    extent: Place
    name: str = ""
    image: Image | None = None
    gpu: Place | None = None
    cdi: bool = False
    unsure: bool = False
    capabilities: tuple[str, ...] = ()
    env: dict[str, tuple[str | None, Place]] = field(default_factory=dict)
    dri: Place | None = None
    user: tuple[str, Place] | None = None
    groups: bool = False
    privileged: bool = False

    def spot(self, number: int, place: Place, detail: str, level: Level | None = None) -> Spot:
        """A fault of this container."""
        return Spot(f"{self.family}{number}", *place, detail, level, *self.extent)


def judged(run: Run) -> Iterator[Spot]:
    """What is wrong with the way a container is started."""
    for check in CHECKS:
        yield from check(run)


def capabilities(run: Run) -> Iterator[Spot]:
    """…0: a GPU without the graphics half of the driver."""
    asked = [one for one in run.capabilities if one in OF_A_DEVICE]
    if run.gpu is None or run.cdi or "all" in run.capabilities:
        return
    if asked:
        if not set(asked) & GRAPHICS:
            detail = f"the device's capabilities {', '.join(asked)} go before {CAPABILITIES}, wherever that is set"
            yield run.spot(0, run.gpu, detail)
        return
    yield from by_variable(run, run.gpu)


def by_variable(run: Run, gpu: Place) -> Iterator[Spot]:
    """The variable of the container goes before the image's; where nobody sets it, there is a default."""
    if CAPABILITIES in run.env:
        value, place = run.env[CAPABILITIES]
        if value is not None and "$" not in value and not grants_graphics(value or DEFAULT):
            yield run.spot(
                0, place, f"{CAPABILITIES}={value}" if value else f"{CAPABILITIES} is empty, which means {DEFAULT}"
            )
        return
    if run.unsure:
        return
    value, who = of_image(run)
    if value is None:
        yield run.spot(0, gpu, f"unless {run.name or 'the image'} sets {CAPABILITIES} itself", Level.NOTE)
    elif "$" not in value and not grants_graphics(value or DEFAULT):
        says = f"{who} sets {CAPABILITIES}={value}" if value else f"nothing sets {CAPABILITIES}, which means {DEFAULT}"
        yield run.spot(0, gpu, says)


def of_image(run: Run) -> tuple[str | None, str]:
    """The capabilities that the image sets, and who says so: "" for none, None where nobody knows."""
    if run.image is not None:
        own = run.image.value(CAPABILITIES)
        return (own, "the Dockerfile") if own is not None else (run.image.base.capabilities, run.image.name)
    return (base_of(run.name).capabilities, run.name) if run.name else (None, "")


def mesa_only(run: Run) -> Iterator[Spot]:
    """…1: the kernel's graphics device alone, where NVIDIA's driver is meant."""
    if run.dri is None or run.gpu is not None or run.cdi or run.privileged:
        return
    nvidia = [name for name in (CAPABILITIES, VISIBLE) if name in run.env]
    hidden = VISIBLE in run.env and (run.env[VISIBLE][0] or "").lower() in HIDING
    made = (run.image is not None and expects_gpu(run.image)) or base_of(run.name).nvidia
    if (nvidia or made) and not hidden and not run.unsure:
        why = f"{nvidia[0]} is set" if nvidia else "the image is made for NVIDIA"
        yield run.spot(1, run.dri, f"{why}, and only /dev/dri is handed in")


def display(run: Run) -> Iterator[Spot]:
    """…2: an X server decides which GPU it is."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        if name in run.env and run.env[name][0] != "":
            yield run.spot(2, run.env[name][1], name)


def steered(run: Run) -> Iterator[Spot]:
    """…3: variables that lead EGL away from the GPU. SRC821: those that lead nowhere."""
    for name, (value, place) in run.env.items():
        if name != "DISPLAY" and value is not None and steers(name, value):
            yield run.spot(3, place, f"{name}={value}", None if run.gpu or run.cdi else Level.NOTE)
        elif INVENTED.fullmatch(name):
            yield Spot("SRC821", *place, f"no MediaPipe reads {name}", None, *run.extent)


def no_group(run: Run) -> Iterator[Spot]:
    """…4: another user than root, and no group that may open the device."""
    if run.dri is None or run.groups or run.privileged or run.user is None:
        return
    user, place = run.user
    if "$" not in user and ":" not in user and user not in ROOT:
        yield run.spot(4, place, f"user {user}, and no group for /dev/dri")


CHECKS: tuple[Callable[[Run], Iterator[Spot]], ...] = (capabilities, mesa_only, display, steered, no_group)


def built(beside: Beside, path: str, target: str = "") -> tuple[Image | None, bool]:
    """The image of a Dockerfile beside the file, and whether it is about MediaPipe."""
    data = beside(path)
    return made_of(data, path.rpartition("/")[0], beside, target) if data is not None else (None, False)


def made_of(data: bytes, folder: str, beside: Beside, target: str = "") -> tuple[Image | None, bool]:
    """The image of a Dockerfile's text, built in a folder, and whether it is about MediaPipe."""

    def below(name: str) -> bytes | None:
        return beside(f"{folder}/{name}" if folder else name)

    try:
        text = decoded("Dockerfile", data)
        image = image_of(text, below, target)
    except Unreadable:
        return None, False
    return image, MEDIAPIPE in image.python or speaks_of_mediapipe(text.text)


def folder_speaks(beside: Beside) -> bool:
    """Whether what lies beside a file is about MediaPipe."""
    names = ("Dockerfile", "requirements.txt", "pyproject.toml")
    return any(re.search(rb"mediapipe", beside(name) or b"", re.IGNORECASE) for name in names)
