"""The NVML sampler: what came too late is no answer, and nobody waits twice."""

from __future__ import annotations

from typing import Any

from envcheck.cell.observe import NvmlSampler
from envcheck.model import Unread
from envcheck.outcomes import Closed, Exit, TimedOut


class Conversation:
    """A sampler's process that gives these answers in turn."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def send(self, _data: bytes, _deadline_s: float) -> None:
        return None

    def receive_line(self, _deadline_s: float, _limit: int) -> object:
        return self.answers.pop(0)


def sampler(*answers: object) -> NvmlSampler:
    fake: Any = Conversation(*answers)
    return NvmlSampler(fake)


def test_an_answer_that_comes_after_its_deadline_is_not_taken_for_the_next() -> None:
    slow = sampler(TimedOut(20.0), b'{"gpus": []}')

    assert slow.facts() == Unread(reason="NVML did not answer within 20 s")
    assert slow.sample() == Unread(reason="NVML did not answer within 20 s")
    assert slow.conversation.answers == [b'{"gpus": []}']  # type: ignore[attr-defined]


def test_a_library_that_ends_its_process_is_told_as_such() -> None:
    died = sampler(Closed(exit=Exit.of(-11)))

    assert died.facts() == Unread(reason="NVML gave no answer (killed by SIGSEGV)")
