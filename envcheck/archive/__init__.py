"""The archive: every judged cell with its evidence, in one SQLite file that several processes may write at once."""

from envcheck.archive.archive import Archive, Clash, digest_of, open_archive
from envcheck.archive.connecting import is_archive
from envcheck.archive.retention import Policy, going
from envcheck.archive.schema import VERSION

__all__ = ["VERSION", "Archive", "Clash", "Policy", "digest_of", "going", "is_archive", "open_archive"]
