"""CTR31x: images that are judged as they are: what keeps them from being started, and how they were started."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from envcheck.model import Image, Status
from envcheck.rules.rule import Case, Rule

PLATFORMS = "https://docs.docker.com/build/building/multi-platform/"
RUN = "https://docs.docker.com/reference/cli/docker/container/run/"
DOCKERFILE = "https://docs.docker.com/reference/dockerfile/"
LISTED = 6


def image_of(case: Case) -> Image | None:
    """The image, where one was judged."""
    return case.evidence.image


def ended_in(outcome: str) -> Callable[[Case], str | None]:
    """A rule's `see` for images whose look ended before MediaPipe was started."""

    def see(case: Case) -> str | None:
        build = case.evidence.build
        return build.because if image_of(case) and build is not None and build.outcome == outcome else None

    return see


def several(case: Case) -> str | None:
    """More than one environment of the image has an interpreter, and it was envcheck that chose."""
    image = image_of(case)
    if image is None or image.chosen.startswith("named by") or not image.python:
        return None
    listed = [
        f"{one.path} ({'MediaPipe ' + one.mediapipe if one.mediapipe else 'no MediaPipe'})" for one in image.pythons
    ]
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return f"took {image.python}, {image.chosen}; there are {', '.join(listed[:LISTED])}{more}" if listed[1:] else None


def choose_python(case: Case) -> str:
    """The command that judges another one."""
    image = image_of(case)
    if image is None:
        return ""
    others = [one.path for one in image.pythons if one.path != image.python] or ["/PATH/INSIDE/python"]
    return f"envcheck check --image {image.reference} --python {others[0]}"


def bypassed(case: Case) -> str | None:
    """The entry point is a program of the image's own, which may set variables before it starts the application."""
    image = image_of(case)
    if image is None or not image.entrypoint:
        return None
    name = posixpath.basename(image.entrypoint[0])
    return " ".join(image.entrypoint) if not name.startswith(("python", "tini", "dumb-init")) else None


def without_shell(case: Case) -> str | None:
    """No shell was found."""
    image = image_of(case)
    return image.reference if image is not None and image.shell is False else None


def untriggered(case: Case) -> str | None:
    """The image does something in whatever is built on it, and not in itself."""
    image = image_of(case)
    if image is None or not image.triggers:
        return None
    more = f"; and {len(image.triggers) - LISTED} more" if len(image.triggers) > LISTED else ""
    by = " (from its history: some may have run when it was built)" if image.engine.startswith("podman") else ""
    return f"{'; '.join(image.triggers[:LISTED])}{more}{by}"


def architecture_fix(case: Case) -> str:
    """Build or fetch it for this machine."""
    image = image_of(case)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(case.evidence.host.machine, case.evidence.host.machine)
    name = image.reference if image else "IMAGE"
    return f"docker pull --platform linux/{machine} {name}    # or: docker build --platform linux/{machine} -t {name} ."


RULES = (
    Rule(
        code="CTR311",
        title="the image is for another architecture",
        see=ended_in("other-architecture"),
        because="Programs of another processor run under emulation at best, where no GPU driver works.",
        remedy="docker pull --platform linux/amd64 IMAGE",
        url=PLATFORMS,
        fix=architecture_fix,
    ),
    Rule(
        code="CTR312",
        title="no container of this image can be started",
        see=ended_in("not-started"),
        because="The engine refuses before anything of the image runs: the user, the working folder, a device or a hook of "
        "the GPU's runtime is amiss.",
        remedy="docker run --rm --entrypoint python3 IMAGE -c 'print(1)'    # what does the engine say?",
        url=RUN,
    ),
    Rule(
        code="CTR310",
        title="no Python in the image",
        see=ended_in("no-python"),
        because="FaceMesh runs in the image's own Python, and none was found: not where programs are looked for, and not among "
        "its files.",
        remedy="FROM python:3.11-slim    # or copy an environment with its interpreter into the image\n"
        "envcheck check --image IMAGE --python /PATH/INSIDE/python    # where it has another name",
        url="https://hub.docker.com/_/python",
    ),
    Rule(
        code="CTR313",
        title="the image has several Pythons",
        see=several,
        because="Each has its own packages. The one that the image's search path leads to is judged, or else the first that has "
        "MediaPipe.",
        remedy="envcheck check --image IMAGE --python /PATH/INSIDE/python",
        url=RUN,
        status=Status.UNKNOWN,
        fix=choose_python,
    ),
    Rule(
        code="CTR314",
        title="the image's entry point was bypassed",
        see=bypassed,
        because="It was not run, so variables that it sets and environments that it activates were not seen. The image's own "
        "ENV lines were.",
        remedy="envcheck check --image IMAGE --env NAME=VALUE    # for each variable that the entry point sets",
        url=RUN,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="CTR315",
        title="the image has no shell",
        see=without_shell,
        because="RUN lines and install commands do not work in it: what is missing is copied from a build stage that has a shell.",
        remedy="COPY --from=STAGE /usr/lib/x86_64-linux-gnu/libEGL.so.1 /usr/lib/x86_64-linux-gnu/    # and so on",
        url=DOCKERFILE,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="CTR316",
        title="the image has triggers, which did not run",
        see=untriggered,
        because="ONBUILD lines run when another image is built on this one. What was judged is this image, as its own "
        "container would start; one that is built on it holds more, or something else.",
        remedy="envcheck check --dockerfile DIR    # the folder of a Dockerfile that is FROM this image",
        url=f"{DOCKERFILE}#onbuild",
        status=Status.UNKNOWN,
    ),
)
