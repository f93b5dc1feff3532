"""The examples as a user runs them: real wheels, a real video file, software GL."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from envcheck import environments
from envcheck.model import Workload
from envcheck.workload import build_frames
from tests.conftest import unable
from tests.functional.conftest import Command, PythonWith, environment
from tests.waiting import HANG_S

pytestmark = [pytest.mark.network, pytest.mark.software_gl]

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = Path(environments.__file__).parent / "data" / "face_mesh.task"
FRAMES = 24
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of the moving portrait."""
    if importlib.util.find_spec("cv2") is None:
        unable("needs OpenCV to write a video; enable with: pip install opencv-python-headless")
    import cv2

    path = tmp_path_factory.mktemp("video") / "face.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for frame in build_frames(Workload()).frames[:FRAMES]:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGBA2BGR))
    writer.release()
    return path


@pytest.fixture(scope="module")
def run(python_with: PythonWith) -> Run:
    """Run an example on the Python of an environment with that MediaPipe."""

    def start(version: str, example: str, *arguments: object, env: Mapping[str, str] | None = None) -> object:
        return subprocess.run(
            [*python_with(version), EXAMPLES / example, *map(str, arguments)],
            env=environment(env or {}), capture_output=True, text=True, timeout=HANG_S, check=False,
        )  # fmt: skip

    return start  # type: ignore[return-value]


def test_on_the_cpu_it_says_so_finds_the_face_and_draws_it(run: Run, video: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "mesh.mp4"
    ran = run("1.2.2", "face_mesh_gpu.py", "--model", MODEL, "--input", video, "--delegate", "cpu", "--output", drawn)

    assert ran.returncode == 0, ran.stderr
    assert "device: CPU: delegate=CPU was asked for" in ran.stdout
    found = re.search(rf"frames: {FRAMES}, with a face: (\d+)", ran.stdout)
    assert found, ran.stdout
    assert int(found[1]) > FRAMES / 2, "the portrait moves out of sight for some frames"
    assert mesh_pixels(drawn) > 5 * mesh_pixels(video)


def mesh_pixels(path: Path) -> int:
    """Pixels of the first frame in about the colour of the mesh."""
    import cv2

    there, frame = cv2.VideoCapture(str(path)).read()
    assert there
    return int(cv2.inRange(frame, (80, 180, 20), (170, 255, 110)).sum() // 255) + 1


def test_software_gl_is_called_what_it_is(run: Run, video: Path) -> None:
    ran = run(
        "0.10.35", "face_mesh_gpu.py", "--model", MODEL, "--input", video, "--frames", 12,
        env={"EGL_PLATFORM": "surfaceless"},
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert "device: CPU, emulating a GPU: llvmpipe" in ran.stdout
    assert "frames: 12" in ran.stdout


def test_a_delegate_that_is_ignored_is_noticed(run: Run, video: Path) -> None:
    ran = run("0.10.31", "face_mesh_gpu.py", "--model", MODEL, "--input", video)

    assert ran.returncode == 0, ran.stderr
    assert "device: CPU: delegate=GPU was accepted and ignored" in ran.stdout


def test_a_refusal_ends_in_one_sentence_and_the_next_step(run: Run, video: Path) -> None:
    ran = run("1.2.2", "face_mesh_gpu.py", "--model", MODEL, "--input", video, env={"EGL_PLATFORM": "surfaceless"})

    assert ran.returncode == 1
    assert "delegate=GPU was refused: GPU emulation detected" in ran.stderr
    assert "envcheck check --python" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_legacy_example_shows_that_it_is_on_the_cpu(run: Run, video: Path) -> None:
    """It opens a GL context all the same, which is what people mistake for the GPU."""
    ran = run("0.10.21", "face_mesh_legacy.py", video, env={"EGL_PLATFORM": "surfaceless"})

    assert ran.returncode == 0, ran.stderr
    assert "device: CPU. Graphs in this wheel: face_landmark_front_cpu.binarypb" in ran.stdout
    assert re.search(rf"frames: {FRAMES}, with a face: [1-9]", ran.stdout)
    assert "Successfully initialized EGL" in ran.stderr
    assert "Using Cpu for InferenceCalculator" in ran.stderr
    assert "Using Gl" not in ran.stderr


def test_the_legacy_example_says_that_new_versions_do_not_have_it(run: Run, video: Path) -> None:
    ran = run("1.2.2", "face_mesh_legacy.py", video)

    assert ran.returncode == 1
    assert "removed in 0.10.30" in ran.stderr


ON_CPU = ("--model", str(MODEL), "--delegate", "cpu")
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "model that is not there": (("--model", "nowhere.task"), "nowhere.task: no such file"),
    "model that is none": (("--model", str(EXAMPLES / "README.md"), "--delegate", "cpu"), "delegate=CPU was refused"),
    "video that is not there": ((*ON_CPU, "--input", "nowhere.mp4"), "nowhere.mp4 cannot be opened"),
    "camera that is not there": ((*ON_CPU, "--input", "camera:63"), "camera:63 cannot be opened"),
    "camera without a number": ((*ON_CPU, "--input", "camera:front"), "a camera has a number"),
    "fewer frames than one": ((*ON_CPU, "--frames", "-3"), "--frames -3"),
    "window without a display": ((*ON_CPU, "--show"), "--show needs a display"),
    "folder that is not there": ((*ON_CPU, "--input", "VIDEO", "--output", "/nowhere/mesh.mp4"), "/nowhere/mesh.mp4"),
    "picture without a face": ((*ON_CPU, "--input", "BLACK"), "No face was found"),
}
ALL_OF_THEM = """\
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("example", sys.argv[1])
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
for name, arguments in json.loads(sys.argv[2]).items():
    sys.stderr.flush()
    print("== " + name, file=sys.stderr, flush=True)
    try:
        code = example.main(arguments)
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    print("code", code, file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="module")
def complaints(
    python_with: PythonWith, video: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, bool]]:
    """What the first example writes to standard error for each mistake, and whether it ends in failure.

    All are made in one process, because each import of MediaPipe takes seconds.
    """
    import cv2
    import numpy as np

    black = tmp_path_factory.mktemp("black") / "black.png"
    cv2.imwrite(str(black), np.zeros((480, 640, 3), "uint8"))
    files = {"VIDEO": str(video), "BLACK": str(black)}
    asked = {name: [files.get(one, one) for one in arguments] for name, (arguments, _) in MISTAKES.items()}
    ran = subprocess.run(
        [*python_with("1.2.2"), "-c", ALL_OF_THEM, EXAMPLES / "face_mesh_gpu.py", json.dumps(asked)],
        env=environment({}), capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    parts = (part.split("\n", 1) for part in ran.stderr.split("== ")[1:])
    return {name: (text, bool(re.search(r"^code (?!0$|None$)", text, re.MULTILINE))) for name, text in parts}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_bad_input_ends_in_a_sentence(mistake: str, complaints: dict[str, tuple[str, bool]]) -> None:
    text, failed = complaints[mistake]

    assert MISTAKES[mistake][1] in text
    assert failed
    assert "Traceback" not in text


def test_the_acceptance_folder_runs_on_a_validated_cell(envcheck: Command, matrix_of: Callable[..., Path]) -> None:
    ran = envcheck(
        "validate", "--matrix", str(matrix_of("1.2.2")), "--expect", "refused", "--suite", str(EXAMPLES / "acceptance")
    )

    assert ran.code == 0, ran.stderr
    assert "test_fast_enough_for_thirty_frames_a_second" in (ran.out / "junit.xml").read_text(encoding="utf-8")
