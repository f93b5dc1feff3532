"""Why a worker did not do its work, in one line."""

from __future__ import annotations

import pytest

from envcheck.model import WorkerRun
from envcheck.reason import reason_of

EMULATION = "GPU emulation detected, but not supported."
GRAPH = (
    "ValidatedGraphConfig Initialization failed.\nThe subgraph that holds the InferenceCalculator, was "
    f"not provided and cannot be created: {EMULATION}"
)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (GRAPH, "RuntimeError", f"RuntimeError: {EMULATION}"),
        ("one\n  two", "ValueError", "ValueError: one two"),
        ("word " * 100 + "the end", "OSError", f"OSError: … {'word ' * 10}the end"),
        ("x" * 100 + "y" * 60, "OSError", f"OSError: … {'y' * 60}"),
        ("", "KeyError", "KeyError"),
        ("", "", ""),
    ],
    ids=["the cause", "one line", "no part of a word", "one long word", "no text", "nothing"],
)
def test_the_cause_is_told_and_not_all_that_stands_around_it(error: str, kind: str, reason: str) -> None:
    run = WorkerRun(delegate="GPU", outcome="refused", error=error, error_type=kind)

    assert reason_of(run, 60) == reason
