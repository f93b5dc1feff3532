"""The nouns of history: one judged cell of one run on one host, what changed between two of them, and what is told."""

from __future__ import annotations

from datetime import timedelta

from envcheck.model import Axes, Bench, Status, Verdict
from envcheck.record import Record

NOT_DELIVERED = "no host: not delivered"
"""The class of hosts of what no worker brought back."""
AHEAD = timedelta(days=1)
"""How far an entry's date may lie ahead: by a zone that was taken for another. Beyond it a clock was wrong."""


class Entry(Record, frozen=True, kw_only=True):
    """One cell, judged once, on one host.

    `digest` is the SHA-256 of the evidence in its canonical form, by which the evidence can be fetched and by which the
    same evidence is known again. `recorded_at` is ISO 8601 in UTC. `host` is the class of hosts that are taken for one:
    GPU names, driver, system ("NVIDIA H200, driver 570.124.06, linux x86_64"), "no GPU, linux x86_64" where there is
    none. `codes` are those of the findings, the root cause first, without skipped ones. `facts` is everything that may
    move between two nights, by name, as text: driver, GPU clocks, image digest, lock, MediaPipe, model, input, ...;
    what was not seen is absent.
    """

    digest: str
    cell: str
    axes: Axes
    recorded_at: str
    host: str
    verdict: Verdict
    status: Status
    expected: Verdict
    met: bool
    because: str = ""
    codes: tuple[str, ...] = ()
    bench: Bench | None = None
    facts: dict[str, str] = {}
    run: str = ""
    """The run that it belongs to; empty where it was imported from a folder that names none."""
    composed: str = ""
    """Not empty: the evidence was composed and not seen, as in `Evidence`."""
    seconds: float | None = None
    """How long the cell took in a nightly run, its environment included; None where nobody has looked at a clock."""


class Move(Record, frozen=True):
    """A fact that is not what it was: `before` and `after` are empty where it was not seen."""

    fact: str
    before: str
    after: str


class Change(Record, frozen=True, kw_only=True):
    """What happened between the last entry of one kind and the first of another, of one cell on one host class.

    `kind`: regression, improvement, verdict (neither better nor worse), unexpected-pass (an expected failure that
    passes now). `what` tells it in words, with figures. `moved` are the facts that moved, the likeliest cause first;
    `causes` those of them that may explain it; `attribution` is the sentence that a person reads: which of them
    explains it, or that nothing moved and it is code or noise. `confirmed`: more than one entry shows it.
    """

    cell: str
    host: str
    kind: str
    before: Entry
    after: Entry
    what: str
    moved: tuple[Move, ...] = ()
    causes: tuple[str, ...] = ()
    attribution: str = ""
    confirmed: bool = True


class Conflict(Record, frozen=True):
    """Something that a person has to look at before it is believed: of which cell, where, and what."""

    cell: str
    source: str
    what: str


class Refused(Record, frozen=True):
    """Evidence that was not read, and why."""

    source: str
    why: str


class Lost(Record, frozen=True):
    """A cell that was planned and not delivered, and the job that should have; empty where the plan names none."""

    cell: str
    axes: Axes
    job: str = ""


class Missing(Record, frozen=True, kw_only=True):
    """Shards of a division that something came from: those of which nothing came, and those that came in part."""

    count: int
    of: int
    division: str
    driver: str | None = None
    absent: tuple[int, ...] = ()
    partial: tuple[int, ...] = ()


class Merged(Record, frozen=True, tag_field="schema", tag="envcheck.merge/1", omit_defaults=False):
    """What came of an import: entries that were new, those that were there already, what was left out, and what was
    to come and did not: `missing` shards, and `lost` cells, which are `unknown` until they are delivered."""

    archive: str
    added: int
    known: int
    conflicts: tuple[Conflict, ...]
    refused: tuple[Refused, ...]
    missing: tuple[Missing, ...] = ()
    lost: tuple[Lost, ...] = ()
    came: int = 0
    """Cells of which a host has said something, and in `unmet` the verdicts of those that are not as expected."""
    unmet: dict[str, str] = {}

    @property
    def whole(self) -> bool:
        """True where nothing contradicts, was refused, or did not come; how the cells came out is another matter."""
        return not (self.conflicts or self.refused or self.missing or self.lost)


class Ratios(Record, frozen=True):
    """Median times after over before, speed-up after over before; `certain` where intervals have nothing in common."""

    cpu: float | None
    gpu: float | None
    speedup: float | None
    certain: bool


class Difference(Record, frozen=True, kw_only=True, tag_field="schema", tag="envcheck.diff/1"):
    """Two entries side by side: the facts that differ, and what became of the times where they may be compared."""

    before: Entry
    after: Entry
    moved: tuple[Move, ...]
    measured: Ratios | None = None
    unlike: tuple[str, ...] = ()
    """Why times are not compared; empty where they are."""


class History(Record, frozen=True, kw_only=True, tag_field="schema", tag="envcheck.history/1", omit_defaults=False):
    """The entries of one cell, or the newest of each, and what changed. `going`: digests that a policy lets go."""

    archive: str
    cell: str | None
    entries: tuple[Entry, ...]
    changes: tuple[Change, ...]
    going: tuple[str, ...] | None = None
    removed: int = 0


class Gone(Record, frozen=True):
    """An entry that was removed with its evidence."""

    digest: str
    cell: str
    host: str
    recorded_at: str
    verdict: Verdict


class Forgotten(Record, frozen=True, kw_only=True, omit_defaults=False):
    """What a night's policy has let go: all but the `keep` newest of each cell and host, and but `keep_days` days.

    `failed` says why nothing could be removed; empty where all went.
    """

    keep: int
    keep_days: float
    removed: tuple[Gone, ...] = ()
    failed: str = ""


class Night(Record, frozen=True, kw_only=True, tag_field="schema", tag="envcheck.nightly/1", omit_defaults=False):
    """What a nightly run came to. `entries` are the last of each cell, `changes` what is news of this run.

    `resumed`: it went on with a run that was cut off. `again`: cells that were measured again, because they did not
    look as they used to. `left`: cells for which there was no time, the most urgent first. `unreachable`: cells that
    another machine has to run.
    """

    archive: str
    run: str
    resumed: bool
    entries: tuple[Entry, ...]
    changes: tuple[Change, ...]
    again: tuple[str, ...]
    left: tuple[str, ...]
    unreachable: tuple[str, ...]
    exit_code: int
    forgotten: Forgotten | None = None
    """None where no policy was named: then nothing is ever removed."""
