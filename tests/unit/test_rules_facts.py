"""Each rule on facts: it answers with its cause present, is silent without it, and never on what nobody could read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from envcheck.facts import Card, CdiSpec, Distribution, Facts, KernelModule, OpenCv, System, TensorFlow, VendorFile
from envcheck.judge import judge
from envcheck.model import (
    EglDevice,
    Evidence,
    GlContext,
    Gpu,
    GpuProcess,
    Judgement,
    LoadedVendor,
    Status,
    Unread,
    Verdict,
)
from envcheck.report.terminal import is_sentence
from envcheck.rules import BY_CODE, findings
from tests.unit import worlds
from tests.unit.worlds import (
    BARE_CONTAINER,
    CUDA_DRIVER,
    DOCKER,
    DRIVER,
    GLVND,
    GPU,
    HEALTHY,
    HOST,
    LIB,
    LLVMPIPE,
    MESA_VENDOR,
    NO_CONTEXT,
    NO_DISPLAY,
    NVIDIA_DEVICES,
    NVIDIA_VENDOR,
    NVML,
    RENDER_NODE,
    changed,
    compute_half,
    device,
    driver_files,
    graphics_half,
    healthy_facts,
    library,
    looked_at,
    refused,
    tried,
)


class World(NamedTuple):
    """What is wrong, and what is seen of it. `gl` is what our own EGL request gave."""

    code: str
    seen: str
    facts: Facts | Unread = HEALTHY
    changes: Mapping[str, Any] = MappingProxyType({})
    status: Status = Status.FAIL
    gl: GlContext = NO_CONTEXT


def nvml(reason: str) -> dict[str, Any]:
    return {"host": changed(HOST, nvml=Unread(reason=reason))}


def gpu(**changes: Any) -> dict[str, Any]:
    return {"host": changed(HOST, nvml=changed(NVML, gpus=(changed(GPU, **changes),)))}


def gl(**changes: Any) -> Facts:
    return healthy_facts(gl=changed(HEALTHY.gl, **changes))


def steered(**variables: str) -> Facts:
    return gl(variables=variables)


def contained(**changes: Any) -> Facts:
    return healthy_facts(container=changed(DOCKER, **changes.pop("container", {})), **changes)


def system(**changes: Any) -> Facts:
    return healthy_facts(system=changed(HEALTHY.system, **changes))


def packages(**changes: Any) -> Facts:
    assert not isinstance(HEALTHY.packages, Unread)
    return healthy_facts(packages=changed(HEALTHY.packages, **changes))


def resources(**changes: Any) -> Facts:
    return healthy_facts(resources=changed(HEALTHY.resources, **changes))


def with_mediapipe(version: str, *requires: str) -> tuple[Distribution, ...]:
    return (Distribution(name="mediapipe", version=version, requires=requires), Distribution("numpy", "2.2.6"))


COMPUTE_ONLY = driver_files(*compute_half())
LOST = driver_files(*compute_half(folder="/usr/local/nvidia/lib64", loadable=False))
NO_LINKS = driver_files(*compute_half(), *(replace(one, name=one.target.rpartition("/")[2]) for one in graphics_half()))
CLOSED = tuple(replace(one, usable=False, mode="crw-rw----", group="video") for one in NVIDIA_DEVICES)
EMPTY_GL = changed(HEALTHY.gl, vendors=(MESA_VENDOR,))
HIDDEN = {"__EGL_VENDOR_LIBRARY_FILENAMES": MESA_VENDOR.path}
BAD_VENDOR = VendorFile(path=NVIDIA_VENDOR.path, library="", error="no JSON: line 1")
ON_DEVICE = changed(
    NO_CONTEXT,
    egl_devices=(EglDevice(0, renderer="NVIDIA A100", version=f"OpenGL ES 3.2 NVIDIA {DRIVER}", vendor="NVIDIA"),),
)
COMPAT = library("libcuda.so.1", "580.65.06", folder="/usr/local/cuda/compat")
INTEL_CARD, NVIDIA_CARD = Card("0000:00:02.0", "8086:9bc5", "i915"), Card("0000:17:00.0", "10de:2335")
CDI = CdiSpec(path="/etc/cdi/nvidia.yaml", kind="nvidia.com/gpu", driver=DRIVER, graphics=True)
LIBSTDCXX = "MESA-LOADER: failed to open swrast: /opt/conda/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found"

WORLDS = (
    World("GPU102", "MIG mode", changes=gpu(mig=True)),
    World("GPU105", "NVMLError_LibraryNotFound", worlds.no_driver_facts(), {"host": worlds.NO_GPU_HOST}),
    World("GPU105", "no kernel module of NVIDIA's is loaded; no NVIDIA card on the PCI bus",
          worlds.no_driver_facts(cards=(INTEL_CARD,)), {"host": worlds.NO_GPU_HOST}),
    World("GPU105", "on the PCI bus: 0000:17:00.0 [10de:2335], driven by nouveau",
          worlds.no_driver_facts(cards=(INTEL_CARD, replace(NVIDIA_CARD, driver="nouveau"))),
          {"host": worlds.NO_GPU_HOST}),
    World("GPU106", "570.124.06; ", healthy_facts(
        driver=driver_files(*compute_half("570.133.07"), *graphics_half("570.133.07"))
    ), nvml("NVMLError_LibRmVersionMismatch: RM has detected an NVML/RM version mismatch.")),
    World("GPU107", "/dev/nvidiactl (crw-rw---- root:video); user user in groups", healthy_facts(devices=CLOSED)),
    World("GPU108", "/dev/nvidia0 and /dev/nvidiactl missing", healthy_facts(devices=()), nvml("NVMLError_NotFound")),
    World("GPU109", "GPU 0: prohibited", changes=gpu(compute_mode="prohibited")),
    World("GPU109", "GPU 0: exclusive-process", changes=gpu(compute_mode="exclusive-process"), status=Status.UNKNOWN),
    World("GPU110", "sw_thermal_slowdown (900 of 1800 MHz)", status=Status.UNKNOWN,
          changes=gpu(throttle=("sw_thermal_slowdown",), sm_mhz=900, sm_max_mhz=1800)),
    World("GPU111", "GPU 0: 3", changes=gpu(ecc_errors=3), status=Status.UNKNOWN),
    World("GPU112", "processes 4711 (2048 MiB)", status=Status.UNKNOWN,
          changes=gpu(processes=(GpuProcess(pid=4711, memory=2 << 30),))),
    World("GPU113", "GPU is lost", changes=nvml("NVMLError_GpuIsLost: GPU is lost")),
    World("GPU113", "GPU 0: NVMLError_GpuIsLost", changes=gpu(temperature=Unread(reason="NVMLError_GpuIsLost: lost"))),
    World("GPU114", "microsoft-standard-WSL2", system(wsl=True, release="5.15.0-microsoft-standard-WSL2")),
    World("GPU115", "Orin Nano, with MediaPipe 0.10.18", healthy_facts(
        system=changed(HEALTHY.system, jetson="NVIDIA Jetson Orin Nano", machine="aarch64"),
        packages=packages(distributions=with_mediapipe("0.10.18")).packages,
    )),
    World("GPU115", "Orin, with MediaPipe 1.2.2", system(jetson="NVIDIA Jetson AGX Orin", machine="aarch64"),
          status=Status.UNKNOWN),
    World("GPU116", "lists none; on the PCI bus: 0000:17:00.0 [10de:2335], driven by vfio-pci",
          healthy_facts(cards=(replace(NVIDIA_CARD, driver="vfio-pci"),)),
          {"host": changed(HOST, nvml=changed(NVML, gpus=()))}),
    World("GPU116", "lists none", changes={"host": changed(HOST, nvml=changed(NVML, gpus=()))}),
    World("GPU117", "of its libraries there is none", healthy_facts(driver=driver_files()), nvml("not found")),
    World("GPU117", "libEGL_nvidia.so.0", healthy_facts(driver=driver_files(*graphics_half())), nvml("not found"),
          Status.UNKNOWN),
    World("GPU118", "Windows", healthy_facts(system=System(platform="windows", machine="amd64"))),
    World("GPU118", "Metal", healthy_facts(system=System(platform="darwin", machine="arm64")), status=Status.UNKNOWN),
    World("GPU119", "1: NVIDIA T4; CUDA_VISIBLE_DEVICES=1 does not choose", status=Status.UNKNOWN, changes={
        "host": changed(
            HOST,
            nvml=changed(NVML, gpus=(GPU, changed(GPU, index=1, name="NVIDIA T4"))),
            steering={"CUDA_VISIBLE_DEVICES": "1"},
        )
    }),
    World("EGL208", f"no libEGL_nvidia.so.0 (driver {DRIVER})", healthy_facts(driver=COMPUTE_ONLY)),
    World("EGL209", f"libnvidia-eglcore.so.{DRIVER}, libnvidia-glsi.so.{DRIVER}, libnvidia-tls.so.{DRIVER}",
          healthy_facts(driver=driver_files(*compute_half(), *graphics_half()[:2]))),
    World("EGL209", "libnvidia-gpucomp", healthy_facts(driver=replace(
        driver_files(*compute_half(), *graphics_half()[:-1]), module=KernelModule(version=DRIVER, open=True)
    ))),
    World("EGL210", "libEGL_nvidia.so.570.86.10 is 570.86.10",
          healthy_facts(driver=driver_files(*compute_half(), *graphics_half("570.86.10")))),
    World("EGL211", "vendor files: /usr/share/glvnd/egl_vendor.d/50_mesa.json", gl(vendors=(MESA_VENDOR,))),
    World("EGL212", "10_nvidia.json: no JSON: line 1", gl(vendors=(BAD_VENDOR, MESA_VENDOR))),
    World("EGL212", "libEGL_nvidia.so.0 is not found", gl(vendors=(changed(NVIDIA_VENDOR, found=""), MESA_VENDOR))),
    World("EGL213", "50_mesa.json, which leads to", gl(vendors=(MESA_VENDOR,), variables=HIDDEN)),
    World("EGL213", "no vendor file", gl(vendors=(), variables={"__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent"})),
    World("EGL213", "__EGL_VENDOR_LIBRARY_FILENAMES=(empty)",
          gl(vendors=(), variables={"__EGL_VENDOR_LIBRARY_FILENAMES": ""})),
    World("EGL214", "DISPLAY=localhost:10.0; EGL gives llvmpipe", steered(DISPLAY="localhost:10.0"), gl=LLVMPIPE),
    World("EGL214", "WAYLAND_DISPLAY=wayland-0", steered(WAYLAND_DISPLAY="wayland-0")),
    World("EGL215", "libGLESv2.so.2", gl(libraries=tuple(one for one in GLVND if "GLES" not in one.name))),
    World("EGL215", "libGLdispatch.so.0", gl(libraries=tuple(one for one in GLVND if "dispatch" not in one.name))),
    World("EGL216", "/dev/dri/renderD128 (crw-rw---- root:render)",
          healthy_facts(devices=(*NVIDIA_DEVICES, changed(RENDER_NODE, usable=False)))),
    World("EGL217", "LIBGL_ALWAYS_SOFTWARE=1, GALLIUM_DRIVER=llvmpipe",
          steered(LIBGL_ALWAYS_SOFTWARE="1", GALLIUM_DRIVER="llvmpipe"), gl=LLVMPIPE),
    World("EGL218", "libstdc++.so.6, which has GLIBCXX_3.4.29 at most, and the GL driver needs GLIBCXX_3.4.30",
          packages(conda="/opt/conda", libstdcxx="GLIBCXX_3.4.29"), gl=changed(NO_CONTEXT, log=(LIBSTDCXX,))),
    World("EGL219", "libEGL_nvidia.so.0: libX11.so.6: cannot open", gl=changed(NO_CONTEXT, vendors=(
        LoadedVendor(library="libEGL_nvidia.so.0", error="libX11.so.6: cannot open shared object file"),
    ))),
    World("EGL220", "EGL_PLATFORM=surfaceless", steered(EGL_PLATFORM="surfaceless"), gl=LLVMPIPE),
    World("EGL221", "the default display gives eglInitialize failed", packages(distributions=with_mediapipe("0.10.21")),
          gl=ON_DEVICE),
    World("EGL221", "the default display is llvmpipe", gl=changed(LLVMPIPE, egl_devices=ON_DEVICE.egl_devices)),
    World("CTR301", "NVIDIA_DRIVER_CAPABILITIES=compute,utility", contained(
        container={"variables": {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}}, driver=COMPUTE_ONLY
    )),
    World("CTR301", "is not set, which means utility,compute", contained(
        container={"variables": {}}, driver=COMPUTE_ONLY
    )),
    World("CTR302", f"a docker container (/.dockerenv) without /dev/nvidia*; the host's driver {DRIVER} is loaded",
          healthy_facts(container=BARE_CONTAINER, devices=(), driver=driver_files()), nvml("not found")),
    World("CTR303", "NVIDIA_VISIBLE_DEVICES=void", healthy_facts(
        container=changed(BARE_CONTAINER, variables={"NVIDIA_VISIBLE_DEVICES": "void"}), devices=()
    ), nvml("not found")),
    World("CTR304", f"cuda>=13.0 (here: 12.8), driver {DRIVER}", healthy_facts(
        container=changed(BARE_CONTAINER, variables={"NVIDIA_REQUIRE_CUDA": "cuda>=13.0"}), devices=()
    )),
    World("CTR304", "cuda>=13.0 (here: 12.8)", status=Status.UNKNOWN,
          facts=contained(container={"variables": {"NVIDIA_REQUIRE_CUDA": "cuda>=13.0"}})),
    World("CTR305", "/etc/cdi/nvidia.yaml is for driver 535.54.03; the kernel module is 570.124.06",
          contained(container={"cdi": (changed(CDI, driver="535.54.03"),)})),
    World("CTR306", "/etc/cdi/nvidia.yaml", contained(container={"cdi": (changed(CDI, graphics=False),)})),
    World("CTR306", "/etc/cdi/nvidia.yaml", status=Status.UNKNOWN,
          facts=healthy_facts(container=changed(worlds.NO_CONTAINER, cdi=(changed(CDI, graphics=False),)))),
    World("CTR307", "/usr/local/nvidia/lib64/libcuda.so.1", contained(driver=LOST)),
    World("CTR307", "the loader does not find libEGL_nvidia.so.0, libGLESv2_nvidia.so.2", contained(driver=NO_LINKS)),
    World("CTR308", f"{LIB}/libEGL_nvidia.so.0 is there; of vendor files there is none",
          contained(gl=changed(HEALTHY.gl, vendors=()))),
    World("MPP410", "opencv-contrib-python, opencv-python", packages(
        opencv=OpenCv(owners=("opencv-python", "opencv-contrib-python"), path="/cv2.so")
    ), status=Status.UNKNOWN),
    World("MPP410", "opencv-python", packages(
        opencv=OpenCv(owners=("opencv-python", "opencv-contrib-python"), path="/cv2.so", error="undefined symbol: x")
    )),
    World("MPP411", "libGL.so.1: cannot open", packages(opencv=OpenCv(
        owners=("opencv-python",), path="/cv2.so", error="libGL.so.1: cannot open shared object file"
    ))),
    World("MPP412", "MediaPipe 0.10.21 needs numpy<2 (here: 2.2.6)",
          packages(distributions=with_mediapipe("0.10.21", "numpy<2", "jax", "protobuf<5; extra == 'x'"))),
    World("MPP412", "needs absl-py, which is not installed",
          packages(distributions=with_mediapipe("0.10.35", "numpy", "absl-py", "opencv-contrib-python"))),
    World("MPP413", "Python 3.11.9", packages(distributions=())),
    World("MPP413", "MediaPipe 1.2.2 is in PYTHONPATH or the user's own site-packages, which an isolated interpreter",
          packages(distributions=(), outside=(Distribution(name="mediapipe", version="1.2.2"),))),
    World("MPP414", "/home/user/app/mediapipe.py", packages(shadowed="/home/user/app/mediapipe.py")),
    World("MPP415", "1.0.0", packages(distributions=with_mediapipe("1.0.0"))),
    World("MPP415", "never hands it", packages(distributions=with_mediapipe("0.10.31"))),
    World("RES604", "4 of 16, by a quota of the control group", resources(quota_cores=4.0), status=Status.UNKNOWN),
    World("RES605", "load 15.0 on 16 cores", resources(load=15.0), status=Status.UNKNOWN),
    World("RES605", "CPU pressure 34%", resources(cpu_pressure=34.0), status=Status.UNKNOWN),
    World("RES606", "limit 0.5 GiB", resources(memory_limit=512 << 20), status=Status.UNKNOWN),
    World("RES613", "0.50 GiB (ulimit -v 524288)", resources(address_space=512 << 20)),
    World("RES613", "4.00 GiB (ulimit -v 4194304)", resources(address_space=4 << 30), status=Status.UNKNOWN),
    World("RES614", "8 at a time", resources(tasks=8)),
    World("RES614", "40 at a time", resources(tasks=40), status=Status.UNKNOWN),
    World("RES607", "governor powersave, 97 °C", resources(governor="powersave", temperature=97.0),
          status=Status.UNKNOWN),
    World("CUD706", "cuInit: 804 ", status=Status.UNKNOWN, changes={
        "cuda_driver": changed(CUDA_DRIVER, library=COMPAT.path, code=804, error="forward compatibility was attempted")
    }),
    World("CUD706", "serves the branches 550, 535", healthy_facts(
        cuda=changed(HEALTHY.cuda, compat=(COMPAT,), compat_branches=(550, 535))
    ), {"cuda_driver": Unread(reason="not looked")}, status=Status.UNKNOWN),
    World("CUD707", "cuInit: 999 unknown error", status=Status.UNKNOWN,
          changes={"cuda_driver": changed(CUDA_DRIVER, code=999, error="unknown error")}),
    World("CUD708", "TensorFlow 2.19.0 for CUDA 12.5", packages(tensorflow=TensorFlow(version="2.19.0", cuda="12.5")),
          status=Status.UNKNOWN),
)  # fmt: skip
IDS = [f"{world.code}-{number}" for number, world in enumerate(WORLDS)]

NEW = {
    "GPU": range(105, 120), "EGL": range(208, 222), "CTR": range(301, 309), "MPP": range(410, 416),
    "RES": (*range(604, 608), 613, 614), "CUD": range(706, 709),
}  # fmt: skip


def seen_by_looking(world: World) -> Evidence:
    return looked_at(world.facts, gl=world.gl, **world.changes)


def seen_by_running(world: World) -> Evidence:
    return tried(refused(NO_DISPLAY), world.facts, gl=world.gl, **world.changes)


def answers(evidence: Evidence) -> dict[str, tuple[Status, str]]:
    return {one.code: (one.status, one.summary) for one in findings(evidence, judge(evidence))}


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_a_look_finds_the_cause_and_says_what_was_seen(world: World) -> None:
    status, summary = answers(seen_by_looking(world))[world.code]

    assert status is world.status
    assert world.seen in summary


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_every_finding_of_a_fault_says_why_and_what_to_do(world: World) -> None:
    for finding in findings(seen_by_looking(world), judge(seen_by_looking(world))):
        assert finding.because
        assert finding.remedy.strip()
        assert finding.url.startswith("https://")


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_every_command_of_a_remedy_is_one_that_a_shell_takes(world: World) -> None:
    remedies = [finding.remedy for finding in findings(seen_by_looking(world), judge(seen_by_looking(world)))]
    commands = [line for text in remedies for line in text.splitlines() if not is_sentence(line)]

    for command in commands:
        assert command.startswith("#") or shlex.split(command, comments=True)


def test_every_rule_on_facts_has_a_world() -> None:
    wanted = {f"{family}{number}" for family, numbers in NEW.items() for number in numbers}

    assert {world.code for world in WORLDS} - {"GPU102"} == wanted
    assert wanted <= set(BY_CODE)


@pytest.mark.parametrize("context", [NO_CONTEXT, LLVMPIPE, worlds.GL], ids=["none", "llvmpipe", "nvidia"])
def test_healthy_facts_are_put_down_to_nothing_but_an_egl_that_does_not_reach_them(context: GlContext) -> None:
    expected = set() if context is worlds.GL else {"EGL223"}

    assert set(answers(looked_at(gl=context))) == expected
    assert set(answers(looked_at(contained(), gl=context))) == expected


def test_a_refusal_in_a_healthy_world_is_put_down_to_what_mediapipe_said() -> None:
    assert list(answers(tried(refused(NO_DISPLAY), gl=NO_CONTEXT))) == ["EGL202"]


@pytest.mark.parametrize("verdict", [Verdict.ACCELERATED, Verdict.SLOWER, Verdict.INCONCLUSIVE, Verdict.WRONG])
@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_a_gpu_that_was_proven_to_work_is_not_called_faulty_by_facts(world: World, verdict: Verdict) -> None:
    found = findings(seen_by_running(world), Judgement(verdict=verdict, because="proven"))

    assert [one.code for one in found if one.status is Status.FAIL and not one.code.startswith("BEN")] == []


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_a_context_of_nvidias_driver_refutes_what_files_say_against_it(world: World) -> None:
    facts, changes = world.facts, {**world.changes, "gl": worlds.GL}
    failing = {code for code, (status, _) in answers(looked_at(facts, **changes)).items() if status is Status.FAIL}

    assert not [code for code in failing if code.startswith(("EGL", "CTR"))]
    assert failing <= {
        "GPU102",
        "GPU115",
        "GPU118",
        "MPP410",
        "MPP411",
        "MPP412",
        "MPP413",
        "MPP414",
        "MPP415",
        "RES613",
        "RES614",
    }


UNREAD = Unread(reason="Permission denied")
BLIND = {
    "driver": changed(HEALTHY.driver, module=UNREAD, libraries=UNREAD),
    "devices": UNREAD,
    "container": UNREAD,
    "gl": changed(HEALTHY.gl, libraries=UNREAD, vendors=UNREAD),
    "packages": UNREAD,
}


@pytest.mark.parametrize("part", BLIND)
def test_what_nobody_could_read_is_not_called_missing(part: str) -> None:
    evidence = looked_at(healthy_facts(**{part: BLIND[part]}), gl=NO_CONTEXT)
    found = answers(evidence)

    assert [code for code, (status, _) in found.items() if status is Status.FAIL] == []


def test_a_blind_look_says_that_it_could_not_look() -> None:
    blind = looked_at(
        healthy_facts(**BLIND), gl=NO_CONTEXT, host=worlds.changed(HOST, nvml=UNREAD, kernel_driver=UNREAD)
    )
    found = answers(blind)

    assert found["GPU105"] == (Status.UNKNOWN, "no NVIDIA driver answers here: could not look: Permission denied")
    assert found["MPP413"][0] is Status.UNKNOWN


def test_facts_that_were_not_read_at_all_fail_nothing() -> None:
    assert answers(looked_at(UNREAD, gl=NO_CONTEXT)) == {}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("Ubuntu 24.04.2 LTS", "sudo apt-get install libnvidia-gl-570"),
        ("Debian GNU/Linux 12 (bookworm)", "sudo apt-get install nvidia-driver-libs"),
        ("Rocky Linux 9.5", "sudo dnf install nvidia-driver-libs"),
        ("openSUSE Leap 15.6", "sudo zypper install nvidia-gl-G06"),
        ("Arch Linux", "sudo pacman -S nvidia-utils"),
        ("NixOS 24.11", "# fedora"),
    ],
)
def test_a_remedy_speaks_the_systems_own_language(name: str, command: str) -> None:
    facts = healthy_facts(driver=COMPUTE_ONLY, system=changed(HEALTHY.system, name=name))
    evidence = looked_at(facts, gl=NO_CONTEXT)
    (finding,) = (one for one in findings(evidence, judge(evidence)) if one.code == "EGL208")

    assert command in finding.remedy
    assert f"NVIDIA-Linux-x86_64-{DRIVER}.run" in finding.remedy


@pytest.mark.parametrize(
    ("runtime", "command"),
    [
        ("docker", "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all"),
        ("podman", "podman run --device nvidia.com/gpu=all"),
        ("kubernetes", "resources: {limits: {nvidia.com/gpu: 1}}"),
        ("unknown", "podman run --device nvidia.com/gpu=all"),
    ],
)
def test_a_gpu_is_handed_in_as_the_runtime_wants_it(runtime: str, command: str) -> None:
    facts = healthy_facts(
        container=changed(BARE_CONTAINER, runtime=runtime), devices=(), driver=driver_files(module=None)
    )
    evidence = looked_at(facts, gl=NO_CONTEXT, host=worlds.NO_GPU_HOST)
    first = findings(evidence, judge(evidence))[0]

    assert first.code == "CTR302"
    assert command in first.remedy


def test_a_machine_without_a_card_is_told_to_install_no_driver() -> None:
    without = worlds.looked_at(
        worlds.no_driver_facts(cards=(INTEL_CARD,)), host=worlds.NO_GPU_HOST, gl=worlds.NO_CONTEXT
    )
    asleep = worlds.no_driver_facts(cards=(replace(NVIDIA_CARD, driver="vfio-pci"),))
    lent = worlds.looked_at(asleep, host=worlds.NO_GPU_HOST, gl=worlds.NO_CONTEXT)
    told, told_lent = (findings(one, judge(one))[0] for one in (without, lent))

    assert told.code == told_lent.code == "GPU105"
    assert "install" not in told.remedy
    assert "delegate=CPU" in told.remedy
    assert "vfio-pci" in told_lent.remedy
    assert "ubuntu-drivers install" in told_lent.remedy


def test_two_gpus_of_which_one_is_in_mig_mode_are_no_reason() -> None:
    gpus: tuple[Gpu, ...] = (changed(GPU, mig=True), changed(GPU, index=1))
    evidence = looked_at(gl=NO_CONTEXT, host=changed(HOST, nvml=changed(NVML, gpus=gpus)))

    assert "GPU102" not in answers(evidence)


def test_the_group_that_owns_the_device_is_the_one_to_join() -> None:
    evidence = looked_at(healthy_facts(devices=(device("/dev/nvidia0", group="gpu", usable=False),)), gl=NO_CONTEXT)
    found = findings(evidence, judge(evidence))[0]

    assert found.code == "GPU107"
    assert "sudo usermod -aG gpu $USER" in found.remedy


@pytest.mark.parametrize("flavour", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize(
    ("version", "part", "missed"),
    [
        ("535.183.01", "gpucomp", False),
        ("545.29.02", "gpucomp", True),
        ("570.124.06", "gpucomp", True),
        ("580.119.02", "gpucomp", True),
        ("535.183.01", "tls", True),
        ("570.124.06", "tls", True),
        ("580.95.05", "tls", False),
        ("610.43.02", "tls", False),
    ],
)
def test_a_part_is_missed_only_in_drivers_whose_egl_loads_it(
    version: str, part: str, missed: bool, flavour: bool
) -> None:
    parts = tuple(one for one in worlds.graphics_half(version) if part not in one.name)
    libraries = (*worlds.compute_half(version), *parts)
    driver = changed(HEALTHY.driver, module=KernelModule(version=version, open=flavour), libraries=libraries)
    host = changed(HOST, kernel_driver=version, nvml=changed(worlds.NVML, driver=version))
    found = answers(looked_at(healthy_facts(driver=driver), host=host, gl=NO_CONTEXT))

    assert ("EGL209" in found and found["EGL209"][0] is Status.FAIL) is missed


@pytest.mark.parametrize(
    ("reason", "module", "code"),
    [
        ("NVML gave no answer (killed by SIGSEGV)", DRIVER, "GPU113"),
        ("NVML did not answer within 20 s", DRIVER, "GPU113"),
        ("NVML gave no answer (killed by SIGSEGV)", "", "GPU105"),
    ],
)
def test_a_management_library_that_breaks_is_the_drivers_error_where_there_is_a_driver(
    reason: str, module: str, code: str
) -> None:
    facts = HEALTHY if module else worlds.no_driver_facts()
    host = changed(HOST, nvml=Unread(reason=reason), kernel_driver=module)
    evidence = looked_at(facts, host=host, gl=NO_CONTEXT)

    assert next(one.code for one in findings(evidence, judge(evidence)) if one.status is Status.FAIL) == code


def test_an_interpreter_that_answers_with_something_else_is_the_root_of_a_look() -> None:
    silent = looked_at(Unread(reason="garbage instead of an answer: 'Welcome'"), host=worlds.NO_GPU_HOST)
    late = looked_at(Unread(reason="the facts payload did not answer within 20 s"), host=worlds.NO_GPU_HOST)

    assert next(one.code for one in findings(silent, judge(silent)) if one.status is Status.FAIL) == "RES603"
    assert "RES603" not in answers(late)
