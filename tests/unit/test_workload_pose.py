from __future__ import annotations

import itertools

import pytest

from envcheck.workload.pose import CUT, GAP, Pose, pose_at, poses


def step(one: Pose, other: Pose) -> float:
    return max(abs(one.x - other.x), abs(one.y - other.y), abs(one.zoom - other.zoom))


def test_the_last_frame_flows_into_the_first() -> None:
    loop = poses(60)
    smooth = [step(*pair) for pair in itertools.pairwise(loop[:20])]

    assert step(loop[-1], loop[0]) <= max(smooth)


def test_the_subject_leaves_the_frame_once_and_comes_back_elsewhere() -> None:
    loop = poses(60)
    away = [index for index, pose in enumerate(loop) if abs(pose.x) > 1]

    assert away == list(range(away[0], away[-1] + 1))
    assert len(away) >= 3
    assert step(loop[away[0] - 1], loop[away[-1] + 1]) > 0.15


def test_a_cut_moves_the_subject_by_more_than_any_other_step() -> None:
    loop = poses(60)
    cut = next(index for index in range(60) if index / 60 >= CUT)
    seen = [
        step(loop[i], loop[i + 1]) for i in range(59) if i + 1 != cut and max(abs(loop[i].x), abs(loop[i + 1].x)) < 1
    ]

    assert step(loop[cut - 1], loop[cut]) > 5 * max(seen)


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.5, 0.9])
def test_a_smaller_swing_stays_nearer_to_the_upright_middle(phase: float) -> None:
    full, half, none = (pose_at(phase, swing) for swing in (1.0, 0.5, 0.0))

    assert none == Pose(0.0, 0.0, 1.0, 0.0)
    assert step(half, none) <= step(full, none)


def test_no_swing_brings_the_subject_back_during_the_gap() -> None:
    assert pose_at(GAP[0], 0.0).x > 1
