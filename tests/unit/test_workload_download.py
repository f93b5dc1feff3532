from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import pytest

from envcheck.workload.download import Remote, read_bounded


@dataclass
class Trickle:
    """A response that gives at most `step` bytes a time, `total` in all."""

    total: int
    step: int
    asked: list[int] = field(default_factory=list)

    def read1(self, n: int = -1, /) -> bytes:
        self.asked.append(n)
        given = min(self.step, self.total, n)
        self.total -= given
        return b"x" * given


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_whole_answer_is_read_in_pieces_of_any_size(step: int) -> None:
    assert read_bounded(Trickle(100, step), 100, math.inf) == b"x" * 100


def test_a_short_answer_ends_the_reading() -> None:
    assert len(read_bounded(Trickle(40, 7), 100, math.inf)) == 40


def test_an_endless_answer_is_cut_one_byte_above_the_size() -> None:
    assert len(read_bounded(Trickle(10**9, 64), 100, math.inf)) == 101


def test_a_deadline_ends_a_slow_answer() -> None:
    with pytest.raises(TimeoutError, match="0 of 100 bytes"):
        read_bounded(Trickle(100, 1), 100, -math.inf)


@pytest.mark.parametrize(("data", "expected"), [(b"abc", True), (b"abd", False), (b"abcd", False), (b"", False)])
def test_only_the_very_file_fits(data: bytes, expected: bool) -> None:
    remote = Remote("https://example.org/f", 3, hashlib.sha256(b"abc").hexdigest())

    assert remote.fits(data) is expected
