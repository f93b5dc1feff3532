"""The nouns of envcheck: frozen records, no behaviour beyond names. All in one file, to be read in one go.

Two conventions hold everywhere. A field typed `X | Unread` holds what was seen, or why nobody could look; an empty
tuple means "looked, and there was none". A field that is `None` was not measured, and is left out of JSON.
"""

from __future__ import annotations

from enum import Enum
from typing import NoReturn

from envcheck.facts import Facts
from envcheck.record import Record as Record
from envcheck.record import Unread as Unread

RESULTS_SCHEMA = "envcheck.results/1"
EVIDENCE_SCHEMA = "envcheck.evidence/1"
DOCTOR_SCHEMA = "envcheck.doctor/1"


class Verdict(str, Enum):
    """One word for a cell."""

    ACCELERATED = "accelerated"
    SLOWER = "slower"
    INCONCLUSIVE = "inconclusive"
    WRONG = "wrong"
    EMULATED = "emulated"
    OTHER_GPU = "other-gpu"
    SILENT_CPU = "silent-cpu"
    REFUSED = "refused"
    CONTRADICTORY = "contradictory"
    CRASHED = "crashed"
    BROKEN = "broken"
    IMPOSSIBLE = "impossible"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"

    @property
    def status(self) -> Status:
        """PASS for `accelerated` alone; SKIP, UNKNOWN or FAIL for the rest."""
        return _STATUS_OF.get(self, Status.FAIL)


class Status(Enum):
    """What a verdict or a finding means for a gate. It has no truth value: only PASS is good news."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    SKIP = "SKIP"

    def __bool__(self) -> NoReturn:
        raise TypeError("a Status has no truth value; compare it with Status.PASS")


_STATUS_OF = {
    Verdict.ACCELERATED: Status.PASS,
    Verdict.INCONCLUSIVE: Status.UNKNOWN,
    Verdict.UNKNOWN: Status.UNKNOWN,
    Verdict.UNREACHABLE: Status.SKIP,
}

NOT_LOOKED = Unread(reason="not looked")

AXES = ("backend", "python", "mediapipe", "cuda", "driver", "opencv")
"""The axes of a matrix, in the order of a cell's id."""

ANY_DRIVER = "any"
"""The driver axis value that every host matches."""


class Axes(Record, frozen=True):
    """One point of the matrix. An axis left out of the matrix is None."""

    backend: str
    python: str | None = None
    mediapipe: str | None = None
    cuda: str | None = None
    driver: str | None = None
    opencv: str | None = None


class Expectation(Record, frozen=True):
    """What a cell should come out as, and why that is right."""

    verdict: Verdict = Verdict.ACCELERATED
    because: str = ""


class Cell(Record, frozen=True):
    """A cell to be judged. `id` is stable and readable: `venv-py3.11-mp1.2.2-cu12.8-r570`."""

    id: str
    axes: Axes
    expected: Expectation = Expectation()


class Workload(Record, frozen=True, omit_defaults=False):
    """What the workers are given. `resolution` is WIDTHxHEIGHT in pixels; `mode` is `video` or `image`."""

    input: str = "portrait"
    resolution: str = "640x480"
    faces: int = 1
    mode: str = "video"


class Gate(Record, frozen=True, omit_defaults=False):
    """What counts as faster: the whole interval of the speed-up must lie above `min_speedup`.

    What is close to it must show in each of `runs` runs of fresh processes. Evidence without `runs` is of one.
    """

    min_speedup: float = 1.0
    confidence: float = 0.95
    max_seconds: float = 60.0
    runs: int = 1


GATE = Gate(runs=2)
"""What is asked for where nothing else is said."""


# --- the host ---------------------------------------------------------------------------------------------------


class GpuProcess(Record, frozen=True):
    """A process NVML lists. `memory` is in bytes; None where NVML does not tell."""

    pid: int
    memory: int | None = None


