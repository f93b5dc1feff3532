from __future__ import annotations

import itertools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from envcheck.errors import EnvcheckError, InfrastructureError, UsageError
from envcheck.workload import source
from envcheck.workload.source import camera_index, frames_of, images_in, load_stills

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNOPENED = UsageError("not open")
SILENT = InfrastructureError("silent")


@dataclass
class FakeCapture:
    """A capture of `frames` frames, each blue."""

    frames: int = 3
    opened: bool = True
    released: bool = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opened

    def read(self) -> tuple[bool, Any]:
        self.frames -= 1
        return (True, np.full((2, 2, 3), (255, 0, 0), np.uint8)) if self.frames >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def two_halves() -> Image.Image:
    """32 wide, 16 high; left half red, right half blue."""
    picture = Image.new("RGB", (32, 16), (255, 0, 0))
    picture.paste((0, 0, 255), (16, 0, 32, 16))
    return picture


def only(path: Path) -> npt.NDArray[np.uint8]:
    (picture,) = load_stills(str(path))
    return picture


def test_frames_come_in_rgb_and_the_capture_is_released() -> None:
    capture = FakeCapture(3)
    frames = list(frames_of(capture, UNOPENED, SILENT))

    assert [frame[0, 0].tolist() for frame in frames] == [[0, 0, 255]] * 3
    assert capture.released


def test_a_capture_is_released_when_reading_stops_early() -> None:
    capture = FakeCapture(1000)
    frames = frames_of(capture, UNOPENED, SILENT)
    list(itertools.islice(frames, 2))
    frames.close()  # type: ignore[attr-defined]  # it is a generator

    assert capture.released


@pytest.mark.parametrize(
    ("capture", "error"),
    [(FakeCapture(opened=False), UNOPENED), (FakeCapture(frames=0), SILENT)],
    ids=["unopened", "silent"],
)
def test_a_capture_without_frames_says_why(capture: FakeCapture, error: EnvcheckError) -> None:
    with pytest.raises(type(error), match=error.message):
        list(frames_of(capture, UNOPENED, SILENT))
    assert capture.released


@pytest.mark.parametrize(("name", "index"), [("camera:0", 0), ("camera:12", 12)])
def test_camera_numbers_are_read(name: str, index: int) -> None:
    assert camera_index(name) == index


@pytest.mark.parametrize("name", ["camera:", "camera:x", "camera:-1", "camera:0.5", "camera:1234567890"])
def test_a_camera_without_a_number_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="camera:NUMBER"):
        list(load_stills(name))


def test_a_folder_gives_its_images_by_name(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png", "c.webp"):
        (tmp_path / name).touch()

    assert [path.name for path in images_in(tmp_path)] == ["a.jpg", "b.PNG", "c.webp"]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp", ".ppm"])
def test_images_are_decoded_in_rgb(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"zwei Hälften 写真{suffix}"
    two_halves().save(path, lossless=True)

    picture = only(path)

    assert picture.shape == (16, 32, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[0, -1].tolist() == [0, 0, 255]


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_kind_of_pixel_becomes_three_channels_of_eight_bits(mode: str, tmp_path: Path) -> None:
    levels = np.repeat(np.array([[255, 0]], np.uint8), 16, axis=1)
    picture = (
        Image.fromarray(levels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(levels).convert(mode)
    )
    picture.resize((32, 16)).save(tmp_path / "picture.png")

    decoded = only(tmp_path / "picture.png")

    assert decoded.shape == (16, 32, 3)
    assert decoded.dtype == np.uint8
    assert decoded[0, 0].tolist() == [255, 255, 255]
    assert decoded[0, -1].tolist() == [0, 0, 0]


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    orientation = Image.Exif()
    orientation[0x0112] = 6
    two_halves().save(path, exif=orientation)

    picture = only(path)

    assert picture.shape == (32, 16, 3)
    assert picture[0, 0, 0] > 200
    assert picture[-1, 0, 2] > 200


def test_a_folder_of_pictures_is_decoded_in_order(tmp_path: Path) -> None:
    for index, level in enumerate((10, 20, 30)):
        Image.new("L", (8, 8), level).save(tmp_path / f"{index}.png")

    assert [picture[0, 0, 0] for picture in load_stills(str(tmp_path))] == [10, 20, 30]


def make_empty_folder(path: Path) -> None:
    path.mkdir()


def make_empty(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("no picture\n" * 100)


def make_truncated(path: Path) -> None:
    two_halves().resize((640, 480)).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:200])


def make_folder_with_damage(path: Path) -> None:
    path.mkdir()
    make_truncated(path / "damaged.png")


def make_zero_size(path: Path) -> None:
    """A PNG whose header says 0 x 0."""
    two_halves().save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[16:24] = bytes(8)
    path.write_bytes(data)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"\x89PNG")
        file.truncate(source.MAX_IMAGE_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda path: None, "No such file", id="missing"),
        pytest.param(make_empty_folder, "holds no image", id="empty-folder"),
        pytest.param(make_folder_with_damage, "damaged.png is a damaged image", id="folder-with-damage"),
        pytest.param(os.mkfifo, "not a regular file", id="fifo"),
        pytest.param(make_empty, r"is empty \(0 bytes\)", id="empty"),
        pytest.param(make_text, "neither an image nor a video", id="text"),
        pytest.param(make_truncated, "damaged image", id="truncated"),
        pytest.param(make_zero_size, "damaged image", id="zero-size"),
        pytest.param(make_huge, "larger than", id="huge"),
    ],
)
def test_input_that_cannot_be_decoded_is_named(make: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    make(path)

    with pytest.raises(UsageError, match=says) as caught:
        list(load_stills(str(path)))
    assert str(path) in caught.value.message
    assert caught.value.remedy


def test_without_opencv_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_halves().save(tmp_path / "picture.png")
    monkeypatch.setitem(sys.modules, "cv2", None)

    with pytest.raises(UsageError) as caught:
        only(tmp_path / "picture.png")
    assert "envcheck[video]" in caught.value.remedy
