"""docs/compatibility.md holds the tables as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from envcheck.compat import Tables, load_tables
from envcheck.compat.__main__ import main
from envcheck.compat.document import BEGIN, END, render, with_tables
from envcheck.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def test_the_page_holds_the_tables_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page, load_tables()), "run: python -m envcheck.compat docs/compatibility.md"


def test_every_version_is_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    tables = load_tables()
    assert all(f"| {row.version} |" in page for row in tables.mediapipe.releases.rows)
    assert all(f"{row.cuda}: " in page for row in tables.cuda.toolkits.rows)
    assert all(f"| {row.branch} |" in page for row in tables.cuda.branches.rows)
    assert all(f"`{row.library}`" in page for row in tables.libraries.libraries.rows)
    assert all(source.url in page for source in tables.sources.values())


def test_writing_twice_changes_nothing() -> None:
    once = with_tables(f"before\n{BEGIN}\nSTALE\n{END}\nafter\n", load_tables())
    assert with_tables(once, load_tables()) == once
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "STALE" not in once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"], ids=["empty", "no-end", "no-begin", "swapped"])
def test_a_page_without_both_markers_is_refused(page: str) -> None:
    with pytest.raises(UsageError, match="lacks"):
        with_tables(page, load_tables())


def test_empty_tables_can_be_rendered() -> None:
    assert "### Sources" in render(Tables())


def test_without_a_page_the_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == render(load_tables())


def test_a_page_is_written_in_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}", encoding="utf-8")
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == with_tables(f"{BEGIN}{END}", load_tables())


def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("text", encoding="utf-8")
    assert main([str(page)]) == 2
    assert page.read_text(encoding="utf-8") == "text"
    assert "restore them" in capsys.readouterr().err
