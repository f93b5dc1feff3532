"""The witnesses: each alone, what fools it and what stands against that, and all combinations of what they may say."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import envcheck
from envcheck.cell import outside
from envcheck.facts import (
    CudaFiles,
    DriverFiles,
    Facts,
    GlFiles,
    KernelModule,
    Resources,
    System,
)
from envcheck.judge import judge, witnesses
from envcheck.judge.verdict import AGAINST_HARDWARE, KERNEL_WITNESSES, from_device
from envcheck.judge.witnesses import (
    WITNESSES,
    calculators,
    common,
    devices,
    egl_devices,
    libraries,
    nvml_activity,
    nvml_memory,
    nvml_process,
    timing,
)
from envcheck.model import (
    Block,
    EglDevice,
    Evidence,
    GlContext,
    GpuChange,
    GpuProcess,
    Landmarks,
    NvmlWindow,
    Says,
    Status,
    Unread,
    Verdict,
    Witness,
)
from tests.golden import as_if_seen, compose

ACCELERATED = as_if_seen("accelerated")
HIDDEN = Unread(reason="Permission denied")
HEARD = witnesses.testify(ACCELERATED)
NAMES = tuple(witness.name for witness in HEARD)
REQUIRED = ("native-log", "gl-context", *sorted(KERNEL_WITNESSES))


def said(**says: Says) -> tuple[Witness, ...]:
    """The witnesses of accelerated evidence, some of which say something else: `native_log=Says.CPU`."""
    changed = {name.replace("_", "-"): word for name, word in says.items()}
    return tuple(replace(one, says=changed.get(one.name, one.says)) for one in HEARD)


# --- agreement --------------------------------------------------------------------------------------------------


def test_every_witness_has_a_name_a_need_and_an_origin() -> None:
    statements = HEARD

    assert len({one.name for one in statements}) == len(statements) == len(WITNESSES)
    assert all(one.needs and one.saw and one.origin for one in statements)


def test_the_kernels_witnesses_are_of_different_origins_and_none_is_words() -> None:
    origins = [one.origin for one in HEARD if one.name in KERNEL_WITNESSES]

    assert len(set(origins)) == len(origins) == len(KERNEL_WITNESSES)
    assert common.WORDS not in origins


def test_accelerated_evidence_has_all_its_witnesses() -> None:
    hardware = {one.name for one in HEARD if one.says is Says.HARDWARE}

    assert hardware == set(NAMES) - {"calculators", "landmarks", "timing"}


@settings(max_examples=300)
@given(st.fixed_dictionaries({name: st.sampled_from(list(Says)) for name in NAMES}))
def test_nothing_passes_while_any_witness_speaks_against_hardware(words: dict[str, Says]) -> None:
    statements = tuple(replace(one, says=words[one.name]) for one in HEARD)
    claims = {one.origin for one in statements if one.says is Says.HARDWARE and one.name in REQUIRED}
    against = any(word in AGAINST_HARDWARE for word in words.values())

    if against or len(claims) < 3 or common.WORDS not in claims:
        assert from_device(statements) is not None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("word", sorted(AGAINST_HARDWARE))
def test_one_witness_that_changes_sides_is_enough(name: str, word: Says) -> None:
    found = from_device(tuple(replace(one, says=word) if one.name == name else one for one in HEARD))

    assert found is not None
    assert found[0] in (Verdict.CONTRADICTORY, Verdict.SILENT_CPU)


@pytest.mark.parametrize("silent", sorted(KERNEL_WITNESSES))
@pytest.mark.parametrize("removed", REQUIRED)
def test_with_as_few_witnesses_as_allowed_none_can_be_missed(silent: str, removed: str) -> None:
    few = {silent: Says.CANNOT_KNOW, "gl-context": Says.CANNOT_KNOW, "egl-devices": Says.CANNOT_KNOW}
    fewer = few | {removed: Says.CANNOT_KNOW}

    def passes(words: dict[str, Says]) -> bool:
        return from_device(tuple(replace(one, says=words.get(one.name, one.says)) for one in HEARD)) is None

    assert passes(few)
    assert passes(fewer) == (removed in few)


def test_words_alone_and_words_with_one_more_origin_do_not_pass() -> None:
    unheard = dict.fromkeys(KERNEL_WITNESSES, Says.CANNOT_KNOW)
    for heard in (None, *KERNEL_WITNESSES):
        words = {name: word for name, word in unheard.items() if name != heard}
        found = from_device(said(**{name.replace("-", "_"): word for name, word in words.items()}))
        assert found is not None
        assert found[0] is Verdict.UNKNOWN


# --- all evidence that is forged in names ------------------------------------------------------------------------


@dataclass(frozen=True)
class Lie:
    """A way to change the GPU worker's record, and whether the kernel's witnesses then contradict hardware."""

    libraries: tuple[str, ...] | Unread
    devices: tuple[str, ...] | Unread
    numbers: dict[str, str] | None
    listed: bool


LIES = st.builds(
    Lie,
    libraries=st.sampled_from(
        [compose.GLVND, compose.NVIDIA_LIBRARIES, compose.SWRAST_LIBRARIES, compose.NVIDIA_LIBRARIES[:1], HIDDEN]
    ),
    devices=st.sampled_from([(), compose.NVIDIA_DEVICES, ("/dev/nvidiactl",), ("/dev/dri/renderD128",), HIDDEN]),
    numbers=st.sampled_from([None, compose.NVIDIA_NUMBERS, dict.fromkeys(compose.NVIDIA_DEVICES, "1:3")]),
    listed=st.booleans(),
)


@settings(max_examples=60)
@given(LIES)
def test_evidence_passes_only_with_everything_of_nvidias_in_place(lie: Lie) -> None:
    seen = compose.sample(*((compose.CPU_PID, compose.GPU_PID) if lie.listed else ()), utilisation=31)
    worker = replace(ACCELERATED.gpu, libraries=lie.libraries, devices=lie.devices, device_numbers=lie.numbers)
    evidence = replace(ACCELERATED, gpu=worker, nvml_working=seen)
    whole = {
        "libraries": lie.libraries == compose.NVIDIA_LIBRARIES,
        "devices": lie.devices == compose.NVIDIA_DEVICES and lie.numbers == compose.NVIDIA_NUMBERS,
        "nvml-process": lie.listed,
    }
    passed = judge(evidence).verdict.status is Status.PASS

    assert not passed or sum(whole.values()) >= 2
    if any(one.says in AGAINST_HARDWARE for one in witnesses.testify(evidence)):
        assert not passed


# --- libraries and versions -------------------------------------------------------------------------------------


def mapped(*paths: str) -> Evidence:
    return replace(ACCELERATED, gpu=replace(ACCELERATED.gpu, libraries=paths))


FRONT, CORE = compose.NVIDIA_LIBRARIES[0], compose.NVIDIA_LIBRARIES[2]
OTHER = CORE.replace(compose.DRIVER, "580.95.05")
FOR_X = CORE.replace("eglcore", "glcore")


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ((FRONT, CORE), Says.HARDWARE),
        ((FRONT,), Says.NOTHING),
        ((CORE,), Says.NOTHING),
        ((FRONT, OTHER), Says.CONTRADICTS),
        ((FRONT, CORE, "/usr/lib/libnvidia-glsi.so.580.95.05"), Says.CONTRADICTS),
        ((FRONT, CORE, "/compat/libcuda.so.580.95.05", "/compat/libnvidia-ptxjitcompiler.so.580.95.05"), Says.HARDWARE),
        (("/opt/libEGL_nvidia.so.0", "/opt/libnvidia-eglcore.so.0"), Says.CANNOT_KNOW),
        ((FRONT, CORE, "/usr/lib/dri/swrast_dri.so"), Says.NOTHING),
        ((FRONT, CORE, "/usr/lib/libEGL_mesa.so.0.0.0", "/usr/lib/libgallium-24.2.so"), Says.HARDWARE),
        ((FRONT, "/usr/lib/libEGL_mesa.so.0.0.0", "/usr/lib/dri/iris_dri.so"), Says.OTHER_GPU),
        ((FRONT, FOR_X), Says.NOTHING),
        ((FRONT, FOR_X, "/usr/lib/libEGL_mesa.so.0.0.0", "/usr/lib/libgallium-25.0.7.so"), Says.OTHER_GPU),
        (compose.SWRAST_LIBRARIES, Says.SOFTWARE),
        (compose.GLVND, Says.CPU),
    ],
    ids=[
        "both halves",
        "front alone",
        "core alone",
        "core of another driver",
        "a part of another driver",
        "CUDA's forward compatibility",
        "no driver version",
        "Mesa's rasteriser beside it",
        "Mesa's vendor merely loaded",
        "NVIDIA's front merely loaded",
        "a window through GLX, or Vulkan",
        "Mesa's zink on NVIDIA's Vulkan",
        "Mesa",
        "no vendor",
    ],
)
def test_libraries_must_be_nvidias_gl_and_of_the_kernels_version(paths: tuple[str, ...], says: Says) -> None:
    assert libraries.testify(mapped(*paths)).says is says


def test_a_driver_version_that_nothing_can_be_compared_with_proves_nothing() -> None:
    host = replace(ACCELERATED.host, kernel_driver=HIDDEN, nvml=HIDDEN)

    assert libraries.testify(replace(ACCELERATED, host=host)).says is Says.CANNOT_KNOW


def test_the_kernel_modules_version_may_come_from_the_facts() -> None:
    facts = Facts(
        system=System(platform="linux", machine="x86_64"),
        driver=DriverFiles(module=KernelModule(version="580.95.05"), libraries=()),
        devices=(),
        container=HIDDEN,
        gl=GlFiles(libraries=(), vendors=()),
        cuda=CudaFiles(runtime=(), cudnn=(), compat=()),
        packages=HIDDEN,
        resources=Resources(cores=2),
    )
    host = replace(ACCELERATED.host, kernel_driver=HIDDEN, nvml=HIDDEN)

    assert common.module_versions(replace(ACCELERATED, host=host, facts=facts)) == {"580.95.05"}
    assert judge(replace(ACCELERATED, host=host, facts=facts)).verdict is Verdict.CONTRADICTORY
    none_loaded = replace(host, kernel_driver="")  # by envcheck's own look, which an environment's word cannot change
    assert common.module_versions(replace(ACCELERATED, host=none_loaded, facts=facts)) == frozenset()


def test_what_is_looked_for_from_outside_is_what_the_worker_looks_for() -> None:
    """The payload imports nothing of envcheck, so the two patterns stand twice."""
    source = (Path(envcheck.__file__).parent / "payload" / "facemesh.py").read_text(encoding="utf-8")
    patterns = {
        node.targets[0].id: ast.literal_eval(node.value.args[0])
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }

    assert patterns["LIBRARY"] == outside.LIBRARY.pattern
    assert patterns["DEVICE"] == outside.DEVICE.pattern


def test_maps_are_read_as_the_kernel_writes_them() -> None:
    maps = (
        "7f00-7f01 r--p 00000000 08:01 131 /usr/lib/libEGL_nvidia.so.570.144\n"
        "7f01-7f02 r-xp 00001000 08:01 131 /usr/lib/libEGL_nvidia.so.570.144\n"
        "7f02-7f03 rw-p 00000000 00:00 0 [heap]\n"
        "7f03-7f04 r--p 00000000 08:01 132 /opt/a folder/libmediapipe.so\n"
        "7f04-7f05 r--p 00000000 08:01 133 /usr/lib/libc.so.6\n"
        "7f05-7f06 rw-p 00000000 00:00 0\n"
    )

    assert outside.mapped(maps) == ("/opt/a folder/libmediapipe.so", "/usr/lib/libEGL_nvidia.so.570.144")


@pytest.mark.parametrize("backend", ["venv", "conda", "existing"])
def test_what_a_worker_alone_has_seen_of_itself_does_not_speak_for_hardware(backend: str) -> None:
    """It can hide from the kernel's view (PR_SET_DUMPABLE), and then say what it likes."""
    cell = replace(ACCELERATED.cell, axes=replace(ACCELERATED.cell.axes, backend=backend))
    told = replace(ACCELERATED, cell=cell, gpu=replace(ACCELERATED.gpu, looked_from="inside"))
    says = {one.name: one.says for one in witnesses.testify(told)}

    assert (says["libraries"], says["devices"]) == (Says.CANNOT_KNOW, Says.CANNOT_KNOW)
    assert says["nvml-process"] is Says.HARDWARE  # the driver's word, not the worker's
    assert judge(told).verdict is Verdict.UNKNOWN
    assert "own account" in judge(told).because


