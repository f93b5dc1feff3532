"""An archive of ten thousand cells with a history each: how large it is, and how long reading, asking and changes take.

    python bench/history_10k.py [--cells 10000] [--nights 10] [--keep FILE]

Every entry has evidence, facts and a measurement of its own; one cell in a hundred got slower with another driver.
Entries are written in few transactions, because how fast a night stores ten thousand cells is not what is asked here.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice, product
from pathlib import Path

from msgspec.structs import replace

from envcheck.archive import Archive, digest_of, open_archive
from envcheck.archive.archive import canonical
from envcheck.changes import changes
from envcheck.kept import Entry
from envcheck.model import (
    Axes,
    Bench,
    Cell,
    Evidence,
    Foresight,
    Gate,
    Host,
    Nvml,
    Speedup,
    Timing,
    Unread,
    Verdict,
    Workload,
    cell_id,
)

FIRST = datetime(2026, 9, 1, 3, tzinfo=timezone.utc)
DRIVERS = ("570.124.06", "580.65.06")
HOST = Host("linux", "x86_64", Unread(reason="not looked"), glibc="2.39", cpu="AMD EPYC 9454", cores=16)
FACTS = {
    "CPU": "AMD EPYC 9454", "GPUs": "NVIDIA L4", "system": "linux x86_64", "model": "c" * 64, "input": "d" * 64,
    "workload": "640x480, 1 face, video", "cores": "16", "governor": "performance", "numpy": "2.2.6",
}  # fmt: skip


def cells() -> Iterator[Axes]:
    """Points of a matrix of venvs and conda prefixes."""
    versions = [f"0.10.{minor}" for minor in range(5, 36)] + [
        f"1.{minor}.{patch}" for minor in range(40) for patch in range(3)
    ]
    for backend, python, mediapipe, cuda, opencv in product(
        ("venv", "conda"),
        ("3.10", "3.11", "3.12", "3.13"),
        versions,
        ("12.4", "12.8", "13.0"),
        ("4.10", "4.11", "4.12"),
    ):
        yield Axes(backend, python, mediapipe, cuda, "any", opencv)


def night(axes: Axes, number: int, chance: random.Random, *, worse: bool) -> tuple[Entry, Evidence]:
    """One cell of one night."""
    driver = DRIVERS[worse]
    name, moment = cell_id(axes), (FIRST + timedelta(days=number)).isoformat(timespec="seconds")
    host = replace(HOST, nvml=Nvml(driver=driver, cuda="12.8", gpus=()))
    evidence = Evidence(
        cell=Cell(name, axes),
        host=host,
        foresight=Foresight("reachable"),
        gate=Gate(),
        workload=Workload(),
        recorded_at=moment,
    )
    speedup = (3.0 if worse else 5.0) * math.exp(chance.gauss(0, 0.02))
    cpu = Timing(10.0, 12.0, 500)
    versions = {"MediaPipe": str(axes.mediapipe), "Python": str(axes.python)}
    ends = (round(speedup * 0.99, 4), round(speedup * 1.01, 4))
    gpu = Timing(round(10 / speedup, 4), round(12 / speedup, 4), 500)
    entry = Entry(
        digest=digest_of(evidence),
        cell=name,
        axes=axes,
        recorded_at=moment,
        host=f"NVIDIA L4, driver {driver}, linux x86_64",
        verdict=Verdict.ACCELERATED,
        status=Verdict.ACCELERATED.status,
        expected=Verdict.ACCELERATED,
        met=True,
        codes=("BEN501",),
        bench=Bench(cpu=cpu, gpu=gpu, speedup=Speedup(round(speedup, 4), ends)),
        facts=FACTS | versions | {"driver": driver, "kernel module": driver},
        run=f"night-{number}",
    )
    return entry, evidence


def fill(archive: Archive, count: int, nights: int) -> None:
    """Write the entries, a night in a transaction."""
    import zlib

    chance = random.Random(6)
    chosen = list(islice(cells(), count))
    for number in range(nights):
        with archive.writing() as connection:
            for place, axes in enumerate(chosen):
                worse = place % 100 == 0 and number >= nights // 2
                entry, evidence = night(axes, number, chance, worse=worse)
                body = zlib.compress(canonical(evidence))
                connection.execute("INSERT INTO evidence VALUES (?, ?)", (entry.digest, body))
                archive.insert(entry)


def main() -> None:
    """Fill, then time what reports and commands ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--keep", type=Path, help="Leave the archive here.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "history.sqlite"
        begun = time.perf_counter()
        with open_archive(path) as archive:
            fill(archive, given.cells, given.nights)
        print(f"filled: {given.cells} cells, {given.nights} nights, {time.perf_counter() - begun:.1f} s")
        print(f"file: {path.stat().st_size / 1e6:.0f} MB")
        with open_archive(path, readonly=True) as archive:
            timed("newest entry of each cell", lambda: sum(1 for _ in archive.latest()))
            every: list[Entry] = []
            timed("all entries", lambda: every.extend(archive.entries()) or len(every))
            timed("one cell", lambda: sum(1 for _ in archive.entries(cell=every[len(every) // 2].cell)))
            timed("changes of all", lambda: len(changes(every)))
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def timed(what: str, ask) -> None:
    """Run once, and say how long it took and how many there were."""
    begun, used = time.perf_counter(), time.process_time()
    count = ask()
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    print(f"{what}: {count}, {wall:.2f} s ({cpu:.2f} s of CPU)")


if __name__ == "__main__":
    main()
