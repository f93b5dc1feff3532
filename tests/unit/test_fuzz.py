"""Whatever a payload prints, its parser gives a record or a reason; and a worker whose answers were tampered with never
makes a cell pass. The worker here is a script in memory: no process, no clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest import mock

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from envcheck.cell.inside import Started
from envcheck.cell.run import drive
from envcheck.cell.stage import Setting, Stage
from envcheck.cell.worker import Material, Worker
from envcheck.facts import Facts
from envcheck.judge import judge
from envcheck.judge.parity import INDICES
from envcheck.model import (
    CudaDriver,
    CudaRuntime,
    Evidence,
    Frames,
    GlContext,
    GpuSample,
    Nvml,
    Record,
    Status,
    Unread,
    Verdict,
    Workload,
)
from envcheck.outcomes import Closed, Exit, TimedOut, TooLong
from envcheck.pipes import Lines
from envcheck.probes import facemesh
from envcheck.probes.answers import parse_answer, parse_last, parse_sample
from envcheck.probes.host import parse_facts
from envcheck.workload.motion import FrameSet
from tests.golden import as_if_seen, compose

ACCELERATED = as_if_seen("accelerated")

# --- parsers ----------------------------------------------------------------------------------------------------

PARSERS: dict[str, tuple[Callable[[bytes], object], type | tuple[type, ...]]] = {
    "gl": (lambda line: parse_last(line, GlContext), GlContext),
    "cuda": (lambda line: parse_answer(line, CudaRuntime), CudaRuntime),
    "cuda driver": (lambda line: parse_answer(line, CudaDriver), CudaDriver),
    "nvml": (lambda line: parse_answer(line, Nvml), Nvml),
    "nvml sample": (parse_sample, tuple),
    "host": (parse_facts, Facts),
    "worker": (lambda line: facemesh.parse(line, "ours"), Record),
}
VALID: dict[str, Any] = {
    "gl": {
        "path": "default",
        "renderer": "r",
        "devices": 1,
        "egl_devices": [{"index": 0, "cuda": 0, "drm": "/dev/dri/card0"}],
        "vendors": [{"library": "libEGL_nvidia.so.0", "error": ""}],
    },
    "cuda": {"library": "libcudart.so.12", "runtime": "12.8", "driver": "12.8", "devices": 1, "error": ""},
    "cuda driver": {"library": "libcuda.so.1", "code": 0, "cuda": "12.8", "devices": 1},
    "nvml": {
        "driver": "570.144",
        "cuda": "12.8",
        "gpus": [{"index": 0, "name": "n", "uuid": "u", "compute_capability": {"unread": "no"}, "mig": False}],
    },
    "nvml sample": {
        "gpus": [
            {
                "index": 0,
                "utilisation": 3,
                "memory_used": {"unread": "no"},
                "energy_mj": 5,
                "compute": [{"pid": 4, "memory": None}],
                "graphics": {"unread": "no"},
            }
        ]
    },
    "host": {"system": {"platform": "linux", "machine": "x86_64"}, "devices": [], "gl": {}, "module": {"unread": "no"}},
    "worker": {
        "say": "ran",
        "token": "ours",
        "times_ms": [2.5, 2.6],
        "faces": 2,
        "landmarks": [{"frame": 0, "points": [[1.0, 2.0], [3.0, 4.0]]}, {"frame": 1, "points": []}],
        "libraries": ["/usr/lib/libEGL.so.1"],
        "devices": {"unread": "no"},
        "device_numbers": {"/dev/nvidia0": "195:0"},
    },
}
ODD = (
    *(b"NaN", b"Infinity", b"-1e999", b"1e999", b"9" * 400, b"-1", b"true", b"null", b'""', b"{}", b"[]", b'"\\ud800"'),
    *(b'{"unread": {"unread": []}}', b"[" * 5000, b'{"unread":' * 3000, b'"\xff\xfe"', b"0.0", b"1e-300"),
)


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def leaves(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths to every value within a JSON document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in parts for found in leaves(part, (*path, key)))]


MARK = "\x00here\x00"


def with_odd(document: object, path: tuple[str | int, ...], odd: bytes) -> bytes:
    """The document with the value at `path` replaced by these bytes."""
    copy = json.loads(json.dumps(document))
    if not path:
        return odd
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = MARK
    return encoded(copy).replace(encoded(MARK), odd)


@st.composite
def tampered(draw: st.DrawFn, document: object) -> bytes:
    """A valid answer, cut, doubled, with noise in it, or with one value replaced by something odd."""
    line = encoded(document)
    at = draw(st.integers(0, len(line)))
    noise = draw(st.binary(min_size=1, max_size=20))
    odd = with_odd(document, draw(st.sampled_from(leaves(document))), draw(st.sampled_from(ODD)))
    return draw(st.sampled_from([line[:at], line + line, line[:at] + noise + line[at:], line[at:] + line[:at], odd]))


@pytest.mark.parametrize("name", PARSERS)
def test_the_untouched_answers_are_understood(name: str) -> None:
    parse, kind = PARSERS[name]

    assert isinstance(parse(encoded(VALID[name])), kind) or name == "host"


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=150)
@given(st.data())
def test_whatever_is_printed_is_a_record_or_a_reason(name: str, data: st.DataObject) -> None:
    parse, kind = PARSERS[name]
    line = data.draw(st.one_of(st.binary(max_size=200), tampered(VALID[name])))
    seen = parse(line)

    assert isinstance(seen, Unread) or (isinstance(seen, kind) and msgspec.json.encode(seen))
    if isinstance(seen, Unread):
        assert len(seen.reason) < 5000


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize("name", PARSERS)
def test_odd_values_anywhere_are_a_record_or_a_reason(name: str, odd: bytes) -> None:
    parse, kind = PARSERS[name]

    for path in leaves(VALID[name]):
        seen = parse(with_odd(VALID[name], path, odd))
        assert isinstance(seen, Unread | kind if isinstance(kind, type) else (Unread, *kind))


def test_the_last_whole_answer_of_the_gl_probe_counts() -> None:
    first, second = encoded(VALID["gl"]), encoded(VALID["gl"] | {"renderer": "later"})
    cut = b"\n".join([first, second, b'{"say": "ran"}', second[:40]])

    assert parse_last(cut, GlContext) == parse_answer(second, GlContext)
    assert isinstance(parse_last(second[:40], GlContext), Unread)
    assert isinstance(parse_last(b"\n \n", GlContext), Unread)


# --- conversations ----------------------------------------------------------------------------------------------

COUNT, SIDE = 12, 16
LIBRARIES = [*compose.GLVND, *compose.NVIDIA_LIBRARIES]


@dataclass
class Clock:
    """Time that passes only when a worker works."""

    now: float = 0.0


@dataclass
class Script:
    """A worker in memory that says what payload/facemesh.py says; `tamper` changes its lines before they are sent."""

    delegate: str
    clock: Clock
    frame_ms: float
    tamper: Callable[[int, list[bytes]], list[bytes]]
    log: tuple[str, ...]
    lines: list[bytes] = field(default_factory=list)
    answers: int = 0
    pid: int | None = 2**30

    def send(self, data: bytes, deadline_s: float) -> None:
        start = data.rfind(b'{"do"')
        if start >= 0:
            request, _ = json.JSONDecoder().raw_decode(data[start:].split(b"\n", 1)[0].decode())
            said = [encoded(one | {"token": request["token"]}) for one in getattr(self, request["do"])(request)]
            self.lines += self.tamper(self.answers, said)
            self.answers += 1

    def load(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        members = {"CPU": 0, "GPU": 1}
        creating = {
            "import_s": 1.2,
            "python": "3.11.9",
            "mediapipe": "0.10.35",
            "numpy": "2.3.4",
            "members": members,
            "delegate_value": members[self.delegate],
            "inner_pid": 7,
        }
        return [
            {"say": "importing"},
            {"say": "creating"} | creating,
            {"say": "first-frame", "create_ms": 300.0},
            {"say": "loaded", "first_ms": 20.0},
        ]

    def run(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        count = request["count"]
        times = [self.frame_ms * (1 + 0.01 * (number % 5)) for number in range(count)]
        self.clock.now += sum(times) / 1e3 + 1e-3
        shift = 0.02 if self.delegate == "GPU" else 0.0
        points = [[10.0 + shift + n % 17 * 6.0, 10.0 + n // 17 * 6.0 + shift * (n % 2)] for n in range(len(INDICES))]
        landmarks = [{"frame": request["first"] + n, "points": points} for n in range(count)]
        look = {
            "libraries": LIBRARIES,
            "devices": list(compose.NVIDIA_DEVICES),
            "device_numbers": compose.NVIDIA_NUMBERS,
        }
        ran = {"say": "ran", "times_ms": times, "faces": count, "landmarks": landmarks if request["points"] else []}
        return [ran | (look if request["look"] else {})]

    def stop(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"say": "stopped"}]

    def receive_line(self, deadline_s: float, limit: int) -> bytes | TimedOut | Closed | TooLong:
        return self.lines.pop(0) if self.lines else Closed(Exit(0))

    def stderr_lines(self) -> Lines:
        return Lines(self.log, 0)

    def close(self, grace_s: float) -> Exit:
        return Exit(0)

    def kill(self) -> Exit:
        return Exit(0)


class Sampler:
    """NVML that lists whatever it is told to."""

    def sample(self) -> tuple[GpuSample, ...]:
        return compose.sample(2**30, utilisation=31)


Tamper = Callable[[int, list[bytes]], list[bytes]]


def untouched(_number: int, lines: list[bytes]) -> list[bytes]:
    return lines


def evidence_of(tamper: Tamper, whose: str = "GPU") -> Evidence:
    """The evidence of a cell whose workers are scripts on a perfect NVIDIA machine, one of them tampered with; in a
    container, where a worker's own account of itself counts."""
    clock = Clock()
    frames = np.zeros((COUNT, SIDE, SIDE, 4), np.uint8)
    record = Frames(input="none", resolution="16x16", count=COUNT, sha256="0")
    sets = FrameSet(frames=frames, transforms=np.zeros((COUNT, 2, 3)), present=np.ones(COUNT, bool), record=record)
    material = Material(model=b"model", frames=sets, workload=Workload())
    setting = Setting(ACCELERATED.host, ACCELERATED.gate, material, ACCELERATED.model, {}, 1.0)  # type: ignore[arg-type]
    workers = {}
    for delegate, frame_ms, calculator in (("CPU", 14.0, "Cpu"), ("GPU", 2.6, "GlAdvanced")):
        script = Script(
            delegate, clock, frame_ms, tamper if delegate == whose else untouched,
            compose.log_of(compose.NVIDIA_GL, calculator),
        )  # fmt: skip
        workers[delegate] = Worker(delegate, Started(script), 1.0, {})  # type: ignore[arg-type]
    with mock.patch("time.perf_counter", side_effect=lambda: clock.now):
        stage = Stage(
            setting,
            lambda _label: None,
            lambda delegate, api="tasks": pytest.fail(f"who asked for {delegate} {api}?"),
        )
        facts = drive(workers["CPU"], workers["GPU"], Sampler(), stage)  # type: ignore[arg-type]
        runs = {"cpu": replace(workers["CPU"].stop(), pid=1), "gpu": workers["GPU"].stop()}
    cell = replace(ACCELERATED.cell, axes=replace(ACCELERATED.cell.axes, backend="docker"))
    return replace(ACCELERATED, cell=cell, **(facts | runs))


