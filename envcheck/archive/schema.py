"""The tables of an archive, and how an older file becomes one of today.

`PRAGMA user_version` holds the version of a file; step N of STEPS makes version N of what was version N - 1. A step
that was published is never changed. `PRAGMA application_id` tells an archive from the database of another program.
"""

from __future__ import annotations

import sqlite3

from envcheck.errors import UsageError

APPLICATION = 0x656E7663
"""`envc` in ASCII."""

FIRST = """
CREATE TABLE evidence (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE REFERENCES evidence (digest),
    cell TEXT NOT NULL,
    host TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    run TEXT NOT NULL,
    verdict TEXT NOT NULL,
    record TEXT NOT NULL,
    facts INTEGER NOT NULL REFERENCES facts (id)
);
CREATE INDEX entry_in_order ON entry (cell, host, recorded_at, id);
CREATE INDEX entry_by_time ON entry (recorded_at);
CREATE INDEX entry_by_run ON entry (run);
"""
"""`body` of evidence: its canonical JSON, zlib. `record`: the entry without its facts, which many entries share."""

RUNS = """
CREATE TABLE run (id TEXT PRIMARY KEY, matrix TEXT NOT NULL, began TEXT NOT NULL, ended TEXT) WITHOUT ROWID;
CREATE INDEX run_by_matrix ON run (matrix, began)
"""
"""Nightly runs, so that one that was cut off can go on: `ended` is NULL until its results are published."""

REMOVING = "CREATE INDEX entry_by_facts ON entry (facts)"
"""Before facts are removed SQLite looks for entries that have them; without this it reads all entries for each."""

STEPS: tuple[str, ...] = (FIRST, RUNS, REMOVING)
VERSION = len(STEPS)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a file; 0 where it is empty. Raises UsageError for a file of another program or of the future."""
    # First whether it is empty: another process may make it an archive between two questions, and never unmakes it.
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    found, owner = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("user_version", "application_id")
    )
    if owner != APPLICATION and not (empty and found == 0):
        raise UsageError("it is a database of another program", remedy="Name an archive that envcheck wrote.")
    if found > VERSION:
        raise UsageError(
            f"it was written by a newer envcheck (version {found} of the file, {VERSION} is known here)",
            remedy="Update envcheck, or name another file.",
        )
    return found


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to today's version, in one transaction that only one of several processes makes."""
    if version_of(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version_of(connection) :]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
