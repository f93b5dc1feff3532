"""What disturbed a measurement: remarks beside a verdict, never a verdict."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from envcheck.judge import judge
from envcheck.model import Disturbance, Evidence, GpuChange, GpuProcess, GpuSample, NvmlWindow, Status, Unread, Verdict
from envcheck.rules import findings
from tests.golden import as_if_seen

ACCELERATED = as_if_seen("accelerated")
QUIET = Disturbance(seconds=3.0, cores=8, others_cores=0.2, stolen_cores=0.0, throttled_share=0.0)
FALLING = tuple(20.0 - i / 10 for i in range(100))


def said(evidence: Evidence) -> dict[str, str]:
    """The remarks on how it was measured, by code."""
    judgement = judge(evidence)
    found = [one for one in findings(evidence, judgement) if one.code in ("BEN506", "BEN507")]

    assert judgement.verdict is Verdict.ACCELERATED
    assert all(one.status is Status.UNKNOWN for one in found)
    return {one.code: one.summary for one in found}


def disturbed(**facts: object) -> Evidence:
    return replace(ACCELERATED, disturbance=replace(QUIET, **facts))


def window(worker: str, *reasons: str) -> NvmlWindow:
    change = GpuChange(index=0, energy_mj=Unread(reason="-"), utilisation=Unread(reason="-"), throttle=reasons)
    return NvmlWindow(worker=worker, seconds=0.25, gpus=(change,))


def sample(*pids: int) -> tuple[GpuSample, ...]:
    users = tuple(GpuProcess(pid=pid) for pid in pids)
    return (GpuSample(index=0, utilisation=1, memory_used=1, energy_mj=1, compute=(), graphics=users),)


def test_a_quiet_measurement_has_no_remark() -> None:
    assert said(disturbed()) == {}
    assert said(ACCELERATED) == {}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"others_cores": 1.5}, "other programs kept 1.5 of 8 cores busy"),
        ({"stolen_cores": 2.0}, "the hypervisor took 2.0 of 8 cores"),
        ({"throttled_share": 0.4}, "held work back for 40% of the time"),
    ],
    ids=["programs", "hypervisor", "quota"],
)
def test_others_on_the_cpu_are_named(facts: dict[str, object], words: str) -> None:
    assert words in said(disturbed(**facts))["BEN507"]


def test_what_nobody_could_see_is_no_disturbance() -> None:
    assert said(disturbed(others_cores=Unread(reason="in a container"), throttled_share=None)) == {}


def test_clocks_held_down_while_the_gpu_worked_are_named_and_those_of_idle_times_are_not() -> None:
    held = replace(ACCELERATED, nvml_windows=(window("CPU"), window("GPU", "sw_thermal_slowdown")) * 2)
    idle = replace(ACCELERATED, nvml_windows=(window("CPU", "sw_power_cap"), window("GPU")) * 2)

    assert said(held)["BEN507"].endswith("GPU 0 was held down by sw_thermal_slowdown")
    assert said(idle) == {}


def test_a_process_that_came_to_the_gpu_meanwhile_is_named_ours_and_old_ones_are_not() -> None:
    ours = ACCELERATED.gpu.pid
    assert ours is not None
    came = replace(ACCELERATED, nvml_idle=sample(7), nvml_working=sample(7, 99, ours))
    hidden = replace(came, host=replace(came.host, nested_pids=True))

    assert said(came)["BEN507"].endswith("process 99 came to GPU 0")
    assert "BEN507" not in said(hidden)


def test_warm_up_that_was_not_over_is_named() -> None:
    evidence = replace(ACCELERATED, gpu=replace(ACCELERATED.gpu, warmup_ms=FALLING))

    assert said(evidence)["BEN506"].endswith("GPU after 100 frames")
    assert said(replace(evidence, gpu=replace(evidence.gpu, warmup_ms=FALLING[:20]))) == {}
    assert said(replace(evidence, gpu=replace(evidence.gpu, warmup_ms=(10.0,) * 100))) == {}
