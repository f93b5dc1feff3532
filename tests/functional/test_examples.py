"""The examples as a user runs them: real wheels, a real video file, software GL."""

from __future__ import annotations

import importlib.util
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
            env=environment(env or {}), capture_output=True, text=True, timeout=300, check=False,
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
    assert "Successfully initialized EGL" in ran.stderr
    assert "Using Cpu for InferenceCalculator" in ran.stderr
    assert "Using Gl" not in ran.stderr


def test_the_legacy_example_says_that_new_versions_do_not_have_it(run: Run, video: Path) -> None:
    ran = run("1.2.2", "face_mesh_legacy.py", video)

    assert ran.returncode == 1
    assert "removed in 0.10.30" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "nowhere.task"), "nowhere.task: no such file"),
        (("--model", str(MODEL), "--delegate", "cpu", "--input", "nowhere.mp4"), "nowhere.mp4 cannot be opened"),
        (("--model", str(EXAMPLES / "README.md"), "--delegate", "cpu"), "delegate=CPU was refused"),
    ],
)
def test_bad_input_ends_in_a_sentence(arguments: tuple[str, ...], said: str, run: Run) -> None:
    ran = run("1.2.2", "face_mesh_gpu.py", *arguments)

    assert ran.returncode in {1, 2}
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_acceptance_folder_runs_on_a_validated_cell(envcheck: Command, matrix_of: Callable[..., Path]) -> None:
    ran = envcheck(
        "validate", "--matrix", str(matrix_of("1.2.2")), "--expect", "refused", "--suite", str(EXAMPLES / "acceptance")
    )

    assert ran.code == 0, ran.stderr
    assert "test_fast_enough_for_thirty_frames_a_second" in (ran.out / "junit.xml").read_text(encoding="utf-8")
