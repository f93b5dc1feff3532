"""Entries and evidence in one file. Each method is one transaction: done whole, or not at all."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import force_setattr, replace

from envcheck.archive.connecting import connect, connect_to_read, explained
from envcheck.errors import EnvcheckError, UsageError
from envcheck.kept import Entry
from envcheck.model import Evidence

ORDER = "ORDER BY cell, host, recorded_at, entry.id"
ADD = """
INSERT INTO entry (digest, cell, host, recorded_at, run, verdict, record, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
ENTRIES = "SELECT record, facts.id, facts.body FROM entry JOIN facts ON facts.id = entry.facts"
OTHERS = "SELECT digest FROM entry WHERE cell = ? AND host = ? AND recorded_at = ? AND digest <> ? ORDER BY id"
NEWEST = """
SELECT entry.record, facts.id, facts.body
FROM (SELECT cell, host, max(recorded_at || printf('/%016d', id)) AS last FROM entry GROUP BY cell, host) AS newest
JOIN entry ON entry.id = CAST(substr(newest.last, -16) AS INTEGER)
JOIN facts ON facts.id = entry.facts
ORDER BY entry.cell, entry.host
"""
MAX_BYTES = 64 * 1024 * 1024
"""No evidence is longer; what unpacks to more is not ours."""


class Clash(NamedTuple):
    """Two contents for one cell, host and time: the digest that is kept, and that of the other."""

    cell: str
    kept: str
    other: str


def canonical(evidence: Evidence) -> bytes:
    """The one form in which the same evidence has the same bytes, whoever wrote it."""
    return msgspec.json.encode(evidence, order="sorted")


def digest_of(evidence: Evidence) -> str:
    """The SHA-256 by which evidence is known."""
    return hashlib.sha256(canonical(evidence)).hexdigest()


def open_archive(path: Path, *, readonly: bool = False) -> Archive:
    """The archive in a file. It is made where there is none, unless it is only to be read. Raises EnvcheckError."""
    return Archive(path, connect_to_read(path) if readonly else connect(path))


class Archive:
    """An open archive, used by one thread. Leaving its `with` block closes it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    # --- writing ------------------------------------------------------------------------------------------------

    def add(self, entry: Entry, evidence: Evidence) -> bool:
        """Store one judged cell; False where this very evidence is there already, which then stays as it is."""
        body = canonical(evidence)
        if hashlib.sha256(body).hexdigest() != entry.digest:
            raise EnvcheckError(f"the entry of {entry.cell} does not carry the digest of its evidence")
        if self.holds(entry.digest):
            return False
        packed = zlib.compress(body)
        with self.writing() as connection:
            if self.holds(entry.digest):  # another process was faster
                return False
            connection.execute("INSERT INTO evidence VALUES (?, ?)", (entry.digest, packed))
            self.insert(entry)
        return True

    def insert(self, entry: Entry) -> None:
        """The row of an entry, and its facts where no entry has had the same."""
        facts = msgspec.json.encode(entry.facts, order="sorted").decode()
        self.connection.execute("INSERT OR IGNORE INTO facts (body) VALUES (?)", (facts,))
        known = self.connection.execute("SELECT id FROM facts WHERE body = ?", (facts,)).fetchone()[0]
        record = msgspec.json.encode(replace(entry, facts={})).decode()
        keys = (entry.digest, entry.cell, entry.host, entry.recorded_at, entry.run, entry.verdict.value)
        self.connection.execute(ADD, (*keys, record, known))

    def remove(self, digests: Iterable[str]) -> int:
        """Remove entries with their evidence; how many there were."""
        gone = 0
        with self.writing() as connection:
            for digest in digests:
                gone += connection.execute("DELETE FROM entry WHERE digest = ?", (digest,)).rowcount
                connection.execute("DELETE FROM evidence WHERE digest = ?", (digest,))
            connection.execute("DELETE FROM facts WHERE id NOT IN (SELECT facts FROM entry)")
        return gone

    def begin_run(self, run: str, matrix: str, began: str) -> None:
        """Note that a run over a matrix has begun."""
        with self.writing() as connection:
            connection.execute("INSERT INTO run VALUES (?, ?, ?, NULL)", (run, matrix, began))

    def end_run(self, run: str, ended: str) -> None:
        """Note that a run is over: it will not be gone on with."""
        with self.writing() as connection:
            connection.execute("UPDATE run SET ended = ? WHERE id = ?", (ended, run))

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is alone from its beginning, so that what it has read is still so when it writes."""
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk has ended it already
                    self.connection.execute("ROLLBACK")
                raise

    # --- reading ------------------------------------------------------------------------------------------------

    def holds(self, digest: str) -> bool:
        """True where the evidence of that digest is stored."""
        return bool(self.rows("SELECT 1 FROM entry WHERE digest = ?", (digest,)))

    def clash(self, entry: Entry) -> Clash | None:
        """What is kept of the same cell, host and time with other content, if anything."""
        keys = (entry.cell, entry.host, entry.recorded_at, entry.digest)
        found = self.rows(OTHERS, keys)
        return Clash(entry.cell, found[0][0], entry.digest) if found else None

    def entries(
        self, cell: str | None = None, host: str | None = None, since: str | None = None, run: str | None = None
    ) -> Iterator[Entry]:
        """Entries by cell, host and time, the oldest first. `since` is ISO 8601 in UTC, as `recorded_at`."""
        asked = {"cell = ?": cell, "host = ?": host, "recorded_at >= ?": since, "run = ?": run}
        given = {text: value for text, value in asked.items() if value is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        return self.decoded(f"{ENTRIES}{where} {ORDER}", tuple(given.values()))

    def of_run(self, run: str) -> Iterator[Entry]:
        """Entries of a run in the order in which they were stored, whatever the clock did meanwhile."""
        return self.decoded(f"{ENTRIES} WHERE run = ? ORDER BY entry.id", (run,))

    def latest(self) -> Iterator[Entry]:
        """The newest entry of each cell on each host."""
        return self.decoded(NEWEST)

    def entry(self, digest: str) -> Entry | None:
        """The entry whose digest begins so, if there is exactly one."""
        if not digest.isalnum():
            return None
        found = list(self.decoded(f"{ENTRIES} WHERE digest >= ? AND digest < ? LIMIT 2", (digest, digest + "g")))
        return found[0] if len(found) == 1 else None

    def evidence(self, digest: str) -> Evidence:
        """The evidence of a digest, whole. Raises UsageError where there is none, EnvcheckError where it is damaged."""
        found = self.rows("SELECT body FROM evidence WHERE digest = ?", (digest,))
        if not found:
            raise UsageError(f"{self.path}: no evidence with the digest {digest}", remedy="List them: envcheck history")
        body = unpacked(found[0][0])
        if body is None or hashlib.sha256(body).hexdigest() != digest:
            raise EnvcheckError(f"{self.path}: the evidence {digest} is damaged")
        with explained(self.path):
            return msgspec.json.decode(body, type=Evidence)

    def unended_run(self, matrix: str, since: str) -> str | None:
        """The newest run over a matrix if it was cut off, and began after `since`."""
        query = "SELECT id, ended FROM run WHERE matrix = ? AND began >= ? ORDER BY began DESC, id DESC LIMIT 1"
        found = self.rows(query, (matrix, since))
        return found[0][0] if found and found[0][1] is None else None

    def cells(self) -> tuple[str, ...]:
        """The ids of all cells that have entries."""
        return tuple(row[0] for row in self.rows("SELECT DISTINCT cell FROM entry ORDER BY cell"))

    def count(self) -> int:
        """How many entries there are."""
        return int(self.rows("SELECT count(*) FROM entry")[0][0])

    def rows(self, query: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with explained(self.path):
            return self.connection.execute(query, tuple(values)).fetchall()

    def decoded(self, query: str, values: Collection[object] = ()) -> Iterator[Entry]:
        """The entries of a query, decoded as they are asked for; entries with the same facts share one dictionary."""
        facts: dict[int, dict[str, str]] = {}
        decoder = msgspec.json.Decoder(Entry)
        with explained(self.path):
            for record, number, body in self.connection.execute(query, tuple(values)):
                if number not in facts:
                    facts[number] = msgspec.json.decode(body, type=dict[str, str])
                entry = decoder.decode(record)
                force_setattr(entry, "facts", facts[number])  # nobody else has seen it yet; a copy would take longer
                yield entry

    # --- closing ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file. A second time changes nothing."""
        self.connection.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def unpacked(packed: bytes) -> bytes | None:
    """What was compressed; None where it is damaged, cut short or far too long."""
    unpacker = zlib.decompressobj()
    try:
        body = unpacker.decompress(packed, MAX_BYTES)
    except zlib.error:
        return None
    return body if unpacker.eof else None
