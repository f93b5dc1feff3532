"""What a case of the corpus is."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.worlds import NVIDIA, PLAIN, World

DOCTOR = ("doctor", "--json", "--python", "{python}")
HASTY_DOCTOR = (*DOCTOR, "--deadline", "15")
"""For worlds in which something does not come back: many times what everything else takes."""
CHECK = ("check", "--quiet", "--deadline", "120", "--python", "{python}")
VALIDATE = ("validate", "--quiet", "--matrix", "/opt/matrix.yaml")


@dataclass(frozen=True)
class Twin:
    """A world that differs from a broken one by the fault alone, and what comes out in it.

    `code` is the finding that comes first, None where there is none.
    """

    world: World = NVIDIA
    code: str | None = None
    verdict: str | None = None
    exit: int = 1


HEALTHY = Twin(exit=0)
"""The whole driver: a look finds nothing to complain of."""
NO_DRIVER = Twin(PLAIN, "GPU105")
REFUSED = Twin(PLAIN, "GPU105", "refused")
"""An ordinary machine without a GPU: MediaPipe says no, and the reason is the missing driver."""
LIKE_A_GPU = Twin(NVIDIA, "GPU103", "contradictory")
"""The whole driver, made of stand-ins: everything works and nothing of it is a GPU, which is as far as a world goes."""


@dataclass(frozen=True)
class Case:
    """A broken world, the command that is run in it, and what must come out.

    `symptom` is what its user sees and would say, `cause` what is really wrong. `code` is the finding that must come
    first. In the `twin`, the same world unbroken, that code is not found, and the outcome is the twin's own.
    """

    id: str
    family: str
    symptom: str
    cause: str
    world: World
    code: str
    twin: Twin = HEALTHY
    command: tuple[str, ...] = DOCTOR
    verdict: str | None = None
    exit: int = 1
    deadline_s: float = 600.0
    """Only a hang takes this long, on a machine however busy."""
