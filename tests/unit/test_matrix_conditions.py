"""Conditions on axis values: which values meet them, and which texts are none."""

from __future__ import annotations

import pytest

from envcheck.matrix.conditions import accepted, condition_fault

MEDIAPIPE = ("0.10.7", "0.10.9", "0.10.21", "1.0.0", "1.2.2", "1.3.0rc1")
PYTHON = ("3.9", "3.10", "3.11", "3.11.9")
DRIVER = ("any", "470", "570", "570.124.06", "1080")
OPENCV = ("4.9.0.80", "4.10.0.84")
BACKEND = ("venv", "docker")


@pytest.mark.parametrize(
    ("axis", "condition", "values", "expected"),
    [
        pytest.param("mediapipe", "1.2.2", MEDIAPIPE, {"1.2.2"}, id="version"),
        pytest.param("mediapipe", "1.0", MEDIAPIPE, {"1.0.0"}, id="padded-version"),
        pytest.param("mediapipe", "<0.10.10", MEDIAPIPE, {"0.10.7", "0.10.9"}, id="by-parts-not-as-numbers"),
        pytest.param("mediapipe", ">=0.10.8,<1.0", MEDIAPIPE, {"0.10.9", "0.10.21"}, id="range"),
        pytest.param("mediapipe", "!=1.2.2", ("1.2.2", "1.0.0"), {"1.0.0"}, id="not"),
        pytest.param("mediapipe", ">1", ("1.0.0", "1.3.0rc1"), {"1.3.0rc1"}, id="pre-releases-count"),
        pytest.param("mediapipe", "~=1.2", MEDIAPIPE, {"1.2.2", "1.3.0rc1"}, id="compatible"),
        pytest.param("mediapipe", " == 1.2.2 ", MEDIAPIPE, {"1.2.2"}, id="blanks"),
        pytest.param("python", "3.11", PYTHON, {"3.11"}, id="exact-python"),
        pytest.param("python", "==3.11.*", PYTHON, {"3.11", "3.11.9"}, id="any-patch"),
        pytest.param("python", ">3.9", PYTHON, {"3.10", "3.11", "3.11.9"}, id="3.10-above-3.9"),
        pytest.param("driver", "any", DRIVER, {"any"}, id="any"),
        pytest.param("driver", "570", DRIVER, {"570"}, id="driver-as-written"),
        pytest.param("driver", "570.124.06", DRIVER, {"570.124.06"}, id="full-driver"),
        pytest.param("driver", "==570", DRIVER, {"570", "570.124.06"}, id="driver-branch"),
        pytest.param("driver", ">=570", DRIVER, {"570", "570.124.06", "1080"}, id="any-meets-no-specifier"),
        pytest.param("driver", "!=570", DRIVER, {"470", "1080"}, id="any-meets-no-inequality"),
        pytest.param("driver", "!=any", DRIVER, {"470", "570", "570.124.06", "1080"}, id="all-but-any"),
        pytest.param("driver", "latest", DRIVER, {"1080"}, id="latest-driver"),
        pytest.param("backend", "venv", BACKEND, {"venv"}, id="backend"),
        pytest.param("backend", "!=venv", BACKEND, {"docker"}, id="not-backend"),
        pytest.param("opencv", "==4.9.0.80", OPENCV, {"4.9.0.80"}, id="opencv"),
        pytest.param("opencv", "latest", OPENCV, {"4.10.0.84"}, id="latest-opencv"),
        pytest.param("mediapipe", "latest", MEDIAPIPE, {"1.3.0rc1"}, id="latest"),
        pytest.param("python", "oldest", PYTHON, {"3.9"}, id="oldest"),
        pytest.param("backend", "latest", BACKEND, set(), id="words-have-no-rank"),
    ],
)
def test_a_condition_is_met_by(axis: str, condition: str, values: tuple[str, ...], expected: set[str]) -> None:
    assert condition_fault(axis, condition, ranks=True) is None
    assert accepted(axis, (condition,), values, values) == expected


def test_of_alternatives_one_must_hold() -> None:
    assert accepted("mediapipe", ("oldest", "1.0.0"), MEDIAPIPE, MEDIAPIPE) == {"0.10.7", "1.0.0"}


def test_a_rank_is_sought_among_the_ranked_values_alone() -> None:
    assert accepted("mediapipe", ("latest",), MEDIAPIPE, MEDIAPIPE[:3]) == {"0.10.21"}


@pytest.mark.parametrize(
    ("axis", "condition"),
    [
        pytest.param("mediapipe", "=>1", id="operator"),
        pytest.param("mediapipe", "1.2.*", id="wildcard-without-operator"),
        pytest.param("mediapipe", ">=", id="no-version"),
        pytest.param("mediapipe", ",", id="comma"),
        pytest.param("mediapipe", " ", id="blank"),
        pytest.param("mediapipe", "1.2,1.3", id="two-versions"),
        pytest.param("mediapipe", "any", id="word"),
        pytest.param("driver", ">=570.1", id="driver-version-in-specifier"),
        pytest.param("driver", ">any", id="order-of-any"),
        pytest.param("driver", "latest-ish", id="driver-word"),
        pytest.param("backend", ">=venv", id="order-of-backends"),
        pytest.param("backend", "podman", id="backend"),
        pytest.param("opencv", ">=4.9", id="order-of-opencv"),
        pytest.param("opencv", "4.9-x", id="opencv-dash"),
    ],
)
def test_a_text_is_no_condition(axis: str, condition: str) -> None:
    assert condition in (condition_fault(axis, condition, ranks=True) or "")


def test_ranks_are_refused_where_versions_must_be_named() -> None:
    assert "tiers" in (condition_fault("mediapipe", "latest", ranks=False) or "")
