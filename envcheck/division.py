"""Which of the selected cells are run here: one kind of host's, and of those a shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from envcheck import store
from envcheck.archive import is_archive, open_archive
from envcheck.durations import Durations, durations_of
from envcheck.errors import NothingSelectedError, UsageError
from envcheck.model import Cell, Shard
from envcheck.pieces import need_of, piece_of
from envcheck.request import Portion
from envcheck.shards import Part, digest_of, divide, part_named


def portion_of(cells: Sequence[Cell], portion: Portion, env: Mapping[str, str]) -> tuple[Sequence[Cell], Shard | None]:
    """The cells that are run here, in their order, and which shard they are. Raises UsageError and EnvcheckError."""
    part = None if portion.shard is None else part_named(portion.shard, env)
    kept = cells if portion.driver is None else needing(cells, portion.driver)
    if part is None:
        return kept, None
    return shard_of(kept, part, known_in(portion.durations), portion.driver)


def shard_of(
    cells: Sequence[Cell], part: Part, known: Mapping[str, float], driver: str | None
) -> tuple[list[Cell], Shard]:
    """One shard of these cells. Raises NothingSelectedError where there is nothing left for it."""
    shards = divide((piece_of(cell.id, cell.axes, known) for cell in cells), part.count)
    ours = set(shards[part.index - 1])
    if not ours:
        raise NothingSelectedError(
            f"shard {part} is empty: {len(cells)} cells leave nothing for it", remedy="Name fewer shards."
        )
    shard = Shard(
        index=part.index, count=part.count, cells=len(ours), of=len(cells), division=digest_of(shards), driver=driver
    )
    return [cell for cell in cells if cell.id in ours], shard


def needing(cells: Sequence[Cell], driver: str) -> list[Cell]:
    """The cells that need this driver of their host. Raises NothingSelectedError where there is none."""
    kept = [cell for cell in cells if need_of(cell.axes) == driver]
    if not kept:
        named = ", ".join(sorted({need_of(cell.axes) for cell in cells}))
        raise NothingSelectedError(f"--driver {driver}: no selected cell needs it", remedy=f"They need: {named}")
    return kept


def known_in(path: Path | None) -> Mapping[str, float]:
    """The times in a file: an archive's, or those that were written out. Raises UsageError."""
    if path is None:
        return {}
    if is_archive(path):
        with open_archive(path, readonly=True) as archive:
            return durations_of(archive.entries()).seconds
    return sound(store.read_document(path, Durations).seconds, path)


def sound(seconds: Mapping[str, float], path: Path) -> Mapping[str, float]:
    """The times, where each is one. Raises UsageError."""
    wrong = [cell for cell, value in seconds.items() if not 0 <= value <= store.LONGEST_MS]
    if wrong:
        raise UsageError(f"{path}: the time of {wrong[0][:80]!r} is none", remedy="envcheck plan --format durations")
    return seconds


def encode(durations: Durations) -> Iterable[str]:
    """The text of a file of times."""
    yield msgspec.json.format(msgspec.json.encode(durations, order="deterministic"), indent=1).decode() + "\n"
