"""The Slurm engine: sends cells as array jobs, follows them, and goes on with what an earlier process had sent.

What is sent is written down before. Deliveries are looked for in the shared folder, and Slurm is asked, less often
where nothing changes, what has become of the tasks; neither is believed to know everything alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from msgspec.structs import replace

from envcheck.engines.engine import Change, Run, SilentEngineError, State, Work
from envcheck.engines.holding import FORGOTTEN_S
from envcheck.engines.lastwords import LastWords
from envcheck.engines.slurm import commands
from envcheck.engines.slurm.batching import Tasks, jobs_of, placed
from envcheck.engines.slurm.commands import LONGEST_S, SHORTEST_S, Slurm, Task, argv_of
from envcheck.engines.slurm.fate import ENDED, GONE, Trace, fate_of
from envcheck.engines.slurm.folder import Folder, Sent, explained
from envcheck.engines.slurm.folder import State as Kept
from envcheck.engines.slurm.nodes import Place, parse_nodes
from envcheck.engines.slurm.options import Options, parse
from envcheck.errors import EnvcheckError, InfrastructureError, UsageError
from envcheck.process import Completed

TICK_S = 0.5
"""Between two looks into the shared folder."""
LEAST_S = 1.0
"""Between two questions to Slurm, however much changes."""
FAREWELL_S = 1.0
"""That an interrupted question may take to reach Slurm."""


def make(run: Run) -> SlurmEngine:
    """The engine of a run, which from now on has the run's folder alone. Raises EnvcheckError."""
    options = parse(run.options, run.out)
    slurm = Slurm(run.job.setting.env, options.patience * 60, run.progress.tell)
    folder = Folder(options.folder / run.name)
    with ExitStack() as stack:
        stack.enter_context(folder.alone())
        kept = begun(run, folder, slurm)
        return SlurmEngine(run, options, folder, slurm, kept, stack.pop_all())


def begun(run: Run, folder: Folder, slurm: Slurm) -> Kept:
    """The state of the run to go on with, or of a new one."""
    kept = folder.read()
    if kept is None and run.resume:
        folder.remove()
        raise UsageError(f"--resume {run.name}: there is no such run in {folder.path.parent}")
    if kept is not None and (run.resume or time.time() - kept.begun_at < FORGOTTEN_S):
        return kept
    if kept is not None and not all(slurm.cancel(name_of(kept, job.number)) for job in kept.jobs):
        raise InfrastructureError(
            f"the jobs of the run {run.name}, which was begun more than a day ago, could not be cancelled",
            remedy=f"Once Slurm answers, the same command again; or go on with that run: --resume {run.name}",
        )
    with explained(folder.path):
        return folder.begin(run.name)


