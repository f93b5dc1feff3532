"""`envcheck watch` on real programs: what it concludes, with each witness there and missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from envcheck.host import nested_pids
from tests.children import child
from tests.conftest import unable
from tests.functional.conftest import PythonWith
from tests.functional.watching import DEADLINE_S, ENVCHECK, Watched, watch
from tests.waiting import wait_until

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Fakes:
    """A program, and libraries that look like NVIDIA's."""

    program: str
    front: str
    core: str
    cuda: str
    window: str
    nvml: str

    def path(self, part: str) -> str:
        """The file that stands for this part of NVIDIA's driver."""
        return DEVICE if part == "device" else str(getattr(self, part))


def compile_c(*arguments: str) -> None:
    """gcc."""
    subprocess.run(["gcc", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Fakes:
    """Compiled once."""
    if shutil.which("gcc") is None or not Path("/usr/include/EGL/egl.h").exists():
        unable("needs gcc and EGL's headers; enable with: apt-get install gcc libegl-dev libgles-dev")
    folder = tmp_path_factory.mktemp("fakes")
    made = {}
    for key, name in (
        ("front", "libEGL_nvidia.so.0"),
        ("core", "libnvidia-eglcore.so.570.124.06"),
        ("cuda", "libcuda.so.1"),
        ("window", "libnvidia-glcore.so.570.124.06"),
    ):
        (folder / "empty.c").write_text("int nothing;\n", encoding="utf-8")
        made[key] = str(folder / name)
        compile_c("-shared", "-fPIC", "-o", made[key], str(folder / "empty.c"))
    (folder / "nvml").mkdir()
    compile_c("-shared", "-fPIC", "-o", str(folder / "nvml" / "libnvidia-ml.so.1"), str(HERE / "watch_nvml.c"))
    program = str(folder / "gpuapp")
    compile_c("-O1", "-o", program, str(HERE / "watch_program.c"), "-lEGL", "-lGLESv2", "-ldl")
    return Fakes(program, made["front"], made["core"], made["cuda"], made["window"], str(folder / "nvml"))


PRIVATE_DEV = (
    "mount -t tmpfs none /mnt && for d in null zero urandom random tty; do cp -a /dev/$d /mnt/$d; done;"
    ' mknod /mnt/nvidia0 c 1 3; mknod /mnt/nvidiactl c 1 3; mount --bind /mnt /dev; exec "$@"'
)
IN_PRIVATE_DEV = ("unshare", "-m", "sh", "-c", PRIVATE_DEV, "sh")
"""A /dev of its own, with device files where NVIDIA's would be."""

DEVICE = "/dev/nvidia0"
NULL_IS_NVIDIA = """
import sys
from envcheck.__main__ import main
from envcheck.watch import gpus, proc
proc.NVIDIA_MAJOR = 1
gpus.BASELINE_S, gpus.PATIENCE_S = 1.5, 300.0
sys.exit(main())
"""
TAKES_NULL = (sys.executable, "-c", NULL_IS_NVIDIA)
"""envcheck, to which the major number of /dev/null is NVIDIA's: a device of that driver cannot be opened without it.
It waits for NVML on a busy machine too, and looks at its power for long enough that a late answer counts for little."""
SEEING = {"STANDIN_COMM": "gpuapp"}
SECONDS = "8"
AT_ONCE = 5


@dataclass(frozen=True)
class World:
    """What the program has of a GPU, and what the stand-in for NVML says of it."""

    has: str = "front core device"
    nvml: Mapping[str, str] = field(default_factory=lambda: SEEING)
    wrapper: tuple[str, ...] = IN_PRIVATE_DEV
    envcheck: tuple[str, ...] = TAKES_NULL
    nested: bool = False
    """It is watched in a PID namespace; elsewhere NVML's process numbers can be compared only outside of containers."""


PROVEN = "everything"
WORLDS = {
    PROVEN: World(),
    "a copy of /dev/null": World(envcheck=ENVCHECK),
    "asked, not initialised": World("front device"),
    "no library": World("device"),
    "no device file": World("front core"),
    "a window through GLX": World("front window device"),
    "on no list": World(nvml={}),
    "idle context": World(nvml={**SEEING, "STANDIN_SM": "0"}),
    "works, not listed": World(nvml={**SEEING, "STANDIN_LIST": "none"}),
    "lists denied": World(nvml={**SEEING, "STANDIN_LIST": "denied"}),
    "nothing": World("", nvml={}),
    "only NVML": World(""),
    "CUDA beside GL": World("front core cuda device", nvml={**SEEING, "STANDIN_LIST": "compute"}),
    "CUDA alone": World("cuda device", nvml={**SEEING, "STANDIN_LIST": "compute"}),
    "PID namespace": World(wrapper=("unshare", "-p", "-f", "--mount-proc", *IN_PRIVATE_DEV), nested=True),
}


@pytest.fixture(scope="module")
def outcomes(fakes: Fakes, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Watched]:
    """What came out in a world; all are watched side by side, because each mostly waits."""

    def outcome(name: str) -> Watched:
        world = WORLDS[name]
        holds = [fakes.path(part) for part in world.has.split()]
        env = {"LD_LIBRARY_PATH": fakes.nvml, **world.nvml}
        folder = tmp_path_factory.mktemp("world")
        return watch(
            fakes.program, SECONDS, *holds, env=env, wrapper=world.wrapper, folder=folder, options=("--require-gpu",),
            envcheck=world.envcheck,
        )  # fmt: skip

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {name: pool.submit(outcome, name) for name in WORLDS}

    def of(name: str) -> Watched:
        if not WORLDS[name].nested and nested_pids() is not False:
            pytest.skip("this is a PID namespace; the case needs the host's")
        return running[name].result()

    return of


Outcomes = Callable[[str], Watched]


@pytest.mark.root
def test_all_witnesses_together_prove_the_gpu(outcomes: Outcomes) -> None:
    ran = outcomes(PROVEN)

    assert (ran.verdict, ran.report["status"], ran.code, ran.codes) == ("on-gpu", "PASS", 0, [])
    assert "570.124.06" in ran.report["because"]
    (gpu,) = ran.report["watched"]["gpus"]
    assert gpu["working"]
    assert gpu["power_before"] == pytest.approx(90, rel=0.5)


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("asked, not initialised", "unknown"),
        ("no library", "unknown"),
        ("no device file", "unknown"),
        ("a copy of /dev/null", "unknown"),
        ("a window through GLX", "unknown"),
        ("on no list", "unknown"),
        ("idle context", "unknown"),
        ("works, not listed", "unknown"),
        ("lists denied", "unknown"),
        ("nothing", "on-cpu"),
        ("only NVML", "contradictory"),
        ("CUDA beside GL", "unknown"),
        ("CUDA alone", "cuda-only"),
        ("PID namespace", "unknown"),
    ],
)
def test_without_any_one_witness_nothing_passes(name: str, verdict: str, outcomes: Outcomes) -> None:
    ran = outcomes(name)

    assert (ran.verdict, ran.code) == (verdict, 1)


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("CUDA beside GL", "because", "CUDA"),
        ("a window through GLX", "because", "through GLX"),
        ("PID namespace", "because", "PID namespace"),
        ("PID namespace", "settle", "on the host"),
    ],
)
def test_what_is_not_known_is_said_with_its_reason(name: str, key: str, words: str, outcomes: Outcomes) -> None:
    assert words in outcomes(name).report[key]


