"""From symptom to root cause: which code comes first, which follow from it, and which wait."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from envcheck.facts import Facts, VendorFile
from envcheck.judge import judge
from envcheck.model import Evidence, GlContext, Judgement, LoadedVendor, Status, Unread, Verdict, WorkerRun
from envcheck.pages import PAGES
from envcheck.rules import findings
from tests.unit import worlds
from tests.unit.worlds import (
    BARE_CONTAINER,
    DOCKER,
    EMULATION,
    HEALTHY,
    HOST,
    LLVMPIPE,
    MESA_VENDOR,
    NO_CONTEXT,
    NO_DISPLAY,
    NO_GPU_HOST,
    NO_VENDOR_LOADS,
    NVIDIA_VENDOR,
    changed,
    compute_half,
    driver_files,
    graphics_half,
    healthy_facts,
    looked_at,
    no_driver_facts,
    refused,
    tried,
)

NO_LIBRARIES = driver_files(module=None)
MESA_ONLY = changed(HEALTHY.gl, vendors=(MESA_VENDOR,))
MESA_CONTEXT_LINE = (
    "I0000 gl_context.cc:408] GL version: 3.2 (OpenGL ES 3.2 Mesa 22.3.6), renderer: llvmpipe (LLVM 15.0.6, 256 bits)"
)
LIBSTDCXX = "failed to open swrast: /opt/conda/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found"


NO_CONFIG = f"{worlds.UMBRELLA}eglChooseConfig() returned no matching EGL configuration for RGBA8888 D16 ES2 request."
WITHOUT_CONFIG = changed(
    NO_CONTEXT, error="eglChooseConfig found no RGBA8888 D16 pbuffer configuration for OpenGL ES 2"
)


class Chain(NamedTuple):
    """A symptom and what it comes from: all codes that answer FAIL, in order, and some that wait."""

    name: str
    evidence: Evidence
    failing: tuple[str, ...]
    waiting: tuple[str, ...] = ()


def refusal(facts: Facts, error: str = NO_DISPLAY, *log: str, gl: GlContext = NO_CONTEXT, **changes: Any) -> Evidence:
    return tried(refused(error, *log), facts, gl=gl, **changes)


def bare(**variables: str) -> Facts:
    """A container without GPU, on a host whose driver is loaded."""
    container = changed(BARE_CONTAINER, variables=variables)
    return healthy_facts(container=container, devices=(), driver=driver_files(), gl=MESA_ONLY)


NO_NVML: dict[str, Any] = {"host": changed(HOST, nvml=Unread(reason="NVMLError_LibraryNotFound: not found"))}
MISMATCH: dict[str, Any] = {"host": changed(HOST, nvml=Unread(reason="NVMLError_LibRmVersionMismatch: mismatch"))}
COMPUTE_ONLY = healthy_facts(
    container=changed(DOCKER, variables={"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}),
    driver=driver_files(*compute_half()),
    gl=MESA_ONLY,
)
HIDING = changed(HEALTHY.gl, vendors=(MESA_VENDOR,), variables={"__EGL_VENDOR_LIBRARY_FILENAMES": MESA_VENDOR.path})
UPDATED = driver_files(*compute_half("575.57.08"), *graphics_half("575.57.08"))
CLOSED = tuple(replace(one, usable=False) for one in worlds.NVIDIA_DEVICES)
JETSON = changed(HEALTHY.system, machine="aarch64", jetson="NVIDIA Jetson Orin Nano")
JETSON_FACTS = no_driver_facts(system=JETSON)
WSL = healthy_facts(
    system=changed(HEALTHY.system, wsl=True, release="5.15.167.4-microsoft-standard-WSL2"),
    driver=driver_files(*compute_half(""), module=None),
    devices=(),
    gl=MESA_ONLY,
)
SLICED: dict[str, Any] = {"host": changed(HOST, nvml=changed(worlds.NVML, gpus=(changed(worlds.GPU, mig=True),)))}
WITH_ERROR = changed(
    NO_CONTEXT,
    vendors=(LoadedVendor("libEGL_nvidia.so.0", "libnvidia-eglcore.so.570.124.06: cannot open shared object"),),
)
DANGLING = VendorFile(path=NVIDIA_VENDOR.path, library="libEGL_nvidia.so.0")

CHAINS = (
    Chain("no driver at all", refusal(no_driver_facts(), host=NO_GPU_HOST), ("GPU105", "EGL202"), ("EGL208",)),
    Chain(
        "no driver, software GL taken for a GPU",
        refusal(no_driver_facts(), EMULATION, MESA_CONTEXT_LINE, gl=LLVMPIPE, host=NO_GPU_HOST),
        ("GPU105", "EGL204"),
        ("EGL208", "EGL211"),
    ),
    Chain(
        "a container without a GPU",
        refusal(bare(), NO_VENDOR_LOADS, **NO_NVML),
        ("CTR302", "EGL201"),
        ("GPU105", "GPU108", "GPU117", "EGL208"),
    ),
    Chain(
        "a container without a GPU, and no driver on its host",
        refusal(replace(bare(), driver=NO_LIBRARIES), NO_VENDOR_LOADS, host=NO_GPU_HOST),
        ("CTR302", "EGL201"),
        ("GPU105",),
    ),
    Chain(
        "a container told to have no GPU",
        refusal(bare(NVIDIA_VISIBLE_DEVICES="none"), NO_VENDOR_LOADS, **NO_NVML),
        ("CTR303", "EGL201"),
        ("CTR302", "GPU105"),
    ),
    Chain(
        "a container of an image that asks for a newer driver, and no GPU",
        refusal(bare(NVIDIA_REQUIRE_CUDA="driver>=580"), NO_VENDOR_LOADS, **NO_NVML),
        ("CTR304", "CTR302", "EGL201"),
    ),
    Chain("a compute-only container", refusal(COMPUTE_ONLY, NO_VENDOR_LOADS), ("CTR301", "EGL201"), ("EGL208",)),
    Chain(
        "a host without libnvidia-gl",
        refusal(healthy_facts(driver=driver_files(*compute_half()), gl=MESA_ONLY)),
        ("EGL208", "EGL202"),
        ("EGL209", "EGL211"),
    ),
    Chain(
        "a host without libnvidia-gl, its vendor file left behind",
        refusal(
            healthy_facts(driver=driver_files(*compute_half()), gl=changed(HEALTHY.gl, vendors=(DANGLING, MESA_VENDOR)))
        ),
        ("EGL208", "EGL202"),
        ("EGL212",),
    ),
    Chain(
        "a driver that was updated without a restart",
        refusal(healthy_facts(driver=UPDATED), **MISMATCH),
        ("GPU106", "EGL202"),
        ("EGL210",),
    ),
    Chain(
        "a graphics half of another version",
        refusal(healthy_facts(driver=driver_files(*compute_half(), *graphics_half("570.86.10")))),
        ("EGL210", "EGL202"),
        ("EGL209",),
    ),
    Chain(
        "an incomplete graphics half",
        refusal(healthy_facts(driver=driver_files(*compute_half(), *graphics_half()[:2])), gl=WITH_ERROR),
        ("EGL209", "EGL202"),
        ("EGL219",),
    ),
    Chain("a vendor file missing on a host", refusal(healthy_facts(gl=MESA_ONLY)), ("EGL211", "EGL202")),
    Chain(
        "a vendor file missing in a container",
        refusal(healthy_facts(gl=MESA_ONLY, container=DOCKER), NO_VENDOR_LOADS),
        ("CTR308", "EGL201"),
    ),
    Chain("NVIDIA hidden by variables", refusal(healthy_facts(gl=HIDING)), ("EGL213", "EGL202")),
    Chain(
        "a foreign DISPLAY",
        refusal(healthy_facts(gl=changed(HEALTHY.gl, variables={"DISPLAY": "localhost:10.0"})), gl=LLVMPIPE),
        ("EGL214", "EGL202"),
    ),
    Chain(
        "EGL_PLATFORM",
        refusal(healthy_facts(gl=changed(HEALTHY.gl, variables={"EGL_PLATFORM": "gbm", "DISPLAY": ":0"}))),
        ("EGL220", "EGL202"),
        ("EGL214",),
    ),
    Chain(
        "EGL_PLATFORM, and no configuration",
        refusal(healthy_facts(gl=changed(HEALTHY.gl, variables={"EGL_PLATFORM": "gbm"})), NO_CONFIG, gl=WITHOUT_CONFIG),
        ("EGL220",),
        ("EGL203",),
    ),
    Chain(
        "a foreign DISPLAY, and no configuration",
        refusal(
            healthy_facts(gl=changed(HEALTHY.gl, variables={"DISPLAY": "localhost:10.0"})), NO_CONFIG, gl=WITHOUT_CONFIG
        ),
        ("EGL214",),
        ("EGL203",),
    ),
    Chain("no configuration, and nothing that steers", refusal(HEALTHY, NO_CONFIG, gl=WITHOUT_CONFIG), ("EGL203",)),
    Chain(
        "a look at a display without configurations",
        looked_at(gl=WITHOUT_CONFIG),
        ("EGL203",),
        ("EGL223",),
    ),
    Chain(
        "devices that this user may not open",
        refusal(healthy_facts(devices=CLOSED), host=changed(HOST, nvml=Unread(reason="NVMLError_NoPermission"))),
        ("GPU107", "EGL202"),
    ),
    Chain(
        "Mesa chosen because the vendor file is missing",
        refusal(healthy_facts(gl=MESA_ONLY), EMULATION, MESA_CONTEXT_LINE, gl=LLVMPIPE),
        ("EGL211", "EGL204"),
    ),
    Chain("WSL", refusal(WSL, EMULATION, MESA_CONTEXT_LINE, gl=LLVMPIPE), ("GPU114", "EGL204"), ("EGL208",)),
    Chain("MIG", refusal(HEALTHY, NO_DISPLAY, **SLICED), ("GPU102", "EGL202")),
    Chain(
        "conda's libstdc++",
        refusal(HEALTHY, NO_DISPLAY, gl=changed(NO_CONTEXT, log=(LIBSTDCXX,))),
        ("EGL218", "EGL202"),
    ),
    Chain(
        "a MediaPipe without GPU code, on a host without a driver",
        refusal(no_driver_facts(), "ImageCloneCalculator: GPU processing is disabled in build flags", host=NO_GPU_HOST),
        ("MPP401",),
    ),
    Chain(
        "a look at a host without a driver", looked_at(no_driver_facts(), gl=LLVMPIPE, host=NO_GPU_HOST), ("GPU105",)
    ),
    Chain(
        "a look into a container without a GPU", looked_at(bare(), gl=NO_CONTEXT, **NO_NVML), ("CTR302",), ("GPU105",)
    ),
    Chain(
        "a look at a host without a driver, where more is wrong",
        looked_at(
            no_driver_facts(
                gl=changed(MESA_ONLY, libraries=(), variables={"LIBGL_ALWAYS_SOFTWARE": "1"}),
                packages=changed(HEALTHY.packages, distributions=()),
            ),
            gl=NO_CONTEXT,
            host=NO_GPU_HOST,
        ),
        ("GPU105", "EGL215", "EGL217", "MPP413"),
    ),
)


def found(evidence: Evidence, status: Status) -> tuple[str, ...]:
    return tuple(one.code for one in findings(evidence, judge(evidence)) if one.status is status)


@pytest.mark.parametrize("chain", CHAINS, ids=[chain.name for chain in CHAINS])
def test_the_root_cause_comes_first_and_its_consequences_follow(chain: Chain) -> None:
    failing = tuple(code for code in found(chain.evidence, Status.FAIL) if code not in ("GPU104", "EGL207", "MPP402"))

    assert failing == chain.failing
    assert set(chain.waiting) <= set(found(chain.evidence, Status.SKIP))


@pytest.mark.parametrize(
    ("gl", "variables", "words"),
    [
        (worlds.GL, {}, "MEDIAPIPE_OMIT_EGL_WINDOW_BIT"),
        (WITHOUT_CONFIG, {}, "eglinfo -B"),
        (WITHOUT_CONFIG, {"DISPLAY": ":0"}, "unset DISPLAY"),
    ],
    ids=["a build that asks for a window", "a driver without such a surface", "a display server"],
)
def test_what_mends_a_missing_configuration_depends_on_who_asked_for_what(
    gl: GlContext, variables: dict[str, str], words: str
) -> None:
    host = changed(HOST, steering=variables)
    evidence = refusal(HEALTHY, NO_CONFIG, gl=gl, host=host)

    told = next(one for one in findings(evidence, judge(evidence)) if one.code == "EGL203")
    assert told.status is Status.FAIL
    assert words in told.remedy


def test_on_a_jetson_nothing_is_said_of_a_graphics_cards_driver() -> None:
    evidence = refusal(JETSON_FACTS, NO_DISPLAY, host=NO_GPU_HOST)

    assert found(evidence, Status.FAIL) == ("EGL202",)
    assert "GPU115" in found(evidence, Status.UNKNOWN)
    assert found(evidence, Status.SKIP) == ()


@pytest.mark.parametrize("verdict", [Verdict.EMULATED, Verdict.OTHER_GPU])
def test_work_that_went_elsewhere_is_put_down_to_what_led_it_there(verdict: Verdict) -> None:
    evidence = tried(worlds.ran("GPU"), healthy_facts(gl=HIDING), gl=LLVMPIPE)
    codes = [one.code for one in findings(evidence, Judgement(verdict=verdict, because="seen"))]

    assert codes == ["EGL213", {Verdict.EMULATED: "EGL207", Verdict.OTHER_GPU: "GPU104"}[verdict]]


def test_a_broken_environment_is_put_down_to_its_packages_not_to_the_driver() -> None:
    packages = changed(HEALTHY.packages, shadowed="/home/user/app/mediapipe.py")
    cpu = WorkerRun(
        delegate="CPU", outcome="import-failed", stage="import", error_type="AttributeError", error="no tasks"
    )
    not_run = WorkerRun(delegate="GPU", outcome="not-run")
    evidence = replace(tried(not_run, no_driver_facts(packages=packages), host=NO_GPU_HOST, gl=NO_CONTEXT), cpu=cpu)

    assert found(evidence, Status.FAIL) == ("MPP414", "MPP409")


def test_a_look_at_a_host_without_a_driver_is_a_few_lines() -> None:
    evidence = looked_at(no_driver_facts(), gl=LLVMPIPE, host=NO_GPU_HOST)
    resources = changed(HEALTHY.resources, quota_cores=2.0, load=15.0, memory_limit=1 << 30, governor="powersave")
    busy = replace(evidence, facts=no_driver_facts(resources=resources))

    assert [one.code for one in findings(evidence, judge(evidence)) if one.status is not Status.SKIP] == ["GPU105"]
    assert len(found(busy, Status.UNKNOWN)) <= 4


COMMONEST = {
    "legacy mp.solutions, GPU expected": ("SRC801",),
    "the XNNPACK line read as a proof": ("SRC817",),
    "mp.solutions is gone": ("SRC818",),
    "no delegate set": ("SRC804",),
    "Windows": ("GPU118",),
    "container without graphics capability": ("CTR301",),
    "kGpuService and 0x300c, no vendor file": ("EGL201", "EGL211", "CTR308"),
    "kGpuService and Unable to initialize EGL": ("EGL202", "EGL208"),
    "CUDA or cuDNN expected to matter": ("CUD708",),
    "works, and is no faster": ("BEN502",),
    "Mesa, Intel or llvmpipe chosen": ("GPU104", "EGL207", "EGL213"),
    "wheel without GPU code": ("MPP401", "MPP415"),
    "protobuf, numpy, TensorFlow conflict": ("MPP412",),
    "no wheel for this Python or machine": ("MPP403", "MPP404"),
    "Jetson": ("GPU115",),
    "silent CPU in 0.10.30 and 0.10.31": ("MPP402", "MPP415"),
    "libEGL or libGLESv2 missing": ("EGL215", "MPP405"),
    "driver without libnvidia-gl, or of another version": ("EGL208", "EGL210", "GPU106"),
    "Colab and Kaggle: a compute-only driver": ("CTR301", "EGL208"),
    "WSL2": ("GPU114",),
    "no matching EGL configuration": ("EGL203", "EGL214", "EGL220"),
    "too many threads, a fork that hangs": ("RES602", "RES604"),
    "the GPU cannot be chosen": ("GPU119",),
    "macOS": ("GPU118",),
    "Kubernetes, CDI, podman, MIG": ("CTR305", "CTR306", "CTR307", "EGL209", "GPU102"),
}
"""The commonest failures that people report, and the codes that answer them."""


def test_the_commonest_failures_each_have_a_page() -> None:
    assert len(COMMONEST) >= 25
    assert {code for codes in COMMONEST.values() for code in codes} <= set(PAGES)
