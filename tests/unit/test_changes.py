"""Scripted histories: what changed is found, and attributed to what was moved and to nothing else."""

from __future__ import annotations

import pytest

from envcheck.changes import IMPROVEMENT, NEITHER, REGRESSION, UNEXPECTED, changes
from envcheck.kept import Entry
from envcheck.model import Verdict
from tests.unit.nights import NEW_DRIVER, NO_GL, OTHER_GPU, Turn, history, night

V = Verdict
CLOCK, HIGHEST = "GPU clock at work (MHz)", "GPU highest clock (MHz)"
OTHER = {"numpy": "2.3.0", "lock": "e" * 64}
BUILT_ANEW = {"image digest": "sha256:" + "2" * 64}

SCRIPTS: dict[str, tuple[list[Turn], tuple[str, ...]]] = {
    # one thing moved, and it got slower
    "driver, slower": ([Turn(20, NEW_DRIVER, 0.7)], ("driver",)),
    "wheel, slower": ([Turn(20, {"MediaPipe": "1.3.0", "lock": "e" * 64}, 0.7)], ("MediaPipe",)),
    "wheel rebuilt, slower": ([Turn(20, {"MediaPipe wheel": "sha256:9", "lock": "e" * 64}, 0.7)], ("MediaPipe wheel",)),
    "image digest, slower": ([Turn(20, BUILT_ANEW, 0.7)], ("image digest",)),
    "base image, slower": (
        [Turn(20, BUILT_ANEW | {"base image digest": "sha256:3", "glibc": "2.41"}, 0.7)], ("base image digest",)
    ),
    "highest clock limited": ([Turn(20, {HIGHEST: "1200", CLOCK: "1200"}, 0.7)], (HIGHEST,)),
    "clock at work": ([Turn(20, {CLOCK: "1400"}, 0.7)], (CLOCK,)),
    "throttling": ([Turn(20, {"GPU throttling": "sw_thermal_slowdown", CLOCK: "1100"}, 0.6)], ("GPU throttling",)),
    "foreign process": ([Turn(20, {"foreign GPU processes": "2"}, 0.6)], ("foreign GPU processes",)),
    "lock": ([Turn(20, {"lock": "e" * 64}, 0.75)], ("lock",)),
    "a package in the lock": ([Turn(20, {"package jax": "0.8.0", "lock": "e" * 64}, 0.75)], ("package jax",)),
    "numpy in the lock": ([Turn(20, OTHER, 0.75)], ("numpy",)),
    "model": ([Turn(20, {"model": "f" * 64}, 0.6)], ("model",)),
    "input": ([Turn(20, {"input": "f" * 64}, 0.6)], ("input",)),
    "GPU swapped": ([Turn(20, OTHER_GPU, 0.5)], ("GPUs",)),
    "another unit of the same GPU": ([Turn(20, {"GPU units": "GPU-3333"}, 0.7)], ("GPU units",)),
    "fewer cores": ([Turn(20, {"cores": "4"}, 1.5)], ("cores",)),
    "governor": ([Turn(20, {"governor": "powersave"}, 1.3)], ("governor",)),
    "other programs": ([Turn(20, {"other programs": "very busy"}, 0.7)], ("other programs",)),
    # one thing moved, and the device is another
    "driver, refused": ([Turn(20, NEW_DRIVER | NO_GL, verdict=V.REFUSED)], ("driver",)),
    "graphics half gone": ([Turn(20, {"driver libraries": "none"} | NO_GL, verdict=V.REFUSED)], ("driver libraries",)),
    "wheel without GPU code": (
        [Turn(20, {"MediaPipe": "1.0.0", "lock": "e" * 64}, verdict=V.SILENT_CPU)], ("MediaPipe",)
    ),
    "software GL by a variable": (
        [Turn(20, {"variable LIBGL_ALWAYS_SOFTWARE": "1", "GL renderer": "llvmpipe"}, verdict=V.EMULATED)],
        ("variable LIBGL_ALWAYS_SOFTWARE",),
    ),
    "vendor file gone": (
        [Turn(20, {"EGL vendor files": "50_mesa.json", "GL renderer": "llvmpipe"}, verdict=V.EMULATED)],
        ("EGL vendor files",),
    ),
    "capabilities of the container": (
        [Turn(20, {"variable NVIDIA_DRIVER_CAPABILITIES": "compute"} | NO_GL, verdict=V.REFUSED)],
        ("variable NVIDIA_DRIVER_CAPABILITIES",),
    ),
    "driver gone": (
        [Turn(20, {"driver": "", "GPUs": "", "GPU units": "", "kernel module": "none"} | NO_GL, verdict=V.REFUSED)],
        ("driver", "GPUs"),
    ),
    "landmarks of another model": ([Turn(20, {"model": "f" * 64}, verdict=V.WRONG)], ("model",)),
    "crash with another numpy": ([Turn(20, OTHER, verdict=V.CRASHED)], ("numpy",)),
    # nothing moved, or nothing that may be believed
    "nothing moved, slower": ([Turn(20, {}, 0.7)], ()),
    "nothing moved, refused": ([Turn(20, NO_GL, verdict=V.REFUSED)], ()),
    "a move after the step": ([Turn(20, {}, 0.7), Turn(22, NEW_DRIVER)], ()),
    "a move some good nights before the step": ([Turn(17, {"lock": "e" * 64}), Turn(20, {}, 0.7)], ()),
    "a move that went back while it stayed slow": ([Turn(20, {"lock": "e" * 64}, until=22), Turn(20, {}, 0.7)], ()),
    "a value that good nights had": (
        [Turn(5, {"lock": "e" * 64}, until=9), Turn(20, {"lock": "e" * 64}, 0.7)], ()
    ),
    "a higher clock makes nothing slower": ([Turn(20, {CLOCK: "2500"}, 0.7)], ()),
    "a clock within its tolerance": ([Turn(20, {CLOCK: "1995"}, 0.7)], ()),
    "a clock that fell because the GPU is idle": ([Turn(20, {CLOCK: "300"}, verdict=V.SILENT_CPU)], ()),
    # more than one thing moved
    "driver and lock at once": ([Turn(20, NEW_DRIVER | {"lock": "e" * 64}, 0.7)], ("driver", "lock")),
    "driver and GPU at once": ([Turn(20, NEW_DRIVER | OTHER_GPU, 0.7)], ("GPUs", "driver")),
    "a lock that moves every night, and the driver": (
        [*(Turn(at, {"lock": f"{at:064x}"}) for at in range(20)), Turn(20, NEW_DRIVER | {"lock": "e" * 64}, 0.7)],
        ("driver", "lock"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("turns", "causes"), SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scripted_history_is_attributed(turns: list[Turn], causes: tuple[str, ...], seed: int) -> None:
    entries = history(30, *turns, seed=seed)
    (change,) = changes(entries)
    assert change.after == entries[20]
    assert change.before == entries[19]
    assert change.causes == causes
    assert change.confirmed
    if causes:
        assert causes[0] in change.attribution
    else:
        assert "Nothing that is recorded moved" in change.attribution
        assert "noise" in change.attribution


def test_enough_histories_are_scripted() -> None:
    assert len(SCRIPTS) >= 20


@pytest.mark.parametrize("name", ["driver, slower", "driver, refused", "nothing moved, slower"])
def test_the_way_down_is_a_regression_and_the_way_up_an_improvement(name: str) -> None:
    turns = [turn._replace(until=30) for turn in SCRIPTS[name][0]]
    down, up = changes(history(40, *turns))
    assert (down.kind, up.kind) == (REGRESSION, IMPROVEMENT)
    assert up.causes == SCRIPTS[name][1]


@pytest.mark.parametrize("seed", range(50))
def test_noise_alone_changes_nothing_in_fifty_nights(seed: int) -> None:
    """Also near the threshold, where the verdict moves with the noise."""
    entries = [near_threshold(entry) for entry in history(50, noise=0.04, seed=seed)]
    assert {entry.verdict for entry in entries} > {V.ACCELERATED}
    assert changes(entries) == ()


def near_threshold(entry: Entry) -> Entry:
    """The same night of a cell whose true speed-up is 1."""
    assert entry.bench is not None
    assert entry.bench.speedup is not None
    ratio = entry.bench.speedup.estimate / 5
    verdict = V.ACCELERATED if ratio > 1.01 else V.SLOWER if ratio < 0.99 else V.INCONCLUSIVE
    return night(int(entry.recorded_at[8:10]) + 30 * int(entry.recorded_at[5:7]), {}, ratio, verdict)


def test_one_odd_night_is_passed_over() -> None:
    assert changes(history(30, Turn(20, {}, verdict=V.CRASHED, until=21))) == ()


def test_the_newest_entry_alone_is_told_and_not_confirmed() -> None:
    (change,) = changes(history(21, Turn(20, NEW_DRIVER, verdict=V.REFUSED)))
    assert change.kind == REGRESSION
    assert not change.confirmed


def test_a_slow_newest_night_alone_is_no_change() -> None:
    assert changes(history(21, Turn(20, {}, 0.6))) == ()


def test_a_large_step_measured_twice_in_one_night_is_a_change() -> None:
    entries = [*history(21, Turn(20, {}, 0.5)), night(20, {}, 2.5, minutes=20)]
    (change,) = changes(entries)
    assert (change.kind, change.after) == (REGRESSION, entries[20])


def test_measuring_again_in_the_same_night_does_not_make_two_nights() -> None:
    assert changes([*history(21, Turn(20, {}, 0.75)), *(night(20, {}, 3.75, minutes=20 * n) for n in (1, 2, 3))]) == ()


def test_two_failures_of_different_kinds_are_no_odd_entry() -> None:
    entries = history(22, Turn(20, {}, verdict=V.CRASHED), Turn(21, {}, verdict=V.REFUSED))
    assert [change.what.split(":")[0] for change in changes(entries)] == [
        "accelerated became crashed", "crashed became refused",
    ]  # fmt: skip


def test_an_expected_failure_that_passes_is_news() -> None:
    entries = history(25, Turn(0, verdict=V.REFUSED, until=20), Turn(20, {"MediaPipe": "1.3.0"}), expected=V.REFUSED)
    (change,) = changes(entries)
    assert (change.kind, change.causes) == (UNEXPECTED, ("MediaPipe",))


def test_a_faster_cpu_is_no_regression_of_the_gpu() -> None:
    (change,) = changes(history(30, Turn(20, {"CPU": "AMD EPYC 9654"}, 0.7, cpu=0.7)))
    assert change.kind == NEITHER
    assert change.causes == ("CPU",)
    assert "GPU 2." in change.what


def test_a_slower_cpu_is_no_improvement_of_the_gpu() -> None:
    (change,) = changes(history(30, Turn(20, {"governor": "powersave"}, 1.5, cpu=1.5), noise=0.001))
    assert change.kind == NEITHER
    assert "the speed-up rose" in change.what
    (faster,) = changes(history(30, Turn(20, NEW_DRIVER, 1.5)))
    assert faster.kind == IMPROVEMENT


def test_what_happened_is_told_with_figures() -> None:
    (change,) = changes(history(30, Turn(20, NEW_DRIVER, 0.7), noise=0.001))
    assert change.what.startswith("the speed-up fell by 30 % (between 2")
    assert "GPU 2.00 ms, then 2.8" in change.what
    assert change.attribution.startswith("Just then the driver moved from 570.124.06 to 580.65.06. The driver compiles")


def test_cells_that_cannot_be_reached_say_nothing() -> None:
    assert changes(history(30, Turn(10, {}, verdict=V.UNREACHABLE, until=20))) == ()


def test_each_cell_has_its_own_history() -> None:
    fine, bad = (
        history(30, seed=4),
        [night(n, {}, 5.0, V.CRASHED if n > 20 else V.ACCELERATED, cell="b") for n in range(30)],
    )
    assert [change.cell for change in changes([*fine, *bad])] == ["b"]


# --- machines ---------------------------------------------------------------------------------------------------


def test_machines_beside_each_other_are_not_one_that_changes() -> None:
    """A fleet with two kinds of GPUs, every night each."""
    slow = [night(n, OTHER_GPU, 2.0, minutes=5) for n in range(30)]
    assert changes([*history(30), *slow]) == ()


def test_a_machine_among_others_keeps_its_history_over_a_new_driver() -> None:
    """Two kinds of GPUs; on one of them the driver is updated, and it is slower since."""
    other = [night(n, OTHER_GPU, 2.0, minutes=5) for n in range(30)]
    (change,) = changes([*history(30, Turn(20, NEW_DRIVER, 0.7)), *other])
    assert change.causes == ("driver",)
    assert change.before.facts["GPUs"] == change.after.facts["GPUs"] == "NVIDIA L4"


def test_another_machine_altogether_begins_a_history_of_its_own() -> None:
    elsewhere = NEW_DRIVER | OTHER_GPU | {"CPU": "Intel Xeon"}
    assert changes(history(30, Turn(20, elsewhere, 0.5))) == ()