@pytest.mark.root
def test_cuda_alone_has_its_finding(outcomes: Outcomes) -> None:
    assert outcomes("CUDA alone").codes == ["GPU122"]


@pytest.mark.root
def test_a_driver_that_hangs_stops_neither_the_program_nor_the_report(fakes: Fakes, tmp_path: Path) -> None:
    env = {"LD_LIBRARY_PATH": fakes.nvml, "STANDIN_SLOW": str(10 * DEADLINE_S)}
    ran = watch("sh", "-c", "echo out; exit 7", env=env, folder=tmp_path)

    assert (ran.code, ran.stdout) == (7, b"out\n")
    assert ran.verdict in {"unknown", "on-cpu"}


def comm(pid: int) -> bytes:
    """The name of a program that runs."""
    return Path(f"/proc/{pid}/comm").read_bytes()


@pytest.mark.root
def test_a_running_process_is_attached_to_and_judged(fakes: Fakes, tmp_path: Path) -> None:
    if nested_pids() is not False:
        pytest.skip("this is a PID namespace; the case needs the host's")
    command = [*IN_PRIVATE_DEV, fakes.program, "600", fakes.front, fakes.core, DEVICE]
    with child(command) as popen:
        wait_until(lambda: comm(popen.pid) == b"gpuapp\n", "the program")
        env, options = {"LD_LIBRARY_PATH": fakes.nvml, **SEEING}, ("--pid", str(popen.pid), "--seconds", SECONDS)
        ran = watch(options=options, env=env, folder=tmp_path, envcheck=TAKES_NULL)

        assert (ran.verdict, ran.code) == ("on-gpu", 0)
        assert popen.poll() is None


@pytest.mark.software_gl
def test_a_c_program_that_draws_on_mesa_is_on_software_gl(fakes: Fakes, tmp_path: Path) -> None:
    ran = watch(fakes.program, "3", "egl", env={"EGL_PLATFORM": "surfaceless"}, folder=tmp_path)

    assert (ran.verdict, ran.code) == ("on-software-gl", 0)
    assert "EGL207" in ran.codes


