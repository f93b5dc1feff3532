"""Carries out plans: writes their files, runs their commands, and says what a failed command means."""

from __future__ import annotations

import sys
import sysconfig
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from envcheck import process
from envcheck.errors import EnvcheckError, InterruptedRunError
from envcheck.plan import ROOT, SELF, UV, Diagnosis, fill
from envcheck.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envcheck.plan import Backend, Plan, Step

# Python before 3.13 fills these at the first question, without a lock. uv asks, and builds run in threads: all but one
# of them would see them half filled.
sysconfig.get_config_vars()

LOG_LINES = 40
"""Last lines of a command's output that are kept."""


class Run(Protocol):
    """`process.run`, or a fake of it."""

    def __call__(
        self, argv: Sequence[str], *, deadline_s: float, env: Mapping[str, str] | None, cwd: Path | None
    ) -> process.Completed:
        """Run a command."""


def find_uv() -> str:
    """Path of the uv program that came with envcheck. Raises EnvcheckError."""
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise EnvcheckError(f"uv's program is missing: {error}", remedy="Install it anew: pip install uv") from None


def running_python() -> str:
    """Path of the interpreter that runs envcheck, outside of the virtual environment that it may run in."""
    return getattr(sys, "_base_executable", None) or sys.executable


@dataclass(frozen=True, slots=True)
class Tools:
    """What reaches out of this process: commands, the clock (seconds since 1970), and where uv and Python are."""

    run: Run = process.run
    now: Callable[[], float] = time.time
    uv: Callable[[], str] = find_uv
    python: Callable[[], str] = running_python


class PlanFailedError(Exception):
    """A plan came to no end: `diagnosis` says why, `log` holds the last lines of its output, secrets hidden."""

    def __init__(self, diagnosis: Diagnosis, log: str = "") -> None:
        super().__init__(diagnosis.because)
        self.diagnosis = diagnosis
        self.log = log


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs the plans of one backend with one environment, telling `progress` each step's label."""

    backend: Backend
    env: Mapping[str, str]
    tools: Tools
    progress: Callable[[str], None]

    def execute(self, plan: Plan, root: Path, placeholders: Mapping[str, str]) -> str:
        """Carry out a plan in `root`; returns the last lines of what its commands said.

        Raises PlanFailedError, InterruptedRunError where the run was stopped, and OSError where a file cannot be
        written.
        """
        values = {**placeholders, ROOT: str(root), UV: self.tools.uv(), SELF: sys.executable}
        return "".join(self._run_step(step, root, values) for step in plan.steps)

    def call(
        self, argv: Sequence[str], cwd: Path, deadline_s: float, env: Mapping[str, str] | None = None
    ) -> process.Completed:
        """Run one command. Raises InterruptedRunError if the run was stopped meanwhile: its end then says nothing."""
        done = self.tools.run(argv, env=self.env if env is None else env, cwd=cwd, deadline_s=deadline_s)
        if not done.succeeded and process.stopped():
            raise InterruptedRunError(f"interrupted while {argv[0]} ran")
        return done

    def _run_step(self, step: Step, root: Path, values: Mapping[str, str]) -> str:
        self.progress(step.label)
        for file in step.files:
            path = root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
        names, texts = tuple(name for name, _ in step.env), tuple(value for _, value in step.env)
        env = {**self.env, **dict(zip(names, fill(texts, values), strict=True))}
        done = self.call(fill(step.argv, values), root, step.deadline_s, env)
        output = redact((done.stdout + done.stderr).decode(errors="replace"), env)
        if done.succeeded:
            return _tail(output)
        raise PlanFailedError(self._diagnose(step, done, output), _tail(output) or done.describe())

    def _diagnose(self, step: Step, done: process.Completed, output: str) -> Diagnosis:
        if done.returncode is not None and not done.timed_out:
            return self.backend.diagnose(output)
        return Diagnosis("failed", f"{step.label}: {done.describe()}")


def _tail(output: str) -> str:
    return "".join(f"{line}\n" for line in output.splitlines()[-LOG_LINES:])
