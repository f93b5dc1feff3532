"""What a case of the corpus is."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.worlds import NVIDIA, World

DOCTOR = ("doctor", "--json", "--deadline", "8", "--python", "{python}")
CHECK = ("check", "--quiet", "--deadline", "30", "--python", "{python}")
VALIDATE = ("validate", "--quiet", "--matrix", "/opt/matrix.yaml")


@dataclass(frozen=True)
class Case:
    """A broken world, the command that is run in it, and what must come out.

    `symptom` is what its user sees and would say, `cause` what is really wrong. `code` is the finding that must come
    first. In the `twin`, the same world unbroken, that code must not be found.
    """

    id: str
    family: str
    symptom: str
    cause: str
    world: World
    code: str
    twin: World = NVIDIA
    command: tuple[str, ...] = DOCTOR
    verdict: str | None = None
    exit: int = 1
    twin_exits: tuple[int, ...] = (0, 1)
    deadline_s: float = 60.0
