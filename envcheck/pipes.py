"""Bytes between children and us: moved without blocking, kept in bounded memory.

The beginning and the end of an output stay, the middle is counted and dropped.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CHUNK = 64 * 1024
_LEFTOVER_S = 0.5


class Capture:
    """Bytes in, at most `limit` of them kept: the first half and the last half."""

    def __init__(self, limit: int) -> None:
        self._head_room = limit // 2
        self._tail_room = limit - self._head_room
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.dropped = 0
        """Bytes left out between the head and the tail."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        room = self._head_room - len(self._head)
        self._head += data[:room]
        rest = data[room:]
        if not rest:
            return
        self._tail.append(rest)
        self._tail_size += len(rest)
        while self._tail_size > self._tail_room:
            self._shorten(self._tail_size - self._tail_room)

    def _shorten(self, excess: int) -> None:
        first = self._tail.popleft()
        if len(first) > excess:
            self._tail.appendleft(first[excess:])
        gone = min(len(first), excess)
        self._tail_size -= gone
        self.dropped += gone

    def value(self) -> bytes:
        """What was kept; a line of its own says how many bytes were left out, if any were."""
        middle = f"\n[{self.dropped} bytes left out]\n".encode() if self.dropped else b""
        return bytes(self._head) + middle + b"".join(self._tail)


class Lines(NamedTuple):
    """Lines of a log in order; `dropped` lines were left out of the middle."""

    lines: tuple[str, ...]
    dropped: int


class LineLog:
    """Bytes in, lines out: the first `head` and the last `tail` lines, each cut at `width` bytes.

    One thread may feed it while another reads.
    """

    def __init__(self, head: int = 400, tail: int = 400, width: int = 2000) -> None:
        self._width = width
        self._head_room = head
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=tail)
        self._partial = bytearray()
        self._dropped = 0
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        with self._lock:
            *ended, last = data.split(b"\n")
            for piece in ended:
                self._extend(piece)
                self._add(self._partial)
                self._partial.clear()
            self._extend(last)

    def _extend(self, piece: bytes) -> None:
        self._partial += piece[: self._width - len(self._partial)]

    def _add(self, line: bytes | bytearray) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if len(self._head) < self._head_room:
            self._head.append(text)
            return
        self._dropped += len(self._tail) == self._tail.maxlen
        self._tail.append(text)

    def value(self) -> Lines:
        """What was kept so far; an unfinished last line counts as a line."""
        with self._lock:
            last = (self._partial.decode(errors="replace"),) if self._partial else ()
            return Lines((*self._head, *self._tail, *last), self._dropped)


class Inbox:
    """Bytes in, newline-terminated messages out; what exceeds `room` bytes is thrown away."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._data = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._data += data[: max(0, self._room - len(self._data))]

    def take(self) -> bytes | None:
        """The next message without its newline, or None while there is no whole one."""
        end = self._data.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._data)
            return None
        message = bytes(self._data[:end])
        del self._data[: end + 1]
        self._searched = 0
        return message

    def start(self, size: int) -> bytes:
        """The first bytes that were not taken yet."""
        return bytes(self._data[:size])

    def __len__(self) -> int:
        return len(self._data)


class Pump:
    """Moves bytes between a child's pipes and us, in the calling thread, never blocking on any one of them.

    `ended` is a descriptor that becomes readable once the child has ended; `sinks` says what takes the bytes of each
    output.
    """

    def __init__(self, ended: int, sinks: Mapping[int, Callable[[bytes], object]]) -> None:
        self._ended = ended
        self._sinks = dict(sinks)
        self._selector = selectors.DefaultSelector()
        self._selector.register(ended, selectors.EVENT_READ)
        self._unsent = memoryview(b"")
        self._input = -1
        self.refused = False
        """The child has closed its input."""
        self.open = set(sinks)
        """Outputs that may still bring something."""
        self.ended = False
        """The child has ended, and all it left in the pipes has been read."""
        for descriptor in sinks:
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    @property
    def sending(self) -> bool:
        """Something is still to be sent."""
        return self._input >= 0

    def send(self, descriptor: int, data: bytes) -> None:
        """Begin to send `data`; the steps that follow carry it over."""
        os.set_blocking(descriptor, False)
        self._unsent, self._input = memoryview(data), descriptor
        self._selector.register(descriptor, selectors.EVENT_WRITE)

    def stop_sending(self) -> None:
        """Leave the rest unsent."""
        if self.sending:
            self._selector.unregister(self._input)
            self._unsent, self._input = memoryview(b""), -1

    def listen(self, descriptor: int, *, on: bool) -> None:
        """Read from an output, or leave it alone, which in the end makes the child wait."""
        listening = descriptor in self._selector.get_map()
        if on and not listening and descriptor in self.open:
            self._selector.register(descriptor, selectors.EVENT_READ)
        elif not on and listening:
            self._selector.unregister(descriptor)

    def step(self, seconds: float | None) -> None:
        """Wait for at most so long, or for ever, and move what can be moved."""
        for key, _ in self._selector.select(None if seconds is None else max(seconds, 0.0)):
            if key.fd == self._ended:
                self._read_leftovers()
            elif key.fd == self._input:
                self._write()
            else:
                self._read(key.fd)

    def until_sent(self, deadline: float) -> bool:
        """Send until all is sent, refused, or the child has ended; False if the deadline came first.

        Who comes late looks once more all the same, here and below: on a busy machine, or after Ctrl-Z, the child may
        have done its part in time.
        """
        while self.sending and not self.ended:
            left = deadline - time.monotonic()
            self.step(left)
            if left <= 0:
                break
        return self.ended or not self.sending

    def until_ended(self, deadline: float | None) -> bool:
        """Move bytes until the child has ended; False if the deadline (of `time.monotonic`) came first."""
        while not self.ended:
            left = None if deadline is None else deadline - time.monotonic()
            self.step(left)
            if left is not None and left <= 0:
                break
        return self.ended

    def close(self) -> None:
        """Forget the pipes; closing them is their owner's business."""
        self._selector.close()

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._input, self._unsent[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # EPIPE
            self.refused = True
        if self.refused or not self._unsent:
            self.stop_sending()

    def _read(self, descriptor: int) -> bool:
        """True if something came."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._sinks[descriptor](data)
        else:
            self.listen(descriptor, on=False)
            self.open.discard(descriptor)
        return bool(data)

    def _read_leftovers(self) -> None:
        """Read what the child left in the pipes. A grandchild that goes on writing is not waited for."""
        until = time.monotonic() + _LEFTOVER_S
        while sum(map(self._read, tuple(self.open))) and time.monotonic() < until:
            pass
        self._selector.unregister(self._ended)
        self.ended = True
