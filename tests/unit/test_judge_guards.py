"""Each guard of the judge by itself: all else is as in an accelerated cell, or nothing else would find it out."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from envcheck.facts import Facts, KernelModule
from envcheck.judge import witnesses
from envcheck.judge.verdict import from_device, judge, same_worker
from envcheck.judge.witnesses import devices, egl_devices, gl_context, libraries, native_log, nvml_process
from envcheck.judge.witnesses.common import module_versions
from envcheck.model import EglDevice, Evidence, GlContext, Image, Nvml, Says, Unread, Verdict, WorkerRun
from tests.golden import as_if_seen
from tests.unit.worlds import HEALTHY

ACCELERATED = as_if_seen("accelerated")
STATEMENTS = witnesses.testify(ACCELERATED)
IMAGE = Image(reference="app:1", id="sha256:0")


def worker(of: WorkerRun, **changed: Any) -> WorkerRun:
    return replace(of, **changed)


ONE = {"delegate_value": 1, "delegate_members": {"CPU": 1, "GPU": 1}}

# --- two workers with two delegates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpu", "gpu", "words"),
    [
        ({}, {"delegate": "CPU", "delegate_value": 0}, "given the delegates CPU and CPU"),
        ({"pid": 7}, {"pid": 7}, "both workers are process 7"),
        (ONE, ONE, "the same delegate to this MediaPipe, number 1"),
        ({}, {"delegate_value": 2}, "the delegate number 2, which this MediaPipe calls nothing"),
        ({}, {}, ""),
        ({"pid": None}, {"pid": None}, ""),
    ],
    ids=["delegate", "process", "value", "no member", "as it should be", "processes untold"],
)  # fmt: skip
def test_two_records_are_of_two_workers(cpu: dict[str, Any], gpu: dict[str, Any], words: str) -> None:
    found = same_worker(worker(ACCELERATED.cpu, **cpu), worker(ACCELERATED.gpu, **gpu))

    assert words in found
    assert bool(found) is bool(words)


# --- what the device is, where nobody speaks for hardware ---------------------------------------------------------


def heard(**says: Says) -> Verdict | None:
    """The verdict on the device where nobody speaks, but for these."""
    named = {name.replace("_", "-"): word for name, word in says.items()}
    answer = from_device([replace(one, says=named.get(one.name, Says.NOTHING)) for one in STATEMENTS])
    return answer[0] if answer else None


@pytest.mark.parametrize("name", [one.name.replace("-", "_") for one in STATEMENTS])
def test_what_cannot_be_is_contradictory_though_nobody_claims_hardware(name: str) -> None:
    assert heard(**{name: Says.CONTRADICTS}) is Verdict.CONTRADICTORY


@pytest.mark.parametrize(
    ("log", "probe", "verdict"),
    [
        (Says.SOFTWARE, Says.OTHER_GPU, Verdict.EMULATED),
        (Says.OTHER_GPU, Says.SOFTWARE, Verdict.OTHER_GPU),
        (Says.NOTHING, Says.SOFTWARE, Verdict.EMULATED),
        (Says.CANNOT_KNOW, Says.OTHER_GPU, Verdict.OTHER_GPU),
        (Says.NOTHING, Says.NOTHING, Verdict.UNKNOWN),
    ],
)
def test_the_run_s_own_log_goes_before_a_context_of_ours(log: Says, probe: Says, verdict: Verdict) -> None:
    assert heard(native_log=log, gl_context=probe) is verdict


# --- who is believed ---------------------------------------------------------------------------------------------


def test_nothing_that_an_image_tells_of_its_own_processes_speaks_for_hardware() -> None:
    inside = worker(ACCELERATED.gpu, looked_from="inside")
    told = replace(ACCELERATED, image=IMAGE, gpu=inside)

    for one in (libraries, devices, nvml_process):
        statement = one.testify(told)
        assert statement.says is Says.CANNOT_KNOW
        assert "by the image's own account" in statement.saw
        assert one.testify(replace(told, gpu=ACCELERATED.gpu)).says is Says.HARDWARE


def with_module(version: str) -> Facts:
    return replace(HEALTHY, driver=replace(HEALTHY.driver, module=KernelModule(version=version)))


def test_the_kernel_module_s_version_is_the_kernel_s_or_nvml_s_and_never_an_image_s() -> None:
    nvml = ACCELERATED.host.nvml
    assert isinstance(nvml, Nvml)
    blind = replace(ACCELERATED.host, kernel_driver=Unread(reason="no /proc"), nvml=Unread(reason="no NVML"))
    by_facts = replace(ACCELERATED, host=blind, facts=with_module("570.144"))

    assert module_versions(by_facts) == {"570.144"}
    assert module_versions(replace(by_facts, image=IMAGE)) == set()
    assert module_versions(replace(by_facts, image=IMAGE, host=replace(blind, nvml=nvml))) == {nvml.driver}
    assert module_versions(replace(by_facts, host=replace(blind, kernel_driver="580.95.05"))) == {"580.95.05"}


# --- witnesses ---------------------------------------------------------------------------------------------------


def enumerated(*found: EglDevice, **context: Any) -> Evidence:
    gl = ACCELERATED.gl
    assert isinstance(gl, GlContext)
    return replace(ACCELERATED, gl=replace(gl, egl_devices=found or gl.egl_devices, **context))


def device(**told: Any) -> EglDevice:
    gl = ACCELERATED.gl
    assert isinstance(gl, GlContext)
    assert not isinstance(gl.egl_devices, Unread)
    return replace(gl.egl_devices[0], **told)


NEWER = "OpenGL ES 3.2 NVIDIA 580.95.05"
MESA = {"renderer": "llvmpipe (LLVM 15.0.6, 256 bits)", "version": "3.2 Mesa", "vendor": "Mesa", "cuda": None}


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        (enumerated(), Says.HARDWARE),
        (enumerated(device(version=NEWER), version=NEWER), Says.CONTRADICTS),
        (enumerated(device(**MESA)), Says.CONTRADICTS),
        (enumerated(device(**MESA), device(index=1, renderer="", version="", vendor="", cuda=None)), Says.CANNOT_KNOW),
        (enumerated(device(**MESA), device(index=1)), Says.HARDWARE),
        (enumerated(device(renderer="NVIDIA T4/PCIe/SSE2")), Says.CANNOT_KNOW),
    ],
    ids=["NVIDIA's", "of another driver than the module", "Mesa's alone", "one is silent", "one of two", "another GPU"],
)
def test_the_default_display_is_one_of_the_devices_of_the_kernel_s_driver(evidence: Evidence, says: Says) -> None:
    assert egl_devices.testify(evidence).says is says


@pytest.mark.parametrize(
    ("opened", "says"),
    [
        (("/dev/dri/renderD128",), Says.OTHER_GPU),
        (("/dev/kfd",), Says.OTHER_GPU),
        (("/dev/nvhost-gpu", "/dev/nvmap"), Says.NOTHING),
        ((), Says.CPU),
    ],
)
def test_device_files_of_others_are_others(opened: tuple[str, ...], says: Says) -> None:
    assert devices.sign(worker(ACCELERATED.gpu, devices=opened, device_numbers={}))[0] is says


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({}, Says.HARDWARE),
        ({"version": NEWER}, Says.CONTRADICTS),
        ({"path": "none", "error": "EGL_NOT_INITIALIZED"}, Says.NOTHING),
    ],
    ids=["the kernel's driver", "another driver", "none"],
)
def test_a_context_of_ours_is_of_the_kernel_s_driver(context: dict[str, str], says: Says) -> None:
    assert gl_context.testify(enumerated(**context)).says is says


def gl_line(renderer: str, version: str) -> str:
    return f"I0000 00:00:1.0 1 gl_context.cc:369] GL version: 3.2 ({version}), renderer: {renderer}"


NVIDIA = gl_line("NVIDIA GeForce RTX 5090/PCIe/SSE2", "OpenGL ES 3.2 NVIDIA 570.144")
LLVMPIPE = gl_line("llvmpipe (LLVM 15.0.6, 256 bits)", "OpenGL ES 3.2 Mesa 22.3.6")
INTEL = gl_line("Mesa Intel(R) UHD Graphics", "OpenGL ES 3.2 Mesa 22.3.6")


@pytest.mark.parametrize(
    ("log", "dropped", "says"),
    [
        ((NVIDIA,), 0, Says.HARDWARE),
        ((NVIDIA, LLVMPIPE), 0, Says.CONTRADICTS),
        ((INTEL, LLVMPIPE), 0, Says.SOFTWARE),
        ((), 0, Says.NOTHING),
        ((), 1, Says.CANNOT_KNOW),
    ],
    ids=["NVIDIA's", "NVIDIA's and another", "two others, the last one counts", "none", "a log that was cut"],
)
def test_the_log_names_the_contexts_that_were_made(log: tuple[str, ...], dropped: int, says: Says) -> None:
    told = replace(ACCELERATED, gpu=worker(ACCELERATED.gpu, log=log, log_dropped=dropped))

    assert native_log.testify(told).says is says


# --- the speed ---------------------------------------------------------------------------------------------------


def test_an_interval_that_touches_the_threshold_is_not_above_it() -> None:
    bench = judge(ACCELERATED).bench
    assert bench is not None
    assert bench.speedup is not None
    low, high = bench.speedup.ci95
    at_low, at_high = (
        judge(replace(ACCELERATED, gate=replace(ACCELERATED.gate, min_speedup=bound))).verdict for bound in (low, high)
    )

    assert (at_low, at_high) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


# --- the order of the first steps --------------------------------------------------------------------------------


def test_an_environment_that_was_not_built_is_told_before_what_was_foretold() -> None:
    impossible = as_if_seen("impossible")
    assert judge(impossible).verdict is Verdict.IMPOSSIBLE

    no_build = replace(ACCELERATED.foresight, state="impossible")
    assert judge(replace(ACCELERATED, foresight=no_build)).verdict is Verdict.ACCELERATED


def test_where_no_worker_was_started_there_are_no_statements() -> None:
    assert judge(as_if_seen("unreachable")).witnesses == ()
    assert judge(as_if_seen("refused")).witnesses
