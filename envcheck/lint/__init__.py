"""Source text -> findings with their places: what keeps FaceMesh off the GPU. Pure; one file per group of checks.

SRC801-803 legacy, SRC804-806 and SRC819 delegate, SRC807 lifetime, SRC808-809 forks, SRC810-813 frames, SRC814-815
timing, SRC816-817 beliefs; SRC800 a file that cannot be read, SRC898-899 comments that ignore findings.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from envcheck.lint import beliefs, delegate, forks, frames, legacy, lifetime, timing
from envcheck.lint.catalogue import BY_CODE, CHECKS
from envcheck.lint.finding import Check, Finding, Hit, Level
from envcheck.lint.ignores import Ignore, ignores, lines_of
from envcheck.lint.program import Program
from envcheck.lint.source import Source, Span, read

OF_MEDIAPIPE: tuple[Callable[[Program], Iterator[Hit]], ...] = (
    legacy.legacy,
    legacy.helpers,
    legacy.parameters,
    delegate.missing,
    delegate.on_purpose,
    delegate.not_by_name,
    delegate.asked_of_cuda,
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
)
"""Checks that can only answer in a file that names MediaPipe."""


def lint(path: str, data: bytes, *, codes: frozenset[str], version: tuple[int, ...] | None = None) -> list[Finding]:
    """The findings of one file, in the order of their places. `codes` are those asked for."""
    source, findings = read(path, data)
    if source is not None:
        findings += judged(source, codes, version)
    kept = [finding for finding in findings if finding.code in codes]
    return sorted(kept, key=lambda f: (f.cell or 0, f.line, f.column, f.code))


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
    check = BY_CODE[hit.code]
    message = f"{check.title}: {hit.detail}" if hit.detail else check.title
    return placed(source.path, hit.code, message, source.span(hit.node), hit.level)


def placed(path: str, code: str, message: str, span: Span, level: Level | None = None) -> Finding:
    """A finding at a place."""
    return Finding(
        path=path, code=code, level=level or BY_CODE[code].level, message=message, line=span.line, column=span.column,
        end_line=span.end_line, end_column=span.end_column, cell=span.cell,
    )  # fmt: skip


def about(
    source: Source, comments: Iterable[Ignore], used: set[tuple[Ignore, str]], codes: frozenset[str]
) -> Iterator[Finding]:
    """SRC898 and SRC899. A code that was not asked for cannot be told to be unused."""
    for comment in comments:
        span = source.place(comment.line, comment.column, comment.line, comment.end_column)
        if not comment.codes or not comment.reason:
            what = "no code in brackets" if not comment.codes else "no reason after the brackets"
            yield placed(source.path, "SRC898", f"{BY_CODE['SRC898'].title}: {what}", span)
        for code in comment.codes:
            if code not in BY_CODE:
                yield placed(source.path, "SRC899", f"{BY_CODE['SRC899'].title}: there is no check {code}", span)
            elif code in codes and (comment, code) not in used:
                yield placed(source.path, "SRC899", f"{BY_CODE['SRC899'].title}: no {code} here", span)


__all__ = ["BY_CODE", "CHECKS", "Check", "Finding", "Level", "lint"]
