"""Versions are compared component by component."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.compat.versions import NEWEST, components, is_branch, known_components, starts_with

versions = st.lists(st.integers(0, 9999), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pytest.param("570.26", "570.124.06", id="not-as-floats"),
        pytest.param("12.9", "12.10", id="not-as-text"),
        pytest.param("525.60.12", "525.60.13", id="the-last-component-counts"),
        pytest.param("999.99", "1000.1", id="digits-do-not-count"),
        pytest.param("570", "570.26", id="a-branch-is-older-than-its-drivers"),
    ],
)
def test_the_older_version_is_smaller(older: str, newer: str) -> None:
    assert known_components(older) < known_components(newer)


def test_leading_zeros_do_not_matter() -> None:
    assert components("570.124.06") == components("570.124.6")


@pytest.mark.parametrize(
    "text", ["", "any", "570.", ".570", "570..1", "570.x", "v570", "570 ", "-1", "1e3", "²", "٣", "1" * 5000]
)
def test_what_is_no_dotted_version_has_no_components(text: str) -> None:
    assert components(text) is None


def test_a_bad_version_out_of_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no dotted version"):
        known_components("570.x")


@pytest.mark.parametrize(
    ("version", "prefix", "expected"),
    [
        pytest.param("570.124.06", "570", True, id="branch"),
        pytest.param("570.124.06", "570.124", True, id="two-components"),
        pytest.param("570.124.06", "570.124.06", True, id="itself"),
        pytest.param("570.124.06", "570.12", False, id="not-by-text"),
        pytest.param("12.10", "12.1", False, id="not-by-text-either"),
        pytest.param("570", "570.124", False, id="shorter-than-the-prefix"),
    ],
)
def test_prefixes_are_whole_components(version: str, prefix: str, expected: bool) -> None:
    assert starts_with(known_components(version), known_components(prefix)) is expected


@given(versions, versions)
def test_newest_is_above_everything_that_starts_with_the_prefix(prefix: tuple[int, ...], rest: tuple[int, ...]) -> None:
    assert prefix + NEWEST > prefix + rest


@given(versions)
def test_only_one_component_is_a_branch(version: tuple[int, ...]) -> None:
    assert is_branch(version) is (len(version) == 1)