def test_what_a_worker_says_against_itself_is_believed() -> None:
    against = replace(ACCELERATED.gpu, looked_from="inside", devices=(), device_numbers={})

    assert judge(replace(ACCELERATED, gpu=against)).verdict is Verdict.CONTRADICTORY


def test_in_a_container_that_envcheck_built_a_workers_own_account_counts() -> None:
    cell = replace(ACCELERATED.cell, axes=replace(ACCELERATED.cell.axes, backend="docker"))
    told = replace(ACCELERATED, cell=cell, gpu=replace(ACCELERATED.gpu, looked_from="inside"))

    assert judge(told).verdict is Verdict.ACCELERATED


def test_a_process_that_holds_no_mediapipe_is_not_looked_at_from_outside(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    (folder / "fd").mkdir(parents=True)
    (folder / "maps").write_text("7f00-7f01 r--p 00000000 08:01 131 /usr/lib/libEGL.so.1\n", encoding="utf-8")

    assert outside.look(7, tmp_path) == {}
    assert outside.look(8, tmp_path) == {}
    (folder / "maps").write_text("7f00-7f01 r--p 00000000 08:01 131 /opt/libmediapipe.so\n", encoding="utf-8")
    (folder / "fd" / "3").symlink_to("/dev/nvidia0")
    (folder / "fd" / "4").symlink_to("/dev/null")
    seen = outside.look(7, tmp_path)
    assert (seen["libraries"], seen["looked_from"]) == (("/opt/libmediapipe.so",), "outside")


@pytest.mark.parametrize(
    ("flags", "opened"), [("0100002", True), ("012100000", False)], ids=["opened", "named only (O_PATH)"]
)
def test_a_device_file_that_is_only_named_is_not_open(flags: str, opened: bool, tmp_path: Path) -> None:
    folder = tmp_path / "7"
    for name in ("fd", "fdinfo"):
        (folder / name).mkdir(parents=True)
    (folder / "fd" / "3").symlink_to("/dev/null")
    (folder / "fdinfo" / "3").write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t25\n", encoding="ascii")

    assert outside.is_opened(folder / "fd" / "3") is opened


STATUS = {7: "7 (sh) S 1 7 7 0", 8: "8 (a (b) S 9) S 7 7 7 0", 9: "9 (python) R 8 7 7 0", 12: "12 (other) S 1 12 12 0"}


@pytest.mark.parametrize(
    ("started", "inner", "found"),
    [(7, 7, 7), (7, 9, 9), (7, 12, 7), (7, 13, 7), (8, 7, 8), (None, 9, None)],
    ids=["itself", "below a script", "a stranger's", "nobody's, as in a container", "its parent's", "not known"],
)
def test_the_interpreter_is_looked_for_below_what_was_started(
    started: int | None, inner: int, found: int | None, tmp_path: Path
) -> None:
    for pid, status in STATUS.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{status} -1 4194560", encoding="utf-8")

    assert outside.interpreter(started, inner, tmp_path) == found


# --- devices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        (compose.NVIDIA_NUMBERS, Says.HARDWARE),
        (None, Says.CANNOT_KNOW),
        (compose.NVIDIA_NUMBERS | {"/dev/nvidia0": "1:3"}, Says.CONTRADICTS),
        (compose.NVIDIA_NUMBERS | {"/dev/nvidiactl": ""}, Says.CONTRADICTS),
        ({}, Says.CONTRADICTS),
    ],
    ids=["the driver's", "not read", "null device", "plain file", "not told"],
)
def test_a_device_file_is_believed_by_its_number_not_its_name(numbers: dict[str, str] | None, says: Says) -> None:
    evidence = replace(ACCELERATED, gpu=replace(ACCELERATED.gpu, device_numbers=numbers))

    assert devices.testify(evidence).says is says


