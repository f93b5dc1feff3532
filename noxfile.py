# /// script
# dependencies = ["nox>=2025.2.9", "uv>=0.8"]
# ///
"""The front door: `nox -s validate`. Sessions only; each is a thin call of the `envcheck` command."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["validate"]

BENCHMARKS = (
    "startup",
    "doctor",
    "plan_million",
    "report_10k",
    "environments",
    "second_run",
    "worker_cost",
    "experiment",
    "watch_cost",
)
"""In bench/. What needs an image is run by hand: docker_cells, check_image."""
BYTECODE: dict[str, str | None] = {"PYTHONDONTWRITEBYTECODE": None}
"""Tests start hundreds of processes, and each would compile all that it imports."""
PYPROJECT = nox.project.load_toml("pyproject.toml")


def envcheck(session: nox.Session, *arguments: str) -> None:
    """Install envcheck and run it with the session's own arguments added; its exit code is the session's."""
    session.install("-e", ".[video]", silent=True)
    session.run("envcheck", *arguments, *session.posargs)


def matrix_of(session: nox.Session, example: str) -> tuple[str, ...]:
    """The option that names the example, where the user has named no matrix."""
    named = any(argument.startswith("--matrix") for argument in session.posargs)
    return () if named else ("--matrix", example)


def group(session: nox.Session, name: str) -> None:
    """Install envcheck and one of its dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PYPROJECT, name), silent=True)


@nox.session
def validate(session: nox.Session) -> None:
    """Build, run and judge the cells this host can run (tier smoke), print the table, exit by the gate."""
    envcheck(session, "validate")


@nox.session(default=False)
def validate_venv(session: nox.Session) -> None:
    """The same, cells of the venv backend only."""
    envcheck(session, "validate", "--backend", "venv")


@nox.session(default=False)
def validate_docker(session: nox.Session) -> None:
    """The same, cells of the docker backend only, of the matrix that is named (-- --matrix FILE) or of the example."""
    envcheck(session, "validate", "--backend", "docker", *matrix_of(session, "examples/matrix-docker.yaml"))


@nox.session(default=False)
def prune(session: nox.Session) -> None:
    """List what envcheck has built and kept, with its size; -- --yes removes what no run uses."""
    envcheck(session, "prune")


@nox.session(default=False)
def validate_conda(session: nox.Session) -> None:
    """The same, cells of the conda backend only, of the matrix that is named (-- --matrix FILE) or of the example."""
    session.install("-e", ".[conda,video]", silent=True)
    matrix = matrix_of(session, "examples/matrix-conda.yaml")
    session.run("envcheck", "validate", "--backend", "conda", *matrix, *session.posargs)


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """Every cell that this host can reach, stored, compared with the nights before; exit by regressions too."""
    session.install("-e", ".[conda,video]", silent=True)
    session.run("envcheck", "nightly", *session.posargs)


@nox.session(default=False)
def plan(session: nox.Session) -> None:
    """Show the expanded matrix: reachable, impossible, unreachable and excluded cells, each with its reason."""
    envcheck(session, "plan")


@nox.session(default=False)
def matrix(session: nox.Session) -> None:
    """Write the compatibility table from stored results: Markdown, or -- --format html --output FILE, --readme FILE."""
    envcheck(session, "report")


@nox.session(default=False)
def doctor(session: nox.Session) -> None:
    """Say what this host has, and why FaceMesh would not use its GPU; name your interpreter: -- --python EXE."""
    envcheck(session, "doctor")


@nox.session(default=False)
def tests(session: nox.Session) -> None:
    """Run the project's own tests: unit, golden, functional ones on real MediaPipe wheels, and the fault corpus."""
    group(session, "test")
    # A file at a time to each of a few workers: files share what is dear, and much of a test is waiting.
    words = ("pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
    session.run(*words, *session.posargs, env=BYTECODE)


@nox.session(python=["3.10", "3.11", "3.12", "3.13"], default=False)
def unit(session: nox.Session) -> None:
    """Run the tests that touch no process, on every supported Python."""
    group(session, "test")
    words = ("pytest", "-n", "auto", "--maxprocesses", "4", "tests/unit", "tests/golden")
    session.run(*words, *session.posargs, env=BYTECODE)


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Check style and import direction with ruff and import-linter."""
    group(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """Check types with mypy --strict."""
    group(session, "types")
    session.run("mypy")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/site; a link or an anchor that leads nowhere is an error."""
    group(session, "docs")
    session.run("mkdocs", "build", "--strict", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure envcheck itself, beside others and beside bare loops: one table, appended to bench/history.jsonl."""
    group(session, "test")
    figures = str(Path(session.create_tmp()) / f"{os.getpid()}.jsonl")
    kept = {**BYTECODE, "ENVCHECK_BENCH_RUN": figures}
    for script in BENCHMARKS:
        # 1: a bar is missed, 2: too noisy to tell. The table says which, and the others are measured all the same.
        session.run("python", f"bench/{script}.py", *session.posargs, env=kept, success_codes=[0, 1, 2])
    session.run("python", "bench/ledger.py", "show", figures)


if __name__ == "__main__":
    nox.main()
