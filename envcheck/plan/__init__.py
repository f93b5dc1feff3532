"""Plans: what a backend would do for a cell, written down before anything is done.

A backend starts nothing and touches no disk. One executor writes the files, runs the commands and keeps the result;
`render` prints the same plan for a dry run. An environment comes to be in two plans, because only the first one's
result, the lock, says what the second one installs: `resolve` leaves a lock, `build` makes the environment of a lock.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envcheck.model import Axes

ROOT = "{root}"
"""Stands for the folder the plan works in, and later for the folder the environment was published to."""
PYTHON = "{python}"
"""Stands for the host's interpreter that `Backend.python` asked for."""
UV = "{uv}"
"""Stands for the uv program."""
SELF = "{self}"
"""Stands for the interpreter that runs envcheck."""
HOME = "{home}"
"""Stands for the folder the environment will be published to, while the plan works in the root."""

_READABLE = re.compile(r"(?:[\w@%+=:,./-]|\{\w+\})+")


@dataclass(frozen=True, slots=True)
class File:
    """A text file to be written; `path` is relative to the root."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """Files to write, then a command to run in the root. Placeholders may stand anywhere in `argv` and `env`."""

    label: str
    argv: tuple[str, ...]
    files: tuple[File, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    """Variables set for this command, over the user's environment."""
    deadline_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order.

    `result` is the file (relative to the root) that the steps leave as their answer, if they leave one. `python` is the
    argv that starts the interpreter inside. `cleanup` removes what lies outside the root, such as an image; `outside`
    is a command whose answer tells of that, for `Outside.account`.
    """

    steps: tuple[Step, ...]
    result: str = ""
    python: tuple[str, ...] = ()
    cleanup: tuple[Step, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """SHA-256 of everything the plan says: equal keys, equal work."""
        return digest(asdict(self))


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a plan failed: an outcome of `model.Build` other than built and reused, and one sentence."""

    outcome: str
    because: str


class Backend(Protocol):
    """A kind of environment. A module or an object; its functions are pure."""

    @property
    def name(self) -> str:
        """The value of the backend axis."""

    def python(self, axes: Axes) -> str | None:
        """The Python version wanted of the host ("" for any), or None if the environment brings its own."""

    def resolve(self, axes: Axes) -> Plan:
        """The plan whose result is a lock: every part of the environment, pinned. Raises UsageError."""

    def build(self, axes: Axes, lock: str) -> Plan:
        """The plan that makes the environment of a lock."""

    def diagnose(self, output: str) -> Diagnosis:
        """What the output of a failed step means."""


@runtime_checkable
class Outside(Protocol):
    """A backend whose environments do not lie in the root alone."""

    def account(self, answer: bytes) -> Mapping[str, str] | None:
        """What a plan's `outside` has answered, as fields of `model.Build`; None where the environment is gone."""


def digest(value: object) -> str:
    """SHA-256 (hex) of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fill(words: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """The words with every placeholder of `values` replaced; other braces stay."""
    return tuple(_fill(word, values) for word in words)


def _fill(word: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word


def render(plan: Plan) -> str:
    """The plan as a shell-like text for people: files with their contents, commands with their environment."""
    return "".join(f"{line}\n" for line in _lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        yield from _step_lines(step)
    if plan.result:
        yield f"# result: {ROOT}/{plan.result}"
    if plan.python:
        yield f"# python: {_join(plan.python)}"
    for step in plan.cleanup:
        yield "# clean-up"
        yield from _step_lines(step)


def _step_lines(step: Step) -> Iterator[str]:
    yield f"# {step.label}"
    for file in step.files:
        yield f"# file {ROOT}/{file.path}:"
        yield from (f"    {line}" for line in file.text.splitlines())
    yield " ".join([*(f"{name}={_quote(value)}" for name, value in step.env), _join(step.argv)])


def _join(words: tuple[str, ...]) -> str:
    return " ".join(map(_quote, words))


def _quote(word: str) -> str:
    """As a shell wants it, placeholders left readable."""
    return word if _READABLE.fullmatch(word) else shlex.quote(word)
