"""What `envcheck bench` measured and what it recommends: frozen records, with the conventions of `model`."""

from __future__ import annotations

from enum import Enum

from envcheck.model import NOT_LOOKED, Frames, Host, Identity, ModelFile, Speedup, Verdict
from envcheck.record import Record, Unread

BENCH_SCHEMA = "envcheck.bench/1"


class Work(Record, frozen=True, omit_defaults=False):
    """What each stream does: frames of WIDTHxHEIGHT with `faces` faces, in mode `video` or `image`."""

    resolution: str = "640x480"
    faces: int = 1
    mode: str = "video"
    blendshapes: bool = False


class Point(Record, frozen=True, omit_defaults=False):
    """One configuration of the sweep: `streams` processes that do `work` at the same time."""

    work: Work
    streams: int = 1


class Round(Record, frozen=True):
    """One timed block: all streams of one delegate at once, and nothing else of ours.

    `times_ms` are per stream and frame; `wall_ms` per stream, from the request to the answer by envcheck's clock.
    CPU seconds and energies (millijoules) are those of the block: of all streams, of the GPUs, of the CPU packages.
    """

    pair: int
    times_ms: tuple[tuple[float, ...], ...]
    wall_ms: tuple[float, ...]
    faces: int
    cpu_s: float | Unread = NOT_LOOKED
    gpu_mj: int | Unread = NOT_LOOKED
    package_mj: int | Unread = NOT_LOOKED


class Side(Record, frozen=True):
    """One delegate at one point.

    `outcome` is the worst of its streams, in the words of `WorkerRun.outcome`; a side that did not run says why in
    `error`. `create_ms` and `first_ms` are per stream, while the others start as well. `memory` is what each stream has
    for itself in bytes (unique set size), `gpu_memory` what NVML books to it.
    """

    delegate: str
    outcome: str
    error: str = ""
    renderer: str = ""
    """The GL renderer by the native log; empty where none was named."""
    create_ms: tuple[float, ...] = ()
    first_ms: tuple[float, ...] = ()
    warmup: int = 0
    """Frames of each stream that were left out of the figures, because the pace had not settled."""
    rounds: tuple[Round, ...] = ()
    memory: tuple[int, ...] | Unread = NOT_LOOKED
    gpu_memory: tuple[int, ...] | Unread = NOT_LOOKED


class Figures(Record, frozen=True):
    """What a side comes to: latency of a frame in milliseconds over all streams, and frames per second of all together.

    `cpu_ms` is CPU time per frame, which threads spend side by side; `energy_mj` is per frame, of GPUs and CPU packages
    as far as they tell, whoever used them.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    frames: int
    per_second: float
    faces: float
    """Share of the frames in which a face was found."""
    first_ms: float | None = None
    """Creation and first frame of the slowest stream."""
    cpu_ms: float | None = None
    memory: int | None = None
    """Bytes per stream; likewise `gpu_memory`."""
    gpu_memory: int | None = None
    energy_mj: float | None = None


class Row(Record, frozen=True):
    """Both delegates at one point, in alternating blocks. `ratio` is GPU throughput over CPU throughput."""

    point: Point
    sides: tuple[Side, ...]
    figures: dict[str, Figures] = {}
    """By delegate; a side that was not timed has none."""
    ratio: Speedup | None = None
    frames: Frames | None = None


class Leak(Record, frozen=True):
    """Memory of one process against what it has done: `kind` is frames, or cycles of creating and closing.

    `growth` is bytes per unit with its 95% interval (Theil and Sen); None where too little was seen. A leak is claimed
    only where the whole interval is above zero and what it comes to matters.
    """

    delegate: str
    kind: str
    done: int
    outcome: str
    error: str = ""
    samples: tuple[tuple[int, int], ...] = ()
    """(units done, unique set size in bytes)."""
    growth: float | None = None
    ci95: tuple[float, float] | None = None
    leaks: bool | None = None


class Choice(str, Enum):
    """What is recommended."""

    CPU = "cpu"
    GPU = "gpu"
    NEITHER = "neither"


class Advice(Record, frozen=True):
    """One recommendation for one kind of work: `text` is the sentence with its numbers."""

    work: Work
    choice: Choice
    streams: int
    text: str


class Subject(Record, frozen=True):
    """The environment that was measured, and what the full proof says of its GPU delegate."""

    python: str
    mediapipe: str | None
    because: str
    verdict: Verdict
    verdict_because: str


class BenchReport(Record, frozen=True, tag_field="schema", tag=BENCH_SCHEMA):
    """The contract of bench.json. `missing` are points that were not measured; `interrupted` says why that may be."""

    host: Host
    subject: Subject
    model: ModelFile
    input: str
    identity: Identity
    """On what it was measured; its workload and frames are those of the full proof, not of the rows."""
    rows: tuple[Row, ...]
    leaks: tuple[Leak, ...] = ()
    advice: tuple[Advice, ...] = ()
    latency_limit_ms: float | None = None
    missing: int = 0
    interrupted: bool = False
    remarks: tuple[str, ...] = ()
    """What may have spoilt it: other load, throttling, a governor."""
    recorded_at: str = ""


def described(point: Point) -> str:
    """A point in a few words: `640x480, 1 face, video, 2 streams`."""
    work = point.work
    words = [work.resolution, counted(work.faces, "face"), work.mode]
    words += ["blendshapes"] if work.blendshapes else []
    return ", ".join([*words, counted(point.streams, "stream")])


def counted(number: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
