"""Recorded and composed evidence, one file per verdict: judged as its name says, and never accelerated when a single
witness changes sides."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from envcheck import store
from envcheck.judge import judge
from envcheck.model import (
    Block,
    Build,
    CudaRuntime,
    EglDevice,
    Evidence,
    Foresight,
    GlContext,
    Landmarks,
    Repeat,
    Status,
    Unread,
    Verdict,
    WorkerRun,
)
from envcheck.rules import findings
from envcheck.suite.claims import Claim, failed_claim
from tests.golden import compose

HERE = Path(__file__).parent
CODES = {
    "accelerated": ["BEN501"],
    "slower": ["BEN502"],
    "inconclusive": ["BEN503"],
    "wrong": ["BEN504"],
    "emulated": ["GPU105", "EGL207"],
    "other-gpu": ["GPU105", "GPU104"],
    "silent-cpu": ["MPP402"],
    "refused": ["GPU105", "EGL204"],
    "contradictory": ["GPU103"],
    "crashed": ["RES601"],
    "broken": ["MPP405"],
    "impossible": ["MPP401"],
    "unreachable": ["GPU101"],
    "unknown": ["BEN505"],
}


def load(verdict: str) -> Evidence:
    (evidence,) = store.load_evidence(HERE / f"{verdict}.json")
    return evidence


def test_every_verdict_has_a_file_and_a_root_cause() -> None:
    names = {path.stem for path in HERE.glob("*.json")}

    assert names == {verdict.value for verdict in Verdict} == set(CODES)


@pytest.mark.parametrize("name", CODES)
def test_the_verdict_is_the_files_name(name: str) -> None:
    assert judge(load(name)).verdict is Verdict(name)


@pytest.mark.parametrize("name", CODES)
def test_the_root_cause_comes_first_and_says_what_to_do(name: str) -> None:
    evidence = load(name)
    found = findings(evidence, judge(evidence))

    assert [finding.code for finding in found] == CODES[name]
    for finding in found:
        assert all((finding.summary, finding.because, finding.remedy, finding.url.startswith("https://")))
        assert (finding.status is Status.PASS) == (name == "accelerated")


@pytest.mark.parametrize("name", compose.CELLS)
def test_a_composed_file_says_so_and_is_what_the_script_makes(name: str) -> None:
    assert "published facts" in load(name).composed
    assert (HERE / f"{name}.json").read_text(encoding="utf-8") == store.encode_evidence(compose.compose(name))


@pytest.mark.parametrize("name", CODES)
def test_nothing_in_the_files_names_a_person_or_a_home(name: str) -> None:
    text = (HERE / f"{name}.json").read_text(encoding="utf-8")

    assert not re.search(r"/home/|/root/|/Users/|@[a-z]+\.[a-z]{2}", text)


# --- one witness at a time changes sides ------------------------------------------------------------------------

Change = Callable[[Evidence], Evidence]
HIDDEN = Unread(reason="Permission denied")


def gpu(**facts: object) -> Change:
    """The GPU worker with other facts."""
    return lambda evidence: replace(evidence, gpu=replace(evidence.gpu, **facts))


def cpu(**facts: object) -> Change:
    """The CPU worker with other facts."""
    return lambda evidence: replace(evidence, cpu=replace(evidence.cpu, **facts))


def seen(**facts: object) -> Change:
    """The evidence with other facts."""
    return lambda evidence: replace(evidence, **facts)


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(evidence: Evidence) -> Evidence:
        for one in changes:
            evidence = one(evidence)
        return evidence

    return change


def log_without(worker: WorkerRun, needle: str) -> tuple[str, ...]:
    return tuple(line for line in worker.log if needle not in line)


def unnamed_calculators(evidence: Evidence) -> Evidence:
    return gpu(log=log_without(evidence.gpu, "inference_calculator"))(evidence)


def no_gl_line(evidence: Evidence) -> Evidence:
    return gpu(log=log_without(evidence.gpu, "gl_context.cc"))(evidence)


def probe_on_llvmpipe(evidence: Evidence) -> Evidence:
    assert isinstance(evidence.gl, GlContext)
    version, renderer = compose.LLVMPIPE_GL
    return replace(evidence, gl=replace(evidence.gl, vendor="Mesa", renderer=renderer, version=version))


def shifted(evidence: Evidence) -> Evidence:
    points = tuple(
        Landmarks(frame=one.frame, points=tuple((x + 25.0, y) for x, y in one.points)) for one in evidence.gpu.landmarks
    )
    return gpu(landmarks=points)(evidence)


def slowed(block: Block, factor: float) -> Block:
    assert block.wall_ms is not None
    return replace(block, times_ms=tuple(time * factor for time in block.times_ms), wall_ms=block.wall_ms * factor)


def times(factor: float) -> Change:
    def change(evidence: Evidence) -> Evidence:
        slow = tuple(
            replace(
                block, times_ms=tuple(time * factor for time in block.times_ms), wall_ms=(block.wall_ms or 0) * factor
            )
            for block in evidence.gpu.blocks
        )
        return gpu(blocks=slow)(evidence)

    return change


def llvmpipe_alone(evidence: Evidence) -> Evidence:
    assert isinstance(evidence.gl, GlContext)
    version, renderer = compose.LLVMPIPE_GL
    only = EglDevice(index=0, renderer=renderer, version=version, vendor="Mesa")
    return replace(evidence, gl=replace(evidence.gl, egl_devices=(only,)))


def cuda_alone(evidence: Evidence) -> Evidence:
    assert not isinstance(evidence.nvml_working, Unread)
    moved = tuple(replace(one, compute=one.graphics, graphics=()) for one in evidence.nvml_working)
    return replace(evidence, nvml_working=moved)


def slower_by_our_clock(evidence: Evidence) -> Evidence:
    return gpu(blocks=tuple(replace(block, wall_ms=400.0) for block in evidence.gpu.blocks))(evidence)


def longer_than_the_block(evidence: Evidence) -> Evidence:
    return cpu(blocks=tuple(replace(block, wall_ms=60.0) for block in evidence.cpu.blocks))(evidence)


def ours_saw_nothing_saved(evidence: Evidence) -> Evidence:
    """The GPU worker's clock says a fifth, and its blocks take as long as the CPU's."""
    walls = {block.pair: block.wall_ms for block in evidence.cpu.blocks}
    return gpu(blocks=tuple(replace(block, wall_ms=walls[block.pair]) for block in evidence.gpu.blocks))(evidence)


def faces(number: int) -> Change:
    """Timed frames in which both found a face in `number` of each block."""

    def change(evidence: Evidence) -> Evidence:
        theirs, ours = (
            tuple(replace(block, faces=number) for block in worker.blocks) for worker in (evidence.gpu, evidence.cpu)
        )
        return both(gpu(blocks=theirs), cpu(blocks=ours))(evidence)

    return change


def named(**axes: str | None) -> Change:
    """The cell with other axes."""
    return lambda evidence: replace(evidence, cell=replace(evidence.cell, axes=replace(evidence.cell.axes, **axes)))


def with_cuda(cuda: CudaRuntime | Unread) -> Change:
    """A cell that names CUDA 12.8, and what its runtime says."""
    return both(named(cuda="12.8"), seen(cuda=cuda))


def one_on_gl(evidence: Evidence) -> Evidence:
    """The detector on GL, the landmark model on the CPU."""
    return gpu(
        log=tuple(
            line.replace("Using GlAdvanced", "Using Cpu") if "landmarks" in line else line for line in evidence.gpu.log
        )
    )(evidence)


RENUMBERED = {"DEFAULT": 0, "CPU": 1, "GPU": 2}
CUDA = CudaRuntime(library="libcudart.so.12", runtime="12.8", driver="12.8", devices=1)
NOT_FASTER, CLOSE = 8.0, 5.42

OPPOSITES: dict[str, tuple[Change, Verdict]] = {
    "log: renderer llvmpipe": (gpu(log=compose.log_of(compose.LLVMPIPE_GL, "GlAdvanced")), Verdict.CONTRADICTORY),
    "log: renderer Intel": (gpu(log=compose.log_of(compose.INTEL_GL, "GlAdvanced")), Verdict.CONTRADICTORY),
    "our own GL context: llvmpipe": (probe_on_llvmpipe, Verdict.CONTRADICTORY),
    "no GL context anywhere": (both(no_gl_line, seen(gl=HIDDEN)), Verdict.UNKNOWN),
    "calculators: Cpu": (gpu(log=compose.log_of(compose.NVIDIA_GL, "Cpu")), Verdict.SILENT_CPU),
    "calculators unnamed, CPU worker shows the same": (unnamed_calculators, Verdict.UNKNOWN),
    "libraries: no vendor's": (gpu(libraries=compose.GLVND), Verdict.CONTRADICTORY),
    "libraries: Mesa's rasteriser": (
        gpu(libraries=(*compose.GLVND, *compose.SWRAST_LIBRARIES)),
        Verdict.CONTRADICTORY,
    ),
    "devices: control device only": (gpu(devices=("/dev/nvidiactl",)), Verdict.CONTRADICTORY),
    "devices: none": (gpu(devices=()), Verdict.CONTRADICTORY),
    "NVML: process not listed": (seen(nvml_working=compose.sample(utilisation=0)), Verdict.CONTRADICTORY),
    "NVML: only the CPU worker listed": (
        seen(nvml_working=compose.sample(compose.CPU_PID, utilisation=9)),
        Verdict.CONTRADICTORY,
    ),
    "libraries: NVIDIA's front alone": (
        gpu(libraries=(*compose.GLVND, *compose.NVIDIA_LIBRARIES[:1]), devices=HIDDEN),
        Verdict.UNKNOWN,
    ),
    "libraries: of another driver": (
        gpu(libraries=tuple(path.replace(compose.DRIVER, "570.99") for path in compose.NVIDIA_LIBRARIES)),
        Verdict.CONTRADICTORY,
    ),
    "log: a driver of another version": (
        gpu(log=compose.log_of(("OpenGL ES 3.2 NVIDIA 570.99", compose.NVIDIA_GL[1]), "GlAdvanced")),
        Verdict.CONTRADICTORY,
    ),
    "log: a second context, on llvmpipe": (
        lambda evidence: gpu(log=(compose.context_line(compose.LLVMPIPE_GL), *evidence.gpu.log))(evidence),
        Verdict.CONTRADICTORY,
    ),
    "devices: names alone": (gpu(device_numbers=dict.fromkeys(compose.NVIDIA_DEVICES, "1:3")), Verdict.CONTRADICTORY),
    "devices: plain files": (gpu(device_numbers=dict.fromkeys(compose.NVIDIA_DEVICES, "")), Verdict.CONTRADICTORY),
    "EGL devices: none is NVIDIA's": (llvmpipe_alone, Verdict.CONTRADICTORY),
    "NVML: listed for CUDA alone, devices unread": (both(cuda_alone, gpu(devices=HIDDEN)), Verdict.UNKNOWN),
    "clocks: the worker's says faster, ours says slower": (slower_by_our_clock, Verdict.CONTRADICTORY),
    "clocks: longer than the block": (longer_than_the_block, Verdict.CONTRADICTORY),
    "libraries and devices unread": (gpu(libraries=HIDDEN, devices=HIDDEN), Verdict.UNKNOWN),
    "libraries and NVML unread": (both(gpu(libraries=HIDDEN), seen(nvml_working=HIDDEN)), Verdict.UNKNOWN),
    "devices and NVML unread": (both(gpu(devices=HIDDEN), seen(nvml_working=HIDDEN)), Verdict.UNKNOWN),
    "all unread": (
        both(gpu(libraries=HIDDEN, devices=HIDDEN, log=()), seen(nvml_working=HIDDEN, gl=HIDDEN)),
        Verdict.UNKNOWN,
    ),
    "landmarks off": (shifted, Verdict.WRONG),
    "landmarks: no face on the GPU": (
        lambda evidence: gpu(landmarks=tuple(Landmarks(one.frame, ()) for one in evidence.gpu.landmarks))(evidence),
        Verdict.WRONG,
    ),
    "landmarks: none on either side": (both(gpu(landmarks=()), cpu(landmarks=())), Verdict.UNKNOWN),
    "landmarks: none of the GPU": (gpu(landmarks=()), Verdict.UNKNOWN),
    "landmarks: the CPU's own": (
        lambda evidence: gpu(landmarks=evidence.cpu.landmarks)(evidence),
        Verdict.CONTRADICTORY,
    ),
    "times: slower": (times(NOT_FASTER), Verdict.SLOWER),
    "times: about the same": (times(CLOSE), Verdict.INCONCLUSIVE),
    "times: the GPU lost the face": (
        lambda evidence: gpu(blocks=tuple(replace(block, faces=0) for block in evidence.gpu.blocks))(evidence),
        Verdict.WRONG,
    ),
    "times: none of the GPU": (gpu(blocks=()), Verdict.UNKNOWN),
    "times: none of the CPU": (cpu(blocks=()), Verdict.UNKNOWN),
    "times: too few pairs": (
        lambda evidence: gpu(blocks=evidence.gpu.blocks[:3])(evidence),
        Verdict.UNKNOWN,
    ),
    "GPU worker: died at the end": (gpu(outcome="died", exit="killed by SIGSEGV"), Verdict.CRASHED),
    "CPU worker: hung": (cpu(outcome="hung"), Verdict.CRASHED),
    "GPU worker: not run": (gpu(outcome="not-run"), Verdict.UNKNOWN),
    "neither worker run": (both(cpu(outcome="not-run"), gpu(outcome="not-run")), Verdict.UNKNOWN),
    "foresight: unreachable": (
        seen(foresight=Foresight(state="unreachable", because="needs driver 580", code="GPU101")),
        Verdict.UNREACHABLE,
    ),
    "build: an outcome nobody knows": (
        lambda evidence: replace(evidence, build=replace(evidence.build, outcome="weird") if evidence.build else None),
        Verdict.UNKNOWN,
    ),
    "one process for both": (gpu(pid=compose.CPU_PID), Verdict.CONTRADICTORY),
    "one delegate for both": (
        lambda evidence: gpu(delegate_value=evidence.cpu.delegate_value)(evidence),
        Verdict.CONTRADICTORY,
    ),
    "both workers on the CPU delegate": (gpu(delegate="CPU"), Verdict.CONTRADICTORY),
    "times: every block twice": (
        lambda evidence: gpu(blocks=evidence.gpu.blocks * 2)(evidence),
        Verdict.WRONG,
    ),
    "calculators: one model on the CPU": (one_on_gl, Verdict.CONTRADICTORY),
    "times: no face on either side": (faces(0), Verdict.UNKNOWN),
    "clocks: ours saw nothing saved": (ours_saw_nothing_saved, Verdict.CONTRADICTORY),
    "clocks: ours was not kept": (
        lambda evidence: gpu(blocks=tuple(replace(one, wall_ms=None) for one in evidence.gpu.blocks))(evidence),
        Verdict.UNKNOWN,
    ),
    "landmarks: of other frames": (
        lambda evidence: gpu(landmarks=evidence.gpu.landmarks[:3])(evidence),
        Verdict.UNKNOWN,
    ),
    "MediaPipe: another than the cell's": (both(cpu(mediapipe="0.10.21"), gpu(mediapipe="0.10.21")), Verdict.BROKEN),
    "MediaPipe: not told": (gpu(mediapipe=None), Verdict.UNKNOWN),
    "MediaPipe: of two versions": (both(named(mediapipe=None), gpu(mediapipe="0.10.21")), Verdict.CONTRADICTORY),
    "Python: another than the cell's": (named(python="3.12"), Verdict.BROKEN),
    "driver: another than the cell's": (named(driver="580"), Verdict.BROKEN),
    "driver: not told": (
        lambda evidence: replace(evidence, host=replace(evidence.host, nvml=HIDDEN, kernel_driver=HIDDEN)),
        Verdict.UNKNOWN,
    ),
    "CUDA: no runtime": (with_cuda(Unread(reason="no CUDA runtime library loads")), Verdict.BROKEN),
    "CUDA: of another version": (with_cuda(replace(CUDA, runtime="12.4")), Verdict.BROKEN),
    "CUDA: not served": (with_cuda(replace(CUDA, devices=None, error="cudaGetDeviceCount: 804")), Verdict.BROKEN),
    "CUDA: no device": (with_cuda(replace(CUDA, devices=0)), Verdict.BROKEN),
    "delegate: the number that was the GPU's": (gpu(delegate_members=RENUMBERED), Verdict.CONTRADICTORY),
    "delegate: a number of nobody's": (gpu(delegate_value=7), Verdict.CONTRADICTORY),
    "build: failed": (
        lambda evidence: replace(evidence, build=replace(evidence.build, outcome="failed") if evidence.build else None),
        Verdict.BROKEN,
    ),
}


@pytest.mark.parametrize("change", OPPOSITES)
def test_accelerated_evidence_with_one_thing_changed_no_longer_passes(change: str) -> None:
    alter, verdict = OPPOSITES[change]
    altered = alter(load("accelerated"))
    judgement = judge(altered)

    assert judgement.verdict is verdict
    assert judgement.verdict.status is not Status.PASS
    assert Status.PASS not in [finding.status for finding in findings(altered, judgement)]


@pytest.mark.parametrize("change", OPPOSITES)
def test_a_changed_file_still_has_a_finding(change: str) -> None:
    altered = OPPOSITES[change][0](load("accelerated"))

    assert findings(altered, judge(altered))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("MediaPipe: another than the cell's", "MPP419"),
        ("Python: another than the cell's", "MPP419"),
        ("driver: another than the cell's", "MPP419"),
        ("CUDA: no runtime", "CUD704"),
        ("CUDA: of another version", "CUD709"),
        ("CUDA: not served", "CUD709"),
        ("CUDA: no device", "CUD709"),
    ],
)
def test_what_runs_well_and_is_another_cell_is_an_environment_that_was_not_built(change: str, code: str) -> None:
    altered = OPPOSITES[change][0](load("accelerated"))
    judgement = judge(altered)

    assert findings(altered, judgement)[0].code == code
    assert failed_claim(altered, judgement) is Claim.BUILT


def test_the_cuda_of_an_environment_that_was_there_before_is_no_demand() -> None:
    """`envcheck check` names what is installed, and is asked about FaceMesh alone."""
    existing = seen(build=Build(outcome="existing"))
    unserved = with_cuda(replace(CUDA, devices=None, error="cudaGetDeviceCount: 804"))

    assert judge(both(existing, unserved)(load("accelerated"))).verdict is Verdict.ACCELERATED


FORGIVEN: dict[str, Change] = {
    "CUDA beside it, as named": with_cuda(CUDA),
    "a cell that names nothing": named(python=None, mediapipe=None, driver=None),
    "a local version": both(cpu(mediapipe="0.10.35+local"), gpu(mediapipe="0.10.35+local")),
    "a log without end": gpu(log_dropped=9),
    "libraries": gpu(libraries=HIDDEN),
    "devices": gpu(devices=HIDDEN),
    "NVML": seen(nvml_working=HIDDEN),
    "NVML in a container": lambda evidence: replace(evidence, host=replace(evidence.host, nested_pids=True)),
    "our own GL context": seen(gl=HIDDEN),
}


@pytest.mark.parametrize("witness", FORGIVEN)
def test_one_witness_that_could_not_look_does_not_undo_the_others(witness: str) -> None:
    assert judge(FORGIVEN[witness](load("accelerated"))).verdict is Verdict.ACCELERATED


def with_faces(share: float) -> Change:
    """Both delegates find a face in this share of the frames of each block."""

    def change(evidence: Evidence) -> Evidence:
        workers = (
            tuple(replace(block, faces=int(share * len(block.times_ms))) for block in worker.blocks)
            for worker in (evidence.cpu, evidence.gpu)
        )
        return both(*(of(blocks=blocks) for of, blocks in zip((cpu, gpu), workers, strict=True)))(evidence)

    return change


def test_a_speed_up_over_frames_that_mostly_have_no_face_is_the_detectors() -> None:
    mostly_empty, mostly_full = (judge(with_faces(share)(load("accelerated"))) for share in (0.25, 0.75))

    assert (mostly_empty.verdict, mostly_full.verdict) == (Verdict.UNKNOWN, Verdict.ACCELERATED)
    assert "so mostly the detector was timed" in mostly_empty.because


def test_the_interval_is_called_by_the_confidence_that_was_asked_for() -> None:
    asked = replace(load("accelerated"), gate=replace(load("accelerated").gate, confidence=0.8))

    assert "80% interval" in judge(asked).because


def test_a_gain_that_our_clock_does_not_show_is_no_gain() -> None:
    """2% by the worker's clock; what its frames left undone was done after them."""
    ours = tuple(Block(pair=n, times_ms=(10.2 + n % 3 * 0.01,) * 8, faces=8, wall_ms=84.0) for n in range(16))
    theirs = tuple(Block(pair=n, times_ms=(10.0 + n % 2 * 0.01,) * 8, faces=8, wall_ms=84.2) for n in range(16))
    judgement = judge(both(cpu(blocks=ours), gpu(blocks=theirs))(load("accelerated")))

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "by envcheck's own clock" in judgement.because