def test_the_same_conversation_untouched_passes() -> None:
    """Otherwise what follows would prove nothing."""
    evidence = evidence_of(untouched)

    assert judge(evidence).verdict is Verdict.ACCELERATED
    assert evidence.gpu.looked_from == "inside"


WORKER = st.sampled_from(["CPU", "GPU"])
NUMBER = st.integers(0, 5)
T = TypeVar("T")


def at(number: int, change: Callable[[list[bytes]], list[bytes]]) -> Tamper:
    """Change the answer to request `number`."""
    return lambda count, lines: change(lines) if count == number else lines


def refused(tamper: Tamper, whose: str) -> None:
    """The tampered conversation gives a judgement, and never a pass."""
    evidence = evidence_of(tamper, whose)
    verdict = judge(evidence).verdict

    assert verdict.status is not Status.PASS
    assert verdict is Verdict.CRASHED


FUZZ = settings(max_examples=40)


@FUZZ
@given(WORKER, NUMBER, st.binary(max_size=300))
def test_arbitrary_bytes_instead_of_an_answer(whose: str, number: int, noise: bytes) -> None:
    refused(at(number, lambda _lines: [noise]), whose)


@FUZZ
@given(WORKER, NUMBER, st.binary(min_size=1, max_size=50), st.integers(0, 3))
def test_noise_between_answers(whose: str, number: int, noise: bytes, place: int) -> None:
    refused(at(number, lambda lines: [*lines[: place % len(lines)], noise, *lines[place % len(lines) :]]), whose)