class Gpu(Record, frozen=True):
    """One GPU as NVML describes it. `mig` is True where MIG mode is on."""

    index: int
    name: str
    uuid: str
    compute_capability: str | Unread
    mig: bool | Unread = False
    memory_total: int | None = None
    pci: str | Unread = NOT_LOOKED
    """PCI address, such as 0000:17:00.0."""
    compute_mode: str | Unread = NOT_LOOKED
    """default, exclusive-process or prohibited."""
    display_attached: bool | Unread = NOT_LOOKED
    """A screen is plugged in; `display_active`: an X server or the like draws on it."""
    display_active: bool | Unread = NOT_LOOKED
    persistence: bool | Unread = NOT_LOOKED
    sm_mhz: int | Unread = NOT_LOOKED
    """Clock of the multiprocessors now; `sm_max_mhz` is the highest they can have."""
    sm_max_mhz: int | Unread = NOT_LOOKED
    throttle: tuple[str, ...] | Unread = NOT_LOOKED
    """Why clocks are held down now, in NVML's words: sw_thermal_slowdown, hw_power_brake_slowdown, …; never idle."""
    ecc_errors: int | Unread = NOT_LOOKED
    """Uncorrected errors since the driver was loaded; Unread where the GPU has no ECC."""
    temperature: int | Unread = NOT_LOOKED
    """Degrees Celsius."""
    processes: tuple[GpuProcess, ...] | Unread = NOT_LOOKED
    """Processes on this GPU when the host was looked at: other people's, because ours had not begun."""


class Nvml(Record, frozen=True, tag_field="kind", tag="nvml"):
    """What NVML says of the driver: `driver` such as "570.124.06", `cuda` the newest CUDA it serves, "12.8"."""

    driver: str
    cuda: str
    gpus: tuple[Gpu, ...]


class GpuSample(Record, frozen=True):
    """One GPU at one moment. Utilisation in percent, memory in bytes, energy in millijoules since driver load."""

    index: int
    utilisation: int | Unread
    memory_used: int | Unread
    energy_mj: int | Unread
    compute: tuple[GpuProcess, ...] | Unread
    graphics: tuple[GpuProcess, ...] | Unread
    throttle: tuple[str, ...] | Unread = NOT_LOOKED
    sm_mhz: int | Unread = NOT_LOOKED


class GpuChange(Record, frozen=True):
    """One GPU over a window: energy spent in millijoules; utilisation in percent and memory in bytes at its end."""

    index: int
    energy_mj: int | Unread
    utilisation: int | Unread
    memory_used: int | Unread = NOT_LOOKED
    throttle: tuple[str, ...] | Unread = NOT_LOOKED
    """Why clocks were held down, as in Gpu; and the clock of the multiprocessors."""
    sm_mhz: int | Unread = NOT_LOOKED


class NvmlWindow(Record, frozen=True):
    """A window of `seconds` in which of envcheck's processes only `worker` (CPU or GPU) worked, asked at both ends."""

    worker: str
    seconds: float
    gpus: tuple[GpuChange, ...]


class Disturbance(Record, frozen=True, tag_field="kind", tag="disturbance"):
    """Who else was at work during the `seconds` in which blocks were timed, on a machine of so many `cores`.

    `others_cores`: cores that programs other than envcheck and its workers kept busy, on average; `stolen_cores`: those
    that the hypervisor gave to other machines; `throttled_share`: share of the time in which the quota of our control
    group held something back, None without such a count; `waited_s`: how long was waited for others before.
    """

    seconds: float
    cores: int
    others_cores: float | Unread
    stolen_cores: float
    throttled_share: float | None = None
    waited_s: float = 0.0


class Host(Record, frozen=True):
    """The machine that ran the cell. `nvml` is Unread where no NVIDIA driver answers."""

    platform: str
    machine: str
    nvml: Nvml | Unread
    glibc: str | None = None
    cpu: str | None = None
    cores: int | None = None
    kernel_driver: str | Unread | None = None
    """Version of the loaded NVIDIA kernel module; empty where none is loaded."""
    nested_pids: bool | Unread = Unread(reason="not looked")
    """True in a PID namespace of its own, where NVML's process lists cannot be matched to our processes."""
    steering: dict[str, str] = {}
    """Environment variables that steer GL, EGL and container injection, as set (secrets redacted)."""


