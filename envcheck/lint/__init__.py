"""Source text -> findings with their places: what keeps FaceMesh off the GPU. Pure; one file per group of checks.

SRC801-803 legacy, SRC804-806 and SRC819 delegate, SRC807 lifetime, SRC808-809 forks, SRC810-813 frames, SRC814-815
timing, SRC816-817 and SRC821 beliefs, SRC820 fallback, SRC829-839 Dockerfiles, SRC840-844 compose and Kubernetes,
SRC850-854 `docker run`; SRC800 a file that cannot be read, SRC898-899 comments that ignore findings.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from envcheck.lint import beliefs, delegate, fallback, forks, frames, legacy, lifetime, timing
from envcheck.lint.catalogue import BY_CODE, CHECKS
from envcheck.lint.finding import Check, Finding, Hit, Level
from envcheck.lint.ignores import Ignore, ignores, lines_of
from envcheck.lint.kinds import PYTHON, kind_of
from envcheck.lint.placing import about, placed, worded
from envcheck.lint.program import Program
from envcheck.lint.source import Source, read

OF_MEDIAPIPE: tuple[Callable[[Program], Iterator[Hit]], ...] = (
    legacy.legacy,
    legacy.helpers,
    legacy.parameters,
    delegate.missing,
    delegate.on_purpose,
    delegate.not_by_name,
    delegate.asked_of_cuda,
    fallback.unheard,
    lifetime.per_frame,
    forks.before_fork,
    forks.at_import,
    frames.three_channels,
    frames.wrong_order,
    frames.image_mode,
    frames.timestamps,
    timing.other_work,
    timing.first_call,
    beliefs.cuda_settings,
    beliefs.invented_settings,
)
"""Checks that can only answer in a file that names MediaPipe."""


def nothing_beside(_: str) -> bytes | None:
    """There are no other files."""
    return None


def lint(
    path: str,
    data: bytes,
    *,
    codes: frozenset[str],
    version: tuple[int, ...] | None = None,
    driver: str = "",
    beside: Callable[[str], bytes | None] = nothing_beside,
) -> list[Finding]:
    """The findings of one file, in the order of their places. `codes` are those asked for.

    Of Dockerfiles and their like: `driver` is the NVIDIA driver that is expected, `beside` reads a file by its path
    from the folder of this one.
    """
    kind = kind_of(path, data)
    if kind is None:
        findings = []
    elif kind == PYTHON:
        findings = of_python(path, data, codes, version)
    else:
        from envcheck.lint import containers  # the tables, and a YAML reader: Python files need neither

        findings = containers.lint(path, data, kind, codes, version, driver, beside)
    kept = [finding for finding in findings if finding.code in codes]
    return sorted(kept, key=lambda f: (f.cell or 0, f.line, f.column, f.code))


def of_python(path: str, data: bytes, codes: frozenset[str], version: tuple[int, ...] | None) -> list[Finding]:
    """The findings of a Python file or a notebook."""
    source, findings = read(path, data)
    return findings + judged(source, codes, version) if source is not None else findings


def judged(source: Source, codes: frozenset[str], version: tuple[int, ...] | None) -> list[Finding]:
    """What the checks say, less what comments ignore, and what is wrong with those comments."""
    hits: list[tuple[Hit, tuple[int, ...]]] = []  # each with the lines whose comment can ignore it
    if any(word in source.text for word in ("mediapipe", *beliefs.LINES)):
        program = Program(source.tree, version)
        checks = (*OF_MEDIAPIPE, beliefs.log_lines) if "mediapipe" in source.text else (beliefs.log_lines,)
        found = dict.fromkeys(hit for check in checks for hit in check(program) if hit.code in codes)
        hits += [(hit, lines_of_hit(program, hit.node)) for hit in found]
    comments = ignores(source)
    used: set[tuple[Ignore, str]] = set()
    findings = []
    for hit, lines in hits:
        matching = [c for c in comments if c.line in lines and hit.code in c.codes]
        used.update((comment, hit.code) for comment in matching)
        if not matching:
            findings.append(finding(source, hit))
    return [*findings, *about(source, comments, used, codes)]


def lines_of_hit(program: Program, node: ast.AST) -> tuple[int, ...]:
    """The lines whose comment can ignore a finding: its own, and the first and last of its statement."""
    own = getattr(node, "lineno", 0)
    return own, getattr(node, "end_lineno", own) or own, *lines_of(program.scopes.statement(node))


def finding(source: Source, hit: Hit) -> Finding:
    """A hit with its place and words."""
    return placed(source.path, hit.code, worded(hit.code, hit.detail), source.span(hit.node), hit.level)


__all__ = ["BY_CODE", "CHECKS", "Check", "Finding", "Level", "lint"]
