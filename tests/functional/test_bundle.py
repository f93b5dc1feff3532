"""The default model and the default frames on real MediaPipe wheels; and both shipped files made anew."""

from __future__ import annotations

import importlib.resources
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from uv import find_uv_bin

from envcheck.workload.bundle import OFFICIAL_BUNDLE, OFFICIAL_VARIABLE
from envcheck.workload.motion import FrameSet, portrait_sequence
from tests.functional.conftest import PythonWith

ROOT = Path(__file__).parents[2]
DATA = importlib.resources.files("envcheck") / "data"
OLDEST = "0.10.9"
"""Older than numpy 2 and without a pin that says so: the one environment that has to be made for these tests."""
VERSIONS = (OLDEST, "0.10.21", "0.10.35", "1.2.2")
WORKER = """
import json, sys
import mediapipe, numpy
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode
model, delegate, faces, frames = sys.argv[1:]
frames = numpy.load(frames)
options = FaceLandmarkerOptions(
    BaseOptions(model_asset_path=model, delegate=BaseOptions.Delegate[delegate]),
    running_mode=RunningMode.VIDEO, num_faces=int(faces))
with FaceLandmarker.create_from_options(options) as landmarker:
    answers = []
    for index, frame in enumerate(frames):
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGBA, data=frame)
        faces = landmarker.detect_for_video(image, index * 33).face_landmarks
        answers.append([[[p.x * frame.shape[1], p.y * frame.shape[0]] for p in face] for face in faces])
print(json.dumps(answers))
"""

# MediaPipe from 0.10.33 on needs libEGL and libGLESv2 on the CPU too, hence software_gl there.
pytestmark = [pytest.mark.network, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Answer:
    """Landmarks per frame and face in pixels, and the native log."""

    faces: list[Any]
    log: str


def uv(*arguments: str) -> str:
    return subprocess.run([find_uv_bin(), *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The Python of an environment with the oldest version."""
    folder = tmp_path_factory.mktemp("oldest")
    uv("venv", "--quiet", "--clear", "--python", "3.11", str(folder))
    python = str(folder / "bin" / "python")
    uv("pip", "install", "--quiet", "--python", python, f"mediapipe=={OLDEST}", "numpy<2")
    return [python]


@pytest.fixture
def run(python_with: PythonWith, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Answer]:
    """Runs FaceLandmarker over the frames of a set, in an environment of its own."""

    def landmarks(version: str, delegate: str, model: str, made: FrameSet, faces: int = 1) -> Answer:
        np.save(tmp_path / "frames.npy", made.frames)
        environment = {**os.environ, "EGL_PLATFORM": "surfaceless"}
        python = request.getfixturevalue("oldest") if version == OLDEST else python_with(version)
        command = [*python, "-I", "-c", WORKER, model, delegate, str(faces), "frames.npy"]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert ended.returncode == 0, ended.stderr[-4000:]
        return Answer(json.loads(ended.stdout.splitlines()[-1]), ended.stderr)

    return landmarks


def official() -> str:
    path = os.environ.get(OFFICIAL_VARIABLE)
    if not path:
        unable = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        unable(f"{OFFICIAL_VARIABLE} is not set; set it to a copy of {OFFICIAL_BUNDLE.url}")
    return str(path)


def drift(answer: Answer, made: FrameSet) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far FaceMesh's points lie from where the first frame and the known motion put them, per frame with a face.

    In parts of the height of the face. Points 468 to 477 of the default model are stand-ins, and left out.
    """
    first = np.array(answer.faces[0][0])[:468]
    portrait = (first - made.transforms[0, :, 2]) @ np.linalg.inv(made.transforms[0, :, :2]).T
    drifts = []
    for transform, faces, present in zip(made.transforms, answer.faces, made.present, strict=True):
        if present and faces:
            expected = portrait @ transform[:, :2].T + transform[:, 2]
            apart = np.linalg.norm(np.array(faces[0])[:468] - expected, axis=1).mean()
            drifts.append(apart / np.ptp(expected[:, 1]))
    return np.array(drifts)


def check_follows(answer: Answer, made: FrameSet) -> None:
    """Found wherever it is, but for the frame of the cut; not found in the gap; found at once after it; in place."""
    found = np.array([len(faces) == 1 for faces in answer.faces])
    missed = np.flatnonzero(made.present & ~found)

    assert not found[~made.present].any()
    assert len(missed) <= 1
    assert found[np.flatnonzero(~made.present)[-1] + 1]
    assert all(len(faces[0]) == 478 for faces in answer.faces if faces)
    assert np.median(drift(answer, made)) < 0.02
    assert drift(answer, made).max() < 0.06


@pytest.mark.parametrize(
    ("script", "shipped"), [("make_bundle.py", "face_mesh.task"), ("make_portrait.py", "portrait.png")]
)
def test_shipped_files_are_made_anew_byte_for_byte(script: str, shipped: str, tmp_path: Path) -> None:
    uv("run", "--quiet", "--no-project", f"scripts/{script}", "--output", str(tmp_path / shipped))

    assert (tmp_path / shipped).read_bytes() == (DATA / shipped).read_bytes()


@pytest.mark.parametrize("script", ["make_bundle.py", "make_portrait.py"])
def test_another_wheel_is_refused_and_nothing_written(script: str, tmp_path: Path) -> None:
    (tmp_path / "other.whl").write_bytes(b"PK")
    command = ["run", "--no-project", f"scripts/{script}", "--wheel", str(tmp_path / "other.whl")]
    with pytest.raises(subprocess.CalledProcessError) as caught:
        uv(*command, "--output", str(tmp_path / "written"))

    assert "expected" in caught.value.stderr
    assert not (tmp_path / "written").exists()


@pytest.mark.software_gl
@pytest.mark.parametrize("version", VERSIONS)
def test_cpu_follows_the_portrait_with_the_default_model(version: str, run: Callable[..., Answer]) -> None:
    made = portrait_sequence("640x480")
    answer = run(version, "CPU", str(DATA / "face_mesh.task"), made)

    check_follows(answer, made)
    assert "unaligned" not in answer.log


@pytest.mark.software_gl
@pytest.mark.parametrize("resolution", ["320x240", "1280x720"])
def test_the_face_is_found_at_other_resolutions(resolution: str, run: Callable[..., Answer]) -> None:
    made = portrait_sequence(resolution)

    check_follows(run("0.10.35", "CPU", str(DATA / "face_mesh.task"), made), made)


@pytest.mark.software_gl
@pytest.mark.parametrize("version", ["0.10.21", "0.10.35", "1.2.2"])
def test_cpu_follows_the_portrait_with_the_official_model(version: str, run: Callable[..., Answer]) -> None:
    made = portrait_sequence("640x480")

    check_follows(run(version, "CPU", official(), made), made)


@pytest.mark.software_gl
@pytest.mark.parametrize("faces", [2, 6])
def test_several_portraits_are_all_found(faces: int, run: Callable[..., Answer]) -> None:
    made = portrait_sequence("640x480", faces)
    answer = run("0.10.35", "CPU", str(DATA / "face_mesh.task"), made, faces)

    assert [len(found) for found in answer.faces] == [faces if present else 0 for present in made.present]


@pytest.mark.software_gl
@pytest.mark.parametrize("version", ["0.10.21", "0.10.35"])
def test_the_gpu_delegate_runs_the_default_model_whole(version: str, run: Callable[..., Answer]) -> None:
    made = portrait_sequence("640x480")
    answer = run(version, "GPU", str(DATA / "face_mesh.task"), made)

    check_follows(answer, made)
    assert "renderer" in answer.log
