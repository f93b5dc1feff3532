"""What `envcheck prune` found, as text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envcheck.pruned import Item, Survey


_DAY_S = 86400
_ROWS = ("goes", "kind", "disk", "last used", "what", "why it stays")


def render(survey: Survey, *, yes: bool, now: float | None = None) -> str:
    """A table of everything, what is freed, and what could not be looked at."""
    at = time.time() if now is None else now
    return "\n".join([*table(survey.items, at), *closing(survey, yes=yes)])


def table(items: Sequence[Item], now: float) -> Iterator[str]:
    """The things that go first, then those that stay; the largest first."""
    order = sorted(items, key=lambda item: (bool(item.kept), -(item.bytes or 0), item.name))
    rows = [_ROWS, *(row(item, now) for item in order)] if items else []
    widths = [max(len(one[column]) for one in rows) for column in range(len(_ROWS))] if rows else []
    for one in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)).rstrip()


def row(item: Item, now: float) -> tuple[str, ...]:
    """One line of the table."""
    goes = "removed" if item.removed else "stays" if item.kept else "goes"
    what = f"{item.name} ({item.about})" if item.about else item.name
    return (goes, item.kind, size(item.bytes), used(item, now), what, item.kept)


def closing(survey: Survey, *, yes: bool) -> Iterator[str]:
    """What it comes to."""
    going = [item for item in survey.items if not item.kept]
    if survey.items:
        yield ""
    if not survey.items:
        yield f"Nothing of envcheck's was found in {survey.cache}: nothing to remove."
    elif not going:
        yield "Nothing to remove."
    else:
        verb = "Removed" if yes else "Would remove"
        runs = " and in the folders of runs" if any(item.kind == "run" for item in going) else ""
        yield f"{verb} {len(going)} of {len(survey.items)}: {size(survey.frees)} of files in {survey.cache}{runs}."
        yield from about_images(survey, going)
        if shared := sum((item.bytes or 0) - item.frees for item in going if item.frees is not None):
            yield f"{size(shared)} more are hard links to files that others have too, such as uv's cache, and stay."
    yield from (f"Could not look: {why}." for why in survey.unread)
    yield from (f"Could not remove {why}" for why in survey.failed)
    if going and not yes:
        yield "Nothing was removed; --yes removes it."


def about_images(survey: Survey, going: Sequence[Item]) -> Iterator[str]:
    """What the engine's own sizes are worth."""
    if count := sum(item.kind == "image" for item in going):
        yield (
            f"{count} image{'s' if count > 1 else ''}: {size(survey.images)} by the engine's own sizes, together at "
            "most; layers that other images share are counted in each, and stay while one of these does."
        )


def used(item: Item, now: float) -> str:
    """How long ago, and how that is known where it is not marked at each use."""
    if item.used is None:
        return "unknown"
    days = int((now - item.used) // _DAY_S)
    when = "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"
    return when if item.used_by == "marked at each use" else f"{when} ({item.used_by})"


def size(count: int | None) -> str:
    """Bytes in words."""
    if count is None:
        return "unknown"
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"
