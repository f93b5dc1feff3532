"""What was seen of a program -> one word. The first answer wins, in this order:

1. no process could be looked into                                              -> unknown
2. the native log names calculators, and none of them is a GL one               -> on-cpu
3. one witness excludes what another says                                       -> contradictory
4. one and the same process has NVIDIA's GL core for EGL mapped and /dev/nvidiaN open, and
   a. NVML lists it and sees it keep on working, it does not work with CUDA as well, the log names no other, and where
      MediaPipe's library is mapped, a GL thread of MediaPipe's is there, or
   b. the native log names GL calculators and a context of NVIDIA's own driver  -> on-gpu
5. the software rasteriser's threads work, or the log says that GL is software  -> on-software-gl
6. a GL driver of another GPU is mapped and its device file open                -> on-other-gpu
7. the NVIDIA device is open, and no GL driver is mapped                        -> cuda-only
8. a software GL driver is mapped and its threads idle, all was seen            -> on-cpu
9. a GL driver is mapped, and nothing shows what it does                        -> unknown
10. all was seen, and nothing of a GPU                                          -> on-cpu
11. else                                                                        -> unknown

A GL context proves nothing: MediaPipe 0.10.8 to 0.10.35 opens one on the CPU delegate too. Nor does power: a context
alone wakes the GPU up. Where a process has MediaPipe's library, only such processes are asked about.
"""

from __future__ import annotations

from typing import NamedTuple

from envcheck.model import Says, Unread, Witness
from envcheck.watch import witnesses as seen
from envcheck.watch.witnesses import testify
from envcheck.watched import Place, ProcessSeen, Watched

UNSEEN_SHARE = 0.5
"""So much of the CPU time may belong to processes that came and went unseen."""
UNSEEN_S = 0.05
"""A process that ended unseen with less CPU time than this did no work."""

NATIVE_LOG = (
    "`envcheck watch --native-log -- COMMAND`: MediaPipe 0.10.8 to 0.10.35 then names its calculators. "
    "For other versions: `envcheck check` or `envcheck validate` on its environment."
)
ON_THE_HOST = "`envcheck watch --pid N` on the host, outside the container, where NVML's process numbers are known."
LONGER = "Let it run longer: watching begins to see after a few tenths of a second."
PRIVILEGE = "Watch as the user whose process it is, or as root (`sudo envcheck watch …`)."
CAPABILITY = "Root needs CAP_SYS_PTRACE for that (`docker run --cap-add SYS_PTRACE …`), or watch on the host."
OWN_PROC = "Mount a /proc that shows this PID namespace: `unshare --mount-proc …`, `mount -t proc proc /proc`."
ONE_DELEGATE = "Watch a run with one delegate only: the log does not tell which landmarker did the work."

CLIENTS = frozenset({"docker", "podman", "nerdctl", "kubectl", "ssh", "systemd-run", "crictl", "lxc", "machinectl"})
"""Commands whose work is done by processes that are not their children."""
ELSEWHERE = (
    "Watch where the work is done: `envcheck watch --pid N` with the program's own process number, or in the container."
)


SHOWN = 5
"""So many processes are named."""


class Answer(NamedTuple):
    """A word, why, and what would settle it where it is unknown."""

    place: Place
    because: str
    settle: str = ""


class Opinion(NamedTuple):
    """The answer, and the witnesses it rests on."""

    answer: Answer
    witnesses: tuple[Witness, ...]


def judge(watched: Watched) -> Opinion:
    """The verdict, its reason, and what each witness said."""
    steps = (blind, log_says_cpu, disagreement, proven, software, other_gpu, cuda_only, idle_software, unproven)
    answer = next((found for step in steps if (found := step(watched)) is not None), None)
    return Opinion(answer or untouched(watched), testify(watched))


def blind(watched: Watched) -> Answer | None:
    """Step 1."""
    asked = seen.subjects(watched)
    reasons = [process.libraries.reason for process in asked if isinstance(process.libraries, Unread)]
    if asked and len(reasons) < len(asked):
        return None
    if not asked and watched.not_followed:
        return Answer(Place.UNKNOWN, watched.not_followed, OWN_PROC)
    because = reasons[0] if reasons else "no process was seen"
    return Answer(Place.UNKNOWN, because, next(filter(None, map(way_in, reasons)), LONGER))


def way_in(reason: str) -> str:
    """What would let us look, empty where nothing forbids it."""
    if "does not let" not in reason:
        return ""
    return CAPABILITY if "let root" in reason else PRIVILEGE


def log_says_cpu(watched: Watched) -> Answer | None:
    """Step 2."""
    statement = seen.calculators(watched)
    if statement.says is not Says.CPU:
        return None
    return Answer(Place.ON_CPU, f"MediaPipe itself names its calculators, none of them a GL one: {statement.saw}")


