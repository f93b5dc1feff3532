"""The labels of the runners that can serve a driver, and their convention."""

from __future__ import annotations

import re
from dataclasses import dataclass

from envcheck.errors import UsageError
from envcheck.model import ANY_DRIVER

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
"""What both platforms take, and nothing that YAML, a shell or an expression would obey."""
SLOT = "{driver}"


@dataclass(frozen=True)
class Runners:
    """Labels that every runner has, and the form of the one that tells its driver: `driver-570`.

    A runner has one label for each driver that the matrix names and that it can serve: of a host with 570.124.06 those
    are driver-570 and, where cells name the version, driver-570.124.06.
    """

    base: tuple[str, ...] = ("self-hosted", "linux", "gpu")
    form: str = f"driver-{SLOT}"

    def __post_init__(self) -> None:
        if SLOT not in self.form:
            raise UsageError(
                f"--driver-label {self.form!r} does not name {SLOT}", remedy="--driver-label driver-{driver}"
            )
        for label in (*self.base, self.form.replace(SLOT, "570.1")):
            if not LABEL.fullmatch(label):
                raise UsageError(f"{label!r} is no label of a runner", remedy="Letters, digits, dots, _ and -")

    def labels(self, driver: str) -> tuple[str, ...]:
        """The labels of a runner for cells that need this driver; any runner serves `any`."""
        return self.base if driver == ANY_DRIVER else (*self.base, self.form.replace(SLOT, driver))