@dataclass
class SlurmEngine(LastWords):
    """Slurm, for one run. Cells are known by their numbers: their places in the run."""

    run: Run
    options: Options
    folder: Folder
    slurm: Slurm
    kept: Kept
    held: ExitStack
    works: Sequence[Work] = ()
    numbers: dict[str, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """Cells of which the last word is not spoken."""
    where: dict[int, tuple[str, int]] = field(default_factory=dict)
    """The job, by name, and the task that each cell was last sent in."""
    tries: Counter[int] = field(default_factory=Counter)
    begun: set[tuple[int, str]] = field(default_factory=set)
    ended_at: dict[tuple[str, int], float] = field(default_factory=dict)
    """When a task was first seen to have ended."""
    changes: list[Change] = field(default_factory=list)
    """What is to be told."""
    answers: bool = True
    """The last question was answered."""
    answered_at: float = field(default_factory=time.monotonic)
    moved_at: float = field(default_factory=time.monotonic)
    listed_at: float = field(default_factory=time.monotonic)
    """When deliveries could be listed last."""

    @property
    def nonce(self) -> str:
        """As the run's state has it."""
        return self.kept.nonce

    # --- sending ----------------------------------------------------------------------------------------------------

    def submit(self, works: Sequence[Work]) -> None:
        """Send the cells that are neither delivered nor under way. Raises EnvcheckError."""
        self.works = works
        cells = tuple(work.plan.cell.id for work in works)
        self.numbers = {cell: number for number, cell in enumerate(cells)}
        self.open = set(range(len(works)))
        self.run.progress.tell(f"run {self.run.name} in {self.folder.path.parent}; the same command goes on with it")
        with explained(self.folder.path):
            if not self.kept.cells:
                self.folder.put_plans(works)
                self.keep(replace(self.kept, cells=cells))
            elif self.kept.cells != cells:
                raise UsageError(f"{self.folder.path} holds a run of other cells", remedy="Name another folder.")
            self.adopt()
            nowhere = self.open - set(self.where)
            delivered = self.folder.delivered() & nowhere
            self.send(sorted(nowhere - delivered), State.UNREACHABLE)
        for cell in sorted(delivered):
            self.end(cell, State.DONE)

    def keep(self, kept: Kept) -> None:
        """Remember what was sent, beyond this process."""
        self.folder.write(kept)
        self.kept = kept

    def adopt(self) -> None:
        """Take over the jobs that an earlier process has sent; one without an id Slurm may know by its name."""
        unknown = [self.name_of(job.number) for job in self.kept.jobs if job.cancelled or not job.id]
        found = self.tasks_of(unknown)
        self.cancel_again({name for (name, _), task in found.items() if task.state not in ENDED})
        for job in self.kept.jobs:
            name = self.name_of(job.number)
            known = job.id or next((task.job for (of, _), task in found.items() if of == name and task.taken), "")
            if not job.cancelled:
                self.note(replace(job, id=known, cancelled=not known))

    def cancel_again(self, alive: Collection[str]) -> None:
        """End jobs that an earlier process could not end, before their cells are sent again."""
        names = [name for job in self.kept.jobs if job.cancelled and (name := self.name_of(job.number)) in alive]
        if left := [name for name in names if not self.slurm.cancel(name)]:
            raise SilentEngineError(f"Slurm does not cancel {', '.join(left)}", remedy=commands.AGAIN)

    def tasks_of(self, names: Sequence[str]) -> dict[tuple[str, int], Task]:
        """The tasks of jobs of these names, asked for until there is an answer."""
        until = time.monotonic() + self.slurm.patience_s
        while names:
            found = self.slurm.tasks(names)
            if not isinstance(found, Completed):
                return found
            if time.monotonic() > until:
                raise commands.silent(self.slurm.patience_s, found)
            if self.answers:
                self.slurm.tell(commands.waited_for(self.slurm.patience_s, found))
            self.answers = False
            self.slurm.sleep(SHORTEST_S)
        return {}

    def note(self, job: Sent) -> None:
        """Keep a job as it is now, and where its cells are."""
        jobs = (*self.kept.jobs[: job.number], job, *self.kept.jobs[job.number + 1 :])
        self.keep(replace(self.kept, jobs=jobs))
        if job.id and not job.cancelled:
            for task, cells in enumerate(job.tasks):
                self.where |= dict.fromkeys(cells, (self.name_of(job.number), task))
                self.tries.update(cells)

    def name_of(self, number: int) -> str:
        """What a job is called in Slurm."""
        return name_of(self.kept, number)

    def send(self, cells: Sequence[int], nowhere: State) -> None:
        """Send cells, one job for each kind of place; those for which there is none end as `nowhere`."""
        if not cells:
            return
        groups, placeless = placed(cells, self.works, parse_nodes(self.slurm.nodes()), self.options)
        for cell, because in placeless.items():
            self.end(cell, nowhere, because)
        most = self.slurm.most_tasks() if groups else 0
        for place, members in groups.items():
            for tasks in jobs_of(members, self.works, place, most, self.options):
                self.send_job(tasks, place)

    def send_job(self, tasks: Tasks, place: Place) -> None:
        """Send one array job. Where Slurm refuses it, its cells are lost."""
        job = Sent(number=len(self.kept.jobs), tasks=tasks, sent_at=time.time())
        self.folder.put_batches(job)
        self.keep(replace(self.kept, jobs=(*self.kept.jobs, job)))
        name = self.name_of(job.number)
        argv = argv_of(name, len(tasks), max(map(len, tasks)), place, self.options, self.folder.path)
        try:
            self.note(replace(job, id=self.slurm.submit(name, argv)))
        except (UsageError, SilentEngineError):
            raise
        except EnvcheckError as error:
            self.slurm.cancel(name)  # should it have been taken after all
            self.note(replace(job, cancelled=True))
            for cell in (cell for task in tasks for cell in task):
                self.end(cell, State.LOST, error.message)

    # --- following --------------------------------------------------------------------------------------------------

    def follow(self) -> Generator[Change, None, None]:
        """What becomes of the cells. Raises SilentEngineError."""
        pause, due = SHORTEST_S, 0.0
        while True:
            self.arrive()
            self.begin()
            now = time.monotonic()
            if self.open and now >= due:
                self.look(now)
                pause = LEAST_S if self.changes else min(LONGEST_S, pause * 1.5)
                due = now + pause
            self.moved_at = now if self.changes else self.moved_at
            yield from self.told()
            if not self.open:
                return
            self.slurm.sleep(TICK_S)

    def arrive(self) -> bool:
        """Cells for which something was delivered; False where a network file system does not tell just now."""
        try:
            delivered = self.folder.delivered()
        except OSError:
            return False
        self.listed_at = time.monotonic()
        for cell in sorted(delivered & self.open):
            self.end(cell, State.DONE)
        return True

    def begin(self) -> None:
        """Cells that a worker was started for, once for each job."""
        for cell in sorted(self.folder.started() & self.open & set(self.where)):
            name, _ = self.where[cell]
            if (cell, name) not in self.begun and (node := self.mark("started", cell)):
                self.begun.add((cell, name))
                self.changes.append(Change(self.works[cell].plan.cell.id, State.RUNNING, f"running on {node}"))

    def mark(self, kind: str, cell: int) -> str:
        """What the job that a cell was last sent in has noted of it."""
        name, _ = self.where[cell]
        return self.folder.mark(kind, cell, number_of(name))

    def look(self, now: float) -> None:
        """Ask Slurm for the tasks of open cells, and deal with those that have ended or wait for too long."""
        tasks = self.slurm.tasks(sorted({self.where[cell][0] for cell in self.open}))
        if isinstance(tasks, Completed):
            if now - self.answered_at > self.slurm.patience_s:
                raise commands.silent(self.slurm.patience_s, tasks)
            if self.answers:
                self.slurm.tell(commands.waited_for(self.slurm.patience_s, tasks))
            self.answers = False
            return
        self.answered_at, self.answers = now, True
        waiting, settled = [], []
        for place in sorted({self.where[cell] for cell in self.open}):
            task = tasks.get(place)
            if task is None or task.state in ENDED:
                if now - self.ended_at.setdefault(place, now) >= self.options.settle:
                    settled.append(place)
                continue
            self.ended_at.pop(place, None)
            if task.state == "PENDING" and now - self.moved_at > self.options.wait * 60:
                waiting.append((place, task))
        self.settle(settled, tasks)
        self.give_up(waiting)

    def settle(self, places: Iterable[tuple[str, int]], tasks: dict[tuple[str, int], Task]) -> None:
        """Decide on the cells of tasks that have ended and delivered nothing for them."""
        ended = {place: self.task_of(place, tasks) for place in places}
        if not self.arrive() and time.monotonic() - self.listed_at <= self.slurm.patience_s:
            return  # what came meanwhile cannot be seen, which is not that nothing came
        again = []
        for cell in sorted(self.open):
            task = ended.get(self.where[cell])
            if task is None:
                continue
            fate = fate_of(self.trace(cell, task), self.tries[cell], self.options.requeue, self.options.minutes)
            if fate.again:
                again.append(cell)
                self.changes.append(Change(self.works[cell].plan.cell.id, State.WAITING, f"again: {fate.because}"))
            else:
                self.end(cell, State.LOST, fate.because)
        self.send_again(again)

    def send_again(self, cells: Sequence[int]) -> None:
        """Send cells once more; where that cannot be done any more they are lost."""
        try:
            with explained(self.folder.path):
                self.send(cells, State.LOST)
        except SilentEngineError:
            raise
        except EnvcheckError as error:
            for cell in cells:
                self.end(cell, State.LOST, f"it could not be sent again: {error.message}")

    def task_of(self, place: tuple[str, int], tasks: dict[tuple[str, int], Task]) -> Task:
        """A task that has ended, as the controller or accounting remembers it."""
        if place in tasks:
            return tasks[place]
        job = self.kept.jobs[number_of(place[0])]
        state = self.slurm.recorded(job.id, place[1])
        return Task(job.id, state if state in ENDED else GONE)

    def trace(self, cell: int, task: Task) -> Trace:
        """What is known of a cell of a task that has ended."""
        started = self.mark("started", cell)
        words = self.folder.last_words(cell) if started else ""
        return Trace(task.state, task.node, started, self.mark("ended", cell), words)

    def give_up(self, waiting: Sequence[tuple[tuple[str, int], Task]]) -> None:
        """End tasks that have waited for too long, and their cells."""
        for place, task in waiting:
            if not self.slurm.cancel(place[0], [f"{task.job}_{place[1]}"]):
                self.tell_left([place[0]])
            because = f"no node took it within {self.options.wait:g} min; Slurm says: {task.reason or 'nothing'}"
            for cell in sorted(cell for cell in self.open if self.where[cell] == place):
                self.end(cell, State.LOST, because)

    # --- the end ----------------------------------------------------------------------------------------------------

    def collect(self, cell: str) -> bytes:
        """What was delivered for a cell."""
        return self.folder.delivery(self.numbers[cell])

    def cancel(self) -> None:
        """End all jobs; whoever goes on with the run sends their cells again. That is written down first."""
        live = {self.where[cell][0] for cell in self.open & set(self.where)}
        jobs = [job for job in self.kept.jobs if not job.cancelled]
        ours = [job for job in jobs if not job.id or self.name_of(job.number) in live]
        with suppress(OSError):  # a folder that is full keeps no job alive
            for job in ours:
                self.note(replace(job, cancelled=True))
        if not all(job.id for job in ours):
            self.slurm.sleep(FAREWELL_S)  # what was on its way to Slurm when we were interrupted arrives
        names = [self.name_of(job.number) for job in ours]
        self.tell_left([name for name in names if not self.slurm.cancel(name)])
        self.held.close()

    def tell_left(self, names: Sequence[str]) -> None:
        """Say which jobs may still be there, and how to end them."""
        if names:
            ways = "; ".join(f"scancel --name={name}" for name in names)
            self.run.progress.tell(f"jobs may be left, Slurm does not say that it has cancelled them; later: {ways}")

    def forget(self) -> None:
        """Remove the folder of the run."""
        self.folder.remove()
        self.held.close()


def name_of(kept: Kept, number: int) -> str:
    """What a job of a run is called in Slurm: as none was before, because Slurm remembers jobs that have ended."""
    return f"envcheck-{kept.run}-{kept.nonce[:8]}-{number}"


def number_of(name: str) -> int:
    """The number in a job's name."""
    return int(name.rpartition("-")[2])
