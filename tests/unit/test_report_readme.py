"""The compatibility table in Markdown, and its block in a README."""

from __future__ import annotations

import difflib

import pytest
from markdown_it import MarkdownIt

from envcheck.errors import PlaceError
from envcheck.report import readme
from tests.unit.tabled import axes_of, entry_of, every_state, slot_of, table_of

PARSER = MarkdownIt("commonmark").enable(["table"])
README = "# Mine\n\nText `<!-- envcheck:table -->` in a sentence.\n\n{}\nold\n{}\n\nMore.\n"
BLOCK = "| a |\n"


def cells(text: str) -> list[str]:
    """Every place, as a reader sees its source."""
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    return [cell.strip("| ") for row in rows[1:] for cell in row[1:]]


def test_a_place_has_verdict_speed_up_interval_date_and_a_link_to_its_evidence() -> None:
    entry = entry_of()
    text = readme.render(table_of([entry], links={entry.digest: "evidence/venv py.json"}))

    assert "✅ 5.42× (5.15–5.69), [2026-11-19](evidence/venv%20py.json)" in text
    assert "**venv on NVIDIA H200, driver 570.124.06, linux x86\\_64**" in text or "x86_64" in text


def test_a_failure_names_its_finding() -> None:
    assert cells(readme.render(table_of([entry_of("refused")]))) == ["❌ refused GPU105, 2026-11-19"]


def test_every_state_is_shown_and_explained() -> None:
    text = readme.render(every_state())

    for shown in ("⬜ untested", "⏭️ unreachable", "🚫 impossible", "✂️ excluded", "⏳✅ 5.42×", "❔ unknown"):
        assert shown in text
    legend = text.splitlines()[-1]
    assert all(word in legend for word in ("untested:", "unreachable:", "impossible:", "excluded:", "stale:"))


def test_no_link_leads_anywhere_but_to_a_path_or_https() -> None:
    entry = entry_of()
    for target in ("javascript:alert(1)", "data:text/html,x", "ftp://a", "//"):
        text = readme.render(table_of([entry], links={entry.digest: target}))
        hrefs = [c.attrs["href"] for t in PARSER.parse(text) for c in t.children or [] if c.type == "link_open"]
        assert hrefs in ([], ["//"])


def test_a_new_run_of_one_cell_changes_one_line() -> None:
    entries = [entry_of(axes=axes_of(version)) for version in ("1.2.2", "1.1.1", "0.10.35")]
    again = [*entries[:2], entry_of("refused", axes_of("0.10.35"))]
    before, after = (readme.render(table_of(one)).splitlines() for one in (entries, again))
    changed = [line for line in difflib.ndiff(before, after) if line.startswith("+ ") and line.startswith("+ | ")]

    assert len(changed) == 1


def test_the_order_of_entries_does_not_matter() -> None:
    entries = [entry_of(axes=axes_of(version)) for version in ("1.2.2", "1.1.1", "0.10.35")]

    assert readme.render(table_of(entries)) == readme.render(table_of(entries[::-1]))


def test_nothing_is_a_text_too() -> None:
    assert readme.render(table_of([])) == "Nothing was run yet.\n"
    assert "not run yet" in readme.render(table_of([], [slot_of()]))


# --- the block --------------------------------------------------------------------------------------------------


def test_only_the_block_is_replaced() -> None:
    text = README.format(readme.BEGIN, readme.END)
    done = readme.updated(text, BLOCK, "README.md")

    assert done == README.format(readme.BEGIN, readme.END).replace("\nold\n", "\n\n| a |\n\n")
    assert readme.updated(done, BLOCK, "README.md") == done


def test_line_ends_and_indentation_stay_as_they_are() -> None:
    text = README.format(readme.BEGIN, readme.END).replace("\n", "\r\n")
    done = readme.updated(text, BLOCK, "README.md")

    assert done.count("\r\n") == done.count("\n")
    assert readme.updated(done, BLOCK, "README.md") == done


@pytest.mark.parametrize(
    ("markers", "said"),
    [
        (("", ""), "README.md: there is no line <!-- envcheck:table -->"),
        ((readme.BEGIN, ""), "README.md:5: there is no line <!-- /envcheck:table -->"),
        (("", readme.END), "README.md:7: there is no line <!-- envcheck:table -->"),
        ((readme.END, readme.BEGIN), "README.md:5: <!-- /envcheck:table --> comes before <!-- envcheck:table -->"),
        ((readme.BEGIN, f"{readme.END}\n{readme.END}"), "README.md:8: <!-- /envcheck:table --> stands here again"),
        ((f"{readme.BEGIN}\n{readme.BEGIN}", readme.END), "README.md:6: <!-- envcheck:table --> stands here again"),
    ],
    ids=["none", "no end", "no begin", "turned", "two ends", "two begins"],
)
def test_a_missing_or_doubled_marker_is_an_error_that_names_the_line(markers: tuple[str, str], said: str) -> None:
    with pytest.raises(PlaceError) as caught:
        readme.updated(README.format(*markers), BLOCK, "README.md")

    assert str(caught.value) == said
    assert readme.BEGIN in caught.value.remedy
