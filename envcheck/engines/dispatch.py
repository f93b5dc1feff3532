"""Drives an engine: plans out, deliveries in, and of every cell exactly one evidence, whatever became of its worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone

import msgspec

from envcheck import __version__, process
from envcheck.compat import codes
from envcheck.conclude import unjudgeable
from envcheck.engines import plans
from envcheck.engines.engine import Change, Engine, SilentEngineError, State, Work, needs_of
from envcheck.engines.local import InterruptedJobError, Job
from envcheck.engines.plans import Plan, RefusedError
from envcheck.engines.spool import Spool, Spooled
from envcheck.errors import EnvcheckError, InterruptedRunError
from envcheck.matrix import Backends
from envcheck.model import Cell, Evidence, Foresight, Host, Unread
from envcheck.report.progress import Progress

NOT_KNOWN = Host(platform="unknown", machine="unknown", nvml=Unread(reason="nothing came back from the host"))
ENDED = (State.DONE, State.LOST, State.UNREACHABLE)


@dataclass(frozen=True)
class Gathered:
    """What came of a run. `ended` is False where cells may still be under way, although their rows say `unknown`."""

    evidence: Sequence[Evidence]
    lost: tuple[str, ...] = ()
    """The ids of cells to be run again."""
    ended: bool = True


@dataclass
class Tally:
    """What has come in so far: of each cell the first that was believed."""

    works: Mapping[str, Work]
    host: Host
    progress: Progress
    found: Spool = field(default_factory=Spool)
    lost: list[str] = field(default_factory=list)

    def take(self, change: Change, engine: Engine) -> None:
        """Note what became of a cell. A second word on a cell that has ended changes nothing."""
        work = self.works.get(change.cell)
        if work is None or change.cell in self.found:
            return
        if change.state in ENDED:
            self.keep(self.evidence_of(work.plan, change, engine))
            self.progress.done(change.cell)
            self.progress.say("envcheck", f"{len(self.found)} of {len(self.works)} cells are done")
        else:
            self.progress.say(change.cell, change.because or change.state.value)

    def keep(self, evidence: Evidence) -> None:
        """Set evidence aside."""
        self.found.put(evidence)
        if evidence.lost:
            self.lost.append(evidence.cell.id)

    def evidence_of(self, plan: Plan, change: Change, engine: Engine) -> Evidence:
        """The evidence of a cell that has ended."""
        if change.state is State.UNREACHABLE:
            return unreachable(plan, self.host, change.because)
        if change.state is State.LOST:
            return lost(plan, change.because)
        delivery = self.collected(plan.cell.id, engine)
        if isinstance(delivery, str):
            return lost(plan, f"what the worker delivered cannot be read: {delivery}")
        try:
            evidence = plans.accept(plan, delivery)
        except RefusedError as refused:
            return lost(plan, f"what the worker delivered was refused: {refused}")
        if wrong := unjudgeable(evidence):
            return lost(plan, f"what the worker delivered was refused: {plans.printable(wrong)}")
        return evidence

    def collected(self, cell: str, engine: Engine) -> bytes | str:
        """What was delivered for a cell, or why it cannot be had: an engine may be another package's."""
        try:
            return bytes(memoryview(engine.collect(cell)))
        except EnvcheckError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this cell alone
            return f"the engine failed: {type(error).__name__}: {error}"

    def in_order(self) -> Spooled:
        """The evidence that there is, in the order of the run."""
        return Spooled(self.found, [name for name in self.works if name in self.found])

    def gathered(self, missing: str, *, ended: bool) -> Gathered:
        """What came of all cells; those of which nothing is known are lost, and `missing` says why."""
        for name, work in self.works.items():
            if name not in self.found:
                self.keep(lost(work.plan, missing))
        return Gathered(self.in_order(), tuple(self.lost), ended=ended)


def dispatch(engine: Engine, works: Sequence[Work], host: Host, progress: Progress) -> Gathered:
    """Run the cells on an engine. Raises InterruptedJobError with what was finished, and what `submit` raises."""
    tally = Tally({work.plan.cell.id: work for work in works}, host, progress)
    try:
        with process.interruptible():
            engine.submit(works)
            with closing(engine.follow()) as changes:
                for change in changes:
                    tally.take(change, engine)
    except SilentEngineError as error:
        return tally.gathered(error.message, ended=False)
    except (KeyboardInterrupt, InterruptedRunError):
        process.resume()  # to cancel, an engine may have to start a program
        engine.cancel()
        raise InterruptedJobError(tally.in_order()) from None
    finally:
        process.resume()
    return tally.gathered("the engine ended without a word on this cell", ended=True)


def lost(plan: Plan, because: str) -> Evidence:
    """The evidence of a cell of which nothing came back that can be believed."""
    return blank(plan, NOT_KNOWN, Foresight(state="reachable"), because or "nothing came back from the worker")


def unreachable(plan: Plan, host: Host, because: str) -> Evidence:
    """The evidence of a cell that no host of the engine can run."""
    return blank(plan, host, Foresight(state="unreachable", because=because, code=codes.DRIVER_NOT_HERE))


def blank(plan: Plan, host: Host, foresight: Foresight, because: str = "") -> Evidence:
    """The evidence of a cell that was not run."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Evidence(
        cell=plan.cell, host=host, foresight=foresight, gate=plan.gate, workload=plan.workload, recorded_at=now,
        lost=because,
    )  # fmt: skip


# --- what is asked of the workers -----------------------------------------------------------------------------------


def key_of(job: Job, asked: Asked) -> str:
    """What has to be the same for a run to be gone on with."""
    setting = job.setting
    parts = (
        job.cells, setting.gate, setting.material.workload, setting.model, setting.material.frames.record,
        setting.deadline_s, job.preflight, job.relock, asked, __version__,
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


@dataclass(frozen=True)
class Asked:
    """What plans say that a job does not: the engine's options, the model by its name, the settings of backends."""

    engine: str
    options: Mapping[str, str]
    model: str
    backends: Backends


def works_of(job: Job, asked: Asked, run: str, nonce: str) -> list[Work]:
    """The cells of a job as work for an engine."""
    return [Work(plan_of(cell, job, asked, run, nonce), needs_of(cell.axes)) for cell in job.cells]


def plan_of(cell: Cell, job: Job, asked: Asked, run: str, nonce: str) -> Plan:
    """One cell of a job, for a worker."""
    setting = job.setting
    return Plan(
        version=__version__,
        run=run,
        nonce=nonce,
        cell=cell,
        gate=setting.gate,
        workload=setting.material.workload,
        model=asked.model,
        model_sha256=setting.model.sha256,
        frames_sha256=setting.material.frames.record.sha256,
        deadline_s=setting.deadline_s,
        preflight=job.preflight,
        relock=job.relock,
        backends=asked.backends,
    )