def disagreement(watched: Watched) -> Answer | None:
    """Step 3."""
    whole = not blind_spot(watched)
    asked = seen.subjects(watched)
    at_work = [process for process in watched.processes if seen.works(watched, process.pid)]
    stranger = next((process for process in at_work if not touches_nvidia(process)), None)
    if stranger is not None and whole:
        said = f"NVML says that {seen.named(stranger)} works on the GPU"
        return Answer(Place.CONTRADICTORY, f"{said}, but it has no NVIDIA library mapped and no NVIDIA device open")
    said_by_log = seen.context(watched)
    if said_by_log.says is Says.HARDWARE and whole and not any(seen.has(p, seen.NVIDIA_CORE) for p in asked):
        return Answer(
            Place.CONTRADICTORY, f"the native log names {said_by_log.saw}, but no process has that driver mapped"
        )
    if log_proves(watched) and seen.pids_told(watched) and not seen.listed(watched, (p.pid for p in asked)):
        return Answer(
            Place.CONTRADICTORY, "the native log speaks for the GPU, but NVML lists no process of the program"
        )
    return None


def touches_nvidia(process: ProcessSeen) -> bool:
    """True where the process has anything of NVIDIA's, or could not be looked into."""
    blind = isinstance(process.libraries, Unread) or isinstance(process.devices, Unread)
    return blind or seen.has(process, seen.NVIDIA_ANY) or seen.opened(process, seen.NVIDIA_DEVICE)


def log_proves(watched: Watched) -> bool:
    """True where the native log names GL calculators and a context of NVIDIA's own driver."""
    return seen.calculators(watched).says is Says.GL and seen.context(watched).says is Says.HARDWARE


def proven(watched: Watched) -> Answer | None:
    """Step 4."""
    for process in seen.subjects(watched):
        if seen.rasteriser_works(process) or not on_nvidia(process) or seen.mixed(watched):
            continue
        driver = f"{seen.named(process)} has NVIDIA's GL driver {seen.driver_version(process)} and its device open"
        if log_proves(watched):
            return Answer(Place.ON_GPU, f"{driver}; MediaPipe names its calculators: {seen.calculators(watched).saw}")
        if (
            not work_beside(watched, process)
            and seen.listed(watched, [process.pid])
            and seen.works(watched, process.pid)
        ):
            return Answer(Place.ON_GPU, f"{driver}; NVML lists it and sees it at work: {seen.gpu_work(watched).saw}")
    return None


def on_nvidia(process: ProcessSeen) -> bool:
    """True where this process has NVIDIA's GL core for EGL mapped and an NVIDIA GPU open."""
    return seen.has(process, seen.NVIDIA_EGL_CORE) and seen.opened(process, seen.NVIDIA_DEVICE)


def work_beside(watched: Watched, process: ProcessSeen) -> str:
    """What else in the process may be at work on the GPU, to follow what it has mapped; empty where nothing is."""
    if with_cuda(watched, process):
        return " and uses CUDA as well; NVML does not tell the work of the two apart"
    if seen.draws_for_others(process):
        return ", and no GL thread of MediaPipe's was seen in it: something else in the program draws"
    return ""


def with_cuda(watched: Watched, process: ProcessSeen) -> bool:
    """True where the process works with CUDA as well: NVML's account does not tell the two apart."""
    untold = any(isinstance(gpu.compute, Unread) for gpu in seen.gpus_of(watched))
    return seen.has(process, seen.CUDA) and (untold or seen.listed(watched, [process.pid], kinds=("compute",)))


def software(watched: Watched) -> Answer | None:
    """Step 5."""
    for process in seen.subjects(watched):
        if seen.rasteriser_works(process):
            return Answer(Place.ON_SOFTWARE_GL, f"{seen.names_in(process)}: {seen.rasteriser(watched).saw}")
    return from_log(watched, Says.SOFTWARE, Place.ON_SOFTWARE_GL)


def other_gpu(watched: Watched) -> Answer | None:
    """Step 6."""
    for process in seen.subjects(watched):
        if seen.driver_of(process) is Says.OTHER_GPU:
            return Answer(Place.ON_OTHER_GPU, f"{seen.libraries(watched).saw}; {seen.devices(watched).saw}")
    return from_log(watched, Says.OTHER_GPU, Place.ON_OTHER_GPU)


def from_log(watched: Watched, says: Says, place: Place) -> Answer | None:
    """What the native log says, where inference went through GL."""
    statement = seen.context(watched)
    if seen.calculators(watched).says is Says.GL and statement.says is says:
        return Answer(place, f"the native log names GL calculators and the context {statement.saw}")
    return None


def cuda_only(watched: Watched) -> Answer | None:
    """Step 7."""
    asked = seen.subjects(watched)
    without_gl = all(seen.driver_of(process) in (Says.CPU, Says.NOTHING) for process in asked)
    for process in asked:
        if without_gl and seen.opened(process, seen.NVIDIA_DEVICE) and seen.has(process, seen.CUDA):
            return Answer(Place.CUDA_ONLY, f"{seen.named(process)} uses CUDA; it has no GL driver mapped")
    return None