def test_a_process_that_merely_opens_the_device_is_one_witness_against_many() -> None:
    worker = replace(ACCELERATED.gpu, libraries=compose.SWRAST_LIBRARIES, log=compose.log_of(compose.LLVMPIPE_GL, "Gl"))
    evidence = replace(ACCELERATED, gpu=worker)

    assert devices.testify(evidence).says is Says.HARDWARE
    assert judge(evidence).verdict is Verdict.CONTRADICTORY


# --- calculators ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "cut", "says"),
    [
        (("GlAdvanced", "GlAdvanced", "Xnnpack"), False, Says.GL),
        (("Gl", "Gl"), True, Says.GL),
        (("Cpu", "Cpu", "Xnnpack"), False, Says.CPU),
        (("Gl", "Cpu", "Cpu"), False, Says.CONTRADICTS),
        (("Cpu",), True, Says.CANNOT_KNOW),
        (("Metal", "Metal", "Cpu"), False, Says.NOTHING),
        ((), False, Says.CANNOT_KNOW),
    ],
)
def test_what_ran_each_model_is_told_by_all_of_them(names: tuple[str, ...], cut: bool, says: Says) -> None:
    log = tuple(compose.calculator_line(name, "model.tflite") for name in names)
    worker = replace(ACCELERATED.gpu, log=log, log_dropped=5 if cut else 0)

    assert calculators.testify(replace(ACCELERATED, gpu=worker)).says is says


