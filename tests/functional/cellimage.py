"""Cells in images, for the tests of the backend and for those of images that are judged: the same ones."""

from __future__ import annotations

from pathlib import Path

from envcheck.backends import configured
from envcheck.engines.local import host_here
from envcheck.environments import Prepared, prepare
from envcheck.matrix import load
from envcheck.request import Choice, selected
from tests import containers
from tests.functional.conftest import environment

MATRIX = """
version: 1
axes:
  backend: [docker]
  python: ["3.11"]
  mediapipe: [{versions}]
gate: {{max_seconds: 3}}
backends:
  docker: {{images: {{none: "{base}"}}, network: host{settings}}}
"""
SOFTWARE = ", software_gl: true, environment: {EGL_PLATFORM: surfaceless}"


def matrix(*versions: str, base: str = containers.BASE, settings: str = SOFTWARE) -> str:
    """The text of a matrix of MediaPipe versions in images."""
    listed = ", ".join(f'"{version}"' for version in versions)
    return MATRIX.format(versions=listed, base=base, settings=settings)


def made(host: str, path: Path, cache: Path) -> Prepared:
    """The one cell of a matrix file, built where it is not there yet."""
    env = environment({"DOCKER_HOST": host})
    asked = load(path)
    (cell,) = selected(asked, Choice(), None)
    return prepare(cell, cache=cache, env=env, backends=configured(asked.backends, host_here(env), env))


def named(host: str, folder: Path, cache: Path) -> str:
    """The name of the image of MediaPipe 1.2.2 with software GL."""
    path = folder / "matrix.yaml"
    path.write_text(matrix("1.2.2"), encoding="utf-8")
    with containers.alone("cells"):
        build = made(host, path, cache).build
    assert build.image, build
    return containers.docker(host, "image", "inspect", "--format", "{{index .RepoTags 0}}", build.image).strip()
