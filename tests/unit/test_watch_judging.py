"""What was seen of a program -> one word: composed sights, each witness alone and against the others."""

from __future__ import annotations

import msgspec
import pytest

from envcheck.model import GpuProcess, Says, Status, Unread
from envcheck.rules import BY_CODE
from envcheck.rules.watched import BY_CODE as TEXTS
from envcheck.watch import judging
from envcheck.watch.findings import CAUSES, findings
from envcheck.watch.judging import judge
from envcheck.watched import Ending, GpuSeen, GpuWorker, NativeLog, Place, ProcessSeen, ThreadSeen, Watched

PID = 7
FRONT = "/usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.0"
CORE = "/usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.570.124.06"
CUDA = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
GLX_CORE = "/usr/lib/x86_64-linux-gnu/libnvidia-glcore.so.570.124.06"
SWRAST = "/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so"
IRIS = "/usr/lib/x86_64-linux-gnu/dri/iris_dri.so"
GALLIUM = "/usr/lib/x86_64-linux-gnu/libgallium-25.0.7.so"
MEDIAPIPE = "/env/mediapipe/python/_framework_bindings.cpython-311-x86_64-linux-gnu.so"
NO_NVML = Unread(reason="NVMLError_LibraryNotFound")
HIDDEN = Unread(reason="process 7 is user 0's, and the system does not let this user look into it")


def process(
    *libraries: str,
    pid: int = PID,
    devices: tuple[str, ...] | Unread = (),
    raster_s: float | None = None,
    cpu_s: float = 10.0,
    looks: int = 5,
    gl_thread: str = "",
) -> ProcessSeen:
    threads: tuple[ThreadSeen, ...] = (ThreadSeen(gl_thread, 0.1),) if gl_thread else ()
    if raster_s is not None:
        threads += (ThreadSeen("llvmpipe-0", 0.0), ThreadSeen("llvmpipe compute", raster_s))
    return ProcessSeen(pid, 1, "python", libraries, devices, threads, cpu_s, looks)


def gpu(
    *,
    graphics: tuple[int, ...] = (PID,),
    compute: tuple[int, ...] = (),
    at_work: int = 5,
    asked: int = 6,
    others: int = 0,
) -> GpuSeen:
    def listed(pids: tuple[int, ...]) -> tuple[GpuProcess, ...]:
        return tuple(GpuProcess(pid=pid, memory=1 << 26) for pid in pids)

    work = (GpuWorker(pid=PID, sm=40, at_work=at_work, asked=asked),) if at_work else ()
    return GpuSeen(0, listed(compute), listed(graphics), others, work, 40, 0, utilisation_before=0)


def seen(
    *processes: ProcessSeen,
    gpus: tuple[GpuSeen, ...] | Unread = NO_NVML,
    nested: bool | Unread = False,
    log: NativeLog | None = None,
    unseen_s: float = 0.0,
    command: str = "python",
) -> Watched:
    return Watched(
        mode="launch",
        pid=PID,
        command=(command,),
        seconds=10.0,
        samples=12,
        processes=processes,
        gpus=gpus,
        nested_pids=nested,
        kernel_driver=Unread(reason="/proc/driver/nvidia/version: No such file or directory"),
        cpu_s=sum(process.cpu_s for process in processes) + unseen_s,
        unseen_s=unseen_s,
        own_cpu_s=0.01,
        ending=Ending(status=0),
        log=log,
    )


def place(watched: Watched) -> Place:
    return judge(watched).answer.place


