"""`envcheck doctor --json` beside the other doctors: cold process, warm files, and what each says about GL.

The others come from the package index, each into a virtual environment of its own under --folder, made once. Bar: at
most 0.6 s on a machine without GPU, faster than each of them, and the only one that says anything about EGL or GL.

    python bench/doctor.py [--runs 5] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ledger import note

BAR_S = 0.6
GL = re.compile(r"\b(?:lib)?(?:EGL|GLES\w*|OpenGL|GLX|glvnd|llvmpipe|Mesa)\b", re.IGNORECASE)


class Doctor(NamedTuple):
    """A command that looks at a machine, and what has to be installed for it; "" for envcheck, which is here."""

    name: str
    requirement: str
    arguments: tuple[str, ...]


class Visit(NamedTuple):
    """Wall time in seconds, the exit status, and the lines that say something about GL."""

    seconds: float
    status: int
    gl_lines: int
    traceback: bool


DOCTORS = (
    Doctor("envcheck doctor --json", "", ("-m", "envcheck", "doctor", "--json")),
    Doctor("torch.utils.collect_env", "torch==2.13.0", ("-m", "torch.utils.collect_env")),
    Doctor("rapids doctor", "rapids-cli", ("bin/rapids", "doctor")),
    Doctor("env-doctor check", "env-doctor", ("bin/env-doctor", "check")),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; 0 where the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--folder", type=Path, default=cache / "envcheck" / "bench-doctor")
    options = parser.parse_args(argv)
    visits = in_turn([command(doctor, options.folder) for doctor in DOCTORS], options.runs)
    for doctor, visit in zip(DOCTORS, visits, strict=True):
        ended = f"exit {visit.status}{', a traceback' if visit.traceback else ''}"
        print(f"{doctor.name:26} {visit.seconds:6.2f} s   {visit.gl_lines:3} lines about GL   {ended}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return verdict(visits[0], visits[1:])


def command(doctor: Doctor, folder: Path) -> list[str]:
    """The argv of a doctor, installed if need be."""
    if not doctor.requirement:
        return [sys.executable, *doctor.arguments]
    environment = folder / re.sub(r"[^A-Za-z0-9.]+", "-", doctor.requirement)
    done = environment / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        python = environment / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", doctor.requirement], check=True)
        done.touch()
    first, *rest = doctor.arguments
    return [str(environment / first), *rest] if "/" in first else [str(environment / "bin" / "python"), first, *rest]


def in_turn(commands: Sequence[Sequence[str]], runs: int) -> list[Visit]:
    """The median of some runs of each command, one after the other in every round, so that a busy minute hits all.

    The first round compiles and caches, and is not counted: a user's second run finds things so.
    """
    rounds = [[visit(argv) for argv in commands] for _ in range(runs + 1)]
    return [
        last._replace(seconds=statistics.median(one[number].seconds for one in rounds[1:]))
        for number, last in enumerate(rounds[-1])
    ]


def visit(argv: Sequence[str]) -> Visit:
    """One run, with compiled modules allowed as for any user."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    about_gl = sum(bool(GL.search(line)) for line in done.stdout.splitlines())
    return Visit(seconds, done.returncode, about_gl, "Traceback (most recent" in done.stdout + done.stderr)


def verdict(ours: Visit, others: Sequence[Visit]) -> int:
    """Whether each part of the bar is met."""
    answered = ours.status in (0, 1) and not ours.traceback
    fastest = min(other.seconds for other in others)
    note("doctor", ours.seconds, "s", f"at most {BAR_S} s", met=answered and ours.seconds <= BAR_S)
    note("doctor: the fastest peer / envcheck", fastest / ours.seconds, "x", "above 1", met=fastest > ours.seconds)
    parts = {
        f"at most {BAR_S} s": answered and ours.seconds <= BAR_S,
        "faster than each": answered and all(ours.seconds < other.seconds for other in others),
        "the only one about GL": ours.gl_lines > 0 and not any(other.gl_lines for other in others),
    }
    print("; ".join(f"{part}: {'met' if met else 'missed'}" for part, met in parts.items()))
    return int(not all(parts.values()))


if __name__ == "__main__":
    sys.exit(main())
