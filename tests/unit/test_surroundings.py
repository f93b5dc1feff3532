"""Who else was at work: the kernel's counters, read from files laid out as it lays them out."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from envcheck.cell import surroundings
from envcheck.cell.surroundings import PATIENCE_S, TICKS, Reading, between, is_quiet, read, wait_for_quiet
from envcheck.model import Disturbance, Unread

WORKER = 4711


def kernel(root: Path, *, group: str = "/job") -> Path:
    """A machine of two cores: 50 s of work, 3 s stolen, 2 s of this process and 8 s of a worker."""
    stat = [30, 5, 10, 900, 7, 2, 3, 3, 0, 0]
    files = {
        "proc/stat": f"cpu  {' '.join(str(s * TICKS) for s in stat)}\ncpu0 1 1\ncpu1 1 1\nintr 5\n",
        f"proc/{os.getpid()}/stat": f"1 (a) name) S {'0 ' * 10}{TICKS} {TICKS} 0",
        f"proc/{WORKER}/stat": f"2 (python) R {'0 ' * 10}{6 * TICKS} {2 * TICKS} 0",
        "proc/self/cgroup": f"0::{group}\n",
        "sys/fs/cgroup/job/cpu.stat": "usage_usec 5\nthrottled_usec 1500000\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def reading(at: float, **facts: float | None) -> Reading:
    known: dict[str, float | None] = {"busy_s": 0.0, "stolen_s": 0.0, "ours_s": 0.0, "throttled_s": None}
    return Reading(at=at, cores=4, **(known | facts))  # type: ignore[arg-type]


def test_the_counters_are_read(tmp_path: Path) -> None:
    seen = read([WORKER], kernel(tmp_path))

    assert isinstance(seen, Reading)
    assert (seen.cores, seen.busy_s, seen.stolen_s, seen.ours_s, seen.throttled_s) == (2, 50.0, 3.0, 10.0, 1.5)


def test_a_worker_that_cannot_be_seen_makes_ours_unknown_not_small(tmp_path: Path) -> None:
    seen = read([WORKER, None], kernel(tmp_path))

    assert isinstance(seen, Reading)
    assert seen.ours_s is None
    found = between(seen, seen)
    assert isinstance(found, Disturbance)
    assert isinstance(found.others_cores, Unread)


def test_no_count_of_a_quota_is_none_not_zero(tmp_path: Path) -> None:
    seen = read([], kernel(tmp_path, group="/elsewhere"))

    assert isinstance(seen, Reading)
    assert seen.throttled_s is None


@pytest.mark.parametrize("text", ["", "cpu 1 2\n", "cpu  a b c d e f g h\n"])
def test_a_file_that_is_not_the_kernels_is_unread(text: str, tmp_path: Path) -> None:
    (kernel(tmp_path) / "proc/stat").write_text(text)

    assert isinstance(read([], tmp_path), Unread)


def test_what_others_did_is_what_was_done_and_not_by_us() -> None:
    after = reading(10.0, busy_s=30.0, ours_s=18.0, stolen_s=4.0, throttled_s=1.0)
    found = between(reading(0.0, throttled_s=0.5), after, waited_s=1.2)

    assert found == Disturbance(
        seconds=10.0, cores=4, others_cores=1.2, stolen_cores=0.4, throttled_share=0.05, waited_s=1.2
    )


def test_what_could_not_be_read_says_so() -> None:
    assert between(Unread(reason="no /proc"), reading(1.0)) == Unread(reason="no /proc")
    assert between(reading(1.0), Unread(reason="gone")) == Unread(reason="gone")


def test_quiet_is_little_work_of_others_and_where_nobody_can_tell() -> None:
    assert is_quiet(between(reading(0.0), reading(1.0, busy_s=2.1, ours_s=2.0)))
    assert not is_quiet(between(reading(0.0), reading(1.0, busy_s=3.0, ours_s=2.0)))
    assert not is_quiet(between(reading(0.0), reading(1.0, stolen_s=1.0)))
    assert is_quiet(Unread(reason="no /proc"))


def waited(busy: list[float], max_seconds: float = 60.0) -> tuple[float, bool]:
    """How long is waited, and whether it was quiet then; others work so many seconds a glance, the last for ever."""
    looks = count()
    done = 0.0

    def look() -> Reading:
        nonlocal done
        number = next(looks)
        done += busy[min(number, len(busy)) - 1] if number else 0.0
        return reading(number * surroundings.GLANCE_S, busy_s=done)

    return wait_for_quiet(look, max_seconds, sleep=lambda _: None)


def test_a_quiet_machine_is_not_waited_for() -> None:
    assert waited([0.0]) == (0.0, True)


def test_work_that_ends_is_waited_for() -> None:
    assert waited([0.4, 0.4, 0.0]) == (2 * surroundings.GLANCE_S, True)


def test_work_that_does_not_end_is_not_waited_for_long_and_is_told() -> None:
    seconds, quiet = waited([0.4])

    assert seconds <= PATIENCE_S
    assert not quiet
    assert waited([0.4], max_seconds=3) == (0.0, False)


def test_nobody_waits_for_what_cannot_be_seen() -> None:
    assert wait_for_quiet(lambda: Unread(reason="no /proc"), 60.0, sleep=lambda _: None) == (0.0, True)
