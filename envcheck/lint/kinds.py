"""What a file is, by its name; by its content where the name says nothing."""

from __future__ import annotations

import re
from pathlib import PurePath

PYTHON, DOCKERFILE, COMPOSE, SHELL = "python", "dockerfile", "compose", "shell"

OF_DOCKER = re.compile(r"(?:docker|container)file(?:[.-][\w.-]+)?|[\w.-]+\.(?:docker|container)file", re.IGNORECASE)
NO_DOCKERFILE = re.compile(
    r"\.(?:dockerignore|containerignore|j2|jinja2?|tmpl|template|tpl|in|erb|m4|mustache|bak|orig|pyc?|md|rst|sh|txt|js|ts"
    r"|css|html?|json|map|ya?ml|toml|vim|rb|go|php|patch|diff|svg|png)$"
)
"""Names that begin like a Dockerfile's, and are templates or something else."""
OF_COMPOSE = re.compile(r"(?:docker-|podman-)?compose[\w.-]*\.ya?ml|[\w.-]+\.compose\.ya?ml", re.IGNORECASE)
OF_MAKE = re.compile(r"(?:GNU)?[Mm]akefile|.*\.mk")
OF_SHELL = (".sh", ".bash")
YAML = (".yaml", ".yml")
FROM = re.compile(rb"(?:\s|#[^\n]*\n|ARG[ \t][^\n]*\n)*FROM[ \t]+(?!\S+[ \t]+import)", re.IGNORECASE)
SERVICES = re.compile(rb"^services[ \t]*:", re.MULTILINE)
PODS = re.compile(rb"^kind[ \t]*:", re.MULTILINE)
GPU = b"nvidia.com/"
TEMPLATE = b"{{"


def kind_of_name(path: str) -> str | None:
    """What the name of a file says; "" for YAML of some kind, None where it says nothing."""
    name = PurePath(path).name
    if OF_DOCKER.fullmatch(name) and not NO_DOCKERFILE.search(name.lower()):
        return DOCKERFILE
    if OF_COMPOSE.fullmatch(name):
        return COMPOSE
    if name.endswith(OF_SHELL) or OF_MAKE.fullmatch(name):
        return SHELL
    if name.endswith((".py", ".pyw", ".ipynb")):
        return PYTHON
    return "" if name.endswith(YAML) else None


def kind_of(path: str, data: bytes) -> str | None:
    """What a file is; None for YAML that starts no container. What nobody can tell is read as Python."""
    named = kind_of_name(path)
    if named:
        return named
    if named == "":
        return COMPOSE if is_yaml_of_containers(data) else None
    if path == "-":
        return DOCKERFILE if FROM.match(data) else COMPOSE if is_yaml_of_containers(data) else PYTHON
    return PYTHON


def is_yaml_of_containers(data: bytes) -> bool:
    """Whether YAML is a compose file, or a Kubernetes object that asks for a GPU. Templates are not yet YAML."""
    return SERVICES.search(data) is not None or (PODS.search(data) is not None and GPU in data and TEMPLATE not in data)