# --- what was foreseen, and what was built ----------------------------------------------------------------------


class Foresight(Record, frozen=True):
    """What the tables say before anything runs. `state`: reachable, impossible, unreachable or excluded."""

    state: str
    because: str = ""
    code: str = ""
    source: str = ""


class Build(Record, frozen=True):
    """How an environment came to be.

    `outcome`: built, reused, existing (given by the user), no-wheel (no distribution fits),
    unsolvable (no set of conda packages fits), no-interpreter, unavailable (an index or registry does not
    answer), no-engine (no container engine answers), failed.
    """

    outcome: str
    because: str = ""
    key: str | None = None
    lock_sha256: str | None = None
    lock: str | None = None
    python: str | None = None
    seconds: float | None = None
    log: str = ""
    image: str = ""
    """Of a container: the id of its image, the digest of the base, and how the engine hands GPUs in."""
    base_digest: str = ""
    injection: str = ""


class PythonInside(Record, frozen=True):
    """An interpreter found in an image: `python` its version as files tell it, `mediapipe` what is installed in it."""

    path: str
    prefix: str = ""
    python: str = ""
    mediapipe: str | None = None


class Image(Record, frozen=True):
    """The container image that was judged, and how its container was started."""

    reference: str
    id: str
    """Digest of its configuration: the name that never moves."""
    digests: tuple[str, ...] = ()
    platform: str = ""
    """Such as linux/amd64."""
    user: str = ""
    """As the image names it; empty for root."""
    entrypoint: tuple[str, ...] = ()
    """What was bypassed."""
    engine: str = ""
    injection: str = ""
    """How GPUs were handed in: nvidia-runtime, cdi, hook, none, or as the user named it."""
    python: str = ""
    """The interpreter that was chosen, and in `chosen` why."""
    chosen: str = ""
    pythons: tuple[PythonInside, ...] = ()
    shell: bool | None = None
    triggers: tuple[str, ...] = ()
    """What ONBUILD asks for, which did not run here; of what Podman tells some may have run when it was built."""


# --- what the payloads saw --------------------------------------------------------------------------------------


class EglDevice(Record, frozen=True):
    """One device of EGL device enumeration. Files and numbers are those that its extensions name; "" and None else.

    `error` says why no context could be made on it; `renderer` and `version` are empty then.
    """

    index: int
    drm: str = ""
    render_node: str = ""
    cuda: int | None = None
    renderer: str = ""
    version: str = ""
    vendor: str = ""
    error: str = ""


class LoadedVendor(Record, frozen=True):
    """An EGL vendor library that a vendor file names, loaded as libEGL would: the loader's message, "" if it loads."""

    library: str
    error: str = ""


class GlContext(Record, frozen=True, tag_field="kind", tag="gl"):
    """The context that MediaPipe's own EGL request gives in this environment.

    `path`: default (the default display), device (EGL device enumeration, as 1.0.1 and later fall back to) or none.
    `error` names the EGL call that failed on the default display, with its code.
    """

    path: str
    vendor: str = ""
    renderer: str = ""
    version: str = ""
    egl_vendor: str = ""
    egl_version: str = ""
    egl_library: str = ""
    error: str = ""
    devices: int | None = None
    egl_devices: tuple[EglDevice, ...] | Unread = NOT_LOOKED
    vendors: tuple[LoadedVendor, ...] | Unread = NOT_LOOKED
    log: tuple[str, ...] = ()
    """What EGL and the driver printed meanwhile (EGL_LOG_LEVEL=debug), such as a library that Mesa could not load."""


class CudaRuntime(Record, frozen=True, tag_field="kind", tag="cuda"):
    """What the CUDA runtime library of this environment says. Versions such as "12.8"; `driver` is None without one."""

    library: str
    runtime: str
    driver: str | None = None
    devices: int | None = None
    error: str = ""


