"""The processes of a watched program, followed and looked at; cheap enough to cost the program nothing.

A tick reads one small file per process of the tree and one folder. Libraries and device files are read again only
where the size of the address space or the number of threads has changed, or a while has passed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from envcheck.model import Unread
from envcheck.watch import proc
from envcheck.watched import ProcessSeen, ThreadSeen

STALE_S = 10.0
"""So old may a look be although nothing seems to have changed."""
PAUSE_S = 0.9
"""So much time passes between two looks at a process whose size changes all the time."""
FORGET_S = 60.0
"""So long are strangers' process ids remembered: an id may come back as one of ours."""

MANY = 500
"""Above so many processes, those that ended are dropped even where they could not be looked at."""


@dataclass
class Notes:
    """What is known of one process."""

    first: proc.Stat
    """As first seen; its ticks are those spent before the watching began, zero for a child of ours."""
    last: proc.Stat
    spent: int = 0
    """Ticks while watched, at the last tick at which it could have been looked at."""
    libraries: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    unread: dict[str, Unread] = field(default_factory=dict)
    """What has been read once, and what could not be read the last time."""
    threads: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """Name, ticks before and ticks now of each telling thread."""
    looks: int = 0
    looked_at: float = float("-inf")
    looked: tuple[int, int] = (-1, -1)
    """Size and number of threads at the last look."""
    alive: bool = True

    def due(self, now: float) -> bool:
        """True where a look may bring something new."""
        changed = (self.last.size, self.last.threads) != self.looked
        return now - self.looked_at >= (min(PAUSE_S, 0.1 * 2**self.looks) if changed else STALE_S)

    def look(self, now: float, *, attached: bool) -> None:
        """Read libraries, device files and thread names; what was found before stays found."""
        pid = self.last.pid
        for name, found, kept in (
            ("libraries", proc.libraries_of(pid), self.libraries),
            ("devices", proc.devices_of(pid), self.devices),
        ):
            if not isinstance(found, Unread):
                kept.update(found)
                self.read.add(name)
                self.unread.pop(name, None)
            elif (stat := proc.stat_of(pid)) and stat.state not in "ZX":  # else it only ended meanwhile
                self.unread[name] = found
        for tid, name in proc.threads_of(pid).items():
            if tid not in self.threads:
                stat = proc.stat_of(pid, tid) if attached else None
                before = stat.ticks if stat else 0
                self.threads[tid] = (name, before, before)
        self.looked, self.looked_at = (self.last.size, self.last.threads), now
        self.looks += not self.unread

    def count(self) -> None:
        """Read the CPU time of the telling threads."""
        for tid, (name, before, _) in tuple(self.threads.items()):
            stat = proc.stat_of(self.last.pid, tid)
            if stat is not None:
                self.threads[tid] = (name, before, stat.ticks)

    def record(self) -> ProcessSeen:
        """The notes, frozen."""
        return ProcessSeen(
            pid=self.first.pid,
            parent=self.first.parent,
            name=self.last.name,
            libraries=self.told("libraries", self.libraries),
            devices=self.told("devices", self.devices),
            threads=tuple(
                ThreadSeen(name=name, cpu_s=(now - before) / proc.TICKS)
                for _, (name, before, now) in sorted(self.threads.items())
            ),
            cpu_s=self.spent / proc.TICKS,
            looks=self.looks,
            alive=self.alive,
        )

    def told(self, name: str, found: set[str]) -> tuple[str, ...] | Unread:
        """What was found; where nothing was, and not every look succeeded, why."""
        if found:
            return tuple(sorted(found))
        if name in self.unread:
            return self.unread[name]
        if name in self.read:
            return ()
        return Unread(reason=f"process {self.first.pid} ended before it could be looked at")


