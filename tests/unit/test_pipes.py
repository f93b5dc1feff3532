from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.pipes import Capture, Inbox, LineLog, Pump

PAST = float("-inf")
CHUNKS = st.lists(st.binary(max_size=30), max_size=30)


@given(CHUNKS, st.integers(min_value=2, max_value=100))
def test_a_capture_keeps_head_and_tail_and_counts_the_rest(chunks: list[bytes], limit: int) -> None:
    capture, whole = Capture(limit), b"".join(chunks)
    for chunk in chunks:
        capture.feed(chunk)

    kept = capture.value()

    assert capture.dropped == max(0, len(whole) - limit)
    if capture.dropped:
        note = f"\n[{capture.dropped} bytes left out]\n".encode()
        assert kept == whole[: limit // 2] + note + whole[len(whole) - (limit - limit // 2) :]
    else:
        assert kept == whole


@given(CHUNKS)
def test_a_log_cuts_at_newlines_wherever_the_chunks_end(chunks: list[bytes]) -> None:
    log, whole = LineLog(head=1000, tail=1000), b"".join(chunks)
    for chunk in chunks:
        log.feed(chunk)

    *lines, last = whole.split(b"\n")
    expected = [line.decode(errors="replace").rstrip("\r") for line in lines]
    expected += [last.decode(errors="replace")] if last else []
    assert log.value() == (tuple(expected), 0)


def test_a_log_drops_the_middle_lines_and_counts_them() -> None:
    log = LineLog(head=2, tail=2)

    log.feed(b"1\n2\n3\n4\n5\n6\n7")

    assert log.value() == (("1", "2", "5", "6", "7"), 2)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_log_cuts_long_lines(step: int) -> None:
    log, data = LineLog(width=10), b"x" * 50 + b"\n" + b"y" * 50
    for start in range(0, len(data), step):
        log.feed(data[start : start + step])

    assert log.value() == (("x" * 10, "y" * 10), 0)


@given(CHUNKS)
def test_an_inbox_gives_whole_messages_and_keeps_the_rest(chunks: list[bytes]) -> None:
    inbox, got = Inbox(10_000), []
    for chunk in chunks:
        inbox.feed(chunk)
        while (message := inbox.take()) is not None:
            got.append(message)

    *messages, rest = b"".join(chunks).split(b"\n")
    assert got == messages
    assert (inbox.start(10_000), len(inbox)) == (rest, len(rest))


def test_an_inbox_throws_away_what_exceeds_its_room() -> None:
    inbox = Inbox(5)

    inbox.feed(b"1234567")
    inbox.feed(b"\n")

    assert (len(inbox), inbox.take(), inbox.start(9)) == (5, None, b"12345")


@pytest.mark.parametrize("gone", [True, False])
def test_whoever_comes_after_the_deadline_looks_once_more(gone: bool) -> None:
    """On a busy machine we may come late to a child that has ended in time, and has said everything."""
    (ended, ending), (output, said) = os.pipe(), os.pipe()
    heard: list[bytes] = []
    pump = Pump(ended, {output: heard.append})
    os.write(said, b"all of it")
    if gone:
        os.close(ending)

    assert pump.until_ended(PAST) == gone
    assert heard == [b"all of it"]
    pump.close()
    for descriptor in (ended, output, said, *(() if gone else (ending,))):
        os.close(descriptor)


def test_what_can_be_sent_at_once_is_sent_after_the_deadline_too() -> None:
    (ended, ending), (taken, given) = os.pipe(), os.pipe()
    pump = Pump(ended, {})
    pump.send(given, b"all of it")

    assert pump.until_sent(PAST)
    assert os.read(taken, 100) == b"all of it"
    pump.close()
    for descriptor in (ended, ending, taken, given):
        os.close(descriptor)
