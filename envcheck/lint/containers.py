"""Dockerfiles, compose files, Kubernetes' pods and scripts that start containers -> findings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envcheck.lint import compose, imagechecks, kinds, runlines
from envcheck.lint.finding import Finding
from envcheck.lint.ignores import Ignore
from envcheck.lint.image import Beside
from envcheck.lint.placing import about, placed, worded
from envcheck.lint.source import Unreadable, unreadable
from envcheck.lint.textual import Spot, Text, decoded, ignores_of, lines_of_spot


def lint(
    path: str,
    data: bytes,
    kind: str,
    codes: frozenset[str],
    version: tuple[int, ...] | None,
    driver: str,
    beside: Beside,
) -> list[Finding]:
    """The findings of one file of a known kind."""
    try:
        text = decoded(path, data)
        spots = once(faults(text, kind, version, driver, beside))
    except Unreadable as error:
        return [unreadable(path, error)]
    return judged(text, [spot for spot in spots if spot.code in codes], codes)


def faults(text: Text, kind: str, version: tuple[int, ...] | None, driver: str, beside: Beside) -> Iterator[Spot]:
    """What is wrong with a file. Raises Unreadable."""
    if kind == kinds.DOCKERFILE:
        return imagechecks.faults(text, beside, version, driver)
    reader = compose.faults if kind == kinds.COMPOSE else runlines.faults
    return reader(text, beside, version is not None)


def once(spots: Iterable[Spot]) -> list[Spot]:
    """Each fault once: services that share a part of a file share its faults."""
    return list({(spot.code, spot.start, spot.end, spot.detail): spot for spot in spots}.values())


def judged(text: Text, spots: list[Spot], codes: frozenset[str]) -> list[Finding]:
    """Findings, less what comments ignore, and what is wrong with those comments."""
    comments = ignores_of(text)
    used: set[tuple[Ignore, str]] = set()
    findings = []
    for spot in spots:
        lines = lines_of_spot(text, spot) if comments else frozenset[int]()
        matching = [comment for comment in comments if comment.line in lines and spot.code in comment.codes]
        used.update((comment, spot.code) for comment in matching)
        if not matching:
            findings.append(finding(text, spot))
    return [*findings, *about(text, comments, used, codes)]


def finding(text: Text, spot: Spot) -> Finding:
    """A fault with its place and words."""
    end = min(max(spot.end, spot.start), len(text.text))
    return placed(text.path, spot.code, worded(spot.code, spot.detail), text.span(spot.start, end), spot.level)
