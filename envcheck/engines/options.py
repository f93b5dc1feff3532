"""How engines read the user's options: parsers that name the option, its text and the page that explains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envcheck.errors import UsageError

REMEDY = "docs/fleet.md lists the options of this engine."


def refusal(key: str, text: str, because: object) -> UsageError:
    """What is wrong with an option."""
    return UsageError(f"--engine-option {key}={text}: {because}", remedy=REMEDY)


def number(kind: type, least: float) -> Callable[[str, str], Any]:
    """A parser of numbers."""

    def parse(key: str, text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = -1
        if not least <= value < 1e6:
            raise refusal(key, text, f"not a number from {least:g} on")
        return value

    return parse
