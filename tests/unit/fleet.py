"""Plans, deliveries and an engine that is data: what a test says of each cell comes true."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from envcheck import __version__, compat
from envcheck.engines import plans
from envcheck.engines.engine import Change, State, Work, needs_of
from envcheck.engines.plans import Plan
from envcheck.model import GATE, Axes, Build, Cell, Evidence, Host, Unread, Workload, cell_id

HOST = Host(platform="linux", machine="x86_64", nvml=Unread(reason="no driver"), glibc="2.36")
NONCE = "0123456789abcdef"


def plan_of(mediapipe: str = "1.2.2", driver: str | None = None) -> Plan:
    """The plan of a cell."""
    axes = Axes(backend="venv", python="3.11", mediapipe=mediapipe, driver=driver)
    return Plan(
        version=__version__, run="run", nonce=NONCE, cell=Cell(id=cell_id(axes), axes=axes), gate=GATE,
        workload=Workload(), model="default", model_sha256="m", frames_sha256="f", deadline_s=120.0,
    )  # fmt: skip


def work_of(mediapipe: str = "1.2.2", driver: str | None = None) -> Work:
    """A cell to be placed."""
    plan = plan_of(mediapipe, driver)
    return Work(plan, needs_of(plan.cell.axes))


def evidence_of(plan: Plan, host: Host = HOST) -> Evidence:
    """What a worker sees whose environment cannot be built."""
    return Evidence(
        cell=plan.cell, host=host, foresight=compat.foresee(plan.cell.axes, host), gate=plan.gate,
        workload=plan.workload, build=Build(outcome="failed", because="no room"),
        recorded_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def delivered(plan: Plan, /, **changes: object) -> bytes:
    """What a worker delivers for a plan, with changes to the delivery."""
    return plans.encode(replace(plans.answer(plan, evidence_of(plan)), **changes))


@dataclass
class FakeEngine:
    """Says what it was told to say; `ended` raises at the end of it."""

    changes: Sequence[Change] = ()
    deliveries: Mapping[str, bytes] = field(default_factory=dict)
    ended: BaseException | None = None
    nonce: str = NONCE
    calls: list[str] = field(default_factory=list)

    def submit(self, works: Sequence[Work]) -> None:
        """Note how many."""
        self.calls.append(f"submit {len(works)}")

    def follow(self) -> Generator[Change, None, None]:
        """What a test says."""
        yield from self.changes
        if self.ended is not None:
            raise self.ended

    def collect(self, cell: str) -> bytes:
        """What a test says."""
        return self.deliveries[cell]

    def cancel(self) -> None:
        """Note it."""
        self.calls.append("cancel")

    def forget(self) -> None:
        """Note it."""
        self.calls.append("forget")


def done(work: Work) -> Change:
    """The word that a cell is done."""
    return Change(work.plan.cell.id, State.DONE)
