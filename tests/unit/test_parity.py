"""Agreement of landmarks."""

from __future__ import annotations

import pytest

from envcheck.judge.parity import MIN_FRAMES, TOLERANCE, compare, difference, untold
from envcheck.model import Landmarks

EYES = ((100.0, 100.0), (160.0, 100.0), (130.0, 140.0), (130.0, 120.0))


def frames(count: int, shift: float = 0.0, empty: frozenset[int] = frozenset()) -> list[Landmarks]:
    return [
        Landmarks(frame=n, points=() if n in empty else tuple((x + shift, y) for x, y in EYES)) for n in range(count)
    ]


def test_equal_landmarks_agree() -> None:
    assert compare(frames(5), frames(5)).agrees is True


@pytest.mark.parametrize(
    ("shift", "agrees"), [(60 * TOLERANCE * 0.9, True), (60 * TOLERANCE * 1.1, False)], ids=["within", "beyond"]
)
def test_the_tolerance_is_a_share_of_the_eye_distance(shift: float, agrees: bool) -> None:
    assert compare(frames(5), frames(5, shift)).agrees is agrees


def test_too_few_frames_prove_nothing() -> None:
    assert compare(frames(MIN_FRAMES - 1), frames(MIN_FRAMES - 1)).agrees is None
    assert compare([], []).agrees is None


def test_a_gpu_that_finds_no_face_does_not_agree() -> None:
    assert compare(frames(6), frames(6, empty=frozenset(range(6)))).agrees is False


def test_one_frame_lost_earlier_on_one_side_is_tolerated() -> None:
    assert compare(frames(8), frames(8, empty=frozenset({3}))).agrees is True


def test_points_without_extent_do_not_agree() -> None:
    flat = [Landmarks(frame=n, points=((1.0, 1.0),) * 4) for n in range(6)]

    assert compare(flat, frames(6)).agrees is False


def test_landmarks_that_are_no_numbers_do_not_agree() -> None:
    nan = [Landmarks(frame=n, points=((float("nan"), 1.0),) * 4) for n in range(6)]

    assert compare(frames(6), nan).agrees is False


def test_a_few_frames_with_another_face_do_not_hide_behind_the_median() -> None:
    mixed = [*frames(8), *frames(12, shift=30.0)[8:]]

    assert compare(frames(12), mixed).nme == 0.0
    assert compare(frames(12), mixed).agrees is False
    assert "4 of 12 frames" in difference(compare(frames(12), mixed))


def test_points_that_cannot_be_compared_do_not_agree() -> None:
    fewer = [Landmarks(frame=one.frame, points=one.points[:3]) for one in frames(12)]

    assert compare(frames(12), fewer).agrees is False
    assert compare(frames(12), [*frames(3), *fewer[3:]]).agrees is False


def test_frames_that_one_side_keeps_to_itself_prove_nothing() -> None:
    seen = compare(frames(12), frames(4))

    assert seen.agrees is None
    assert "8 frames that only one delegate reports" in untold(seen)


def test_a_face_lost_in_as_many_frames_as_not_proves_nothing() -> None:
    assert compare(frames(5), frames(5, empty=frozenset({3, 4}))).agrees is None