def idle_software(watched: Watched) -> Answer | None:
    """Step 8."""
    asked = seen.subjects(watched)
    shares = [seen.rasteriser_share(process) for process in asked if seen.driver_of(process) is Says.SOFTWARE]
    hardware = any(seen.driver_of(process) is Says.HARDWARE for process in asked)
    if not shares or hardware or any(share is None or share >= seen.IDLE_SHARE for share in shares) or gap(watched):
        return None
    return Answer(
        Place.ON_CPU,
        "a software GL context is open, and its threads are idle; the work is done by other threads of the program",
    )


def unproven(watched: Watched) -> Answer | None:
    """Step 9."""
    process = next((p for p in seen.subjects(watched) if driver_says_something(p)), None)
    if process is None:
        return None
    return Answer(Place.UNKNOWN, why_unproven(watched, process), how_to_settle(watched))


def driver_says_something(process: ProcessSeen) -> bool:
    """True where any GL driver, or an open NVIDIA device, speaks for something."""
    driver = seen.driver_of(process) in (Says.HARDWARE, Says.SOFTWARE, Says.NOTHING)
    return driver or seen.opened(process, seen.NVIDIA_DEVICE)


def why_unproven(watched: Watched, process: ProcessSeen) -> str:
    """What is missing of step 4 or 5."""
    driver = seen.driver_of(process)
    if driver is Says.SOFTWARE:
        return f"software GL is loaded ({seen.names_in(process)}), and its share of the work cannot be told"
    if driver is not Says.HARDWARE:
        return f"NVIDIA's driver was asked and not initialised: {seen.names_in(process) or 'a device file is open'}"
    head = f"{seen.named(process)} has NVIDIA's GL driver mapped"
    if not seen.opened(process, seen.NVIDIA_DEVICE):
        return f"{head}, but {seen.devices(watched).saw}"
    if not seen.has(process, seen.NVIDIA_EGL_CORE):
        return f"{head} through GLX, for a window; MediaPipe's road, EGL, was not taken"
    if seen.mixed(watched):
        return f"{head}, and the native log names GL and CPU calculators: {seen.calculators(watched).saw}"
    if beside := work_beside(watched, process):
        return head + beside
    nvml = seen.nvml_process(watched)
    if nvml.says is not Says.HARDWARE:
        return f"{head} and its device open, which the CPU delegate of some versions does too; NVML: {nvml.saw}"
    return f"{head} and is listed by NVML, but was not seen to keep on working: {seen.gpu_work(watched).saw}"


def how_to_settle(watched: Watched) -> str:
    """What to do about it."""
    return " ".join(
        text
        for text, wanted in (
            (ON_THE_HOST, watched.nested_pids is True),
            (ONE_DELEGATE, seen.mixed(watched)),
            (NATIVE_LOG, not (watched.log and watched.log.calculators)),
        )
        if wanted
    )


def untouched(watched: Watched) -> Answer:
    """Steps 10 and 11."""
    missed = gap(watched)
    if missed:
        elsewhere = ELSEWHERE if handed_over(watched) or left_behind(watched) else LONGER
        return Answer(Place.UNKNOWN, missed, way_in(missed) or elsewhere)
    asked = seen.subjects(watched)
    program = "MediaPipe runs in" if any(seen.has(process, seen.MEDIAPIPE) for process in asked) else "looked at"
    many = seen.counted(asked, more=seen.plain(watched))
    return Answer(Place.ON_CPU, f"{program} {many}: no GL driver was loaded, and no GPU device file was open")


def gap(watched: Watched) -> str:
    """Why part of the program may have escaped, empty where all that matters was seen."""
    spot = blind_spot(watched) or handed_over(watched) or left_behind(watched) or watched.not_followed
    if spot:
        return spot
    if watched.unseen_s > UNSEEN_S and watched.unseen_s > UNSEEN_SHARE * watched.cpu_s:
        return f"{watched.unseen_s:.1f} of {watched.cpu_s:.1f} s of CPU time were spent unseen, by what ended too soon"
    return ""


def handed_over(watched: Watched) -> str:
    """Which command only hands the work over to processes elsewhere, empty where none does."""
    name = watched.command[0].rsplit("/", 1)[-1] if watched.command else ""
    return f"{name} hands the work over to processes that are not its children" if name in CLIENTS else ""


def left_behind(watched: Watched) -> str:
    """Who goes on after the command has ended, in words; empty where nobody does."""
    left = [process for process in watched.processes if process.alive and watched.mode == "launch"]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    who = ", ".join(seen.named(process) for process in left[:SHOWN]) + more
    return f"the command has ended, and left {who} running" if left else ""


def blind_spot(watched: Watched) -> str:
    """Why a process could not be looked into, empty where each that did any work was."""
    for process in watched.processes:
        for entry in (process.libraries, process.devices):
            if isinstance(entry, Unread) and (process.alive or process.cpu_s > UNSEEN_S or "does not" in entry.reason):
                return entry.reason
    return ""