# --- 1.0.1 and later: calculators are not named, and the CPU delegate opens no GL at all -------------------------


ON_CPU = (compose.FEEDBACK, compose.FEEDBACK)
"""What 1.0.1 and later say of two models on the CPU. Read from 1.0.1, 1.1.1 and 1.2.2, with GL on a rasteriser under
NVIDIA's name as well, where nothing of it is said."""


def says_more(*lines: str) -> Change:
    """The GPU worker's log with more in it."""
    return lambda evidence: gpu(log=(*evidence.gpu.log, *lines))(evidence)


def as_1x(evidence: Evidence) -> Evidence:
    """The accelerated evidence as MediaPipe 1.2.2 would leave it."""
    quiet = cpu(log=(compose.XNNPACK, *ON_CPU), libraries=compose.GLVND, devices=())
    only_gpu_listed = seen(nvml_working=compose.sample(compose.GPU_PID, utilisation=30))
    return both(unnamed_calculators, quiet, only_gpu_listed)(evidence)


ONE_X: dict[str, tuple[Change, Verdict]] = {
    "the CPU worker shows none of the GPU's signs": (as_1x, Verdict.ACCELERATED),
    "the GPU worker opened no GL": (
        both(as_1x, gpu(log=(), libraries=compose.GLVND, devices=()), seen(nvml_working=compose.sample(utilisation=0))),
        Verdict.SILENT_CPU,
    ),
    "the CPU worker shows the same libraries and devices": (
        both(as_1x, cpu(libraries=(*compose.GLVND, *compose.NVIDIA_LIBRARIES), devices=compose.NVIDIA_DEVICES)),
        Verdict.UNKNOWN,
    ),
    "a context that idles, and both models on the CPU": (both(as_1x, says_more(*ON_CPU)), Verdict.SILENT_CPU),
    "one model on the GPU, one on the CPU": (both(as_1x, says_more(compose.FEEDBACK)), Verdict.CONTRADICTORY),
    "landmarks are the CPU's own": (
        both(as_1x, lambda evidence: gpu(landmarks=evidence.cpu.landmarks)(evidence)),
        Verdict.CONTRADICTORY,
    ),
}