@pytest.mark.parametrize(
    ("by_cpu", "by_gpu", "says"),
    [
        (2, 0, Says.CANNOT_KNOW),
        (2, 2, Says.CPU),
        (2, 3, Says.CPU),
        (2, 1, Says.CONTRADICTS),
        (1, 1, Says.CANNOT_KNOW),
        (0, 2, Says.CANNOT_KNOW),
    ],
    ids=["on GL", "both on the CPU", "and a third", "one of them", "a log with a line too few", "a silent CPU worker"],
)
def test_where_calculators_are_not_named_the_interpreters_of_the_cpu_are_counted(
    by_cpu: int, by_gpu: int, says: Says
) -> None:
    """1.0.1 and later announce one for each model that runs on the CPU, without the blendshapes."""
    cpu, gpu = (
        replace(worker, log=(*lines, compose.XNNPACK, *(compose.FEEDBACK,) * count))
        for worker, lines, count in (
            (ACCELERATED.cpu, (), by_cpu),
            (ACCELERATED.gpu, (compose.EGL_READY, compose.context_line(compose.NVIDIA_GL)), by_gpu),
        )
    )
    assert calculators.testify(replace(ACCELERATED, cpu=cpu, gpu=gpu)).says is says


def test_calculators_that_somebody_else_names_do_not_hide_the_interpreters_of_the_cpu() -> None:
    """0.10.14 and later announce none on GL, whoever prints "Using Gl": read from 0.10.14, 0.10.21 and 0.10.35."""
    gpu = replace(ACCELERATED.gpu, log=(*ACCELERATED.gpu.log, compose.FEEDBACK, compose.FEEDBACK))
    forged = replace(ACCELERATED, gpu=gpu)

    assert calculators.testify(ACCELERATED).says is Says.GL
    assert calculators.testify(forged).says is Says.CONTRADICTS
    assert judge(forged).verdict is Verdict.CONTRADICTORY


