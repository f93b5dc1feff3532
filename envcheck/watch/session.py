"""A program watched from start to end, or for a while: the flow, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from envcheck import foreground
from envcheck.errors import UsageError
from envcheck.foreground import Ended
from envcheck.host import loaded_driver, nested_pids
from envcheck.redact import redact
from envcheck.watch import proc
from envcheck.watch.gpus import GpuWatch
from envcheck.watch.judging import judge
from envcheck.watch.pace import Pace
from envcheck.watch.recorder import Recorder
from envcheck.watch.stderr import Tap, read_log, with_vmodule
from envcheck.watched import Ending, Watched, WatchReport

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""What ends the watching of a program that is not our child."""


class Watching:
    """The parts that look, and what they have cost."""

    def __init__(self, recorder: Recorder, gpus: GpuWatch) -> None:
        self.recorder, self.gpus = recorder, gpus
        self.begun = time.monotonic()
        self._cpu = time.process_time()
        self._nvml_cpu = self._sampler_ticks()
        self.pace = Pace()
        self.failed = "" if recorder.attached else proc.elsewhere()
        """Why processes may have been missed. Numbers of strangers are not followed at all."""
        self._looks = not self.failed

    def tick(self) -> None:
        """One sample; it decides when the next is due."""
        before = time.thread_time()
        try:
            joined = self._looks and self.recorder.tick(time.monotonic())
        except OSError as error:  # such as no descriptor left: the program must not suffer from it
            self.failed = f"a sample failed: {error}"
            joined = False
        for orphan in self.recorder.orphans:
            foreground.reap_orphan(orphan)
        self.pace = self.pace.after(time.thread_time() - before, joined=joined)

    def _sampler_ticks(self) -> int:
        stat = None if self.gpus.pid is None else proc.stat_of(self.gpus.pid)
        return stat.ticks if stat else 0

    def cost(self) -> float:
        """CPU seconds used so far, NVML's process among them."""
        nvml = max(0, self._sampler_ticks() - self._nvml_cpu) / proc.TICKS
        return time.process_time() - self._cpu + nvml


def launch(
    command: Sequence[str], env: Mapping[str, str], *, native_log: bool, publish: Callable[[WatchReport], None]
) -> Ended:
    """Start a command in the foreground, watch it to its end, publish the report; how it ended."""
    with foreground.signals_blocked() as mask, GpuWatch(env, launch=True) as gpus:
        followed = foreground.adopt_orphans()
        gpus.ready()
        recorder = Recorder(attached=False, excluded=frozenset({gpus.pid or 0}))
        tap = Tap() if native_log else None
        given = with_vmodule(dict(env)) if tap else env
        recorder.root = foreground.start(command, given, mask, stderr=tap.writer if tap else None)
        if tap:
            tap.begin()
        watching = Watching(recorder, gpus)
        while not foreground.attend(recorder.root, watching.pace.seconds, recorder.notes.__contains__):
            watching.tick()
        seconds, cost = time.monotonic() - watching.begun, watching.cost()
        watching.tick()
        ended = foreground.reap(recorder.root)
        if tap:
            tap.end()
        gpus.leave()
        record = msgspec.structs.replace(
            described(watching, command, env, seconds, cost),
            ending=Ending(status=ended.status, signal=ended.signal),
            log=read_log(tap.lines, dict(env)) if tap else None,
            not_followed=watching.failed or ("" if followed else "orphans could not be adopted, and may have escaped"),
        )
        publish(concluded(record))
    return ended