@pytest.mark.parametrize("change", ONE_X)
def test_a_mediapipe_that_names_no_calculators_is_judged_by_what_only_the_gpu_worker_shows(change: str) -> None:
    alter, verdict = ONE_X[change]

    assert judge(alter(load("accelerated"))).verdict is verdict


def faster_by(factor: float, *, faces: bool = True) -> Change:
    """A legacy FaceMesh whose frames take the GPU's time divided by `factor`."""

    def change(evidence: Evidence) -> Evidence:
        blocks = tuple(
            replace(
                block,
                times_ms=tuple(time / factor for time in block.times_ms),
                faces=block.faces if faces else 0,
                wall_ms=(block.wall_ms or 0) + sum(block.times_ms) * (1 / factor - 1),
            )
            for block in evidence.gpu.blocks
        )
        return replace(evidence, legacy=replace(evidence.cpu, blocks=blocks, log=()))

    return change


def test_a_gpu_that_the_legacy_api_beats_on_the_cpu_is_slower_and_the_baseline_is_named() -> None:
    beaten = judge(faster_by(2.0)(load("accelerated")))
    ahead = judge(faster_by(0.5)(load("accelerated")))

    assert (beaten.verdict, ahead.verdict) == (Verdict.SLOWER, Verdict.ACCELERATED)
    for judged in (beaten, ahead):
        assert judged.bench is not None
        assert judged.bench.baseline.startswith("legacy FaceMesh")
        assert judged.bench.other_baseline.startswith("FaceLandmarker")
    assert ahead.bench.speedup.estimate == pytest.approx(2.0, rel=0.01)  # type: ignore[union-attr]