class CudaDriver(Record, frozen=True, tag_field="kind", tag="cuda-driver"):
    """What the CUDA driver library says: `cuda` the newest CUDA it serves, `code` and `error` of cuInit, 0 if it works.

    `library` is the file that was loaded, which a forward-compatibility package may have replaced; where the loader
    finds none it is empty, `code` is None, and `error` the loader's word.
    """

    library: str
    code: int | None = None
    error: str = ""
    cuda: str | None = None
    devices: int | None = None


class Block(Record, frozen=True):
    """Consecutive frames timed in one go by one worker. `pair` numbers the CPU/GPU pair the block belongs to."""

    pair: int
    times_ms: tuple[float, ...]
    faces: int
    """Frames of this block in which at least one face was found."""
    wall_ms: float | None = None
    """From the request to the answer by envcheck's own clock, which nothing in the worker can turn back."""


class Landmarks(Record, frozen=True):
    """Landmarks of one frame: `points` are (x, y) of the first face in pixels; empty where none was found."""

    frame: int
    points: tuple[tuple[float, float], ...]


class WorkerRun(Record, frozen=True):
    """One worker process, one delegate, start to finish.

    `outcome`: ran, refused (a Python exception from MediaPipe), import-failed, died (signal or exit without an
    answer), hung (deadline), garbage (an answer that is none), not-run.
    `stage`: where it ended: start, import, model, create, frames, done.
    """

    delegate: str
    outcome: str
    stage: str = "start"
    error_type: str = ""
    error: str = ""
    exit: str = ""
    pid: int | None = None
    inner_pid: int | None = None
    python: str | None = None
    mediapipe: str | None = None
    numpy: str | None = None
    delegate_value: int | None = None
    delegate_members: dict[str, int] = {}
    import_s: float | None = None
    create_ms: float | None = None
    first_ms: float | None = None
    warmup_ms: tuple[float, ...] = ()
    blocks: tuple[Block, ...] = ()
    landmarks: tuple[Landmarks, ...] = ()
    libraries: tuple[str, ...] | Unread = Unread(reason="the worker did not get that far")
    devices: tuple[str, ...] | Unread = Unread(reason="the worker did not get that far")
    device_numbers: dict[str, str] | None = None
    """MAJOR:MINOR of the character device behind each open device file, "" for a file that is none; None: not read."""
    looked_from: str = ""
    """outside: libraries and devices as the kernel shows them to envcheck; inside: by the worker's own account."""
    log: tuple[str, ...] = ()
    log_dropped: int = 0
    """Lines of the native log that were left out of the middle because there were too many."""


class Repeat(Record, frozen=True, kw_only=True):
    """The timed part once more, with fresh processes. Logs are kept of a worker that failed."""

    cpu: WorkerRun
    gpu: WorkerRun
    legacy: WorkerRun | None = None
    confidence_used: float | None = None


class Speedup(Record, frozen=True):
    """CPU time divided by GPU time: above 1 the GPU is faster. `ci95` is (low, high)."""

    estimate: float
    ci95: tuple[float, float]


class Timing(Record, frozen=True):
    """Per-frame times of one delegate in steady work, milliseconds, over `n` frames."""

    median_ms: float
    p95_ms: float
    n: int


class Start(Record, frozen=True):
    """What it took one delegate to get to steady work: creation, the first frame, and how many frames of warm-up, None
    where their end was not seen."""

    create_ms: float | None = None
    first_ms: float | None = None
    warmup_frames: int | None = None


class Identity(Record, frozen=True):
    """On what and with what was measured. None was not known; no GPU is an empty tuple, where NVML does not answer too.

    `cores` are those that may be used, `gpu_mhz` the highest clocks, `model` and `input` SHA-256 of bundle and frames.
    """

    machine: str
    workload: str
    cpu: str | None = None
    cores: float | None = None
    governor: str | None = None
    gpus: tuple[str, ...] = ()
    gpu_mhz: tuple[int, ...] = ()
    driver: str | None = None
    mediapipe: str | None = None
    python: str | None = None
    model: str | None = None
    input: str | None = None


