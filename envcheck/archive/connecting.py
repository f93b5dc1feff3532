"""How an archive is opened, and what is said where it cannot be: SQLite's errors become ours, with the way out."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from envcheck.archive import schema
from envcheck.errors import EnvcheckError, InfrastructureError, UsageError

MAGIC = b"SQLite format 3\0"
BUSY_S = 60.0
"""How long a writer waits for others: each holds the file for some milliseconds."""
RETRY_S = 0.02
LITTLE = 64 * 1024
MEND = "Move the file away and fill a new one: envcheck merge DIR... reads results folders and evidence again."


def is_archive(path: Path) -> bool:
    """True for a database."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise explanation(path, str(error)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EnvcheckError(
            f"{path}: what is stored in the archive is not what envcheck wrote ({error})", remedy=MEND
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", remedy="Name a file that can be written.") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", remedy=error.remedy) from error


def explanation(path: Path, said: str) -> EnvcheckError:
    """Our error for what SQLite said."""
    if "not a database" in said:
        return UsageError(f"{path}: it is no archive, or its beginning is damaged ({said})", remedy=MEND)
    if "malformed" in said or "no such table" in said or "no such column" in said:
        return EnvcheckError(f"{path}: the archive is damaged ({said})", remedy=MEND)
    if "full" in said or ("I/O" in said and is_full(path.parent)):
        remedy = "Free space there and repeat: what was stored before is whole, what could not be stored is not there."
        return EnvcheckError(f"{path}: the disk is full", remedy=remedy)
    if "readonly" in said or "unable to open" in said:
        return UsageError(f"{path}: it cannot be opened or written ({said})", remedy="Name a file that can be written.")
    if "locked" in said:
        return InfrastructureError(
            f"{path}: another process has held the archive for {BUSY_S:.0f} s", remedy="End it, or try again later."
        )
    return EnvcheckError(f"{path}: the archive cannot be used: {said}")


def is_full(folder: Path) -> bool:
    """True where nothing can be written any more; SQLite calls it an I/O error where its index does not fit."""
    try:
        return shutil.disk_usage(folder).free < LITTLE
    except OSError:
        return False


def connect(path: Path) -> sqlite3.Connection:
    """A connection that may write, to a file of today's version; made where there is none."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            schema.version_of(connection)
            write_ahead(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            schema.migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def write_ahead(connection: sqlite3.Connection) -> None:
    """Readers and a writer do not wait for each other; a file system that cannot do so keeps the journal that it has.

    The change of journal does not wait for others by itself.
    """
    until = time.monotonic() + BUSY_S
    while not is_write_ahead(connection, last=time.monotonic() > until):
        time.sleep(RETRY_S)


def is_write_ahead(connection: sqlite3.Connection, *, last: bool) -> bool:
    """False where another process stands in the way, unless this is the last attempt."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if last or "locked" not in str(error):
            raise
        return False
    return True


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only reads, which also works where the folder cannot be written."""
    with explained(path):
        if not path.exists():
            raise UsageError("there is no such archive", remedy="`envcheck nightly` and `envcheck merge` write one.")
        try:
            return reading(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if "unable to open" not in str(error) and "readonly" not in str(error):
                raise
            return reading(path, "immutable=1")  # a folder that cannot be written, where nobody writes


def reading(path: Path, mode: str) -> sqlite3.Connection:
    """A connection through a URI. A file of an older version is brought to today's first."""
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    connection = sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)
    try:
        found = schema.version_of(connection)
    except BaseException:
        connection.close()
        raise
    if found == schema.VERSION:
        return connection
    connection.close()
    connect(path).close()
    return reading(path, mode)
