"""Which measurements may be compared: like with like, and the difference named otherwise."""

from __future__ import annotations

import pytest
from msgspec.structs import fields, replace

from envcheck.judge.measured import bench_of, identity_of
from envcheck.likeness import NAMES, NEEDED, Change, Unlike, compare, differences
from envcheck.model import Bench, Identity, Speedup, Timing, Unread
from tests.golden import as_if_seen

HERE = Identity(
    machine="linux x86_64",
    workload="640x480, 1 face, video",
    cpu="AMD EPYC 9454",
    cores=8.0,
    governor="performance",
    gpus=("NVIDIA L4",),
    gpu_mhz=(2040,),
    driver="570.124.06",
    mediapipe="1.2.2",
    python="3.11.9",
    model="a" * 64,
    input="b" * 64,
)
OTHER = {
    "cores": 4.0, "gpus": (), "gpu_mhz": (1980,), "model": "c" * 64, "input": "d" * 64,
}  # fmt: skip


def bench(gpu_ms: float, identity: Identity | None = HERE, width: float = 0.1) -> Bench:
    ratio = 10.0 / gpu_ms
    timing = Timing(median_ms=10.0, p95_ms=12.0, n=100)
    return Bench(
        cpu=timing,
        gpu=replace(timing, median_ms=gpu_ms),
        speedup=Speedup(estimate=ratio, ci95=(ratio - width, ratio + width)),
        baseline="FaceLandmarker",
        identity=identity,
    )


def test_everything_of_an_identity_is_compared() -> None:
    assert set(NAMES) == {field.name for field in fields(Identity)}


def test_like_measurements_differ_in_nothing() -> None:
    assert differences(HERE, HERE) == ()


@pytest.mark.parametrize("name", NAMES)
def test_each_difference_refuses_the_comparison_and_is_named(name: str) -> None:
    found = compare(bench(5.0), bench(5.0, replace(HERE, **{name: OTHER.get(name, "another")})))

    assert isinstance(found, Unlike)
    assert len(found.differences) == 1
    assert found.differences[0].startswith(f"{NAMES[name]}: ")
    assert str(found).startswith("not to be compared: ")


def test_a_difference_says_both_sides_and_hashes_are_short() -> None:
    changed = replace(HERE, cores=4.0, gpus=(), driver=None, model="c" * 64)

    assert differences(HERE, changed) == (
        "cores that may be used: 8, then 4",
        "GPUs: NVIDIA L4, then none",
        "NVIDIA driver: 570.124.06, then not known",
        "model (SHA-256): aaaaaaaaaaaa, then cccccccccccc",
    )


@pytest.mark.parametrize("name", NEEDED)
def test_two_unknowns_are_not_alike(name: str) -> None:
    unknown = replace(HERE, **{name: None})

    assert differences(unknown, unknown) == (f"{NAMES[name]}: not known",)


def test_a_measurement_of_old_that_says_nothing_of_its_machine_is_refused() -> None:
    assert isinstance(compare(bench(5.0, None), bench(5.0)), Unlike)


def test_another_baseline_is_refused() -> None:
    found = compare(bench(5.0), replace(bench(5.0), baseline="FaceMesh"))

    assert found == Unlike(("baseline: FaceLandmarker, then FaceMesh",))


def test_a_change_is_certain_where_the_intervals_have_nothing_in_common() -> None:
    assert compare(bench(5.0), bench(4.0)) == Change(cpu=1.0, gpu=0.8, speedup=1.25, certain=True)
    assert compare(bench(5.0), bench(4.9)) == Change(cpu=1.0, gpu=4.9 / 5, speedup=5 / 4.9, certain=False)


def test_what_was_not_measured_has_no_change() -> None:
    alone = replace(bench(5.0), gpu=None, speedup=None)

    assert compare(alone, alone) == Change(cpu=1.0, gpu=None, speedup=None, certain=False)


# --- from evidence ----------------------------------------------------------------------------------------------


def test_evidence_names_machine_model_and_input() -> None:
    evidence = as_if_seen("accelerated")
    found = identity_of(evidence)

    assert evidence.model is not None
    assert evidence.frames is not None
    assert (found.gpus, found.driver) == (("NVIDIA GeForce RTX 5090",), "570.144")
    assert (found.mediapipe, found.model, found.input) == ("0.10.35", evidence.model.sha256, evidence.frames.sha256)
    assert found.workload == "640x480, 1 face, video"


def test_where_nvml_does_not_answer_the_driver_is_not_known() -> None:
    evidence = as_if_seen("accelerated")
    found = identity_of(replace(evidence, host=replace(evidence.host, nvml=Unread(reason="no driver"))))

    assert (found.gpus, found.driver) == ((), None)


def test_the_same_evidence_is_like_itself_as_far_as_it_says() -> None:
    bench = bench_of(as_if_seen("accelerated"))

    assert bench is not None
    assert bench.baseline == "FaceLandmarker, CPU delegate, MediaPipe 0.10.35"
    assert bench.cpu_start is not None
    assert bench.cpu_start.create_ms == as_if_seen("accelerated").cpu.create_ms
    assert isinstance(compare(bench, bench), Change)