# --- EGL devices ------------------------------------------------------------------------------------------------


def enumerating(*found: EglDevice) -> Evidence:
    assert isinstance(ACCELERATED.gl, GlContext)
    return replace(ACCELERATED, gl=replace(ACCELERATED.gl, egl_devices=found))


MESA = EglDevice(
    index=1, renderer="llvmpipe (LLVM 15.0.6, 256 bits)", version="OpenGL ES 3.2 Mesa 22.3.6", vendor="Mesa"
)
NVIDIA = EglDevice(index=0, cuda=0, renderer=compose.NVIDIA_GL[1], version=compose.NVIDIA_GL[0])


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ((NVIDIA, MESA), Says.HARDWARE),
        ((MESA,), Says.CONTRADICTS),
        ((replace(NVIDIA, renderer="NVIDIA T4/PCIe/SSE2"),), Says.CANNOT_KNOW),
        ((EglDevice(index=0, error="eglInitialize on the device failed with 0x3003"),), Says.CANNOT_KNOW),
        ((), Says.CANNOT_KNOW),
    ],
    ids=["NVIDIA's and Mesa's", "Mesa's alone", "another GPU of NVIDIA's", "no context", "none"],
)
def test_the_default_display_must_be_one_of_the_devices(found: tuple[EglDevice, ...], says: Says) -> None:
    assert egl_devices.testify(enumerating(*found)).says is says