@FUZZ
@given(WORKER, NUMBER, st.data())
def test_an_answer_that_is_cut_short(whose: str, number: int, data: st.DataObject) -> None:
    refused(at(number, lambda lines: [*lines[:-1], lines[-1][: data.draw(st.integers(0, len(lines[-1]) - 1))]]), whose)


@FUZZ
@given(WORKER, NUMBER)
def test_an_answer_that_is_said_twice(whose: str, number: int) -> None:
    refused(at(number, lambda lines: [*lines, lines[-1]]), whose)


@FUZZ
@given(WORKER, st.integers(1, 5))
def test_an_answer_that_was_given_before(whose: str, number: int) -> None:
    """An earlier answer in the place of a later one, though both are valid."""
    kept: list[list[bytes]] = []

    def replay(count: int, lines: list[bytes]) -> list[bytes]:
        kept.append(lines)
        return kept[number - 1] if count == number else lines

    refused(replay, whose)


@FUZZ
@given(WORKER, st.permutations(range(4)).filter(lambda order: list(order) != [0, 1, 2, 3]))
def test_announcements_out_of_order(whose: str, order: list[int]) -> None:
    refused(at(0, lambda lines: [lines[place] for place in order]), whose)


@FUZZ
@given(WORKER, st.integers(1, 5), st.sampled_from(ODD))
def test_times_that_are_no_times(whose: str, number: int, odd: bytes) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        return [with_odd(json.loads(lines[0]), ("times_ms", 0), odd)]

    refused(at(number, change), whose)


@pytest.mark.parametrize(
    "change",
    [
        {"faces": 10**9},
        {"faces": -1},
        {"times_ms": []},
        {"times_ms": [1.0]},
        {"landmarks": [{"frame": 0, "points": []}]},
    ],
    ids=["more faces than frames", "fewer faces than none", "no times", "too few times", "landmarks of one frame"],
)
@pytest.mark.parametrize("whose", ["CPU", "GPU"])
def test_blocks_that_cannot_be(whose: str, change: dict[str, Any]) -> None:
    refused(at(3, lambda lines: [encoded(json.loads(lines[0]) | change)]), whose)


@settings(max_examples=60)
@given(WORKER, NUMBER, st.data())
def test_any_single_value_replaced_by_something_odd_never_raises(whose: str, number: int, data: st.DataObject) -> None:
    """Some values may be anything; then the verdict is what the rest says, and never an exception."""

    def change(lines: list[bytes]) -> list[bytes]:
        document = json.loads(lines[-1])
        return [
            *lines[:-1],
            with_odd(document, data.draw(st.sampled_from(leaves(document))), data.draw(st.sampled_from(ODD))),
        ]

    assert judge(evidence_of(at(number, change), whose)).verdict in Verdict
