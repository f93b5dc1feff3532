"""Every error envcheck raises on purpose, with the exit code it ends in.

EnvcheckError               4   envcheck itself failed
├── UsageError              2   an argument or a configuration is wrong
│   └── PlaceError          2   … at a place in a file: `matrix.yaml:14:5 axes.cuda[0]: …`
├── NothingSelectedError    3   nothing selected, or nothing ran
├── InfrastructureError    75   a retry elsewhere may mend it (registry silent, GPU gone)
└── InterruptedRunError   130   Ctrl-C or SIGTERM
"""

from __future__ import annotations

from typing import ClassVar

MET = 0
"""Exit code: every selected cell met its expectation."""
UNMET = 1
"""Exit code: at least one cell did not meet its expectation."""


class EnvcheckError(Exception):
    """The root: a message for the user, the way out, and an exit code.

    `message` says what was seen and what was expected; `remedy` says what to do next (may be empty).
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message


class UsageError(EnvcheckError):
    """An argument or a configuration is wrong."""

    exit_code = 2


class PlaceError(UsageError):
    """A configuration file is wrong at a known place.

    `place` reads `FILE[:LINE:COLUMN][ PATH]`, with one-based line and column.
    """

    def __init__(self, place: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{place}: {message}", remedy=remedy)
        self.place = place


class NothingSelectedError(EnvcheckError):
    """Nothing was selected, or nothing ran: never a pass."""

    exit_code = 3


class InfrastructureError(EnvcheckError):
    """Something outside failed that a retry, here or elsewhere, may mend."""

    exit_code = 75


class InterruptedRunError(EnvcheckError):
    """The user or the system asked envcheck to stop."""

    exit_code = 130


EXIT_CODES: dict[int, str] = {
    MET: "every selected cell met its expectation",
    UNMET: "at least one selected cell did not meet its expectation",
    UsageError.exit_code: "usage or configuration error",
    NothingSelectedError.exit_code: "nothing selected, or nothing ran",
    EnvcheckError.exit_code: "envcheck itself failed",
    InfrastructureError.exit_code: "infrastructure that a retry elsewhere may mend",
    InterruptedRunError.exit_code: "interrupted",
}
"""What each exit code means; docs and `--help` are checked against it."""
