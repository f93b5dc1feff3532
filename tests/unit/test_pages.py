"""Pages of codes: `envcheck explain` and docs/findings.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from envcheck.errors import UsageError
from envcheck.lint import CHECKS
from envcheck.pages import PAGES, document, index, page
from envcheck.rules import RULES
from envcheck.rules.watched import ADVICE


def test_the_page_of_a_code_is_found_in_any_case_and_a_near_miss_is_suggested() -> None:
    assert page("egl202").startswith("EGL202")
    with pytest.raises(UsageError) as error:
        page("EGL2O2")
    assert "EGL202" in error.value.remedy


def test_the_index_lists_every_code() -> None:
    assert [line.split()[0] for line in index().splitlines()] == sorted(PAGES)


def test_the_findings_page_is_generated_from_the_rules() -> None:
    written = (Path(__file__).parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")

    assert written == document()


def test_rules_and_lint_checks_share_one_list_of_codes_and_no_code() -> None:
    assert len(PAGES) == len(RULES) + len(CHECKS) + len(ADVICE)


def test_the_page_of_a_lint_check_holds_code_to_paste() -> None:
    assert "    options = vision.FaceLandmarkerOptions(" in page("SRC801")