def test_a_device_of_nvidias_does_not_make_a_software_display_hardware() -> None:
    assert isinstance(ACCELERATED.gl, GlContext)
    gl = replace(
        ACCELERATED.gl, renderer=MESA.renderer, version=MESA.version, vendor="Mesa", egl_devices=(NVIDIA, MESA)
    )

    assert egl_devices.testify(replace(ACCELERATED, gl=gl)).says is Says.NOTHING


# --- NVML -------------------------------------------------------------------------------------------------------


def listed(*, graphics: tuple[GpuProcess, ...] = (), compute: tuple[GpuProcess, ...] = ()) -> Evidence:
    (sample,) = compose.sample(utilisation=3)
    return replace(ACCELERATED, nvml_working=(replace(sample, graphics=graphics, compute=compute),))


MINE, FOREIGN = GpuProcess(pid=compose.GPU_PID, memory=186 << 20), GpuProcess(pid=7, memory=9 << 30)


@pytest.mark.parametrize(
    ("evidence", "process", "memory"),
    [
        (listed(graphics=(FOREIGN, MINE)), Says.HARDWARE, Says.HARDWARE),
        (listed(compute=(MINE,)), Says.NOTHING, Says.NOTHING),
        (listed(graphics=(FOREIGN,)), Says.CPU, Says.NOTHING),
        (listed(graphics=(replace(MINE, memory=None),)), Says.HARDWARE, Says.CANNOT_KNOW),
        (listed(graphics=(replace(MINE, memory=0),)), Says.HARDWARE, Says.NOTHING),
    ],
    ids=["graphics", "CUDA alone", "somebody else", "memory not told", "no memory"],
)
def test_nvml_must_list_the_worker_for_graphics(evidence: Evidence, process: Says, memory: Says) -> None:
    assert nvml_process.testify(evidence).says is process
    assert nvml_memory.testify(evidence).says is memory


def test_in_a_namespace_of_process_numbers_nvmls_lists_tell_nothing() -> None:
    nested = replace(ACCELERATED, host=replace(ACCELERATED.host, nested_pids=True))

    assert nvml_process.testify(nested).says is nvml_memory.testify(nested).says is Says.CANNOT_KNOW


