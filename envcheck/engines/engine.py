"""What an engine is: it places cells on machines, and brings back what their workers said.

An engine is made for one run. It takes cells with what their hosts must have, tells what becomes of each, and hands
over the bytes that came back. What these are worth is decided in one place for all engines (`plans.accept`), and
verdicts are reached here, from evidence. Another package brings an engine as an entry point of the group
`envcheck.engines` that names a `Maker`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from envcheck.errors import InfrastructureError
from envcheck.model import ANY_DRIVER

if TYPE_CHECKING:
    from envcheck.engines.local import Job
    from envcheck.engines.plans import Plan
    from envcheck.model import Axes
    from envcheck.report.progress import Progress


@dataclass(frozen=True)
class Needs:
    """What the host of a cell must have. None: any will do."""

    driver: str | None = None
    """A branch such as 560, or a version, of which the host's must be a part."""


@dataclass(frozen=True)
class Work:
    """One cell to be placed: what its worker is given, and what its host must have."""

    plan: Plan
    needs: Needs


class State(Enum):
    """What may have become of a cell."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """Its worker delivered something: `collect` has it."""
    LOST = "lost"
    """Nothing will come: the cell is `unknown`."""
    UNREACHABLE = "unreachable"
    """The engine has no host that could ever run it."""


@dataclass(frozen=True)
class Change:
    """A cell is now in a state; `because` says why, or where it runs."""

    cell: str
    state: State
    because: str = ""


class Engine(Protocol):
    """Places the cells of one run."""

    @property
    def nonce(self) -> str:
        """New with each run, and the same for as long as that run goes on; each plan and each delivery carries it."""
        ...

    def submit(self, works: Sequence[Work]) -> None:
        """Take the cells. Those that this run has under way already, since an earlier process, are not taken twice."""
        ...

    def follow(self) -> Generator[Change, None, None]:
        """What becomes of them, as it happens; ends when each is DONE, LOST or UNREACHABLE.

        It is closed early where the run is interrupted. Raises SilentEngineError.
        """
        ...

    def collect(self, cell: str) -> bytes:
        """What the worker of a DONE cell delivered, unread. Raises EnvcheckError where it cannot be had."""
        ...

    def cancel(self) -> None:
        """End what is under way; what was delivered stays, so that a later process may go on with the run."""
        ...

    def forget(self) -> None:
        """The results are published: nobody will go on with this run."""
        ...


@dataclass(frozen=True)
class Run:
    """What an engine is made for: the run's name, the same for the same cells and options, and the user's options."""

    name: str
    job: Job
    options: Mapping[str, str]
    out: Path
    progress: Progress
    resume: bool = False
    """The user named the run: go on with it however old it is, and with no other."""


Maker = Callable[[Run], Engine]
"""Makes the engine of a run. Raises UsageError for an option that it does not know or cannot follow."""


class SilentEngineError(InfrastructureError):
    """The engine's own service does not answer; the cells go on without us, and the run can be gone on with."""


def needs_of(axes: Axes) -> Needs:
    """What the axes of a cell demand of its host."""
    return Needs(driver=None if axes.driver == ANY_DRIVER else axes.driver)
