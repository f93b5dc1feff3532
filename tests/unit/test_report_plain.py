from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.report.plain import UNSEEN, span, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("title\x1b]0;owned\x07", r"title\x1b]0;owned\x07"),
        ("over\rwritten", r"over\rwritten"),
        ("\x9b31m", r"\x9b31m"),
        ("evil \u202e txt", r"evil \u202e txt"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ud800", r"\ud800"),
        ("a\u2028b", r"a\u2028b"),
        ("a\0b\x08", r"a\x00b\x08"),
        ("two\nlines\r\nand three", "two lines and three"),
        ("a\tb", "a    b"),
        ("  edges \n", "edges"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
        ("größer 大 é", "größer 大 é"),
    ],
    ids=[
        "colour",
        "window title",
        "carriage return",
        "C1 control",
        "direction",
        "zero width",
        "surrogate",
        "line separator",
        "NUL and backspace",
        "lines",
        "tab",
        "edges",
        "markup",
        "letters",
    ],
)
def test_what_steers_a_terminal_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_can_be_kept() -> None:
    assert visible("one\n  two\x1b", keep_lines=True) == "one\n  two\\x1b"


@given(st.text())
def test_nothing_unseen_is_left(text: str) -> None:
    assert not [character for character in visible(text) if unicodedata.category(character) in UNSEEN]


def test_a_span_has_two_ends_or_one_or_none() -> None:
    assert span(["2026-11-30", "", "2026-11-28", "2026-11-29"]) == "2026-11-28 to 2026-11-30"
    assert span(["2026-11-30", "2026-11-30"]) == "2026-11-30"
    assert span(["", ""]) == span([]) == ""
