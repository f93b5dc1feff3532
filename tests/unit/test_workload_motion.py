from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from envcheck.errors import UsageError
from envcheck.model import Workload
from envcheck.workload.motion import (
    FACE_BOX,
    MAX_FACES,
    build_frames,
    letterbox,
    parse_resolution,
    place,
    portrait_sequence,
    render,
    sequence_from,
    visible,
)
from envcheck.workload.pose import Pose

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 24
Picture = npt.NDArray[np.uint8]


def grey(width: int, height: int, level: int = 200) -> Picture:
    return np.full((height, width, 3), level, np.uint8)


def test_frames_are_opaque_contiguous_and_read_only() -> None:
    made = portrait_sequence("160x120", count=COUNT)

    assert made.frames.shape == (COUNT, 120, 160, 4)
    assert made.frames.dtype == np.uint8
    assert made.frames.flags.c_contiguous
    assert not made.frames.flags.writeable
    assert (made.frames[..., 3] == 255).all()


def test_the_record_describes_the_frames() -> None:
    made = portrait_sequence("160x120", count=COUNT)

    assert made.record.input == "portrait"
    assert made.record.resolution == "160x120"
    assert made.record.count == COUNT
    assert made.record.sha256 == hashlib.sha256(made.frames.tobytes()).hexdigest()


def test_the_same_workload_gives_the_same_frames() -> None:
    one, other = (portrait_sequence("160x120", count=COUNT) for _ in range(2))

    assert one.record == other.record


def test_another_resolution_gives_other_frames() -> None:
    assert portrait_sequence("160x120", count=2).record != portrait_sequence("120x160", count=2).record


@pytest.mark.parametrize("resolution", ["640x480", "1280x720", "320x240", "480x640", "640x640"])
@pytest.mark.parametrize("faces", [1, 2, MAX_FACES])
def test_the_face_is_within_the_frame_but_for_the_gap(resolution: str, faces: int) -> None:
    made = portrait_sequence(resolution, faces, count=COUNT)
    gap = np.flatnonzero(~made.present)

    assert 0 < len(gap) <= COUNT // 8
    assert (np.diff(gap) == 1).all()
    assert made.present[0]
    assert made.present[-1]


def test_without_a_face_nothing_of_the_portrait_is_seen() -> None:
    made = portrait_sequence("160x120", count=COUNT)

    absent = made.frames[~made.present]

    assert (absent == absent[0, 0, 0]).all()


def test_transforms_say_where_a_pixel_of_the_portrait_went() -> None:
    made = portrait_sequence("512x512", count=COUNT)
    alone = np.zeros((512, 512, 3), np.uint8)
    alone[110:130, 215:235] = 255
    for transform in made.transforms[made.present]:
        picture, _ = letterbox(alone, (512, 512))
        shown = np.asarray(render(picture, transform, (512, 512)))[..., 0] > 200
        rows, columns = np.nonzero(shown)
        expected = transform @ [225.0, 120.0, 1.0]

        assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(tuple(expected), abs=0.6)


def test_several_faces_show_the_same_portrait_side_by_side() -> None:
    frames = portrait_sequence("320x240", 4, count=3).frames

    for top, left in ((0, 160), (120, 0), (120, 160)):
        assert (frames[:, top : top + 120, left : left + 160] == frames[:, :120, :160]).all()


def test_three_faces_leave_the_fourth_tile_empty() -> None:
    frames = portrait_sequence("320x240", 3, count=3).frames

    assert (frames[:, 120:, 160:] == frames[0, -1, -1]).all()
    assert not (frames[:, 120:, :160] == frames[0, -1, -1]).all()


def test_place_turns_about_the_middle_of_the_box() -> None:
    turned = place((100.0, 100.0, 200.0, 200.0), 2.0, Pose(0.25, 0.0, 1.0, np.pi / 2), (400, 200))

    assert turned @ [150.0, 150.0, 1.0] == pytest.approx((250.0, 100.0))
    assert turned @ [200.0, 150.0, 1.0] == pytest.approx((250.0, 200.0))


@pytest.mark.parametrize(("shift", "expected"), [(0.0, True), (-179.0, False), (600.0, False)])
def test_a_box_that_is_partly_outside_is_not_visible(shift: float, expected: bool) -> None:
    transform = np.array([[[1.0, 0.0, shift], [0.0, 1.0, 0.0]]])

    assert visible(FACE_BOX, transform, (640, 480)).tolist() == [expected]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("640", "not WIDTHxHEIGHT"),
        ("640X480", "not WIDTHxHEIGHT"),
        ("640x480 ", "not WIDTHxHEIGHT"),
        ("-640x480", "not WIDTHxHEIGHT"),
        ("\u0666\u0664\u0660x\u0664\u0668\u0660", "not WIDTHxHEIGHT"),
        ("", "not WIDTHxHEIGHT"),
        ("0x0", "64 to 8192"),
        ("640x9999", "64 to 8192"),
        ("8192x8192", "GiB"),
    ],
)
def test_a_bad_resolution_is_a_usage_error(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_resolution(text, 60)


@pytest.mark.parametrize("faces", [0, -1, MAX_FACES + 1])
def test_a_number_of_faces_that_cannot_be_shown_is_a_usage_error(faces: int) -> None:
    with pytest.raises(UsageError, match="faces"):
        portrait_sequence("640x480", faces)


def test_no_frames_at_all_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="0 frames"):
        portrait_sequence("640x480", count=0)


@pytest.mark.parametrize(
    ("width", "height", "inner"),
    [
        (100, 50, (0, 20, 160, 80)),
        (50, 100, (50, 0, 60, 120)),
        (1600, 1200, (0, 0, 160, 120)),
        (1, 1, (20, 0, 120, 120)),
    ],
    ids=["wide", "tall", "large", "one-pixel"],
)
def test_pictures_keep_their_aspect(width: int, height: int, inner: tuple[int, int, int, int]) -> None:
    made = sequence_from([grey(width, height)] * 2, "160x120", name="own")
    left, top, wide, high = inner
    lit = made.frames[0, ..., 0] == 200

    assert lit[top : top + high, left : left + wide].all()
    assert lit.sum() == wide * high
    assert made.transforms[0] @ [width, height, 1.0] == pytest.approx((left + wide, top + high))


def test_several_pictures_are_used_as_they_come() -> None:
    made = sequence_from([grey(160, 120, level) for level in (10, 20, 30)], "160x120", name="own")

    assert made.frames[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert made.record.count == 3
    assert made.present.all()


def test_an_endless_source_is_read_no_further_than_needed() -> None:
    taken: list[int] = []

    def live() -> Iterator[Picture]:
        for level in range(256):
            taken.append(level)
            yield grey(160, 120, level)

    made = sequence_from(live(), "160x120", 5, name="camera:0")

    assert made.record.count == len(taken) == 5


def test_one_picture_alone_is_set_in_motion() -> None:
    picture = np.random.default_rng(7).integers(0, 256, (600, 800, 3)).astype(np.uint8)
    made = sequence_from([picture], "160x120", COUNT, name="face.png")

    assert made.record.count == COUNT
    assert len(np.unique(made.transforms, axis=0)) > COUNT / 2
    assert 0 < (~made.present).sum() <= COUNT // 8
    middle = made.transforms[0] @ [400.0, 300.0, 1.0]
    assert middle == pytest.approx((80.0, 60.0))


def test_no_picture_at_all_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="own holds no picture"):
        sequence_from([], "160x120", name="own")


def test_the_default_workload_is_the_moving_portrait() -> None:
    assert build_frames(Workload(), 2).record == portrait_sequence("640x480", 1, 2).record
