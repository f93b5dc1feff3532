"""The Kubernetes engine: makes Jobs whose indexes are cells, follows their pods, and reads deliveries from their logs.

What is under way stands in the cluster, on the Jobs themselves, so that a second process finds it. A watch tells what
is new, and everything is listed anew where it breaks off, has become too old, or has said nothing for a while: no
single word of it is needed for a cell to end.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from envcheck.engines.engine import Change, Run, SilentEngineError, State, Work
from envcheck.engines.kubernetes.api import (
    LONGEST_S,
    SHORTEST_S,
    Api,
    GoneError,
    UnansweredError,
    connected,
)
from envcheck.engines.kubernetes.begin import begun_of, explained
from envcheck.engines.kubernetes.kept import Kept
from envcheck.engines.kubernetes.manifests import CELLS, Tag, manifests_of
from envcheck.engines.kubernetes.objects import (
    Job,
    Phase,
    Pod,
    ended_as,
    exit_of,
    indexes_of,
    is_complete,
    no_node_matches,
    phase_of,
)
from envcheck.engines.kubernetes.options import Options, parse
from envcheck.engines.lastwords import LastWords
from envcheck.engines.packing import unpacked
from envcheck.errors import EnvcheckError
from envcheck.pipelines.kubernetes import FINAL, SERVED

WINDOW_S = 20.0
"""A watch, after which everything is listed anew."""
LEAST_S = 0.5
"""Between two lists."""
GRACE_S = 120.0
"""That a node may take to end a pod whose time is over."""
FAREWELL_S = 30.0
"""Somebody has pressed Ctrl-C, or has the results already: no longer than this for an answer."""
LOG_GONE = "its pod was gone before its log could be read"
NO_POD = (Phase.WAITING, "Kubernetes has made no pod for it")
_NUMBERS = re.compile(r"[0-9]{1,6}(,[0-9]{1,6})*", re.ASCII)


def make(run: Run) -> KubernetesEngine:
    """The engine of a run. Raises EnvcheckError."""
    options = parse(run.options)
    api = connected(options)
    kept = Kept(run.out.absolute() / "kubernetes" / run.name)
    with ExitStack() as stack:
        stack.enter_context(kept.alone())
        begun = begun_of(run, api, kept)
        return KubernetesEngine(run, options, api, kept, Tag(run.name, begun.nonce), stack.pop_all())


@dataclass(frozen=True)
class Held:
    """A Job of this run, and the numbers of the cells that its indexes are."""

    name: str
    cells: tuple[int, ...]


@dataclass
class KubernetesEngine(LastWords):
    """A cluster, for one run. Cells are known by their numbers: their places in the run."""

    run: Run
    options: Options
    api: Api
    kept: Kept
    tag: Tag
    stack: ExitStack
    works: Sequence[Work] = ()
    numbers: dict[str, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """Cells of which the last word is not spoken."""
    jobs: dict[str, Held] = field(default_factory=dict)
    """By uid; what is in no Job of ours is none of ours."""
    alive: dict[str, tuple[int, Phase, str]] = field(default_factory=dict)
    """Pods that have not ended, by uid: cell, what they do, and why."""
    begun_at: dict[str, float] = field(default_factory=dict)
    """When a pod was first seen to run."""
    ended: set[str] = field(default_factory=set)
    """Pods that have ended and were dealt with."""
    taken: Counter[int] = field(default_factory=Counter)
    """How often the pod of a cell was taken away."""
    words: dict[int, str] = field(default_factory=dict)
    """Why the last pod of a cell has failed."""
    moved_at: dict[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @property
    def nonce(self) -> str:
        """As the run's objects have it."""
        return self.tag.nonce

    # --- sending ----------------------------------------------------------------------------------------------------

    def submit(self, works: Sequence[Work]) -> None:
        """Make Jobs for the cells that are neither delivered nor under way. Raises EnvcheckError."""
        self.works = works
        self.numbers = {work.plan.cell.id: number for number, work in enumerate(works)}
        self.open = set(range(len(works)))
        self.run.progress.tell(
            f"run {self.tag.run} in namespace {self.api.namespace}; the same command goes on with it"
        )
        for cell in sorted(self.kept.delivered() & self.open):
            self.end(cell, State.DONE)
        for cell in sorted(self.open):
            if (backend := works[cell].plan.cell.axes.backend) not in SERVED:
                self.end(cell, State.UNREACHABLE, f"a pod has no container engine for backend {backend}")
        with explained(self.api.namespace):
            self.adopt(self.api.jobs(self.tag.selector))
            under_way = {cell for held in self.jobs.values() for cell in held.cells}
            for config, job in manifests_of(sorted(self.open - under_way), works, self.tag, self.options):
                self.api.create(config, job)

    def adopt(self, jobs: Iterable[Job]) -> None:
        """Note the Jobs of this run that are not being deleted."""
        for job in jobs:
            uid, cells = job.metadata.uid, (job.metadata.annotations or {}).get(CELLS, "")
            if uid not in self.jobs and not job.metadata.deletion_timestamp and _NUMBERS.fullmatch(cells):
                self.jobs[uid] = Held(job.metadata.name, tuple(map(int, cells.split(","))))
                self.moved_at[uid] = time.monotonic()

    # --- following --------------------------------------------------------------------------------------------------

    def follow(self) -> Generator[Change, None, None]:
        """What becomes of the cells. Raises SilentEngineError: a right that was taken away may be given back.

        An answer of a form that no API server has is no reason to lose what was finished, either.
        """
        try:
            yield from self.following()
        except SilentEngineError:
            raise
        except EnvcheckError as error:
            raise SilentEngineError(
                error.message, remedy="Its pods may go on; the same command again goes on with them."
            ) from error

    def following(self) -> Iterator[Change]:
        """The same. Raises EnvcheckError."""
        pause = LEAST_S
        yield from self.told()
        while self.open:
            jobs = self.api.jobs(self.tag.selector)
            self.adopt(jobs)
            pods, version = self.api.pods(self.tag.selector)
            self.look(pods)
            self.judge({job.metadata.uid: job for job in jobs})
            self.give_up()
            yield from self.told()
            if not self.open:
                return
            try:
                yield from self.watched(version)
                pause = LEAST_S
            except GoneError:
                pass
            except UnansweredError:
                pause = min(LONGEST_S, max(SHORTEST_S, pause) * 2)
            self.api.sleep(pause)

    def watched(self, version: str) -> Iterator[Change]:
        """What becomes of them for a while, or until a pod has ended badly: then the Jobs are to be asked."""
        with closing(self.api.watch(self.tag.selector, version, WINDOW_S)) as events:
            for kind, pod in events:
                failed = self.take(pod, deleted=kind == "DELETED")
                yield from self.told()
                if failed or not self.open:
                    return

    def say(self, cell: int, state: State, because: str) -> None:
        """A word on a cell that has not ended."""
        if cell in self.open:
            self.changes.append(Change(self.works[cell].plan.cell.id, state, because))

    def look(self, pods: Sequence[Pod]) -> None:
        """Take a list of all pods; one that was there before and is not any more was taken away meanwhile."""
        for pod in pods:
            self.take(pod)
        for uid in set(self.alive) - {pod.metadata.uid for pod in pods}:
            cell, _, _ = self.alive.pop(uid)
            self.lose(cell, uid, "its pod was deleted")

    def cell_of(self, pod: Pod) -> int | None:
        """The cell that a pod is for; None for a pod that no Job of ours has made."""
        held, index = self.jobs.get(pod.owner), pod.index
        if held is None or index is None or index >= len(held.cells):
            return None
        cell = held.cells[index]
        return cell if cell < len(self.works) else None

    def take(self, pod: Pod, *, deleted: bool = False) -> bool:
        """Take what a pod says; True where it has ended, and not well."""
        cell, uid = self.cell_of(pod), pod.metadata.uid
        if cell is None or cell not in self.open or uid in self.ended:
            return False
        phase, because = phase_of(pod)
        if deleted and phase not in (Phase.SUCCEEDED, Phase.OVERDUE, Phase.FAILED):
            phase, because = Phase.TAKEN, because if phase is Phase.TAKEN else "its pod was deleted"
        before = self.alive.get(uid, (cell, None, ""))
        if phase in (Phase.WAITING, Phase.UNSCHEDULED, Phase.RUNNING):
            self.alive[uid] = (cell, phase, because)
            if phase is Phase.RUNNING and before[1] is not Phase.RUNNING:
                self.begun_at[uid] = self.moved_at[pod.owner] = time.monotonic()
                self.say(cell, State.RUNNING, because)
            return False
        self.alive.pop(uid, None)
        self.moved_at[pod.owner] = time.monotonic()
        self.finish(cell, pod, phase, because)
        return phase is not Phase.SUCCEEDED

    def finish(self, cell: int, pod: Pod, phase: Phase, because: str) -> None:
        """Deal with a pod that goes on no more."""
        uid = pod.metadata.uid
        if phase is Phase.TAKEN:
            self.lose(cell, uid, because)
            return
        self.ended.add(uid)
        if phase in (Phase.STUCK, Phase.OVERDUE):
            self.end(cell, State.LOST, because)
            return
        if phase is Phase.FAILED and not is_final(pod):
            self.words[cell] = because
            self.say(cell, State.WAITING, f"again, where Kubernetes tries it again: {because}")
            return
        log = self.api.log(pod.metadata.name)
        found = LOG_GONE if log is None else unpacked(log)
        if isinstance(found, bytes):
            self.deliver(cell, found)
        else:
            self.end(cell, State.LOST, f"{because}; {found}" if phase is Phase.FAILED else found)

    def deliver(self, cell: int, delivery: bytes) -> None:
        """Keep a delivery; where that cannot be done the cell is lost."""
        try:
            self.kept.put(cell, delivery)
        except OSError as error:
            self.end(cell, State.LOST, f"its delivery could not be kept: {error.strerror or error}")
        else:
            self.end(cell, State.DONE)

    def lose(self, cell: int, uid: str, because: str) -> None:
        """A pod was taken away: Kubernetes makes another, which counts within the limit."""
        if uid in self.ended:
            return
        self.ended.add(uid)
        self.taken[cell] += 1
        self.words[cell] = because
        if self.taken[cell] > self.options.requeue:
            times = f"; it was run {self.taken[cell]} times" if self.taken[cell] > 1 else ""
            self.end(cell, State.LOST, f"{because}{times}")
        else:
            self.say(cell, State.WAITING, f"again: {because}")

    def judge(self, jobs: Mapping[str, Job]) -> None:
        """End cells that their Jobs have given up. The pods were listed after the Jobs: what they say was heard."""
        known = {cell for held in self.jobs.values() for cell in held.cells}
        self.end_all(sorted(self.open - known), "Kubernetes knows of no Job for it")
        for uid, held in self.jobs.items():
            left = {index: cell for index, cell in enumerate(held.cells) if cell in self.open}
            if left and uid not in jobs:
                self.end_all(left.values(), "its Job was deleted")
            elif left:
                self.judge_job(jobs[uid], left, len(held.cells))

    def judge_job(self, job: Job, left: Mapping[int, int], count: int) -> None:
        """End the cells that one Job has given up."""
        done = indexes_of(job.status.completed_indexes, count)
        failed = indexes_of(job.status.failed_indexes, count)
        self.end_all([left[one] for one in sorted(failed & set(left))], "Kubernetes tries it no more")
        self.end_all([left[one] for one in sorted(done & set(left))], LOG_GONE)
        if because := ended_as(job) or ("its Job has ended without it" if is_complete(job) else ""):
            self.end_all([left[one] for one in sorted(left)], because)

    def end_all(self, cells: Iterable[int], because: str) -> None:
        """End cells, with what their last pods have said."""
        for cell in cells:
            self.end(cell, State.LOST, f"{self.words[cell]}; {because}" if cell in self.words else because)

    def give_up(self) -> None:
        """End cells that have waited for too long, while nothing else of their Job has run."""
        self.miss()
        now, doing = time.monotonic(), {cell: (phase, because) for cell, phase, because in self.alive.values()}
        for uid, held in self.jobs.items():
            if any(doing.get(cell, NO_POD)[0] is Phase.RUNNING for cell in held.cells):
                self.moved_at[uid] = now
            elif now - self.moved_at[uid] >= self.options.wait * 60:
                for cell in sorted(self.open & set(held.cells)):
                    self.refuse(cell, *doing.get(cell, NO_POD))

    def miss(self) -> None:
        """End cells whose pods run for longer than they may: who ends them in time, their node, has fallen silent."""
        latest = time.monotonic() - self.options.minutes * 60 - GRACE_S
        for uid, (cell, phase, because) in list(self.alive.items()):
            if phase is Phase.RUNNING and self.begun_at[uid] < latest:
                del self.alive[uid]
                self.ended.add(uid)
                self.end(cell, State.LOST, f"{because}, and nothing was heard of it for {self.options.minutes:g} min")

    def refuse(self, cell: int, phase: Phase, because: str) -> None:
        """End a cell that no node took: unreachable where the scheduler rules out every node, else nobody knows."""
        nowhere = phase is Phase.UNSCHEDULED and no_node_matches(because)
        waited = f"no node took it within {self.options.wait:g} min: {because}"
        self.end(cell, State.UNREACHABLE if nowhere else State.LOST, waited)

    # --- the end ----------------------------------------------------------------------------------------------------

    def collect(self, cell: str) -> bytes:
        """What was delivered for a cell. Raises EnvcheckError."""
        try:
            return self.kept.delivery(self.numbers[cell])
        except OSError as error:
            raise EnvcheckError(f"the delivery kept for {cell} cannot be read: {error.strerror}") from error

    def cancel(self) -> None:
        """Remove all Jobs; what was delivered is kept here, and whoever goes on with the run sends the rest again."""
        self.cleared()
        self.stack.close()

    def forget(self) -> None:
        """Remove all objects of the run, here and there."""
        self.cleared()
        self.kept.remove()
        self.stack.close()

    def cleared(self) -> None:
        """Remove the run's objects. Where that fails the user is told how."""
        try:
            replace(self.api, patience_s=min(self.api.patience_s, FAREWELL_S)).delete(self.tag.selector)
        except EnvcheckError as error:
            self.run.progress.tell(
                f"{error.message}; its objects are still there: "
                f"kubectl delete jobs,configmaps --namespace {self.api.namespace} --selector {self.tag.selector}"
            )


def is_final(pod: Pod) -> bool:
    """True where the exit code says that another try would end alike."""
    ended = exit_of(pod)
    return ended is not None and ended.exit_code in FINAL
