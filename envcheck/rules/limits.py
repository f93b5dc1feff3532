"""RES6xx: limits of the process that MediaPipe does not fit into."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envcheck.facts import OpenCv
from envcheck.model import GlContext, Status, Unread, Verdict, WorkerRun
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import MEASURED, facts_of, looked_only, packages_of

SPACE, TASKS = "RES613", "RES614"
"""What else ends badly waits for these."""

LEAST_SPACE = 1 << 30
"""MediaPipe needs more than this on the CPU alone: 1.0 GiB (0.10.35) and 1.1 GiB (1.2.2), on two cores."""
TAKEN_SPACE = 9 << 28
"""The most that MediaPipe was seen to take: 2.1 GiB, 0.10.35 on Mesa's software GL, on two cores. Each further core
brings a thread, with its stack and its heap."""
ROOMY_SPACE = 8 << 30
"""A limit above this is nothing to speak of."""
IN_NATIVE_CODE = frozenset({"create", "first-frame", "frames"})
"""The stages in which MediaPipe's own code runs."""
NO_ROOM = re.compile(
    r"bad_alloc|cannot allocate memory|failed to map segment|can't start new thread|\bMemoryError\b|out of memory"
    r"|AllocateTensors\(\) == kTfLiteOk|Resource temporarily unavailable",
    re.IGNORECASE,
)
"""What the loader, Python, C++ and TensorFlow Lite say where they get no memory, and no address for it."""


LEAST_TASKS = 16
"""One worker has 9 to 13 threads on two cores (0.10.21 to 1.2.2), and more with more cores."""
FEW_TASKS = 64
"""Two workers, and what watches them, fit into so many on a machine with few cores."""
NO_TASK = re.compile(
    r"can't start new thread|pthread_create\W+failed|thread\W+(constructor|creation) failed|cannot fork|fork failed"
    r"|Resource temporarily unavailable",
    re.IGNORECASE,
)
"""What Python, OpenBLAS, C++ and shells say where a thread or a process is refused."""


def tasks_of(case: Case) -> int | None:
    """How many processes and threads there may be; None where there is no limit, or nobody could look."""
    facts = facts_of(case)
    limit = facts.resources.tasks if facts else None
    return limit if isinstance(limit, int) else None


def no_task(case: Case) -> str:
    """The words of something that got no thread, or an empty text. A limit of addresses has the same words."""
    if space_of(case) is not None:
        return ""
    return next((found[0] for text in said(case) if (found := NO_TASK.search(text))), "")


def few_tasks(case: Case) -> str | None:
    """The limit, and what shows that it is too low; one that is high is told only where something was refused for it."""
    limit = tasks_of(case)
    if limit is None:
        return None
    words = no_task(case)
    seen = f"{limit} at a time" + (f"; {words!r} was said" if words else "")
    return seen if words or limit < FEW_TASKS else None


def tasks_weight(case: Case) -> Status:
    """FAIL where something was refused for it, or MediaPipe cannot fit; else it is a remark."""
    limit, verdict = tasks_of(case) or FEW_TASKS, case.judgement.verdict
    if looked_only(case):
        return Status.FAIL if limit < LEAST_TASKS else Status.UNKNOWN
    ended = any(worker.outcome in ("died", "hung") and worker.stage != "start" for worker in workers(case))
    failed = verdict in (Verdict.BROKEN, Verdict.REFUSED, Verdict.CRASHED)
    return Status.FAIL if failed and (no_task(case) or (ended and limit < FEW_TASKS)) else Status.UNKNOWN


def space_of(case: Case) -> int | None:
    """The limit of the address space in bytes; None where there is none worth a word, or nobody could look."""
    facts = facts_of(case)
    limit = facts.resources.address_space if facts else None
    return limit if isinstance(limit, int) and limit < ROOMY_SPACE else None


def workers(case: Case) -> Iterator[WorkerRun]:
    """All workers that did not come to their end."""
    for run in case.evidence.every_run:
        yield from (worker for worker in (run.cpu, run.gpu) if worker.outcome not in ("ran", "not-run"))


