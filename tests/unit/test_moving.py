"""Evidence as facts: what is seen is there, what is not is absent, and the same night gives the same text."""

from __future__ import annotations

from msgspec.structs import replace

from envcheck.attribution import cause_of
from envcheck.causes import CAUSES, UNTABLED
from envcheck.entries import class_of, entry_of
from envcheck.model import (
    Disturbance,
    Evidence,
    GlContext,
    GpuChange,
    GpuProcess,
    NvmlWindow,
    Unread,
    Verdict,
)
from envcheck.moving import LONGEST, facts_of, wheel_of
from tests.golden import as_if_seen
from tests.unit.worlds import GPU, HOST, NO_GPU_HOST, NVML, changed, healthy_facts, looked_at

LOCK = """\
mediapipe==1.2.2 \\
    --hash=sha256:bb \\
    --hash=sha256:aa
numpy==2.2.6 --hash=sha256:cc
"""


def full() -> Evidence:
    """Evidence in which everything was seen."""
    seen = as_if_seen("accelerated")
    gpu = changed(GPU, sm_max_mhz=2040, persistence=True, processes=(GpuProcess(pid=4711),))
    windows = tuple(
        NvmlWindow(worker=worker, seconds=0.2, gpus=(GpuChange(0, energy, 50, sm_mhz=clock, throttle=reasons),))
        for worker, energy, clock, reasons in (("CPU", 1, 300, ()), ("GPU", 900, 1980, ("sw_power_cap",)))
    )
    facts = healthy_facts()
    return replace(
        seen,
        host=changed(HOST, cpu="AMD EPYC", nvml=changed(NVML, gpus=(gpu,)), steering={"LIBGL_ALWAYS_SOFTWARE": "1"}),
        facts=changed(facts, resources=changed(facts.resources, quota_cores=2.5)),
        nvml_windows=windows,
        disturbance=Disturbance(seconds=5, cores=16, others_cores=2.0, stolen_cores=0.0, throttled_share=0.5),
        build=seen.build and replace(seen.build, lock=LOCK, image="sha256:1", base_digest="sha256:2", injection="cdi"),
    )


def test_what_was_seen_is_told() -> None:
    facts = facts_of(full())
    expected = {
        "GPU throttling": "sw_power_cap",
        "GPU clock at work (MHz)": "1980",
        "GPU highest clock (MHz)": "2040",
        "foreign GPU processes": "1",
        "other programs": "busy",
        "held back by a CPU quota": "yes",
        "MediaPipe wheel": "sha256:aa sha256:bb",
        "variable LIBGL_ALWAYS_SOFTWARE": "1",
        "image digest": "sha256:1",
        "base image digest": "sha256:2",
        "OpenCV": "opencv-contrib-python 4.11.0.86",
        "driver": "570.124.06",
        "usable cores": "16",
        "shadowing module": "no",
    }
    assert {name: facts.get(name) for name in expected} == expected


def test_what_was_not_seen_is_absent_and_none_is_not() -> None:
    unseen = facts_of(looked_at(Unread(reason="?"), host=NO_GPU_HOST, gl=Unread(reason="?")))
    assert not {"driver", "GPUs", "GL renderer", "OpenCV", "other programs", "MediaPipe"} & unseen.keys()
    assert unseen["kernel module"] == "none"
    assert facts_of(looked_at(gl=GlContext(path="none")))["GL renderer"] == "none"
    assert facts_of(looked_at())["foreign GPU processes"] == "0"


def test_no_process_id_and_no_folder_of_a_user_is_told() -> None:
    text = str(facts_of(full()))
    assert "4711" not in text
    assert "/home/user" not in text


def test_a_text_without_end_is_cut() -> None:
    host = changed(HOST, cpu="x" * 10_000, steering={"DISPLAY": "y" * 10_000})
    assert max(map(len, facts_of(looked_at(host=host)).values())) == LONGEST


def test_every_fact_has_a_row_that_says_why_it_matters() -> None:
    told = facts_of(full()).keys() | facts_of(as_if_seen("crashed")).keys() | facts_of(looked_at()).keys()
    assert [name for name in told if cause_of(name) is UNTABLED] == []


def test_every_row_is_of_a_fact_that_is_told() -> None:
    told = facts_of(full()) | {"package x": "1", "variable x": "1"}
    kinds = {f"{name.partition(' ')[0]} *" for name in told}
    assert [name for name in CAUSES if name not in told and name not in kinds] == ["CUDA runtime"]


def test_what_a_fact_follows_from_has_a_row() -> None:
    assert {name for cause in CAUSES.values() for name in cause.follows} <= CAUSES.keys()


def test_every_reason_is_a_sentence() -> None:
    assert [cause.why for cause in CAUSES.values() if not (cause.why[0].isupper() and cause.why.endswith("."))] == []


def test_a_lock_without_hashes_names_no_wheel() -> None:
    assert wheel_of("mediapipe==1.2.2\nnumpy==2 --hash=sha256:cc\n") == ""


def test_hosts_are_taken_for_one_by_gpus_driver_and_system() -> None:
    assert class_of(HOST) == "NVIDIA RTX A4000, driver 570.124.06, linux x86_64"
    assert class_of(NO_GPU_HOST) == "no GPU, linux x86_64"
    two = changed(HOST, nvml=changed(NVML, gpus=(GPU, changed(GPU, index=1))))
    assert class_of(two) == "2 x NVIDIA RTX A4000, driver 570.124.06, linux x86_64"


def test_an_entry_is_what_the_judge_of_today_says() -> None:
    entry = entry_of(as_if_seen("accelerated"), run="r")
    assert (entry.verdict, entry.met, entry.run) == (Verdict.ACCELERATED, True, "r")
    assert entry.facts["envcheck"]
    assert entry.recorded_at == "2026-11-20T10:00:00+00:00"


def test_times_are_kept_in_utc_so_that_they_sort() -> None:
    seen = replace(as_if_seen("accelerated"), recorded_at="2026-11-20T12:00:00+05:30")
    assert entry_of(seen).recorded_at == "2026-11-20T06:30:00+00:00"