def test_a_program_too_short_to_see_is_unknown(tmp_path: Path) -> None:
    ran = watch("true", folder=tmp_path, options=("--require-gpu",))

    assert (ran.verdict, ran.code, ran.codes) == ("unknown", 1, ["RES609"])


# --- MediaPipe itself ---------------------------------------------------------------------------------------------

APP = """\
import sys, time
import numpy, mediapipe
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision
model, frames, seconds, *delegates = sys.argv[1:]
frames = numpy.load(frames)
number = 0
def landmarker_on(delegate):
    return vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(
            model_asset_buffer=open(model, "rb").read(), delegate=tasks.BaseOptions.Delegate[delegate]),
        running_mode=vision.RunningMode.VIDEO))
for delegate in delegates[:-1]:
    landmarker_on(delegate).close()
with landmarker_on(delegates[-1]) as landmarker:
    end = time.time() + float(seconds)
    while time.time() < end:
        number += 1
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGBA, data=frames[number % len(frames)])
        landmarker.detect_for_video(image, number * 33)
print(number)
"""


App = Callable[[str, str], Sequence[str]]


@pytest.fixture(scope="module")
def app(python_with: PythonWith, tmp_path_factory: pytest.TempPathFactory) -> App:
    """The command of a user's script, by MediaPipe's version and the delegates that it takes one after the other."""
    import numpy as np

    from envcheck.model import Workload
    from envcheck.workload import build_frames, resolve_model

    folder = tmp_path_factory.mktemp("app")
    script, model, frames = (folder / name for name in ("app.py", "model.task", "frames.npy"))
    script.write_text(APP, encoding="utf-8")
    model.write_bytes(resolve_model("default", folder)[0])
    np.save(frames, build_frames(Workload(), 8).frames)
    return lambda version, delegates: (
        *python_with(version), str(script), str(model), str(frames), "4", *delegates.split()
    )  # fmt: skip


@pytest.mark.network
@pytest.mark.software_gl
@pytest.mark.parametrize(
    ("version", "delegates", "options", "verdict", "codes"),
    [
        ("1.2.2", "CPU", ("--native-log",), "on-cpu", {"MPP416", "GPU120"}),
        ("0.10.21", "CPU", (), "on-cpu", {"GPU121"}),
        ("0.10.21", "CPU", ("--native-log",), "on-cpu", {"GPU121"}),
        ("0.10.21", "GPU", (), "on-software-gl", {"EGL207"}),
        ("0.10.21", "GPU", ("--native-log",), "on-software-gl", {"EGL207"}),
        ("0.10.35", "GPU CPU", ("--native-log",), "on-cpu", {"GPU123"}),
    ],
    ids=["no GL", "idle context", "idle context, log", "software GL", "software GL, log", "GPU given up for the CPU"],
)
def test_facelandmarker_is_seen_where_it_works(
    version: str,
    delegates: str,
    options: tuple[str, ...],
    verdict: str,
    codes: set[str],
    app: App,
    tmp_path: Path,
) -> None:
    ran = watch(*app(version, delegates), options=options, env={"EGL_PLATFORM": "surfaceless"}, folder=tmp_path)

    assert (ran.verdict, ran.code) == (verdict, 0)
    assert codes <= set(ran.codes)
    assert int(ran.stdout) > 0
    if options and version != "1.2.2":
        names = ["GlAdvanced" if version == "0.10.35" else "Gl"] * 2 if "GPU" in delegates else []
        names += ["Cpu"] * 2 if "CPU" in delegates else []
        assert ran.report["watched"]["log"]["delegated"] == names
        assert b"Using" in ran.stderr


DRAWING_TOO = """\
import ctypes, os, runpy, sys
front, core, device, *sys.argv = sys.argv[1:]
held = [ctypes.CDLL(front), ctypes.CDLL(core), os.open(device, os.O_RDWR)]
open("/proc/self/comm", "w").write("gpuapp")
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""In front of a user's script: what a renderer of its own, such as a face filter's, shows of itself."""


@pytest.mark.root
@pytest.mark.network
def test_a_program_that_draws_on_the_gpu_does_not_prove_that_its_facemesh_works_there(
    app: App, fakes: Fakes, tmp_path: Path
) -> None:
    if nested_pids() is not False:
        pytest.skip("this is a PID namespace; the case needs the host's")
    python, *script = app("1.2.2", "CPU")
    drawing = (python, "-c", DRAWING_TOO, fakes.front, fakes.core, DEVICE, *script)
    ran = watch(
        *drawing, env={"LD_LIBRARY_PATH": fakes.nvml, **SEEING}, wrapper=IN_PRIVATE_DEV, folder=tmp_path,
        envcheck=TAKES_NULL, options=("--require-gpu",),
    )  # fmt: skip

    assert (ran.verdict, ran.code) == ("unknown", 1)
    assert "no GL thread of MediaPipe's" in ran.report["because"]
