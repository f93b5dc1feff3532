"""The parsers and witnesses on what public issues and files show of real NVIDIA hosts (tests/unit/recorded)."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from msgspec.structs import replace

from envcheck.host import kernel_driver
from envcheck.judge import judge
from envcheck.judge.witnesses import devices, egl_devices, libraries, native_log, nvml_memory, nvml_process
from envcheck.model import EglDevice, Evidence, GlContext, GpuProcess, GpuSample, Says, Unread, Verdict
from envcheck.probes import nativelog, renderer
from envcheck.watch import judging
from envcheck.watch import witnesses as watching
from envcheck.watch.stderr import read_log
from envcheck.watched import Place
from tests.golden import as_if_seen, compose
from tests.unit.recorded import contexts, drivers, logs
from tests.unit.recorded.processes import LISTED, PROCESSES, TEGRA_FILES, Listed, Process
from tests.unit.test_watch_judging import MEDIAPIPE, process, seen

container: Any = importlib.import_module("envcheck.payload.container")
host_payload: Any = importlib.import_module("envcheck.payload.host")

ACCELERATED = as_if_seen("accelerated")
LIB = "/usr/lib/x86_64-linux-gnu/"


def on_driver(version: str) -> Evidence:
    """The accelerated evidence on a host with this driver."""
    host = replace(ACCELERATED.host, kernel_driver=version, nvml=replace(ACCELERATED.host.nvml, driver=version))
    return replace(ACCELERATED, host=host)


# --- words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", contexts.CONTEXTS, ids=lambda one: f"{one.renderer} {one.version}")
def test_a_recorded_context_is_taken_for_what_it_was(one: contexts.Context) -> None:
    assert renderer.classify(one.renderer, one.version, one.vendor) is one.says


@pytest.mark.parametrize("line", logs.LINES, ids=lambda line: line.text[:40])
def test_a_recorded_line_says_what_it_says(line: logs.Line) -> None:
    assert nativelog.gl_line([line.text]) == line.context
    assert nativelog.egl_failures([line.text]) == line.refused
    assert nativelog.calculators([line.text]) == ()


def test_a_line_without_renderer_names_the_driver_by_its_version() -> None:
    """As MediaPipe 0.8 printed it, which community wheels for Jetsons still are."""
    (old,) = [line.text for line in logs.LINES if "470.129.06" in line.text]
    evidence = on_driver("470.129.06")

    assert native_log.testify(replace(evidence, gpu=replace(evidence.gpu, log=(old,)))).says is Says.HARDWARE
    assert native_log.testify(replace(ACCELERATED, gpu=replace(ACCELERATED.gpu, log=(old,)))).says is Says.CONTRADICTS
    watched = seen(process(MEDIAPIPE), log=read_log([old], {}))
    assert watching.context(watched).says is Says.HARDWARE
    assert "no renderer (OpenGL ES 3.2 NVIDIA 470.129.06)" in watching.context(watched).saw


# --- processes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", PROCESSES.values(), ids=PROCESSES)
def test_a_recorded_process_speaks_for_what_it_used(one: Process) -> None:
    evidence = on_driver(one.driver)
    mapped = tuple(LIB + name for name in one.libraries)
    gpu = replace(evidence.gpu, libraries=mapped, devices=tuple(sorted(one.devices)), device_numbers=one.devices)
    cpu = replace(evidence.cpu, libraries=(), devices=())
    evidence = replace(evidence, gpu=gpu, cpu=cpu)

    assert (libraries.testify(evidence).says, devices.testify(evidence).says) == one.says


@pytest.mark.parametrize("files", TEGRA_FILES.values(), ids=TEGRA_FILES)
def test_a_jetsons_own_device_files_are_no_sign_of_the_cpu(files: tuple[str, ...]) -> None:
    numbers = {path: "195:255" if path == "/dev/nvidiactl" else "" for path in files}
    both = {"devices": (*files, "/dev/dri/renderD128"), "device_numbers": numbers}
    gpu, cpu = replace(ACCELERATED.gpu, **both), replace(ACCELERATED.cpu, devices=())
    evidence = replace(ACCELERATED, gpu=gpu, cpu=cpu, nvml_working=Unread(reason="NVML lists no processes here"))

    assert devices.testify(evidence).says is Says.NOTHING
    assert judge(evidence).verdict is Verdict.UNKNOWN
    watched = seen(process(MEDIAPIPE, *compose.NVIDIA_LIBRARIES, devices=files))
    assert watching.devices(watched).says is Says.NOTHING
    assert judging.judge(watched).answer.place is Place.UNKNOWN


def test_what_mesas_vendor_library_brings_with_it_is_not_the_driver_in_use() -> None:
    """libgallium needs LLVM on every distribution that was seen, for the rasteriser and for AMD's GPUs alike."""
    mesa = (f"{LIB}libEGL_mesa.so.0.0.0", f"{LIB}libgallium-25.2.4-arch1.1.so", f"{LIB}libLLVM.so.20.1")
    iris = (f"{LIB}dri/iris_dri.so", f"{LIB}libEGL_mesa.so.0.0.0", f"{LIB}libLLVM-15.so.1")

    assert libraries.sign_of(mesa, ())[0] is Says.SOFTWARE
    assert libraries.sign_of(mesa, ("/dev/dri/renderD128",))[0] is Says.OTHER_GPU
    assert libraries.sign_of(iris, Unread(reason="hidden"))[0] is Says.OTHER_GPU