def window(worker: str, watts: float | None, busy: int | None = None) -> NvmlWindow:
    change = GpuChange(
        index=0,
        energy_mj=HIDDEN if watts is None else int(watts * 250),
        utilisation=HIDDEN if busy is None else busy,
    )
    return NvmlWindow(worker=worker, seconds=0.25, gpus=(change,))


@pytest.mark.parametrize(
    ("cpu", "gpu", "says"),
    [
        ([(41, 0), (40, 0)], [(96, 0), (90, 0)], Says.HARDWARE),
        ([(None, 2), (None, 3)], [(None, 30), (None, 31)], Says.HARDWARE),
        ([(41, 0), (95, 0)], [(96, 0), (90, 0)], Says.NOTHING),
        ([(41, 0), (40, 0)], [(42, 0), (42, 1)], Says.NOTHING),
        ([(300, 99), (300, 99)], [(310, 99), (308, 100)], Says.NOTHING),
        ([(41, 0)], [(96, 30)], Says.CANNOT_KNOW),
        ([(None, None)] * 4, [(None, None)] * 4, Says.CANNOT_KNOW),
    ],
    ids=["power", "utilisation", "somebody else", "no rise", "busy anyway", "one each", "not told"],
)
def test_the_gpu_must_be_busier_in_every_window_of_the_gpu_worker(
    cpu: list[tuple[float | None, int | None]], gpu: list[tuple[float | None, int | None]], says: Says
) -> None:
    windows = [window("CPU", *one) for one in cpu] + [window("GPU", *one) for one in gpu]

    assert nvml_activity.testify(replace(ACCELERATED, nvml_windows=tuple(windows))).says is says


def test_activity_alone_never_proves_and_its_absence_never_disproves() -> None:
    still = replace(ACCELERATED, nvml_windows=HIDDEN)

    assert judge(still).verdict is Verdict.ACCELERATED
    assert judge(replace(still, nvml_working=HIDDEN, gpu=replace(still.gpu, devices=HIDDEN))).verdict is Verdict.UNKNOWN
    with_activity = replace(ACCELERATED, nvml_working=HIDDEN, gpu=replace(ACCELERATED.gpu, devices=HIDDEN))
    assert nvml_activity.testify(with_activity).says is Says.HARDWARE
    assert judge(with_activity).verdict is Verdict.UNKNOWN


# --- timing -----------------------------------------------------------------------------------------------------


def test_equal_times_with_equal_landmarks_speak_for_the_cpu() -> None:
    points = Landmarks(frame=0, points=((0.0, 0.0), (9.0, 0.0), (5.0, 5.0)))
    same = tuple(replace(points, frame=number) for number in range(5))
    blocks = tuple(Block(pair=pair, times_ms=(10.0 + pair % 2 * 0.01,), faces=1) for pair in range(16))
    worker = replace(ACCELERATED.cpu, blocks=blocks, landmarks=same)
    evidence = replace(ACCELERATED, cpu=worker, gpu=replace(ACCELERATED.gpu, blocks=blocks, landmarks=same))

    assert timing.testify(evidence).says is Says.CPU
    other = replace(evidence, gpu=replace(evidence.gpu, landmarks=ACCELERATED.gpu.landmarks))
    assert timing.testify(other).says is Says.NOTHING


def test_a_worker_whose_clock_runs_slow_is_found_out_by_ours() -> None:
    """Frames said to take 2.6 ms each, in blocks that took envcheck longer than the CPU's."""
    late = tuple(replace(block, wall_ms=200.0) for block in ACCELERATED.gpu.blocks)
    evidence = replace(ACCELERATED, gpu=replace(ACCELERATED.gpu, blocks=late))

    assert timing.testify(evidence).says is Says.CONTRADICTS
    assert re.search(r"by envcheck's own clock", timing.testify(evidence).saw)
