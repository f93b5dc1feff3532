"""What the workers of a cell are driven with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from envcheck.cell.worker import Material, Worker
from envcheck.model import Gate, Host, ModelFile


@dataclass(frozen=True)
class Setting:
    """What all cells of a run share."""

    host: Host
    gate: Gate
    material: Material
    model: ModelFile
    env: Mapping[str, str]
    deadline_s: float


class Start(Protocol):
    """Starts a worker that is gone when the cell is done."""

    def __call__(self, delegate: str, api: str = "tasks") -> Worker:
        """A fresh process."""
        ...


@dataclass(frozen=True)
class Stage:
    """What the workers of one cell are driven with."""

    setting: Setting
    progress: Callable[[str], None]
    start: Start
