"""RES6xx: processes that end badly."""

from __future__ import annotations

from collections.abc import Callable

from envcheck.model import Status, Unread, Verdict
from envcheck.probes.answers import GARBAGE
from envcheck.rules.limits import SPACE, TASKS
from envcheck.rules.rule import Case, Rule, built
from envcheck.rules.world import looked_only

CRASHES = "https://github.com/google-ai-edge/mediapipe/issues/6008"


LOST = "RES612"
"""Of a cell of which nothing came back; no other rule has anything to look at."""


def ended(outcome: str) -> Callable[[Case], str | None]:
    """A worker ended this way and the verdict is `crashed`."""

    def see(case: Case) -> str | None:
        workers = (worker for run in case.evidence.every_run for worker in (run.cpu, run.gpu))
        hit = any(worker.outcome == outcome for worker in workers)
        return case.judgement.because if hit and case.judgement.verdict is Verdict.CRASHED else None

    return see


def garbage(case: Case) -> str | None:
    """A worker answered garbage; or, in a look without a run, the interpreter did when it was asked for facts."""
    facts = case.evidence.facts
    if looked_only(case) and isinstance(facts, Unread) and facts.reason.startswith(GARBAGE):
        return facts.reason
    return ended("garbage")(case)


RULES = (
    Rule(
        code="RES601",
        title="the worker died",
        see=ended("died"),
        scope=lambda case: ended("died")(case) is not None,
        after=(SPACE, TASKS),
        because="Native code ended the process: an application would have died with it.",
        remedy="sudo dmesg | grep -i -e 'killed process' -e segfault    # SIGKILL often means that memory ran out\n"
        "Read the end of the native log in logs/.",
        url=CRASHES,
    ),
    Rule(
        code="RES602",
        title="the worker hung",
        see=ended("hung"),
        scope=lambda case: ended("hung")(case) is not None,
        after=(SPACE, TASKS),
        because="MediaPipe did not come back; an application would wait for ever.",
        remedy="envcheck validate --deadline 600    # where the machine is only slow; else read the native log in logs/",
        url="https://github.com/google-ai-edge/mediapipe/issues/2323",
    ),
    Rule(
        code="RES603",
        title="the worker answered garbage",
        see=garbage,
        because="Something in the environment speaks in place of our program: a start-up hook, a wrapper, or memory gone wrong.",
        remedy="Look for sitecustomize.py or *.pth files that print, and for a `python` that is a script.",
        url="https://docs.python.org/3/library/site.html",
    ),
    Rule(
        code="RES615",
        title="the container engine does not answer",
        see=built("no-engine"),
        because="Nobody could look into a container. Where the engine went away while a worker was in one, that worker ended with "
        "it, and nothing is known of the image.",
        remedy="sudo systemctl status docker    # is it there, and for how long?\nRepeat the run once it answers.",
        url="https://docs.docker.com/engine/daemon/troubleshoot/",
        status=Status.UNKNOWN,
    ),
    Rule(
        code=LOST,
        title="nothing came back from the worker",
        see=lambda case: case.evidence.lost or None,
        because="Nobody could look at this cell: neither a pass nor a failure, and its row stays so that it is not forgotten.",
        remedy="envcheck validate --select CELL --engine slurm    # with the engine, the matrix and the options of this run",
        url="https://slurm.schedmd.com/job_state_codes.html",
    ),
)