class Bench(Record, frozen=True):
    """The measured comparison. Absent parts were not measured."""

    cpu: Timing | None = None
    gpu: Timing | None = None
    speedup: Speedup | None = None
    """Of the medians."""
    speedup_p95: Speedup | None = None
    """Of the 95th percentiles: the slow frames, which a user notices."""
    other_cpu: Timing | None = None
    """The slower of two ways over the CPU; `cpu` is the faster one."""
    cpu_start: Start | None = None
    gpu_start: Start | None = None
    baseline: str = ""
    """What the GPU was compared with: the fastest way over the CPU that was found here."""
    other_baseline: str = ""
    runs: tuple[Speedup, ...] = ()
    """Of each run of fresh processes, where there were several; `speedup` is their geometric mean, and its interval
    contains all of theirs."""
    identity: Identity | None = None


class ModelFile(Record, frozen=True):
    """The model bundle used: `name` is default, official or a file name."""

    name: str
    sha256: str


class Frames(Record, frozen=True):
    """The frames used: `sha256` over their bytes; `count` frames of WIDTHxHEIGHT RGBA."""

    input: str
    resolution: str
    count: int
    sha256: str


class Shown(Record, frozen=True):
    """Where the picture lies in a frame: its point (u, v) at x = a u + b v + c, y = d u + e v + f, with `transform`
    (a, b, c, d, e, f); `present` where its face lies wholly within the frame."""

    frame: int
    transform: tuple[float, float, float, float, float, float]
    present: bool


class Evidence(Record, frozen=True, tag_field="schema", tag=EVIDENCE_SCHEMA, kw_only=True):
    """Everything observed for one cell; all that judge, rules, suite and reports may see."""

    cell: Cell
    host: Host
    foresight: Foresight
    gate: Gate
    workload: Workload
    build: Build | None = None
    image: Image | None = None
    """None where the environment is no image that a user named."""
    model: ModelFile | None = None
    frames: Frames | None = None
    motion: tuple[Shown, ...] = ()
    """Of the frames whose landmarks were kept; empty for pictures of the user's own, and for several faces."""
    gl: GlContext | Unread = Unread(reason="not reached")
    cuda: CudaRuntime | Unread = Unread(reason="no CUDA axis in this cell")
    cuda_driver: CudaDriver | Unread = NOT_LOOKED
    facts: Facts | Unread = NOT_LOOKED
    cpu: WorkerRun = WorkerRun(delegate="CPU", outcome="not-run")
    gpu: WorkerRun = WorkerRun(delegate="GPU", outcome="not-run")
    legacy: WorkerRun | None = None
    """FaceMesh of `mediapipe.solutions` on the CPU, timed with the other two; None where there is none, or where no
    speed-up could change the verdict."""
    repeats: tuple[Repeat, ...] = ()
    """Further runs of fresh processes, where the first one was close to the threshold."""
    nvml_idle: tuple[GpuSample, ...] | Unread = Unread(reason="not reached")
    nvml_working: tuple[GpuSample, ...] | Unread = Unread(reason="not reached")
    nvml_windows: tuple[NvmlWindow, ...] | Unread = NOT_LOOKED
    """Windows in turn: CPU worker, GPU worker, CPU worker, GPU worker."""
    disturbance: Disturbance | Unread = NOT_LOOKED
    confidence_used: float | None = None
    """Confidence of each look at the interval, corrected for the number of looks."""
    recorded_at: str = ""
    lost: str = ""
    """Not empty: nothing came back from the machine that was to run this cell; says why. Nothing else was observed."""
    composed: str = ""
    """Not empty: this evidence was composed from published facts, for tests; says which."""

    @property
    def every_run(self) -> tuple[Repeat, ...]:
        """The first run of processes and those that followed."""
        first = Repeat(cpu=self.cpu, gpu=self.gpu, legacy=self.legacy, confidence_used=self.confidence_used)
        return (first, *self.repeats)


