"""What is foreseen of whole cells, and the rules a plan is made with."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.compat import codes, foresee, plan_rules
from envcheck.model import AXES, Axes, Foresight, Gpu, Host, Nvml, Unread


def gpu(name: str = "NVIDIA H200", capability: str | Unread = "9.0", *, mig: bool = False) -> Gpu:
    return Gpu(index=0, name=name, uuid="GPU-0", compute_capability=capability, mig=mig)


def host(*gpus: Gpu, driver: str = "570.124.06", platform: str = "linux", machine: str = "x86_64") -> Host:
    nvml = Nvml(driver=driver, cuda="12.8", gpus=gpus)
    return Host(platform=platform, machine=machine, nvml=nvml, glibc="2.36")


def cell(**changes: str | None) -> Axes:
    usual: dict[str, str | None] = {"backend": "venv", "python": "3.11", "mediapipe": "1.2.2"}
    values = usual | changes
    return Axes(
        backend=values["backend"] or "",
        python=values["python"],
        mediapipe=values["mediapipe"],
        cuda=values.get("cuda"),
        driver=values.get("driver"),
    )


PASCAL = gpu("Tesla P100", "6.0")
BLACKWELL = gpu("NVIDIA RTX 5090", "12.0")
GEFORCE = gpu("NVIDIA GeForce RTX 4090", "8.9")
UNREAD = gpu("NVIDIA GPU", Unread(reason="NVML does not tell"))

H200 = host(gpu())
OLD = host(gpu(), driver="525.60.13")
SLICED = host(gpu(mig=True))
ARM = host(gpu(), machine="aarch64")
MAC = Host(platform="darwin", machine="arm64", nvml=Unread(reason="no NVML on macOS"))
WINDOWS = host(gpu(), driver="525.60.13", platform="windows", machine="AMD64")
NO_DRIVER = Host(platform="linux", machine="x86_64", nvml=Unread(reason="no NVML here"), glibc="2.36")


def with_580(*gpus: Gpu) -> Host:
    return host(*gpus, driver="580.95.05")


CASES: dict[str, tuple[Axes, Host, str]] = {
    "fine": (cell(), H200, ""),
    "fine with cuda and driver": (cell(cuda="12.8", driver="570"), H200, ""),
    "no driver, and none asked for": (cell(), NO_DRIVER, ""),
    "no driver, and any asked for": (cell(driver="any"), NO_DRIVER, ""),
    "no driver, and one asked for": (cell(driver="570"), NO_DRIVER, codes.DRIVER_NOT_HERE),
    "another driver": (cell(driver="580"), H200, codes.DRIVER_NOT_HERE),
    "wheel without GPU code": (cell(mediapipe="1.0.0"), H200, codes.NO_GPU_CODE),
    "impossible before unreachable": (cell(mediapipe="1.0.0", driver="580"), H200, codes.NO_GPU_CODE),
    "unknown wheel": (cell(mediapipe="9.9.9"), H200, ""),
    "any means the host's driver": (cell(cuda="13.0", driver="any"), OLD, codes.DRIVER_TOO_OLD),
    "no driver axis means the host's driver": (cell(cuda="13.0"), OLD, codes.DRIVER_TOO_OLD),
    "driver too old, wherever it is": (cell(cuda="13.0", driver="525"), H200, codes.DRIVER_TOO_OLD),
    "driver too old, without a host": (cell(cuda="13.0", driver="525"), NO_DRIVER, codes.DRIVER_TOO_OLD),
    "driver too old, without GPUs": (cell(cuda="13.0"), host(driver="525.60.13"), codes.DRIVER_TOO_OLD),
    "fine elsewhere": (cell(cuda="13.0", driver="580"), H200, codes.DRIVER_NOT_HERE),
    "CUDA is not judged without a driver": (cell(cuda="13.0", driver="any"), NO_DRIVER, ""),
    "forward-only is not impossible": (cell(cuda="13.0", driver="any"), H200, ""),
    "forward compatibility fails on GeForce": (cell(cuda="13.0"), host(GEFORCE), codes.DRIVER_TOO_OLD),
    "unknown CUDA": (cell(cuda="99.0"), H200, ""),
    "never released": (cell(cuda="12.7"), H200, codes.CUDA_NEVER_RELEASED),
    "never released, without a driver": (cell(cuda="12.7"), NO_DRIVER, codes.CUDA_NEVER_RELEASED),
    "architecture dropped": (cell(cuda="13.0"), with_580(PASCAL), codes.ARCHITECTURE),
    "architecture still there": (cell(cuda="12.9"), with_580(PASCAL), ""),
    "architecture not yet there": (cell(cuda="12.6"), with_580(BLACKWELL), codes.ARCHITECTURE),
    "architecture just there": (cell(cuda="12.8"), with_580(BLACKWELL), ""),
    "one GPU that is served suffices": (cell(cuda="13.0"), with_580(PASCAL, gpu()), ""),
    "no GPU that is served": (cell(cuda="13.0"), with_580(PASCAL, gpu("Tesla V100", "7.0")), codes.ARCHITECTURE),
    "unread architecture": (cell(cuda="13.0"), with_580(UNREAD), ""),
    "Windows has no GPU wheel": (cell(), WINDOWS, codes.NO_GPU_CODE),
    "Windows drivers are not judged": (cell(cuda="13.0", mediapipe=None), WINDOWS, ""),
    "MIG": (cell(), SLICED, codes.MIG_HAS_NO_GRAPHICS),
    "MIG here says nothing of elsewhere": (cell(driver="580"), SLICED, codes.DRIVER_NOT_HERE),
    "no wheel for the host's machine": (cell(mediapipe="0.10.21"), ARM, codes.NO_WHEEL_FOR_PLATFORM),
    "docker is Linux everywhere": (cell(backend="docker"), MAC, ""),
    "docker has the host's machine": (
        cell(backend="docker", mediapipe="0.10.21"),
        MAC,
        codes.NO_WHEEL_FOR_PLATFORM,
    ),
}
STATES = {"": "reachable", codes.DRIVER_NOT_HERE: "unreachable"}


@pytest.mark.parametrize(("axes", "where", "code"), CASES.values(), ids=CASES)
def test_a_cell_is_foreseen(axes: Axes, where: Host, code: str) -> None:
    answer = foresee(axes, where)
    assert (answer.state, answer.code) == (STATES.get(code, "impossible"), code)
    assert bool(answer.because) == bool(code)


@pytest.mark.parametrize(
    ("backend", "state"), [("venv", "impossible"), ("conda", "impossible"), ("docker", "reachable")]
)
def test_the_hosts_c_library_counts_where_the_environment_has_none_of_its_own(backend: str, state: str) -> None:
    old = Host(platform="linux", machine="x86_64", nvml=Unread(reason="none"), glibc="2.17")
    assert foresee(cell(backend=backend), old).state == state


def test_an_unreachable_cell_says_why_nobody_could_look() -> None:
    assert "no NVML here" in foresee(cell(driver="570"), NO_DRIVER).because


def test_what_is_impossible_by_the_tables_carries_its_source() -> None:
    assert "https://github.com/google-ai-edge/mediapipe/releases" in foresee(cell(mediapipe="1.0.0"), H200).source
    assert "https://docs.nvidia.com" in foresee(cell(cuda="12.7"), H200).source


def test_rules_name_the_axes_they_read() -> None:
    for names, _ in plan_rules(H200):
        assert names
        assert set(names) <= set(AXES)


CELLS = st.builds(
    Axes,
    backend=st.sampled_from(["venv", "docker", "conda"]),
    python=st.sampled_from(["3.8", "3.11", "3.13", None]),
    mediapipe=st.sampled_from(["0.10.7", "0.10.21", "0.10.31", "1.0.0", "1.2.1", "1.2.2", "9.9", None]),
    cuda=st.sampled_from(["11.8", "12.7", "12.8", "13.0", "99.0", None]),
    driver=st.sampled_from(["525", "570", "580", "any", None]),
    opencv=st.sampled_from(["4.12", None]),
)
HOSTS = st.sampled_from(
    [H200, NO_DRIVER, host(PASCAL, driver="580.95.05"), host(gpu(mig=True)), host(machine="aarch64")]
)


@given(CELLS, HOSTS)
def test_each_rule_reads_only_the_axes_it_names(axes: Axes, where: Host) -> None:
    for names, judge in plan_rules(where):
        shown = {name: getattr(axes, name) for name in names}
        assert judge(Axes(**({"backend": ""} | shown))) == judge(axes)


@given(CELLS, HOSTS)
def test_impossible_comes_before_unreachable(axes: Axes, where: Host) -> None:
    answers = [answer for _, judge in plan_rules(where) if (answer := judge(axes)) is not None]
    states = [answer.state for answer in answers]
    assert states == sorted(states, key=["impossible", "unreachable"].index)
    assert foresee(axes, where) == (answers[0] if answers else Foresight(state="reachable"))


def test_codes_are_distinct_and_of_the_families() -> None:
    values = [value for name, value in vars(codes).items() if name.isupper()]
    assert len(values) == len(set(values))
    assert all(re.fullmatch(r"(GPU1|MPP4|CUD7)\d\d", value) for value in values)