GL_THREAD = "mediapipe_gl_ru"
ON_NVIDIA = process(MEDIAPIPE, FRONT, CORE, devices=("/dev/nvidia0", "/dev/nvidiactl"), gl_thread=GL_THREAD)
PROVEN = seen(ON_NVIDIA, gpus=(gpu(),))
NVIDIA_GL = "OpenGL ES 3.2 NVIDIA 570.124.06"
GL_LOG = NativeLog(("Gl", "Gl", "Cpu"), ("Gl", "Gl"), renderer="NVIDIA H200", version=NVIDIA_GL)
SOFT_LOG = NativeLog(("Gl", "Gl", "Cpu"), ("Gl", "Gl"), renderer="llvmpipe (LLVM 15)", version="OpenGL ES 3.2 Mesa 22")
CPU_LOG = NativeLog(("Cpu",) * 3, ("Cpu",) * 2, renderer="NVIDIA H200", version=NVIDIA_GL)
NEW_LOG = NativeLog(renderer="NVIDIA H200", version=NVIDIA_GL)
"""Of 1.0.1 and later: calculators are not named, and with delegate=GPU no model gets an interpreter on the CPU."""
NEW_BOTH_LOG = msgspec.structs.replace(NEW_LOG, on_cpu=True)
BOTH = ("Gl", "Gl", "Cpu", "Cpu")
BOTH_LOG = NativeLog(BOTH, BOTH, renderer="NVIDIA H200", version=NVIDIA_GL)
BOTH_SOFT_LOG = NativeLog(BOTH, BOTH, renderer="llvmpipe (LLVM 15)", version="OpenGL ES 3.2 Mesa 22")


def test_all_witnesses_together_are_a_proof() -> None:
    opinion = judge(PROVEN)

    assert opinion.answer.place is Place.ON_GPU
    assert opinion.answer.settle == ""
    assert [witness.says for witness in opinion.witnesses[:4]] == [Says.HARDWARE] * 4
    assert findings(PROVEN, opinion.answer) == ()


@pytest.mark.parametrize(
    "watched",
    [
        seen(process(MEDIAPIPE, devices=("/dev/nvidia0",), gl_thread=GL_THREAD), gpus=(gpu(),)),
        seen(process(MEDIAPIPE, FRONT, devices=("/dev/nvidia0",), gl_thread=GL_THREAD), gpus=(gpu(),)),
        seen(process(MEDIAPIPE, FRONT, CORE), gpus=(gpu(),)),
        seen(process(MEDIAPIPE, FRONT, CORE, devices=("/dev/nvidiactl",), gl_thread=GL_THREAD), gpus=(gpu(),)),
        seen(ON_NVIDIA),
        seen(ON_NVIDIA, gpus=()),
        seen(ON_NVIDIA, gpus=(gpu(graphics=()),)),
        seen(ON_NVIDIA, gpus=(gpu(at_work=0),)),
        seen(ON_NVIDIA, gpus=(gpu(at_work=2, asked=2),)),
        seen(ON_NVIDIA, gpus=(gpu(at_work=4, asked=60),)),
        seen(process(MEDIAPIPE, FRONT, GLX_CORE, devices=("/dev/nvidia0",), gl_thread=GL_THREAD), gpus=(gpu(),)),
        seen(ON_NVIDIA, gpus=(gpu(),), log=BOTH_LOG),
        seen(ON_NVIDIA, nested=True, gpus=(), log=BOTH_LOG),
        seen(ON_NVIDIA, gpus=(gpu(),), nested=True),
        seen(ON_NVIDIA, gpus=(gpu(),), nested=Unread(reason="no /proc")),
        seen(
            process(MEDIAPIPE, CORE, CUDA, devices=("/dev/nvidia0",), gl_thread=GL_THREAD), gpus=(gpu(compute=(PID,)),)
        ),
        seen(process(MEDIAPIPE, FRONT, CORE, devices=("/dev/nvidia0",)), gpus=(gpu(),)),
        seen(process(MEDIAPIPE), process(FRONT, CORE, pid=8, devices=("/dev/nvidia0",)), gpus=(gpu(graphics=(8,)),)),
        seen(process(MEDIAPIPE, FRONT, CORE), process(pid=8, devices=("/dev/nvidia0",)), gpus=(gpu(),)),
    ],
    ids=[
        "no library",
        "asked, not initialised",
        "no device",
        "control device only",
        "no NVML",
        "NVML without GPU",
        "not listed",
        "listed, idle",
        "two samples of work: a context being made",
        "worked at first, and gave it up",
        "a window drawn through GLX",
        "a landmarker of each delegate",
        "a landmarker of each delegate, in a container",
        "PID namespace",
        "PID namespace not known",
        "CUDA in the same process",
        "no GL thread of MediaPipe's: something else draws",
        "another process than MediaPipe's",
        "library and device in different processes",
    ],
)
def test_without_any_one_witness_there_is_no_proof(watched: Watched) -> None:
    assert place(watched) is not Place.ON_GPU
    assert place(watched).status is not Status.PASS


