"""Landmarks against the known motion: followed, frozen, shifted, wrong alike on both sides."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from envcheck.cell.run import shown
from envcheck.cell.worker import Material
from envcheck.judge import judge
from envcheck.judge.motion import TOLERANCE, strays, taken_back
from envcheck.model import Landmarks, Shown, Verdict, Workload
from envcheck.workload import build_frames
from tests.golden import as_if_seen

FACE = ((33.0, 50.0), (93.0, 52.0), (60.0, 90.0), (61.0, 70.0))
"""In the picture; the eye corners first, 60 apart."""


def placed(frame: int, *, present: bool = True) -> Shown:
    """The picture, turned, enlarged and moved by the number of the frame."""
    turn, zoom = frame / 20, 1.5 + frame / 10
    a, b = zoom * math.cos(turn), zoom * math.sin(turn)
    return Shown(frame=frame, transform=(a, -b, 10.0 * frame, b, a, 3.0 * frame), present=present)


def seen_in(place: Shown, face: tuple[tuple[float, float], ...] = FACE) -> Landmarks:
    a, b, c, d, e, f = place.transform
    return Landmarks(place.frame, tuple((a * u + b * v + c, d * u + e * v + f) for u, v in face))


MOTION = tuple(placed(frame) for frame in range(10))
FOLLOWED = tuple(seen_in(place) for place in MOTION)
FROZEN = tuple(Landmarks(place.frame, FOLLOWED[0].points) for place in MOTION)


def test_points_come_back_to_where_they_are_in_the_picture() -> None:
    for landmarks, place in zip(FOLLOWED, MOTION, strict=True):
        assert [pytest.approx(point) for point in taken_back(landmarks.points, place)] == list(FACE)


def test_a_face_that_is_followed_stands_still_in_the_picture() -> None:
    assert strays(FOLLOWED, MOTION) == pytest.approx(0.0)


def test_landmarks_that_stay_where_they_were_stray() -> None:
    found = strays(FROZEN, MOTION)

    assert found is not None
    assert found > TOLERANCE


def test_small_errors_of_the_model_are_borne() -> None:
    shaken = [
        seen_in(place, tuple((u + (-1) ** place.frame, v) for u, v in FACE)) for place in MOTION
    ]  # fmt: skip
    found = strays(shaken, MOTION)

    assert found is not None
    assert 0 < found < TOLERANCE


def test_frames_without_the_face_or_without_a_place_tell_nothing() -> None:
    away = tuple(replace(place, present=False) for place in MOTION)

    assert strays(FOLLOWED, away) is None
    assert strays(FOLLOWED, ()) is None
    assert strays([replace(one, points=()) for one in FOLLOWED], MOTION) is None
    assert strays(FOLLOWED[:2], MOTION) is None


def test_a_transform_that_cannot_be_undone_tells_nothing() -> None:
    flat = tuple(replace(place, transform=(0.0,) * 6) for place in MOTION)

    assert strays(FROZEN, flat) is None


def material(faces: int) -> Material:
    workload = Workload(resolution="64x64", faces=faces)
    return Material(model=b"", frames=build_frames(workload), workload=workload)


def test_the_portrait_is_known_to_move_and_frames_of_the_gap_to_show_no_face() -> None:
    known = shown(material(1), [0, 5, 25])

    assert [one.frame for one in known] == [0, 5, 25]
    assert [one.present for one in known] == [True, True, False]
    assert len({one.transform for one in known}) == 3


def test_of_several_faces_nobody_knows_which_is_found() -> None:
    assert shown(material(2), [0, 5]) == ()


def test_a_tracker_that_stops_at_the_first_frame_strays_from_the_portrait() -> None:
    known = shown(material(1), list(range(0, 60, 5)))
    face = ((195.0, 110.0), (255.0, 110.0), (225.0, 160.0))
    followed = [seen_in(one, face) for one in known]
    stopped = [replace(one, points=followed[0].points) for one in followed]

    assert strays(followed, known) == pytest.approx(0.0)
    found = strays(stopped, known)
    assert found is not None
    assert found > 2 * TOLERANCE


@pytest.mark.parametrize(("landmarks", "verdict"), [(FOLLOWED, Verdict.ACCELERATED), (FROZEN, Verdict.WRONG)])
def test_delegates_that_agree_and_do_not_follow_are_wrong(landmarks: tuple[Landmarks, ...], verdict: Verdict) -> None:
    proven = as_if_seen("accelerated")
    nearly = tuple(replace(one, points=tuple((x + 0.1, y) for x, y in one.points)) for one in landmarks)
    evidence = replace(
        proven,
        motion=MOTION,
        cpu=replace(proven.cpu, landmarks=landmarks),
        gpu=replace(proven.gpu, landmarks=nearly),
    )

    assert judge(evidence).verdict is verdict