def said(case: Case) -> Iterator[str]:
    """What workers, loader and probes said of what failed."""
    for worker in workers(case):
        yield from (f"{worker.error_type}: {worker.error}", *worker.log)
    gl, packages = case.evidence.gl, packages_of(case)
    if isinstance(gl, GlContext):
        yield from (gl.error, *gl.log)
        yield from (one.error for one in (() if isinstance(gl.vendors, Unread) else gl.vendors))
    if packages and isinstance(packages.opencv, OpenCv):
        yield packages.opencv.error


def no_room(case: Case) -> str:
    """The words of something that got no memory, or an empty text."""
    return next((found[0] for text in said(case) if (found := NO_ROOM.search(text))), "")


def died_for_room(case: Case) -> bool:
    """A worker died or hung in native code, with less room than MediaPipe was seen to take."""
    limit = space_of(case)
    died = any(worker.outcome in ("died", "hung") and worker.stage in IN_NATIVE_CODE for worker in workers(case))
    return died and limit is not None and limit < TAKEN_SPACE


def limited(case: Case) -> str | None:
    """The limit, and what shows that it is too low."""
    limit = space_of(case)
    if limit is None:
        return None
    words = no_room(case)
    return f"{limit / 2**30:.2f} GiB (ulimit -v {limit >> 10})" + (f"; {words!r} was said" if words else "")


def weight(case: Case) -> Status:
    """FAIL where something was refused for it, or MediaPipe cannot fit; else it is a remark."""
    limit, verdict = space_of(case) or ROOMY_SPACE, case.judgement.verdict
    if looked_only(case):
        return Status.FAIL if limit < LEAST_SPACE or no_room(case) else Status.UNKNOWN
    failed = verdict in (Verdict.BROKEN, Verdict.REFUSED, Verdict.CRASHED) and (no_room(case) or died_for_room(case))
    return Status.FAIL if failed else Status.UNKNOWN


def ran_or_looked(case: Case) -> bool:
    """The environment was looked at, and something was run in it or nothing was to be."""
    return looked_only(case) or case.judgement.verdict in MEASURED or case.evidence.cpu.outcome != "not-run"


RULES = (
    Rule(
        code=SPACE,
        title="the address space of a process is limited",
        see=limited,
        scope=ran_or_looked,
        weigh=weight,
        because="The limit counts addresses, not memory in use: libraries, a stack and a heap for each thread, what a GL "
        "driver maps. MediaPipe was seen to take 1.0 to 2.1 GiB of them on two cores, and takes more with more cores and "
        "with a GPU's driver. Where it gets none it aborts, hangs, is slow or says that a library cannot be loaded, and "
        "nothing names the limit.",
        remedy="ulimit -v; ulimit -Hv    # in KiB: the limit, and how far it may be raised\n"
        "ulimit -v unlimited && python app.py\n"
        "# where it is set: `as` in /etc/security/limits.conf, LimitAS= of the service, h_vmem (Grid Engine), vmem (PBS),\n"
        "# VSizeFactor (Slurm)",
        url="https://man7.org/linux/man-pages/man2/getrlimit.2.html",
    ),
    Rule(
        code=TASKS,
        title="the number of processes and threads is limited",
        see=few_tasks,
        scope=ran_or_looked,
        after=(SPACE,),
        weigh=tasks_weight,
        because="MediaPipe starts a thread or more for each core that it sees, and numpy and a GL driver some of their own: 9 to 13 "
        "in one process on two cores. Where one is refused it aborts, hangs or says that no thread can be started. Threads count "
        "as processes do, and the user's other programs count too.",
        remedy="ulimit -u; cat /sys/fs/cgroup/pids.max    # the user's, and the control group's\n"
        "docker run --pids-limit=-1 …    # compose: pids_limit; a service: TasksMax=; Kubernetes: the kubelet's podPidsLimit",
        url="https://docs.kernel.org/admin-guide/cgroup-v2.html#pid",
    ),
)