@pytest.mark.parametrize("name", ["mediapipe_gl_ru", "drishti_gl_runn"])
def test_a_mediapipe_that_works_on_the_gpu_has_a_gl_thread_by_either_name(name: str) -> None:
    seen_of_it = process(MEDIAPIPE, FRONT, CORE, devices=("/dev/nvidia0",), gl_thread=name)

    assert place(seen(seen_of_it, gpus=(gpu(),))) is Place.ON_GPU


def test_a_program_without_mediapipes_library_needs_no_thread_of_its_name() -> None:
    assert place(seen(process(FRONT, CORE, devices=("/dev/nvidia0",)), gpus=(gpu(),))) is Place.ON_GPU


def test_a_model_in_an_interpreter_on_the_cpu_leaves_open_which_of_two_landmarkers_worked() -> None:
    told, both = (judge(seen(ON_NVIDIA, gpus=(gpu(),), log=log)).answer for log in (NEW_LOG, NEW_BOTH_LOG))

    assert (told.place, both.place) == (Place.ON_GPU, Place.UNKNOWN)
    assert "a model got an interpreter on the CPU" in both.because
    assert "one delegate only" in both.settle
    assert "GPU123" in [one.code for one in findings(seen(ON_NVIDIA, gpus=(gpu(),), log=NEW_BOTH_LOG), both)]


def test_where_something_else_draws_the_reason_says_so() -> None:
    judged = judge(seen(process(MEDIAPIPE, FRONT, CORE, devices=("/dev/nvidia0",)), gpus=(gpu(),)))

    assert judged.answer.place is Place.UNKNOWN
    assert "no GL thread of MediaPipe's" in judged.answer.because
    assert judged.answer.settle


def test_cuda_beside_gl_is_no_proof_where_the_list_of_those_that_compute_cannot_be_read() -> None:
    both = process(MEDIAPIPE, CORE, CUDA, devices=("/dev/nvidia0",), gl_thread=GL_THREAD)
    unlisted = msgspec.structs.replace(gpu(), compute=Unread(reason="NoPermission"))

    assert place(seen(both, gpus=(gpu(),))) is Place.ON_GPU
    assert place(seen(both, gpus=(unlisted,))) is Place.UNKNOWN


def test_power_alone_is_no_work() -> None:
    """A context alone wakes the GPU up."""
    idle = msgspec.structs.replace(gpu(at_work=0), power=120.0, power_before=70.0)

    assert place(seen(ON_NVIDIA, gpus=(idle,))) is Place.UNKNOWN


