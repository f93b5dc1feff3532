"""The driver of a cell against the host's, and GPUs in MIG mode."""

from __future__ import annotations

import pytest

from envcheck.compat import codes, driver_match, gpu_prediction
from envcheck.model import Gpu, Host, Nvml, Unread


def host(*gpus: Gpu, driver: str = "570.124.06") -> Host:
    return Host(platform="linux", machine="x86_64", nvml=Nvml(driver=driver, cuda="12.8", gpus=gpus))


def gpu(name: str = "NVIDIA A100", *, mig: bool | Unread = False) -> Gpu:
    return Gpu(index=0, name=name, uuid="GPU-0", compute_capability="8.0", mig=mig)


NO_DRIVER = Host(platform="linux", machine="x86_64", nvml=Unread(reason="libnvidia-ml.so.1 is not here"))


@pytest.mark.parametrize("wanted", ["570", "570.124", "570.124.06", "570.124.6", "any", None])
def test_a_driver_that_is_here_matches(wanted: str | None) -> None:
    assert driver_match(wanted, host(gpu())) is None


@pytest.mark.parametrize("wanted", ["580", "57", "5701", "570.12", "570.124.05", "570.124.06.1", "", "r570"])
def test_another_driver_is_unreachable_and_both_are_named(wanted: str) -> None:
    answer = driver_match(wanted, host(gpu()))
    assert answer is not None
    assert (answer.state, answer.code) == ("unreachable", codes.DRIVER_NOT_HERE)
    assert wanted in answer.because
    assert "570.124.06" in answer.because


def test_without_a_driver_any_matches_and_a_branch_does_not() -> None:
    assert driver_match("any", NO_DRIVER) is None
    assert driver_match(None, NO_DRIVER) is None
    answer = driver_match("570", NO_DRIVER)
    assert answer is not None
    assert answer.state == "unreachable"
    assert "libnvidia-ml.so.1 is not here" in answer.because


def test_a_driver_whose_version_is_no_version_matches_only_any() -> None:
    odd = host(gpu(), driver="N/A")
    assert driver_match("any", odd) is None
    assert driver_match("570", odd) is not None


def test_mig_everywhere_is_impossible() -> None:
    answer = gpu_prediction(host(gpu(mig=True), gpu("NVIDIA H100", mig=True)))
    assert answer is not None
    assert (answer.state, answer.code) == ("impossible", codes.MIG_HAS_NO_GRAPHICS)
    assert "NVIDIA A100, NVIDIA H100" in answer.because
    assert "mig-user-guide" in answer.source


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(host(gpu()), id="off"),
        pytest.param(host(gpu(mig=True), gpu()), id="one-whole-gpu"),
        pytest.param(host(gpu(mig=Unread(reason="no permission"))), id="could-not-look"),
        pytest.param(host(gpu(mig=True), gpu(mig=Unread(reason="no permission"))), id="could-not-look-at-one"),
        pytest.param(host(gpu("NVIDIA RTX PRO 6000 Blackwell Server Edition", mig=True)), id="slices-with-graphics"),
        pytest.param(host(), id="no-gpu"),
        pytest.param(NO_DRIVER, id="no-driver"),
    ],
)
def test_otherwise_mig_foresees_nothing(where: Host) -> None:
    assert gpu_prediction(where) is None
