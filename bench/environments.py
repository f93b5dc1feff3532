"""Build the same environments with envcheck and with `python -m venv` and pip, and print how they compare.

Both sides start from warm caches, install the same locks with hashes checked, and run as many builds at once. Disk is
what the environments take in addition: a file that is a hard link into uv's cache is there already. pip compiles what
it installs to bytecode, as it always does; with --no-compile it leaves that to the first import, as envcheck does.

    python bench/environments.py [--python 3.11] [--jobs 2] [--no-compile] [--folder DIR] [VERSION …]
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ledger import note

from envcheck.environments import Prepared, prepare
from envcheck.model import Axes, Cell, cell_id

T = TypeVar("T")
VERSIONS = ("0.10.21", "0.10.35", "1.0.1", "1.2.2")
WALL_BAR = 10.0
"""envcheck must be at least so many times faster."""
DISK_BAR = 0.05
"""envcheck must take less than this share of pip's disk."""


@dataclass(frozen=True)
class Side:
    """What one side took: wall time in seconds, disk in bytes."""

    seconds: float
    size: int


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; 0 if both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", default=VERSIONS, help="MediaPipe versions")
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--jobs", type=int, default=2, help="builds at once, on both sides")
    parser.add_argument("--no-compile", action="store_true", help="pip leaves out bytecode")
    parser.add_argument("--folder", type=Path, default=None, help="where to build; on the file system of uv's cache")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="envcheck-bench-") as folder:
        ours, theirs = compare(Path(folder), options)
    return report(len(options.versions), ours, theirs)


def compare(folder: Path, options: argparse.Namespace) -> tuple[Side, Side]:
    """Warm both sides up with the very builds that are measured, then measure them."""
    cells, jobs = [cell(version, options.python) for version in options.versions], options.jobs
    print("resolving, and warming the caches of both sides (this takes longest)", flush=True)
    made = [build(folder / "cache", one) for one in cells]
    locks = [
        write_lock(folder / f"{one.id}.txt", built.build.lock or "") for one, built in zip(cells, made, strict=True)
    ]
    base = str(Path(made[0].python[0]).resolve())
    extra = ["--no-compile"] if options.no_compile else []
    parallel(jobs, lambda lock: install(base, folder / "warm" / lock.stem, lock, extra), locks)
    shutil.rmtree(folder / "warm")
    shutil.rmtree(folder / "cache" / "environments")

    print("envcheck", flush=True)
    seconds = timed(lambda: parallel(jobs, lambda one: build(folder / "cache", one), cells))
    ours = Side(seconds, additional(folder / "cache" / "environments"))
    print("python -m venv and pip", flush=True)
    seconds = timed(lambda: parallel(jobs, lambda lock: install(base, folder / "pip" / lock.stem, lock, extra), locks))
    return ours, Side(seconds, additional(folder / "pip"))


def cell(version: str, python: str) -> Cell:
    axes = Axes(backend="venv", python=python, mediapipe=version)
    return Cell(id=cell_id(axes), axes=axes)


def build(cache: Path, one: Cell) -> Prepared:
    prepared = prepare(one, cache=cache, env=dict(os.environ))
    if not prepared.python:
        sys.exit(f"{one.id}: {prepared.build.outcome}: {prepared.build.because}\n{prepared.build.log}")
    return prepared


def install(base: str, folder: Path, lock: Path, extra: Sequence[str]) -> None:
    """What a person would do without envcheck."""
    subprocess.run([base, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-qq", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--only-binary", ":all:", "-r", str(lock), *extra], check=True)


def write_lock(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def parallel(jobs: int, function: Callable[[T], object], items: Sequence[T]) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(function, items))


def timed(function: Callable[[], object]) -> float:
    os.sync()  # what came before is not paid for here
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def additional(folder: Path) -> int:
    """Bytes on disk under a folder, without the files that are links to what lies elsewhere."""
    seen = [folder.lstat()]
    for parent, folders, names in os.walk(folder):
        seen += [Path(parent, name).lstat() for name in (*folders, *names)]
    return sum(one.st_blocks * 512 for one in seen if stat.S_ISDIR(one.st_mode) or one.st_nlink == 1)


def report(count: int, ours: Side, theirs: Side) -> int:
    wall, disk = theirs.seconds / ours.seconds, ours.size / theirs.size
    print(f"\n{count} environments      wall time      additional disk")
    print(f"envcheck             {ours.seconds:8.2f} s   {ours.size / 1e6:12.1f} MB")
    print(f"venv and pip         {theirs.seconds:8.2f} s   {theirs.size / 1e6:12.1f} MB")
    print(f"wall: {wall:.1f} times faster (bar: at least {WALL_BAR:g})")
    print(f"disk: {disk:.1%} of pip's (bar: under {DISK_BAR:.0%})")
    met = wall >= WALL_BAR and disk < DISK_BAR
    note("environments: pip's wall time / envcheck's", wall, "x", f"at least {WALL_BAR:g}", met=wall >= WALL_BAR)
    note("environments: envcheck's disk / pip's", disk, "x", f"under {DISK_BAR:g}", met=disk < DISK_BAR)
    print("both bars are met" if met else "a bar is MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
