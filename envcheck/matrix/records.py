"""The nouns of a matrix: what a matrix file says, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from envcheck.matrix.problems import Path, position, shown_place
from envcheck.model import GATE, Axes, Gate, Verdict, Workload

BACKENDS = ("venv", "docker", "conda")
"""The ways to make an environment. A matrix without a backend axis means the first."""

When = Mapping[str, tuple[str, ...]]
"""Conditions on axes, all of which must hold: axis -> alternatives, of which one must."""


class Exclude(msgspec.Struct, frozen=True):
    """Cells that are not run, and why."""

    when: When
    because: str


class Expect(msgspec.Struct, frozen=True):
    """What some cells should come out as, and why that is right."""

    when: When
    verdict: Verdict
    because: str


class Docker(msgspec.Struct, frozen=True):
    """Settings of the docker backend: the base image of each CUDA version (or "none"), a registry asked for them.

    `network`, `apt_mirror` and `ca_bundle` are for builds alone; `environment` is set where the cell runs.
    """

    images: Mapping[str, str] = {}
    mirror: str | None = None
    engine: str | None = None
    network: str | None = None
    apt_mirror: str | None = None
    ca_bundle: str | None = None
    software_gl: bool = False
    managed_python: bool = False
    environment: Mapping[str, str] = {}


class Conda(msgspec.Struct, frozen=True):
    """Settings of the conda backend: channels, the first preferred; further packages; a program that does the work."""

    channels: tuple[str, ...] = ("conda-forge",)
    packages: tuple[str, ...] = ()
    program: str | None = None


class Backends(msgspec.Struct, frozen=True):
    """Settings of single backends."""

    docker: Docker = Docker()
    conda: Conda = Conda()


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """A checked matrix file.

    `axes` are in the order of `model.AXES` and always hold `backend`; `zip` lists the groups of axes that move
    together. `positions` are one-based (line, column) of every value, by path; `place` turns a path into words.
    """

    name: str
    axes: Mapping[str, tuple[str, ...]]
    zip: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[Exclude, ...] = ()
    include: tuple[Axes, ...] = ()
    tiers: Mapping[str, When] = {}
    expect: tuple[Expect, ...] = ()
    workload: Workload = Workload()
    gate: Gate = GATE
    backends: Backends = Backends()
    positions: Mapping[Path, tuple[int, int]] = {}

    def place(self, *path: str | int) -> str:
        """Where a value stands, for messages: `matrix.yaml:14:5 axes.cuda[0]`."""
        return shown_place(self.name, position(path, self.positions), path)