class Recorder:
    """Follows the tree of one program. `root` is its process id, None until it is started."""

    def __init__(self, *, attached: bool, excluded: frozenset[int] = frozenset()) -> None:
        self.root = 0
        self.attached = attached
        self.notes: dict[int, Notes] = {}
        """The processes of the program by process id; a process id that comes back replaces the one that is gone."""
        self.gone: list[Notes] = []
        self.ticks = 0
        self._excluded = excluded | {os.getpid()}
        self._strangers = set() if attached else set(proc.numbers_in(proc.PROC))
        self._forgot_at = 0.0
        self.folded = 0
        """Processes that ended, were looked at, and had nothing telling: they are only counted."""
        self._folded_ticks = 0
        self.orphans: list[int] = []
        """Zombies of the program that were given to us and want to be reaped."""

    def tick(self, now: float) -> bool:
        """One sample; True where a process joined."""
        self.ticks += 1
        known = len(self.notes) + len(self.gone)
        self.orphans = []
        self._follow(now)
        for notes in tuple(self.notes.values()):
            if notes.alive:
                self._sample(notes, now)
        joined = len(self.notes) + len(self.gone) > known
        self._fold()
        return joined

    def _fold(self) -> None:
        for pid, notes in tuple(self.notes.items()):
            plain = notes.looks > 0 and not (notes.libraries or notes.devices or notes.unread)
            if not notes.alive and pid != self.root and (plain or len(self.notes) > MANY):
                self.folded += 1
                self._folded_ticks += notes.spent if plain else 0
                del self.notes[pid]

    def _sample(self, notes: Notes, now: float) -> None:
        stat = proc.stat_of(notes.first.pid)
        if stat is None or stat.start != notes.first.start:
            notes.alive = False
            return
        notes.last = stat
        if stat.state in "ZX":
            notes.alive = False
            if stat.parent == os.getpid() and stat.pid != self.root:
                self.orphans.append(stat.pid)
            return
        notes.spent = stat.ticks - notes.first.ticks
        if notes.due(now):
            notes.look(now, attached=self.attached and self.ticks == 1)
        if notes.threads:
            notes.count()

    def _follow(self, now: float) -> None:
        """Add the processes that joined: children of processes of the tree, and orphans that were given to us."""
        present = proc.numbers_in(proc.PROC)
        if self.attached and now - self._forgot_at > FORGET_S:
            self._strangers, self._forgot_at = set(), now
        self._strangers &= set(present)
        alive = {pid for pid, notes in self.notes.items() if notes.alive}
        fresh = [pid for pid in present if pid not in alive and pid not in self._strangers]
        stats = {pid: stat for pid in fresh if pid not in self._excluded and (stat := proc.stat_of(pid))}
        joined = True
        while joined:
            joined = False
            for pid, stat in tuple(stats.items()):
                if self._belongs(stat):
                    self._add(stat)
                    del stats[pid]
                    joined = True
        self._strangers |= stats.keys()

    def _belongs(self, stat: proc.Stat) -> bool:
        if stat.pid == self.root:
            return True
        parent = self.notes.get(stat.parent)
        return (parent is not None and stat.pid not in self._excluded) or (
            not self.attached and stat.parent == os.getpid()
        )

    def _add(self, stat: proc.Stat) -> None:
        before = self.notes.get(stat.pid)
        if before is not None:
            if before.first.start == stat.start:
                return
            self.gone.append(before)
        begun_before = self.attached and self.ticks == 1
        first = stat if begun_before else stat._replace(ticks=0, children_ticks=0)
        self.notes[stat.pid] = Notes(first=first, last=stat)

    @property
    def ended(self) -> bool:
        """True where the program's first process is gone or a zombie."""
        notes = self.notes.get(self.root)
        return notes is None or not notes.alive

    def alive(self) -> tuple[int, ...]:
        """The processes that still run."""
        return tuple(pid for pid, notes in self.notes.items() if notes.alive)

    def cpu_s(self) -> float:
        """CPU seconds of the whole tree while watched: what was seen, or what the system counted if that is more.

        The system adds a child's time to its parent's when the parent waits for it.
        """
        everyone = (*self.gone, *self.notes.values())
        seen = sum(notes.spent for notes in everyone) + self._folded_ticks
        root = self.notes.get(self.root)
        if root is None:
            return seen / proc.TICKS
        counted = root.last.ticks + root.last.children_ticks - root.first.ticks - root.first.children_ticks
        return max(seen, counted) / proc.TICKS

    def folded_s(self) -> float:
        """CPU seconds of the processes that are only counted."""
        return self._folded_ticks / proc.TICKS

    def record(self) -> tuple[ProcessSeen, ...]:
        """Every process that is kept, in the order of their appearance."""
        return tuple(notes.record() for notes in (*self.gone, *self.notes.values()))