def test_a_gain_over_the_legacy_api_that_our_clock_does_not_show_is_no_gain() -> None:
    """Three milliseconds of each GPU frame are spent after it: less than FaceLandmarker's CPU frames take longer, and
    more than the legacy API's do."""

    def timed(frame_ms: float, after_ms: float) -> tuple[Block, ...]:
        return tuple(
            Block(pair=n, times_ms=(frame_ms + n % 3 / 100,) * 8, faces=8, wall_ms=8 * (frame_ms + after_ms) + 1)
            for n in range(16)
        )

    seen_by_both = both(cpu(blocks=timed(20, 0)), gpu(blocks=timed(8, 3)))(load("accelerated"))
    judgement = judge(replace(seen_by_both, legacy=replace(seen_by_both.cpu, blocks=timed(10, 0), log=())))

    assert judge(seen_by_both).verdict is Verdict.ACCELERATED
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "0.91 by envcheck's own clock" in judgement.because


def test_a_legacy_api_that_finds_no_face_is_no_baseline() -> None:
    judged = judge(faster_by(2.0, faces=False)(load("accelerated")))

    assert judged.verdict is Verdict.ACCELERATED
    assert judged.bench is not None
    assert judged.bench.baseline.startswith("FaceLandmarker")


def times_as_fast(speedup: float, evidence: Evidence) -> tuple[Block, ...]:
    """The CPU's blocks as a GPU would run them that is so many times as fast."""
    return tuple(
        replace(
            block,
            times_ms=tuple(time / speedup for time in block.times_ms),
            wall_ms=(block.wall_ms or 0) - sum(block.times_ms) * (1 - 1 / speedup),
        )
        for block in evidence.cpu.blocks
    )


