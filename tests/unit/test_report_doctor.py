from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from envcheck.facts import (
    Card,
    Container,
    CudaFiles,
    DeviceFile,
    Distribution,
    DriverFiles,
    Facts,
    GlFiles,
    KernelModule,
    LibraryFile,
    OpenCv,
    Packages,
    Resources,
    System,
    TensorFlow,
    VendorFile,
)
from envcheck.model import (
    CudaDriver,
    Diagnosis,
    EglDevice,
    Finding,
    GlContext,
    Gpu,
    Host,
    Nvml,
    Status,
    Unread,
)
from envcheck.report import doctor
from envcheck.report.facts import facts_of

NO_ONE = Unread(reason="nobody answers")
DRIVER = "570.124.06"
LIB = "/usr/lib/x86_64-linux-gnu"
GPU = Gpu(index=0, name="NVIDIA H200", uuid="GPU-1", compute_capability="9.0", memory_total=150 << 30)
LINUX = Facts(
    system=System(platform="linux", machine="x86_64", release="6.1.0", name="Debian GNU/Linux 12 (bookworm)"),
    driver=DriverFiles(
        module=KernelModule(version=DRIVER, open=True),
        libraries=(
            LibraryFile("libcuda.so.1", f"{LIB}/libcuda.so.1", f"{LIB}/libcuda.so.{DRIVER}", DRIVER, loadable=True),
            LibraryFile(
                "libEGL_nvidia.so.0", "/opt/gl/libEGL_nvidia.so.0", f"/opt/gl/libEGL_nvidia.so.{DRIVER}", DRIVER
            ),
        ),
    ),
    devices=(DeviceFile("/dev/nvidia0", "crw-rw----", "root", "video", usable=False),),
    container=Container(
        runtime="docker", signs=("/.dockerenv",), injection="cdi", variables={"NVIDIA_VISIBLE_DEVICES": "all"}
    ),
    gl=GlFiles(
        libraries=(LibraryFile("libEGL.so.1", f"{LIB}/libEGL.so.1", f"{LIB}/libEGL.so.1.1.0", loadable=True),),
        vendors=(VendorFile("/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "libEGL_nvidia.so.0"),),
    ),
    cuda=CudaFiles(runtime=(), cudnn=(), compat=()),
    packages=Packages(
        python="3.11.7",
        executable="/venv/bin/python",
        prefix="/venv",
        distributions=(
            Distribution("mediapipe", "1.2.2"),
            Distribution("opencv-contrib-python", "4.11.0"),
            Distribution("opencv-python", "4.11.0"),
        ),
        opencv=OpenCv(owners=("opencv-python",), path="/venv/cv2", error="libGL.so.1: cannot open shared object file"),
        tensorflow=TensorFlow(version="2.19.0", cuda="12.5"),
    ),
    resources=Resources(cores=16, machine_cores=64, quota_cores=2.0, load=0.5, memory_limit=8 << 30),
)
HERE = Diagnosis(
    host=Host(platform="linux", machine="x86_64", nvml=Nvml(driver=DRIVER, cuda="12.8", gpus=(GPU,)), glibc="2.36"),
    findings=(),
    python="/venv/bin/python",
    chosen="VIRTUAL_ENV names its environment",
    facts=LINUX,
    gl=GlContext(
        path="default",
        renderer="NVIDIA H200/PCIe/SSE2",
        version=f"OpenGL ES 3.2 NVIDIA {DRIVER}",
        egl_library="libEGL.so.1",
        egl_devices=(EglDevice(index=0, renderer="NVIDIA H200/PCIe/SSE2", cuda=0),),
    ),
    cuda_driver=CudaDriver(library="libcuda.so.1", code=0, cuda="12.8", devices=1),
)


def finding(code: str, status: Status = Status.FAIL, summary: str = "a title: what was seen") -> Finding:
    return Finding(
        code=code,
        status=status,
        summary=summary,
        because="It matters.",
        remedy="do-this --now",
        url="https://example.org/1",
    )


def text_of(diagnosis: Diagnosis, width: int = 100, encoding: str = "utf-8", *, colour: bool = False) -> str:
    return doctor.render(diagnosis, width=width, colour=colour, encoding=encoding)


def value(diagnosis: Diagnosis, label: str) -> str:
    return " | ".join(text for name, text in facts_of(diagnosis) if name == label)


def blind(platform: str) -> Diagnosis:
    """A system of which only its name is known, as on macOS and Windows."""
    host = Host(platform=platform, machine="arm64", nvml=NO_ONE, kernel_driver=NO_ONE, nested_pids=NO_ONE)
    return replace(HERE, host=host, facts=NO_ONE, gl=NO_ONE, cuda_driver=NO_ONE)


# --- the causes -------------------------------------------------------------------------------------------------


def test_the_root_cause_is_on_top_with_reason_way_out_and_source() -> None:
    lines = text_of(replace(HERE, findings=(finding("GPU105"), finding("EGL202")))).splitlines()

    assert lines[:6] == [
        "GPU105  a title",
        "  seen   what was seen",
        "  why    It matters.",
        "  do     do-this --now",
        "  source https://example.org/1",
        "  also   EGL202 a title: what was seen (envcheck explain EGL202)",
    ]
    assert lines[-1] == "2 findings speak against the GPU – exit 1"


def test_a_doubt_before_a_failure_is_not_the_root() -> None:
    found = (finding("RES605", Status.UNKNOWN), finding("GPU105"))
    text = text_of(replace(HERE, findings=found))

    assert text.startswith("GPU105  a title")
    assert "also   RES605" in text
    assert text.endswith("1 finding speaks against the GPU, 1 besides – exit 1\n")


def test_rules_that_wait_for_another_are_told_in_one_line() -> None:
    reason = "not looked at, because GPU105 was found"
    skipped = tuple(finding(code, Status.SKIP, f"a title: {reason}") for code in ("GPU106", "EGL202"))
    text = text_of(replace(HERE, findings=(finding("GPU105"), *skipped)))

    assert "not looked at: GPU106, EGL202 (wait for GPU105)" in text
    assert text.endswith("1 finding speaks against the GPU – exit 1\n")


def test_where_nothing_fails_nothing_is_proven_and_the_proof_is_named() -> None:
    text = text_of(HERE)

    assert text.startswith("What would keep FaceMesh off the GPU: no cause was found\n")
    assert "Nothing is proven" in text
    assert "envcheck check --python EXE" in text
    assert text.endswith("no finding speaks against the GPU – exit 0, which proves nothing\n")


def test_doubts_alone_are_told_and_fail_nothing() -> None:
    text = text_of(replace(HERE, findings=(finding("RES605", Status.UNKNOWN),)))

    assert "also   RES605" in text
    assert text.endswith("no finding speaks against the GPU, 1 besides – exit 0, which proves nothing\n")


def test_an_egl_that_hangs_is_named_and_is_not_the_same_as_no_cause() -> None:
    hung = replace(HERE, gl=Unread(reason="the gl probe did not answer within 20 s"))

    assert text_of(hung).startswith("What would keep FaceMesh off the GPU: could not be found out\n")
    assert "could not look at EGL and GL (the gl probe did not answer within 20 s)" in text_of(hung)


# --- the facts --------------------------------------------------------------------------------------------------


def test_a_machine_with_a_gpu_shows_both_halves_of_its_driver() -> None:
    assert value(HERE, "Driver") == (
        f"kernel module: {DRIVER} (open) | compute half: libcuda.so.1 {DRIVER} | "
        f"graphics half: libEGL_nvidia.so.0 {DRIVER} (in /opt/gl, not searched)"
    )
    assert value(HERE, "GPUs") == f"NVML answers: driver {DRIVER} | 0: NVIDIA H200, 150 GiB, compute capability 9.0"
    assert value(HERE, "EGL devices") == "0: NVIDIA H200/PCIe/SSE2, CUDA device 0"


def test_cuda_is_shown_as_what_mediapipe_does_not_use() -> None:
    assert value(HERE, "CUDA").startswith("MediaPipe does not use CUDA; driver API serves CUDA 12.8")


def test_a_device_file_that_may_not_be_opened_says_whose_it_is() -> None:
    assert value(HERE, "Devices") == "/dev/nvidia0 (not for us: crw-rw---- root:video)"


def test_the_container_says_how_the_gpu_was_handed_in() -> None:
    assert value(HERE, "Container") == ("docker, GPU handed in by cdi, told by /.dockerenv, NVIDIA_VISIBLE_DEVICES=all")


def test_packages_of_the_interpreter_are_listed() -> None:
    assert value(HERE, "MediaPipe") == "mediapipe 1.2.2"
    assert "opencv-contrib-python 4.11.0, opencv-python 4.11.0" in value(HERE, "OpenCV")
    assert "cv2 does not load: libGL.so.1" in value(HERE, "OpenCV")
    assert value(HERE, "TensorFlow").startswith("2.19.0, built for CUDA 12.5, ")


def test_what_may_be_used_is_told_beside_what_there_is() -> None:
    assert value(HERE, "Resources") == "16 of 64 cores, limited to 2 by quota, load 0.50, memory limit 8.0 GiB"


def test_looked_and_none_is_not_could_not_look() -> None:
    none = replace(HERE, facts=replace(LINUX, devices=(), driver=DriverFiles(module=NO_ONE, libraries=())))
    blind_too = replace(HERE, facts=replace(LINUX, devices=NO_ONE, driver=DriverFiles(module=NO_ONE, libraries=NO_ONE)))

    assert value(none, "Devices") == "none"
    assert "graphics half: none" in value(none, "Driver")
    assert value(blind_too, "Devices") == "could not look: nobody answers"
    assert "libraries: could not look: nobody answers" in value(blind_too, "Driver")


def test_no_context_says_which_call_failed() -> None:
    gl = GlContext(path="none", egl_library="libEGL.so.1", error="eglGetDisplay failed with 0x300c", egl_devices=())
    seen = replace(HERE, gl=gl)

    assert value(seen, "GL") == "no context: eglGetDisplay failed with 0x300c"
    assert value(seen, "EGL devices") == "none"


def test_a_driver_that_crashed_in_the_middle_is_told() -> None:
    gl = GlContext(path="default", renderer="a", log=("x", "the probe ended early: killed by SIGSEGV"))

    assert "the probe ended early: killed by SIGSEGV" in value(replace(HERE, gl=gl), "EGL")


@pytest.mark.parametrize("platform", ["darwin", "windows"])
def test_a_system_that_cannot_be_asked_says_so_and_crashes_nothing(platform: str) -> None:
    text = text_of(blind(platform))

    assert f"System        {platform} arm64" in text
    assert "could not be found out" in text
    assert "GPUs          could not look: nobody answers" in text


@pytest.mark.parametrize("platform", ["darwin", "windows"])
def test_another_system_with_facts_of_its_own_shows_them(platform: str) -> None:
    nothing = Facts(
        system=System(platform=platform, machine="arm64"),
        driver=DriverFiles(module=NO_ONE, libraries=NO_ONE),
        devices=NO_ONE,
        container=NO_ONE,
        gl=GlFiles(libraries=NO_ONE, vendors=NO_ONE),
        cuda=CudaFiles(runtime=NO_ONE, cudnn=NO_ONE, compat=NO_ONE),
        packages=NO_ONE,
        resources=Resources(cores=NO_ONE),
    )
    text = text_of(replace(blind(platform), facts=nothing))

    assert "Container     could not look: nobody answers" in text
    assert "Resources     cores: could not look: nobody answers" in text


# --- the screen -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_no_line_but_a_command_or_a_source_is_wider_than_the_terminal(width: int) -> None:
    for line in text_of(replace(HERE, findings=(finding("GPU105"),)), width).splitlines():
        assert cell_len(line) <= width or " " not in line.strip() or line.startswith(("  source", "  do"))


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert text_of(replace(HERE, gl=replace(HERE.gl, renderer="Größe")), encoding="ascii").isascii()


def test_colour_is_used_only_where_it_is_asked_for() -> None:
    found = replace(HERE, findings=(finding("GPU105"),))

    assert "\x1b[" not in text_of(found)
    assert re.search(r"\x1b\[1;31mGPU105", text_of(found, colour=True))


def test_a_label_that_repeats_is_shown_once() -> None:
    assert text_of(HERE).count("\nDriver ") == 1


@settings(max_examples=30)
@given(st.text(max_size=40))
def test_nothing_seen_steers_the_terminal(text: str) -> None:
    gl = replace(HERE.gl, renderer=f"\x1b]0;{text}\x07", version=text)
    shown = text_of(replace(HERE, gl=gl, python=f"\x1b[2J{text}", findings=(finding("GPU105", summary=text),)))

    assert not {character for character in shown if ord(character) < 32} - {"\n"}


def test_none_is_said_where_somebody_looked() -> None:
    gone = "libcuda.so.1: cannot open shared object file: No such file or directory"
    facts = replace(LINUX, driver=DriverFiles(module=None, libraries=()), cards=(), container=Container(runtime=""))
    here = replace(HERE, facts=facts, cuda_driver=CudaDriver(library="", error=gone))

    assert value(here, "Driver").startswith("kernel module: none")
    assert value(here, "Cards") == "none"
    assert f"driver API: none ({gone})" in value(here, "CUDA")
    assert value(replace(here, facts=replace(facts, cards=NO_ONE)), "Cards").startswith("could not look")
    assert "kernel module: none" in value(
        replace(here, facts=NO_ONE, host=replace(HERE.host, kernel_driver="")), "Driver"
    )


def test_cards_have_their_maker_and_the_driver_that_holds_them() -> None:
    cards = (
        Card("0000:00:02.0", "8086:9bc5", "i915"),
        Card("0000:17:00.0", "10de:2335"),
        Card("0000:18:00.0", "beef:1"),
    )

    assert value(replace(HERE, facts=replace(LINUX, cards=cards)), "Cards") == (
        "0000:00:02.0 Intel [8086:9bc5] (i915), 0000:17:00.0 NVIDIA [10de:2335] (no driver), "
        "0000:18:00.0 [beef:1] (no driver)"
    )


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        ((), "sees no GPU"),
        (("NVIDIA H200",), "sees NVIDIA H200"),
        (Unread(reason="it hangs"), "could not look: it hangs"),
    ],
)
def test_tensorflows_gpus_are_named(gpus: tuple[str, ...] | Unread, words: str) -> None:
    packages = LINUX.packages
    assert isinstance(packages, Packages)
    seen = replace(packages, tensorflow=TensorFlow(version="2.19.0", cuda="12.5", gpus=gpus))

    assert words in value(replace(HERE, facts=replace(LINUX, packages=seen)), "TensorFlow")


def test_variables_that_only_the_interpreter_reads_are_listed() -> None:
    gl = replace(LINUX.gl, variables={"LIBGL_DRIVERS_PATH": "/opt/dri"})

    assert "LIBGL_DRIVERS_PATH=/opt/dri" in value(replace(HERE, facts=replace(LINUX, gl=gl)), "Variables")
