"""What `envcheck watch` saw of a program and what it concludes: frozen records, with the conventions of `model`."""

from __future__ import annotations

from enum import Enum

from envcheck.model import NOT_LOOKED, Finding, GpuProcess, Status, Witness
from envcheck.record import Record, Unread

WATCH_SCHEMA = "envcheck.watch/1"


class Place(str, Enum):
    """Where a watched program works: one word. Not a cell's verdict: there is no CPU run to compare it with."""

    ON_GPU = "on-gpu"
    """It works on an NVIDIA GPU through NVIDIA's own GL driver, the only road MediaPipe has to it."""
    ON_SOFTWARE_GL = "on-software-gl"
    """It draws on a software rasteriser: the CPU plays a GPU."""
    ON_OTHER_GPU = "on-other-gpu"
    """Its GL goes to a GPU, but through another driver than NVIDIA's: Mesa on Intel or AMD, D3D12."""
    CUDA_ONLY = "cuda-only"
    """It has the NVIDIA GPU open for CUDA, which MediaPipe does not use; of GL there is nothing."""
    ON_CPU = "on-cpu"
    """Every part of it was looked at, and no GPU is at work for it."""
    CONTRADICTORY = "contradictory"
    UNKNOWN = "unknown"

    @property
    def status(self) -> Status:
        """PASS for `on-gpu` alone."""
        known = {Place.ON_GPU: Status.PASS, Place.UNKNOWN: Status.UNKNOWN}
        return known.get(self, Status.FAIL)


class ThreadSeen(Record, frozen=True):
    """A thread that belongs to GL, by its name, and the CPU seconds it used while it was watched."""

    name: str
    cpu_s: float


class ProcessSeen(Record, frozen=True, omit_defaults=False):
    """One process of the program's tree, everything that any look at it found.

    `libraries` are the telling ones it had mapped, `devices` the GPU device files it had open, `threads` those of GL.
    `cpu_s` are the CPU seconds it used while it was watched, without its children's.
    """

    pid: int
    parent: int
    name: str
    libraries: tuple[str, ...] | Unread
    devices: tuple[str, ...] | Unread
    threads: tuple[ThreadSeen, ...] = ()
    cpu_s: float = 0.0
    looks: int = 0
    """How often libraries and device files were read."""
    alive: bool = False
    """It still ran when the watching ended."""


class GpuWork(Record, frozen=True):
    """A process that worked on a GPU, by NVML's own account: `sm` and `memory` are percent of a sample period."""

    pid: int
    sm: int
    memory: int = 0
    at: int = 0
    """Time stamp of the sample, microseconds."""


class GpuWorker(Record, frozen=True):
    """A process of the program at work on a GPU, by NVML's own account.

    NVML was `asked` so often since it was first seen at work, and it worked at `at_work` of these times; `sm` is the
    highest percentage.
    """

    pid: int
    sm: int
    at_work: int
    asked: int


class GpuWorks(Record, frozen=True):
    """The processes that worked on one GPU since the last question."""

    index: int
    processes: tuple[GpuWork, ...] | Unread


class GpuSeen(Record, frozen=True, omit_defaults=False):
    """One NVIDIA GPU over the time of watching.

    `compute` and `graphics` are the processes of this program that NVML listed with their greatest memory; `others`
    counts the other programs' processes. `working` holds those of this program that did work.
    Utilisation in percent of the GPU, power in watts; `before` is the moment before the program was started.
    """

    index: int
    compute: tuple[GpuProcess, ...] | Unread
    graphics: tuple[GpuProcess, ...] | Unread
    others: int | Unread
    working: tuple[GpuWorker, ...] | Unread
    utilisation: int | Unread = NOT_LOOKED
    """The highest that was seen."""
    busier: int = 0
    """How many of the last `samples` lay clearly above `utilisation_before`."""
    samples: int = 0
    utilisation_before: int | Unread = NOT_LOOKED
    power: float | Unread = NOT_LOOKED
    power_before: float | Unread = NOT_LOOKED


class NativeLog(Record, frozen=True):
    """What MediaPipe's native log said on the program's standard error.

    `calculators` such as ("Gl", "Gl", "Cpu"); `renderer` and `version` of the last GL context, empty where none was
    named; `silencers` are variables of the environment that keep the log quiet, as NAME=VALUE.
    """

    calculators: tuple[str, ...] = ()
    delegated: tuple[str, ...] = ()
    """Those of them that run a model which follows the delegate: all but the blendshapes'."""
    renderer: str = ""
    version: str = ""
    silencers: tuple[str, ...] = ()
    on_cpu: bool = False
    """A model other than the blendshapes' got an interpreter on the CPU."""


class Ending(Record, frozen=True):
    """How the program ended: by a status or by a signal's number; neither where it still runs or is not our child."""

    status: int | None = None
    signal: int | None = None


class Watched(Record, frozen=True):
    """Everything that was seen of one program: all that judge and findings may see.

    `mode` is launch or attach. `cpu_s` are the CPU seconds of the tree, with those of children that came and went
    unseen where the system counts them; `unseen_s` is the part that no look covers. `own_cpu_s` is what watching cost.
    """

    mode: str
    pid: int
    command: tuple[str, ...]
    seconds: float
    samples: int
    processes: tuple[ProcessSeen, ...]
    gpus: tuple[GpuSeen, ...] | Unread
    nested_pids: bool | Unread
    kernel_driver: str | Unread
    cpu_s: float
    unseen_s: float
    own_cpu_s: float
    ending: Ending = Ending()
    log: NativeLog | None = None
    """None where the log was not asked for."""
    folded: int = 0
    """Processes that ended, were looked at, and had nothing telling; `processes` leaves them out."""
    not_followed: str = ""
    """Why processes may have been missed, empty where none can have been."""


class WatchReport(Record, frozen=True, tag_field="schema", tag=WATCH_SCHEMA, kw_only=True):
    """The contract of `envcheck watch --json`."""

    verdict: Place
    status: Status
    because: str
    settle: str
    """What would settle it, where the verdict is unknown."""
    witnesses: tuple[Witness, ...]
    findings: tuple[Finding, ...]
    watched: Watched
