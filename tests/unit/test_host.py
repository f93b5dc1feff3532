"""Facts of the host, from the texts they are read from."""

from __future__ import annotations

from envcheck.host import cpu_model, kernel_driver, observe_host
from envcheck.model import Unread

OPEN_MODULE = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (root@host)  Tue Feb 25
GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)
"""
CLOSED_MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"
NONE = Unread(reason="no library")


def test_the_kernel_driver_is_read_from_both_modules() -> None:
    assert kernel_driver(OPEN_MODULE, NONE, ()) == "570.124.06"
    assert kernel_driver(CLOSED_MODULE, NONE, ()) == "535.183.01"


def test_a_kernel_driver_that_cannot_be_read_is_unread_not_absent() -> None:
    missing = Unread(reason="/proc/driver/nvidia/version: No such file or directory")

    assert kernel_driver(missing, NONE, ()) == missing
    assert isinstance(kernel_driver("garbage", NONE, ()), Unread)


def test_the_cpu_model_is_the_first_one() -> None:
    assert cpu_model("processor : 0\nmodel name\t: AMD EPYC 9654\n\nmodel name\t: other\n") == "AMD EPYC 9654"
    assert cpu_model(NONE) is None


def test_only_steering_variables_are_recorded_and_secrets_in_them_are_hidden() -> None:
    env = {"EGL_PLATFORM": "surfaceless", "LD_LIBRARY_PATH": "https://user:hunter22@host/x", "HOME": "/root"}
    host = observe_host(NONE, env)

    assert host.steering["EGL_PLATFORM"] == "surfaceless"
    assert "HOME" not in host.steering
    assert "hunter22" not in host.steering["LD_LIBRARY_PATH"]