@pytest.mark.parametrize(
    ("busier", "samples", "others", "expected"),
    [
        (5, 9, 0, Place.ON_GPU),
        (2, 2, 0, Place.UNKNOWN),
        (5, 9, 1, Place.UNKNOWN),
        (5, 60, 0, Place.UNKNOWN),
    ],
)
def test_a_driver_that_does_not_tell_whose_work_it_is_speaks_only_where_nobody_else_is_there(
    busier: int, samples: int, others: int, expected: Place
) -> None:
    untold = msgspec.structs.replace(
        gpu(others=others), working=Unread(reason="NotSupported"), busier=busier, samples=samples
    )

    assert place(seen(ON_NVIDIA, gpus=(untold,))) is expected


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (seen(ON_NVIDIA, nested=True, gpus=(), log=GL_LOG), Place.ON_GPU),
        (seen(ON_NVIDIA, gpus=(gpu(),), log=CPU_LOG), Place.ON_CPU),
        (seen(process(MEDIAPIPE), log=GL_LOG), Place.CONTRADICTORY),
        (seen(ON_NVIDIA, gpus=(gpu(graphics=(), at_work=0),), log=GL_LOG), Place.CONTRADICTORY),
        (seen(process(MEDIAPIPE, FRONT, CORE), log=GL_LOG), Place.UNKNOWN),
        (seen(process(MEDIAPIPE, SWRAST), log=SOFT_LOG), Place.ON_SOFTWARE_GL),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=0.0), log=BOTH_SOFT_LOG), Place.ON_CPU),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=8.0), log=BOTH_SOFT_LOG), Place.ON_SOFTWARE_GL),
        (seen(process(MEDIAPIPE), log=NativeLog(BOTH, BOTH)), Place.ON_CPU),
        (seen(ON_NVIDIA, log=NativeLog(("Xnnpack",))), Place.UNKNOWN),
        (seen(ON_NVIDIA, log=NativeLog()), Place.UNKNOWN),
        (seen(ON_NVIDIA, nested=True, gpus=(), log=NativeLog(("Gl", "Gl"), ("Gl", "Gl"))), Place.UNKNOWN),
    ],
    ids=[
        "log and kernel agree, in a container",
        "busy with something else",
        "no driver mapped",
        "NVML lists nobody",
        "no device",
        "software",
        "software given up for the CPU",
        "software, and the CPU beside it",
        "refused, and gone on with the CPU",
        "blendshapes alone",
        "silent",
        "no context named",
    ],
)
def test_the_native_log_settles_what_the_kernel_agrees_with(watched: Watched, expected: Place) -> None:
    assert place(watched) is expected


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (seen(process(MEDIAPIPE, SWRAST, raster_s=8.0)), Place.ON_SOFTWARE_GL),
        (seen(process(MEDIAPIPE, FRONT, SWRAST, raster_s=8.0)), Place.ON_SOFTWARE_GL),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=0.0)), Place.ON_CPU),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=0.5)), Place.UNKNOWN),
        (seen(process(MEDIAPIPE, SWRAST)), Place.UNKNOWN),
        (seen(process(MEDIAPIPE, GALLIUM, raster_s=8.0)), Place.ON_SOFTWARE_GL),
        (seen(process(MEDIAPIPE, GALLIUM, devices=("/dev/dri/renderD128",))), Place.ON_OTHER_GPU),
        (seen(process(MEDIAPIPE, IRIS, devices=("/dev/dri/renderD128",))), Place.ON_OTHER_GPU),
        (seen(process(MEDIAPIPE, CUDA, devices=("/dev/nvidia0",)), gpus=(gpu(),)), Place.CUDA_ONLY),
        (seen(process(MEDIAPIPE, CUDA)), Place.ON_CPU),
        (seen(process(MEDIAPIPE)), Place.ON_CPU),
        (seen(process(MEDIAPIPE), gpus=(gpu(graphics=()),)), Place.CONTRADICTORY),
        (seen(process(MEDIAPIPE), process(IRIS, pid=8, devices=("/dev/dri/card0",))), Place.ON_CPU),
        (seen(process(), unseen_s=30.0), Place.UNKNOWN),
        (seen(process(), command="/usr/bin/docker"), Place.UNKNOWN),
        (seen(process(), msgspec.structs.replace(process(pid=8), alive=True)), Place.UNKNOWN),
        (seen(ProcessSeen(PID, 1, "python", HIDDEN, HIDDEN)), Place.UNKNOWN),
        (seen(process(MEDIAPIPE), ProcessSeen(8, PID, "x", HIDDEN, HIDDEN)), Place.UNKNOWN),
        (seen(process(MEDIAPIPE, devices=HIDDEN)), Place.UNKNOWN),
        (seen(), Place.UNKNOWN),
    ],
    ids=[
        "rasteriser at work",
        "NVIDIA asked first, then software",
        "an idle software context, as on the CPU delegate",
        "a rasteriser that works a little",
        "software without threads of its own",
        "one Mesa driver for all, no device",
        "one Mesa driver for all, Intel",
        "Intel",
        "CUDA only",
        "CUDA asked and not there",
        "nothing of a GPU",
        "NVML alone",
        "the browser beside it",
        "mostly unseen",
        "a client of a service",
        "a daemon that goes on",
        "another user's",
        "another user's child",
        "files hidden",
        "nothing seen",
    ],
)
def test_what_is_seen_has_one_word(watched: Watched, expected: Place) -> None:
    assert place(watched) is expected


