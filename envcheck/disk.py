"""What files take on disk, and when they were last used; links are not followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def used_at(path: Path) -> float | None:
    """The later of a file's times; None where it is not there."""
    try:
        seen = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return max(seen.st_atime, seen.st_mtime) if stat.S_ISREG(seen.st_mode) else seen.st_mtime


def blocks_of(path: Path) -> dict[tuple[int, int], tuple[int, int, int]]:
    """By inode: the bytes on disk, how many of its names lie under the path, and how many it has at all."""
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for seen in stats(path):
        key, folder = (seen.st_dev, seen.st_ino), stat.S_ISDIR(seen.st_mode)
        names = found.get(key, (0, 0, 0))[1] + 1
        found[key] = (seen.st_blocks * 512, names, 1 if folder else seen.st_nlink)
    return found


def stats(path: Path) -> Iterator[os.stat_result]:
    """The state of a path and of everything under it; links are not followed, what just vanished is left out."""
    pending = [str(path)]
    while pending:
        one = pending.pop()
        try:
            seen = os.lstat(one)
            if stat.S_ISDIR(seen.st_mode):
                pending.extend(entry.path for entry in os.scandir(one))
        except OSError:
            continue
        yield seen
