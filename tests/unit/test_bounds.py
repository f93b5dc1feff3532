"""The judge's bounds in numbers: a bound that moves has to be moved here too, on purpose."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from envcheck.gate import exit_code, summarise
from envcheck.judge import motion, parity
from envcheck.judge.baseline import fastest
from envcheck.judge.measured import bench_of
from envcheck.model import (
    Axes,
    Block,
    CellResult,
    Evidence,
    Host,
    Landmarks,
    Repeat,
    Results,
    Shown,
    Speedup,
    Unread,
    Verdict,
)
from tests.golden import as_if_seen

EYES = ((0.0, 0.0), (100.0, 0.0), (50.0, 60.0))
"""The eye corners first, 100 apart, so that a shift in points is one in percent."""


def frames(*shifts: float) -> list[Landmarks]:
    return [Landmarks(number, tuple((x + shift, y) for x, y in EYES)) for number, shift in enumerate(shifts)]


@pytest.mark.parametrize(
    ("shifts", "agrees"),
    [
        ((2.9,) * 8, True),
        ((3.1,) * 8, False),
        ((0.0, 0.0, 0.0), True),
        ((0.0, 0.0), None),
        ((0.0,) * 9 + (9.9,) * 3, True),
        ((0.0,) * 9 + (10.1,) * 3, True),
        ((0.0,) * 8 + (10.1,) * 4, False),
        ((0.0, 10.1, 10.1), None),
    ],
    ids=["2.9 percent", "3.1 percent", "three frames", "two", "not far", "a quarter far", "a third far", "too few far"],
)
def test_landmarks_agree_within_3_percent_of_the_eye_distance_in_three_frames_of_four(
    shifts: tuple[float, ...], agrees: bool | None
) -> None:
    assert parity.compare(frames(*(0.0,) * len(shifts)), frames(*shifts)).agrees is agrees


def shown(number: int) -> Shown:
    return Shown(frame=number, transform=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), present=True)


@pytest.mark.parametrize(("swing", "follows"), [(9.0, True), (11.0, False), (17.0, False)])
def test_landmarks_follow_the_face_within_10_percent_of_the_eye_distance(swing: float, follows: bool) -> None:
    still = [shown(number) for number in range(9)]
    swinging = frames(*(0.0 if number == 4 else swing * (-1) ** number for number in range(9)))
    astray = motion.strays(swinging, still)

    assert astray is not None
    assert (astray <= motion.TOLERANCE) is follows


def test_three_frames_with_two_points_tell_of_motion_and_fewer_do_not() -> None:
    still = [shown(number) for number in range(3)]
    two_points = [replace(one, points=one.points[:2]) for one in frames(0.0, 0.0, 0.0)]

    assert motion.strays(two_points, still) == 0.0
    assert motion.strays(two_points[:2], still) is None
    assert motion.strays([replace(one, points=one.points[:1]) for one in two_points], still) is None


def block(pair: int, times: float, faces: int) -> Block:
    return Block(pair=pair, times_ms=(times,) * 10, faces=faces)


@pytest.mark.parametrize(
    ("faces", "chosen"), [(10, 1), (9, 1), (8, 0)], ids=["as many faces", "nine of ten", "eight of ten"]
)
def test_a_faster_way_over_the_cpu_counts_where_it_finds_nine_faces_of_ten(faces: int, chosen: int) -> None:
    assert fastest(([block(0, 10.0, 10)], [block(0, 5.0, faces)])) == chosen
    assert fastest(([block(0, 10.0, 10)], [block(0, 11.0, 10)])) == 0
    assert fastest(([block(0, 10.0, 0)], [])) == 0


def width(bound: Speedup | None) -> float:
    assert bound is not None
    return bound.ci95[1] - bound.ci95[0]


def intervals(evidence: Evidence) -> list[float]:
    bench = bench_of(evidence)
    assert bench is not None
    return [width(one) for one in (bench.runs or (bench.speedup,))]


def test_the_interval_is_as_sure_as_the_looks_were() -> None:
    seen = as_if_seen("accelerated")
    once = replace(seen, repeats=())
    widths = [intervals(replace(once, confidence_used=used))[0] for used in (None, 0.98, 0.9999)]

    assert all(narrow < wide for narrow, wide in pairwise(widths))
    again = Repeat(cpu=seen.cpu, gpu=seen.gpu, legacy=seen.legacy, confidence_used=0.9999)
    first, second = intervals(replace(once, confidence_used=0.98, repeats=(again,)))
    assert first < second


def test_what_was_foretold_and_expected_is_met_without_a_look_where_it_is_all_that_was_asked() -> None:
    foretold = Verdict.IMPOSSIBLE
    row = CellResult(
        id="cell", axes=Axes(backend="venv"), verdict=foretold, status=foretold.status, expected=foretold, met=True,
        findings=(),
    )  # fmt: skip
    host = Host(platform="linux", machine="x86_64", nvml=Unread(reason="no driver"))

    assert exit_code(Results(host=host, cells=(row,), summary=summarise([row]))) == 0