def test_unknown_always_says_what_would_settle_it_or_why() -> None:
    for watched in (seen(ON_NVIDIA), seen(), seen(process(), unseen_s=30.0), seen(ON_NVIDIA, nested=True, gpus=())):
        answer = judge(watched).answer
        assert answer.because
        assert answer.settle


@pytest.mark.parametrize(
    ("watched", "codes"),
    [
        (seen(process()), ["GPU105", "GPU120"]),
        (seen(process(), gpus=()), ["GPU120"]),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=8.0), gpus=()), ["EGL207"]),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=0.0), gpus=()), ["GPU121"]),
        (seen(process(MEDIAPIPE, IRIS, devices=("/dev/dri/renderD128",)), gpus=()), ["GPU104"]),
        (seen(process(MEDIAPIPE, CUDA, devices=("/dev/nvidia0",)), gpus=(gpu(),)), ["GPU122"]),
        (seen(process(), gpus=(gpu(graphics=()),)), ["GPU103"]),
        (seen(ON_NVIDIA, gpus=(gpu(at_work=0),)), ["GPU121"]),
        (seen(process(MEDIAPIPE), log=NativeLog(BOTH, BOTH), gpus=()), ["GPU123"]),
        (seen(process(MEDIAPIPE), log=NativeLog(("Gl", "Gl"), ("Gl", "Gl")), gpus=()), ["GPU123"]),
        (seen(process(MEDIAPIPE, SWRAST, raster_s=0.0), log=BOTH_SOFT_LOG, gpus=()), ["GPU123"]),
        (seen(ON_NVIDIA, log=BOTH_LOG, gpus=(gpu(),)), ["GPU123", "GPU121"]),
        (seen(ON_NVIDIA, log=CPU_LOG, gpus=(gpu(),)), ["GPU121"]),
        (seen(process(), command="/usr/bin/docker", gpus=()), ["RES610"]),
        (seen(ProcessSeen(PID, 1, "python", HIDDEN, HIDDEN), gpus=()), ["RES608"]),
        (seen(process(), unseen_s=30.0, gpus=()), ["RES609"]),
        (seen(ON_NVIDIA, gpus=(gpu(at_work=0),), log=NativeLog()), ["GPU121", "MPP416"]),
    ],
)
def test_the_cause_has_its_code(watched: Watched, codes: list[str]) -> None:
    assert [finding.code for finding in findings(watched, judge(watched).answer)] == codes


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        (HIDDEN.reason, judging.PRIVILEGE),
        ("process 7 is protected, and the system does not let root look into it", judging.CAPABILITY),
        ("process 7 ended before it could be looked at", judging.LONGER),
    ],
)
def test_the_way_in_depends_on_who_is_kept_out(reason: str, way: str) -> None:
    shut = Unread(reason=reason)

    assert judge(seen(ProcessSeen(PID, 1, "python", shut, shut))).answer.settle == way


def test_where_proc_is_another_namespaces_no_longer_run_would_help() -> None:
    elsewhere = msgspec.structs.replace(seen(), not_followed="/proc shows the processes of another PID namespace")

    assert judge(elsewhere).answer == (Place.UNKNOWN, elsewhere.not_followed, judging.OWN_PROC)


def test_processes_that_are_only_counted_are_counted() -> None:
    folded = msgspec.structs.replace(seen(process()), folded=2)

    assert "looked at 3 processes" in judge(folded).answer.because
    assert "no GL driver in 3 processes" in judge(folded).witnesses[0].saw
    assert (
        "MediaPipe runs in python (7)"
        in judge(msgspec.structs.replace(seen(process(MEDIAPIPE)), folded=2)).answer.because
    )


def test_every_code_has_a_page_and_every_text_of_watch_a_cause() -> None:
    assert set(TEXTS) <= set(CAUSES)
    assert set(CAUSES) <= set(TEXTS) | set(BY_CODE)
    assert not set(TEXTS) & set(BY_CODE)


def test_only_a_proven_gpu_is_a_pass() -> None:
    assert [word for word in Place if word.status is Status.PASS] == [Place.ON_GPU]
    assert Place.UNKNOWN.status is Status.UNKNOWN