def attach(pid: int, env: Mapping[str, str], *, seconds: float | None, publish: Callable[[WatchReport], None]) -> None:
    """Watch a running process and its tree until it ends, `seconds` are over, or Ctrl-C; publish the report."""
    check_pid(pid)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        with GpuWatch(env, launch=False) as gpus:
            recorder = Recorder(attached=True, excluded=frozenset({gpus.pid or 0}))
            recorder.root = pid
            watching = Watching(recorder, gpus)
            watching.tick()
            until = float("inf") if seconds is None else watching.begun + seconds
            while not recorder.ended and (left := until - time.monotonic()) > 0:
                if signal.sigtimedwait(STOPPING, min(left, watching.pace.seconds)):
                    break
                watching.tick()
            lasted, cost = time.monotonic() - watching.begun, watching.cost()
            gpus.leave()
            command = command_of(pid) or (recorder.notes[pid].last.name if pid in recorder.notes else "?",)
            publish(concluded(described(watching, command, env, lasted, cost)))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def described(
    watching: Watching, command: Sequence[str], env: Mapping[str, str], seconds: float, cost: float
) -> Watched:
    """What both ways of watching have seen."""
    recorder = watching.recorder
    processes = recorder.record()
    looked = sum(process.cpu_s for process in processes if process.looks > 0) + recorder.folded_s()
    return Watched(
        mode="attach" if recorder.attached else "launch",
        pid=recorder.root,
        command=tuple(redact(proc.printable(part), env) for part in command),
        seconds=seconds,
        samples=recorder.ticks,
        processes=processes,
        folded=recorder.folded,
        gpus=watching.gpus.record(frozenset(process.pid for process in processes)),
        nested_pids=nested_pids(),
        kernel_driver=loaded_driver(),
        cpu_s=recorder.cpu_s(),
        unseen_s=max(0.0, recorder.cpu_s() - looked),
        own_cpu_s=cost,
    )


def concluded(watched: Watched) -> WatchReport:
    """The report on what was seen."""
    from envcheck.watch.findings import findings  # the rules read tables; the program need not wait for that

    opinion = judge(watched)
    answer = opinion.answer
    return WatchReport(
        verdict=answer.place,
        status=answer.place.status,
        because=answer.because,
        settle=answer.settle,
        witnesses=opinion.witnesses,
        findings=findings(watched, answer),
        watched=watched,
    )


def check_pid(pid: int) -> None:
    """Raise UsageError where there is no such process, or none that can be watched."""
    if pid <= 0:
        raise UsageError(f"--pid {pid} is no process id", remedy="Process ids are above 0; `ps aux` lists them.")
    if pid == os.getpid():
        raise UsageError(f"--pid {pid} is envcheck itself", remedy="Give the process id of the program to watch.")
    stat = proc.stat_of(pid)
    if stat is None:
        raise UsageError(
            f"there is no process {pid}{hidden(pid)}", remedy="`pgrep -af NAME` finds a program's process id."
        )
    if stat.state in "ZX":
        raise UsageError(
            f"process {pid} ({stat.name}) has ended; its parent {stat.parent} has not taken note of it yet"
        )
    if stat.of_kernel:
        raise UsageError(
            f"{pid} ({stat.name}) is a thread of the kernel, and no program",
            remedy="`pgrep -af NAME` finds a program's process id.",
        )
    leader = leader_of(pid)
    if leader != pid:
        raise UsageError(f"{pid} is a thread of process {leader}", remedy=f"envcheck watch --pid {leader}")


def hidden(pid: int) -> str:
    """Words for a process that exists and that /proc does not show."""
    if not Path(proc.PROC, "self", "stat").exists():
        return " to be seen: /proc is not mounted"
    try:
        os.kill(pid, 0)
    except PermissionError:
        return " to be seen: it exists, and /proc hides other users' processes (hidepid)"
    except (ProcessLookupError, OverflowError):
        return ""
    return ""


def leader_of(pid: int) -> int:
    """The process that a thread id belongs to; the number itself where that is not told."""
    with suppress(OSError, ValueError):
        for line in proc.contents(f"{proc.PROC}/{pid}/status").splitlines():
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    return pid


def command_of(pid: int) -> tuple[str, ...]:
    """The command line of a process; empty where it is not told."""
    try:
        text = proc.contents(f"{proc.PROC}/{pid}/cmdline")
    except OSError:
        return ()
    return tuple(part.decode(errors="replace") for part in text.rstrip(b"\0").split(b"\0") if part)