def again(speedup: float, **gpu_facts: object) -> Change:
    """A second run of fresh processes, in which the GPU is so many times as fast as the CPU."""

    def change(evidence: Evidence) -> Evidence:
        facts = {"pid": 902, "blocks": times_as_fast(speedup, evidence), **gpu_facts}
        second = Repeat(cpu=replace(evidence.cpu, pid=901), gpu=replace(evidence.gpu, **facts))
        return replace(evidence, repeats=(second,), gate=replace(evidence.gate, runs=2))

    return change


def blind(evidence: Evidence) -> Evidence:
    """The second run's GPU finds no face, and is fast for nothing."""
    (second,) = evidence.repeats
    blocks = tuple(replace(block, faces=0) for block in second.gpu.blocks)
    return replace(evidence, repeats=(replace(second, gpu=replace(second.gpu, blocks=blocks)),))


SECOND_RUN: dict[str, tuple[Change, Verdict]] = {
    "as fast": (again(5.0), Verdict.ACCELERATED),
    "not faster": (again(0.9), Verdict.INCONCLUSIVE),
    "died": (again(5.0, outcome="died", exit="SIGSEGV"), Verdict.CRASHED),
    "refused": (again(5.0, outcome="refused", error="no EGL"), Verdict.CONTRADICTORY),
    "not timed": (again(5.0, blocks=()), Verdict.UNKNOWN),
    "without a face": (lambda one: blind(again(5.0)(one)), Verdict.WRONG),
    "the same process for both": (again(5.0, pid=901), Verdict.CONTRADICTORY),
    "not needed, because the first is far above": (
        lambda one: replace(one, gate=replace(one.gate, runs=2)),
        Verdict.ACCELERATED,
    ),
    "needed and not there": (
        lambda one: replace(one, gate=replace(one.gate, runs=2, min_speedup=4.5)),
        Verdict.UNKNOWN,
    ),
    "there, and as close": (
        lambda one: again(5.0)(replace(one, gate=replace(one.gate, min_speedup=4.5))),
        Verdict.ACCELERATED,
    ),
}


@pytest.mark.parametrize(
    ("second", "verdict"), [(0.9, Verdict.SLOWER), (5.0, Verdict.INCONCLUSIVE)], ids=["slower too", "faster"]
)
def test_what_is_called_slower_is_so_in_every_run(second: float, verdict: Verdict) -> None:
    evidence = again(second)(load("accelerated"))
    judged = judge(replace(evidence, gpu=replace(evidence.gpu, blocks=times_as_fast(0.9, evidence))))

    assert judged.verdict is verdict, judged.because


@pytest.mark.parametrize("second", SECOND_RUN)
def test_what_is_accelerated_is_so_in_every_run_that_was_asked_for(second: str) -> None:
    change, verdict = SECOND_RUN[second]
    judged = judge(change(load("accelerated")))

    assert judged.verdict is verdict, judged.because
    if second == "as fast":
        assert judged.bench is not None
        assert judged.bench.speedup is not None
        assert len(judged.bench.runs) == 2
        assert judged.bench.speedup.ci95[0] == min(run.ci95[0] for run in judged.bench.runs)
