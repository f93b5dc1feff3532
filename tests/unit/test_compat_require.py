"""NVIDIA_REQUIRE_*: what an image asks of the driver."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.compat.require import Properties, evaluate, required
from envcheck.record import Unread

A4000 = Properties(cuda="12.8", driver="570.124.06", arch="8.6", brand="nvidiartx")
CUDA_11_5 = "cuda>=11.5 brand=tesla,driver>=418,driver<419 brand=tesla,driver>=450,driver<451"


def answer(value: str, *gpus: Properties) -> bool | None:
    satisfied = evaluate({"NVIDIA_REQUIRE_CUDA": value}, gpus or (A4000,)).satisfied
    return None if isinstance(satisfied, Unread) else satisfied


@pytest.mark.parametrize(
    ("value", "satisfied"),
    [
        ("cuda>=12.8", True),
        ("cuda>=12.9", False),
        ("cuda>=12.10", False),
        ("cuda<13", True),
        ("cuda=12.8.0", True),
        ("cuda!=12.8", False),
        ("cuda<=12.8", True),
        ("cuda>12.8", False),
        ("driver>=570", True),
        ("driver>=570,driver<571", True),
        ("driver>=570,driver<570.100", False),
        ("arch>=9.0", False),
        ("brand=nvidiartx", True),
        ("brand!=nvidiartx", False),
        ("cuda>=13.0 brand=nvidiartx,driver>=570,driver<571", True),
        ("cuda>=13.0 brand=tesla,driver>=570,driver<571", False),
        ("cuda>=13.0 driver>=580", False),
        (CUDA_11_5, True),
        ("", True),
        ("  ", True),
        ("colour=green", True),
        ("colour=green,cuda>=13", False),
        ("cuda", None),
        ("cuda>=", None),
        ("cuda>=new", None),
    ],
)
def test_spaces_are_alternatives_and_commas_join_conditions(value: str, satisfied: bool | None) -> None:
    assert answer(value) is satisfied


def test_the_condition_that_failed_is_named_with_what_is_here() -> None:
    assert evaluate({"NVIDIA_REQUIRE_CUDA": "cuda>=13.0"}, [A4000]).term == "cuda>=13.0 (here: 12.8)"


@pytest.mark.parametrize(
    ("value", "satisfied"),
    [("brand=tesla", None), ("brand=tesla,driver>=580", False), ("brand=tesla driver>=570", True)],
)
def test_a_property_that_is_not_known_decides_only_where_the_others_do_not(value: str, satisfied: bool | None) -> None:
    assert answer(value, Properties(cuda="12.8", driver="570.124.06")) is satisfied


def test_every_variable_must_hold_for_every_gpu_and_a_sure_failure_goes_first() -> None:
    old = Properties(cuda="12.8", driver="570.124.06", arch="5.2", brand="geforce")
    variables = {"NVIDIA_REQUIRE_ARCH": "arch>=8.0", "NVIDIA_REQUIRE_CUDA": "cuda", "OTHER": "cuda>=99"}

    assert evaluate(variables, [A4000, old]).term == "arch>=8.0 (here: 5.2)"


@pytest.mark.parametrize("value", ["1", "true", "T"])
def test_the_check_can_be_switched_off(value: str) -> None:
    variables = {"NVIDIA_REQUIRE_CUDA": "cuda>=99", "NVIDIA_DISABLE_REQUIRE": value}

    assert required(variables) == {}
    assert evaluate(variables, [A4000]).satisfied is True


def test_a_switch_that_is_no_yes_and_requirements_of_a_jetson_change_nothing() -> None:
    variables = {"NVIDIA_REQUIRE_CUDA": "cuda>=99", "NVIDIA_DISABLE_REQUIRE": "no", "NVIDIA_REQUIRE_JETPACK": "x"}

    assert required(variables) == {"NVIDIA_REQUIRE_CUDA": "cuda>=99"}
    assert evaluate(variables, [A4000]).satisfied is False


@given(st.text(alphabet="cudarivebn<>=!., 0123456789x", max_size=40), st.sampled_from([None, "", "570", "x.y"]))
def test_any_text_is_answered(value: str, driver: str | None) -> None:
    made = evaluate({"NVIDIA_REQUIRE_CUDA": value}, [Properties(driver=driver, cuda=driver)])

    assert made.satisfied in (True, False) or isinstance(made.satisfied, Unread)
