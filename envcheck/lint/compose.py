"""Compose files and Kubernetes' pods: how each container is started."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from envcheck.lint.image import Beside
from envcheck.lint.imagechecks import speaks_of_mediapipe
from envcheck.lint.running import Place, Run, built, folder_speaks, judged, made_of
from envcheck.lint.shell import expanded
from envcheck.lint.textual import Spot, Text
from envcheck.lint.yamltext import Node, documents

GPU_RESOURCE = re.compile(r"nvidia\.com/(?:gpu|mig-)")
MOST_SERVICES = 500


def faults(text: Text, beside: Beside, about: bool) -> Iterator[Spot]:
    """What is wrong with the containers of a file. `about`: they are known to be MediaPipe's. Raises Unreadable."""
    found = [run for document in documents(text) for run in containers(text, document, beside)]
    named = [run for run, speaks in found if speaks]
    whole = about or speaks_of_mediapipe(text.text) or folder_speaks(beside)
    unknown = [run for run, _ in found if run.image is None] if whole and not named else []
    for run in named or unknown:
        yield from judged(run)


def containers(text: Text, document: Node, beside: Beside) -> Iterator[tuple[Run, bool]]:
    """The containers of a document, each with whether it is about MediaPipe."""
    services = document.get("services")
    if services is not None:
        for name, service in list(services.entries())[:MOST_SERVICES]:
            if service.kind == "map" and service.get("extends") is None:
                yield of_service(text, name, service, beside)
        return
    for pod in list(pods(document))[:MOST_SERVICES]:
        for container in (pod.get("containers") or Node("list", 0, 0)).items:
            if container.kind == "map":
                run = of_container(container, pod)
                yield run, speaks_of_mediapipe(text.text[container.start : container.end])


def of_service(text: Text, name: Node, service: Node, beside: Beside) -> tuple[Run, bool]:
    """One service of a compose file."""
    run = Run(
        family="SRC84", place=name.place, extent=(name.start, service.end), unsure=service.get("env_file") is not None
    )
    run.name = expanded(one.text, {}) if (one := service.get("image")) else ""
    about = speaks_of_mediapipe(text.text[name.start : service.end])
    build = service.get("build")
    if build is not None:
        path, target = dockerfile_of(build)
        inline = build.get("dockerfile_inline")
        if inline is None:
            run.image, speaks = built(beside, path, target)
        else:
            run.image, speaks = made_of(inline.text.encode(), posixpath.dirname(path), beside, target)
        run.unsure = run.unsure or run.image is None
        run.name = "" if run.image is None else run.name
        about = about or speaks
    environment(run, service.get("environment"))
    devices(run, service)
    user, groups = service.get("user"), service.get("group_add")
    run.user = (user.text, user.place) if user else None
    run.groups = groups is not None
    run.privileged = (flag := service.get("privileged")) is not None and flag.text.lower() == "true"
    return run, about


def dockerfile_of(build: Node) -> tuple[str, str]:
    """The path of a service's Dockerfile, and the stage it wants."""
    if build.kind == "text":
        return posixpath.normpath(posixpath.join(build.text, "Dockerfile")), ""
    context, name, target = (build.get(key) for key in ("context", "dockerfile", "target"))
    path = posixpath.join(context.text if context else ".", name.text if name else "Dockerfile")
    return posixpath.normpath(path), target.text if target else ""


def environment(run: Run, node: Node | None) -> None:
    """The variables, written as a list or as a mapping. A variable without a value comes from outside."""
    for item in node.items if node else ():
        name, equals, text = item.text.partition("=")
        run.env[name] = (expanded(text, {}) if equals else None, item.place)
    for key, value in node.entries() if node and node.kind == "map" else ():
        run.env[key.text] = (expanded(value.text, {}) if value.text else None, joint(key, value))


def devices(run: Run, service: Node) -> None:
    """How GPUs are handed in: a request, the runtime, the short form, or files."""
    reserved = service.at("deploy", "resources", "reservations", "devices")
    for request in reserved.items if reserved else []:
        by_request(run, request)
    gpus = service.get("gpus")
    if gpus is not None:
        run.gpu = gpus.place
        for request in gpus.items:
            by_request(run, request)
    runtime = service.get("runtime")
    if runtime is not None and "nvidia" in runtime.text:
        run.gpu = run.gpu or runtime.place
    listed = service.get("devices")
    for item in listed.items if listed else []:
        path = item.text or (source.text if (source := item.get("source")) else "")
        if re.match(r"nvidia\.com/gpu", path):
            run.cdi = True
        elif path.startswith("/dev/dri"):
            run.dri = item.place
        elif path.startswith("/dev/nvidia"):
            run.unsure = True


def by_request(run: Run, request: Node) -> None:
    """One request for devices: `capabilities: [gpu]` asks for a GPU, any other word is the driver's."""
    wanted, driver = request.get("capabilities"), request.get("driver")
    words = wanted.texts() if wanted else []
    if driver is not None and driver.text == "cdi":
        run.cdi = True
    elif "gpu" in words or "nvidia" in words or (driver is not None and driver.text == "nvidia"):
        run.gpu = wanted.place if wanted else request.place
        run.capabilities = tuple(word for word in words if word not in ("gpu", "nvidia"))


def pods(document: Node, inside: bool = False) -> Iterator[Node]:
    """The pod specifications of a Kubernetes object, however deep its kind puts them."""
    kind = document.get("kind")
    if kind is None:
        return
    if kind.text == "List":
        for item in (document.get("items") or Node("list", 0, 0)).items if not inside else ():
            yield from pods(item, inside=True)
        return
    paths = (("spec",), ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
    yield from (pod for path in paths if (pod := document.at(*path)) is not None and pod.get("containers") is not None)


def of_container(container: Node, pod: Node) -> Run:
    """One container of a pod."""
    name = container.get("name") or container
    run = Run(family="SRC84", place=name.place, extent=(container.start, container.end))
    run.name = one.text if (one := container.get("image")) else ""
    run.unsure = container.get("envFrom") is not None
    for part in ("limits", "requests"):
        resources = container.at("resources", part)
        for key, _ in resources.entries() if resources else ():
            if GPU_RESOURCE.match(key.text):
                run.gpu = run.gpu or key.place
    for item in (container.get("env") or Node("list", 0, 0)).items:
        variable, value = item.get("name"), item.get("value")
        if variable is not None:
            run.env[variable.text] = (value.text if value else None, joint(variable, value))
    flag = container.at("securityContext", "privileged")
    run.privileged = flag is not None and flag.text == "true"
    run.groups = pod.at("securityContext", "supplementalGroups") is not None
    return run


def joint(key: Node, value: Node | None) -> Place:
    """From a key to the end of its value."""
    return key.start, value.end if value and value.start >= key.start else key.end
