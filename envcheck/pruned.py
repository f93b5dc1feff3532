"""The records of `envcheck prune`: what is there, and what became of it."""

from __future__ import annotations

from envcheck.record import Record


class Item(Record, frozen=True):
    """One thing. `bytes` is the disk it takes, `frees` what its removal gives back; None where nobody could tell.

    `frees` is less where files are hard links that others have too. `used` is when it was last used, in seconds since
    1970, and `used_by` how that is known. `kept` says why it stays; empty means that it goes.
    """

    kind: str
    name: str
    about: str = ""
    bytes: int | None = None
    frees: int | None = None
    used: float | None = None
    used_by: str = ""
    kept: str = ""
    removed: bool = False


class Survey(Record, frozen=True):
    """All that is there. `frees` counts what goes, files shared among them once, without images."""

    cache: str
    items: tuple[Item, ...] = ()
    frees: int = 0
    images: int = 0
    """The sizes of the images that go, as the engine tells them: an upper bound, layers may be shared."""
    unread: tuple[str, ...] = ()
    """What nobody could look at, and why."""
    failed: tuple[str, ...] = ()
    """What could not be removed, and why."""
