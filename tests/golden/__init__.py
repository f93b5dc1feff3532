"""Evidence and the verdicts it must come to."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from envcheck import store
from envcheck.model import Evidence

HERE = Path(__file__).parent


def as_if_seen(verdict: str) -> Evidence:
    """Composed evidence of a verdict without the mark that keeps it from meeting an expectation: for tests of what
    comes after judging."""
    (evidence,) = store.load_evidence(HERE / f"{verdict}.json")
    return replace(evidence, composed="")
