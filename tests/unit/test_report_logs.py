"""Logs for people."""

from __future__ import annotations

from msgspec.structs import replace

from envcheck.model import Build
from envcheck.report import logs
from tests.golden import as_if_seen


def test_each_log_stands_under_its_heading_and_the_error_comes_last() -> None:
    text = logs.render(as_if_seen("refused"))

    assert text.index("== delegate=CPU") < text.index("== delegate=GPU")
    assert text.rstrip().endswith("exposes a physical GPU.")


def test_a_cell_without_logs_has_none() -> None:
    assert logs.render(as_if_seen("unreachable")) == ""


def test_what_steers_a_terminal_is_shown_not_obeyed() -> None:
    evidence = as_if_seen("unreachable")
    text = logs.render(replace(evidence, build=Build(outcome="failed", log="\x1b[31mred\nnext")))

    assert text == "== environment\n\\x1b[31mred\nnext\n"


def test_lines_that_were_dropped_are_said_to_be() -> None:
    evidence = as_if_seen("refused")

    assert "(7 lines in the middle were dropped)" in logs.render(
        replace(evidence, gpu=replace(evidence.gpu, log_dropped=7))
    )