def test_vulkans_core_library_is_not_egls() -> None:
    """Mesa's zink on NVIDIA's Vulkan has libnvidia-glcore mapped, and libEGL both vendors' front libraries."""
    zink = (f"{LIB}libEGL_nvidia.so.570.144", f"{LIB}libnvidia-glcore.so.570.144", f"{LIB}libgallium-25.0.7.so")

    assert libraries.sign_of(zink, ("/dev/dri/renderD128", "/dev/nvidia0"))[0] is Says.OTHER_GPU
    assert libraries.sign_of(zink[:2], ("/dev/nvidia0",))[0] is Says.NOTHING


@pytest.mark.parametrize("one", LISTED.values(), ids=LISTED)
def test_a_recorded_entry_of_nvmls_lists_is_graphics_or_not(one: Listed) -> None:
    (sample,) = compose.sample(utilisation=3)
    mine = (GpuProcess(pid=compose.GPU_PID, memory=one.mib << 20),)
    seen_so = replace(sample, graphics=mine if "G" in one.kind else (), compute=mine if "C" in one.kind else ())
    evidence = replace(ACCELERATED, nvml_working=(seen_so,))

    assert (nvml_process.testify(evidence).says, nvml_memory.testify(evidence).says) == one.says


def test_a_process_that_renders_is_listed_on_gpus_that_it_only_opened() -> None:
    """One process of the eight GPUs: C+G with 4126 MiB on the first, G with 6 MiB on the seventh."""
    pid = compose.GPU_PID
    graphics = {0: 4126 << 20, 6: 6 << 20}
    samples = tuple(
        GpuSample(
            index=index, utilisation=0, memory_used=0, energy_mj=0, compute=(),
            graphics=(GpuProcess(pid=pid, memory=graphics[index]),) if index in graphics else (),
        )
        for index in range(8)
    )  # fmt: skip
    evidence = replace(ACCELERATED, nvml_working=samples)

    assert nvml_process.testify(evidence).saw == "process listed: GPU 0 graphics, GPU 6 graphics"
    assert nvml_memory.testify(evidence).saw == "4126 MiB"


# --- EGL's devices ----------------------------------------------------------------------------------------------


def test_mesas_second_view_of_the_same_card_is_no_second_opinion() -> None:
    """Three devices for one GPU: NVIDIA's, which names no file, Mesa's of the card, which fails, and the rasteriser.

    So told in https://github.com/VirtualGL/virtualgl/issues/10; the strings here are not from there.
    """
    assert isinstance(ACCELERATED.gl, GlContext)
    found = (
        EglDevice(index=0, cuda=0, renderer=ACCELERATED.gl.renderer, version=ACCELERATED.gl.version),
        EglDevice(index=1, drm="/dev/dri/card1", error="eglInitialize on the device failed with 0x3001"),
        EglDevice(index=2, renderer="llvmpipe (LLVM 15.0.7, 256 bits)", version="OpenGL ES 3.2 Mesa 23.2.1"),
    )
    gl = replace(ACCELERATED.gl, egl_devices=found)

    assert egl_devices.testify(replace(ACCELERATED, gl=gl)).says is Says.HARDWARE


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", drivers.MODULES, ids=lambda one: one.version)
def test_a_recorded_kernel_module_is_read(one: drivers.Module) -> None:
    text = f"{one.text}\nGCC version:  gcc version 12.2.0 (GCC)\n"
    read = host_payload.kernel_module(text, "", "", ["nvidia"])

    assert read == {"kind": "kernel-module", "version": one.version, "open": one.free}
    assert kernel_driver(text, Unread(reason="masked"), ()) == one.version


@pytest.mark.parametrize("one", drivers.SPECS.values(), ids=drivers.SPECS)
def test_a_recorded_cdi_specification_is_read(one: drivers.Spec) -> None:
    read = container.cdi_spec("/var/run/cdi/nvidia.yaml", one.text)

    assert (read["kind"], read["driver"], read["graphics"]) == one.read


def test_every_row_has_a_source() -> None:
    tables: tuple[Any, ...] = (
        contexts.CONTEXTS, logs.LINES, PROCESSES.values(), LISTED.values(), drivers.MODULES, drivers.SPECS.values()
    )  # fmt: skip
    sources = [row.source for table in tables for row in table]

    assert all(source.startswith(("https://github.com/", "a public file with the title")) for source in sources)