# --- what is concluded ------------------------------------------------------------------------------------------


class Says(str, Enum):
    """What one witness claims about which device did the work."""

    HARDWARE = "hardware"
    SOFTWARE = "software"
    OTHER_GPU = "other-gpu"
    CPU = "cpu"
    GL = "gl"
    """Inference went through OpenGL; on which device, this witness cannot tell."""
    CONTRADICTS = "contradicts"
    """What it saw cannot be where NVIDIA hardware did the work; what did it instead, this witness cannot tell."""
    NOTHING = "nothing"
    """Looked, and it proves nothing either way."""
    CANNOT_KNOW = "cannot-know"


class Witness(Record, frozen=True):
    """One observation: what it saw, and what it would have to see to speak for hardware.

    `origin` is where it comes from: words (what libraries print of themselves), maps, descriptors (the kernel's view
    of the process), nvml (the driver's), results. Witnesses of one origin can be fooled together and count as one.
    """

    name: str
    says: Says
    saw: str
    needs: str
    origin: str = ""


class Judgement(Record, frozen=True):
    """The verdict on one evidence, and the witnesses it rests on."""

    verdict: Verdict
    because: str
    witnesses: tuple[Witness, ...] = ()
    bench: Bench | None = None


class Finding(Record, frozen=True):
    """A rule's answer."""

    code: str
    status: Status
    summary: str
    because: str
    remedy: str
    url: str


class CellResult(Record, frozen=True):
    """One row of results.json."""

    id: str
    axes: Axes
    verdict: Verdict
    status: Status
    expected: Verdict
    met: bool
    findings: tuple[Finding, ...]
    because: str = ""
    witnesses: tuple[Witness, ...] = ()
    bench: Bench | None = None
    evidence: str | None = None
    """Path of the evidence file, relative to results.json."""
    composed: str = ""
    """Not empty: the evidence was composed and not seen; such a cell meets no expectation."""
    recorded_at: str = ""
    """When it was seen, as the evidence says."""


class Shard(Record, frozen=True, kw_only=True):
    """Which part of a matrix was run: shard `index` of `count`, `cells` of the `of` cells that there are together.

    `division` tells whether another shard comes from the same division; `driver` is what all the cells need of a host,
    None where cells of every driver were divided.
    """

    index: int
    count: int
    cells: int
    of: int
    division: str
    driver: str | None = None

    def __str__(self) -> str:
        whose = f" of driver {self.driver}" if self.driver else ""
        return f"shard {self.index}/{self.count}{whose}: {self.cells} of {self.of} cells"


class Results(Record, frozen=True, tag_field="schema", tag=RESULTS_SCHEMA):
    """The contract of results.json."""

    host: Host
    cells: tuple[CellResult, ...]
    summary: dict[str, int]
    shard: Shard | None = None
    """Not None: these are not all the cells that were asked for; others have the rest."""


class Diagnosis(Record, frozen=True, tag_field="schema", tag=DOCTOR_SCHEMA):
    """The contract of `envcheck doctor --json`: what this host and one interpreter show, without a program being run.

    `python` is the interpreter that was asked, and `chosen` why this one.
    """

    host: Host
    findings: tuple[Finding, ...]
    python: str
    chosen: str
    facts: Facts | Unread
    gl: GlContext | Unread
    cuda_driver: CudaDriver | Unread


def cell_id(axes: Axes) -> str:
    """The stable, readable name of a point of the matrix, built from the axes it has."""
    parts = [axes.backend]
    parts += [
        f"{prefix}{value}"
        for prefix, value in (
            ("py", axes.python),
            ("mp", axes.mediapipe),
            ("cu", axes.cuda),
            ("r", axes.driver),
            ("cv", axes.opencv),
        )
        if value is not None
    ]
    return "-".join(parts)
