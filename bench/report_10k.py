"""Ten thousand cells with history: how long table and HTML take, how large they are, and how quick the page is.

    python bench/report_10k.py [--cells 10000] [--nights 10] [--browser EXE] [--keep FILE]

Every cell has an entry for each night, findings, witnesses, facts and a distribution of its own, with texts that differ
from cell to cell as real ones do. What is measured is rendering: from entries in memory to each format's text. The page
is then opened from disk in headless Chromium, where Playwright is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice, product
from pathlib import Path
from typing import Any

from ledger import note

from envcheck.kept import Change, Entry, Move
from envcheck.model import Axes, Bench, Finding, Says, Speedup, Status, Timing, Verdict, Witness, cell_id
from envcheck.report import badge, csv, html, json, junit, prometheus, readme, summary
from envcheck.report.dossier import Distribution, Dossier
from envcheck.report.table import Table, tabulate

NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
HOSTS = tuple(f"NVIDIA {name}, driver {driver}, linux x86_64" for name, driver in
              (("H200", "570.124.06"), ("L4", "580.65.06"), ("GeForce RTX 5090", "570.144")))  # fmt: skip
VERDICTS = (Verdict.ACCELERATED,) * 6 + (Verdict.REFUSED, Verdict.EMULATED, Verdict.SLOWER, Verdict.INCONCLUSIVE)
BARS = {
    "table and HTML, s": 5.0, "peak memory, MB": 500.0, "HTML, MB": 5.0, "first paint, s": 1.0, "matrix drawn, s": 1.0,
    "a filter, s": 1.0,
}  # fmt: skip
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


def axes() -> Iterator[tuple[Axes, str]]:
    """Cells of three backends, four Pythons, many MediaPipes, CUDAs and drivers, on three classes of hosts."""
    versions = [f"0.10.{minor}" for minor in range(5, 40)] + [
        f"1.{minor}.{patch}" for minor in range(4) for patch in (0, 1, 2)
    ]
    parts = product(
        HOSTS,
        ("venv", "docker", "conda"),
        versions,
        ("3.10", "3.11", "3.12", "3.13"),
        ("12.4", "12.8", "13.0"),
        ("570", "580"),
    )
    for host, backend, mediapipe, python, cuda, driver in parts:
        yield Axes(backend, python, mediapipe, cuda, driver), host


def digest_of(*parts: str | None) -> str:
    """A digest that the same parts share."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def entries_of(axes: Axes, host: str, nights: int, rnd: random.Random) -> Iterator[Entry]:
    """The nights of one cell, the last one last."""
    verdict, level = rnd.choice(VERDICTS), rnd.uniform(0.5, 8)
    gpu, driver, _ = host.split(", ")
    facts = {
        "driver": driver, "kernel module": driver, "GPUs": gpu, "GL renderer": gpu, "MediaPipe": axes.mediapipe or "",
        "Python": axes.python or "", "lock": digest_of(axes.backend, axes.python, axes.mediapipe, axes.cuda),
        "image": digest_of(axes.backend, axes.python, axes.cuda), "GPU clocks": f"{rnd.randrange(1900, 2500, 15)} MHz",
        "glibc": "2.39", "CPU": "AMD EPYC 9654", "cores": "16", "numpy": "2.2.6", "OpenCV": "4.11.0.86",
        "model": "5c9d3fbd", "input": "0b1f4e9a", "disturbance": "quiet",
    }  # fmt: skip
    for night in range(nights):
        measured = level * rnd.gauss(1, 0.02)
        bench = Bench(
            cpu=Timing(rnd.gauss(12, 0.3), rnd.gauss(14, 0.3), 512),
            gpu=Timing(rnd.gauss(12, 0.3) / measured, rnd.gauss(14, 0.3) / measured, 512),
            speedup=Speedup(measured, (measured * 0.97, measured * 1.03)),
        )
        moment = NOW - timedelta(days=nights - night, seconds=rnd.randrange(3600))
        low, high = measured * 0.97, measured * 1.03
        yield Entry(
            digest=rnd.randbytes(32).hex(), cell=cell_id(axes), axes=axes, host=host,
            recorded_at=moment.isoformat(timespec="seconds"), verdict=verdict, status=verdict.status,
            expected=Verdict.ACCELERATED, met=verdict is Verdict.ACCELERATED,
            because=f"speed-up {measured:.3g} (95% interval {low:.3g} to {high:.3g}, threshold 1)",
            codes=() if verdict is Verdict.ACCELERATED else ("EGL204", "GPU105"), bench=bench, facts=facts,
        )  # fmt: skip


WITNESSES = (
    "native-log", "gl-context", "egl-devices", "libraries", "devices", "nvml-process", "nvml-memory",
    "landmarks", "timing",
)  # fmt: skip


def saw_of(rnd: random.Random) -> str:
    """What a witness saw, with figures of its own."""
    return f"{rnd.randrange(10**4)} MiB, {rnd.randrange(100)} % utilisation, pid {rnd.randrange(10**5)}"


def dossier_of(entry: Entry, rnd: random.Random) -> Dossier:
    """Findings, witnesses and a distribution, as long as real ones."""
    said = f"software GL detected: llvmpipe (LLVM 15.0.6, 256 bits), seen by worker {rnd.randrange(10**5)}"
    findings = tuple(
        Finding(code, Status.FAIL, said, "Mesa's software rasteriser runs GL on the CPU, 10 to 25 times slower. " * 2,
                "apt-get install libnvidia-gl-570\n# or hand the graphics half of the driver in", "https://example.org/a")
        for code in entry.codes
    )  # fmt: skip
    witnesses = tuple(Witness(name, Says.HARDWARE, saw_of(rnd), f"what {name} would have to see") for name in WITNESSES)
    counts = tuple(max(0, int(rnd.gauss(20, 8))) if 30 < place < 50 else 0 for place in range(60))
    return Dossier(findings, witnesses, Distribution(1.1, 16.2, counts, counts[25:] + counts[:25]))


def made(cells: int, nights: int) -> tuple[list[Entry], dict[str, Dossier], list[Change]]:
    """Everything that a report of so many cells is made from."""
    rnd = random.Random(1)  # the same cells in every run
    entries: list[Entry] = []
    dossiers: dict[str, Dossier] = {}
    changes: list[Change] = []
    for number, (one, host) in enumerate(islice(axes(), cells)):
        mine = list(entries_of(one, host, nights, rnd))
        entries += mine
        dossiers[mine[-1].digest] = dossier_of(mine[-1], rnd)
        if number % 100 == 0 and nights > 1:
            moved = (Move("driver", "570.124.06", "570.144"),)
            changes.append(
                Change(
                    cell=mine[0].cell,
                    host=host,
                    kind="regression",
                    before=mine[-2],
                    after=mine[-1],
                    moved=moved,
                    what="the speed-up fell from 6.1 to 4.9",
                    attribution="The driver moved.",
                )
            )
    return entries, dossiers, changes


def timed(name: str, work: Any, figures: dict[str, float]) -> Any:
    """Call, and note the seconds."""
    start = time.perf_counter()
    found = work()
    figures[f"{name}, s"] = time.perf_counter() - start
    return found


def memory_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def rendered(
    entries: list[Entry], dossiers: dict[str, Dossier], changes: Sequence[Change], figures: dict[str, float]
) -> str:
    """The HTML, once everything else was rendered and timed."""
    table: Table = timed("table", lambda: tabulate(entries, at=NOW), figures)
    contents = html.Contents(table, entries, changes, dossiers)
    page: str = timed("HTML", lambda: html.render(contents), figures)
    figures["table and HTML, s"] = figures["table, s"] + figures["HTML, s"]
    figures["HTML, MB"] = len(page.encode()) / 1e6
    for module in (readme, csv, json, junit, prometheus, badge, summary):
        timed(module.__name__.rpartition(".")[2], lambda module=module: module.render(table), figures)
    return page


def browsed(page: Path, browser: str, figures: dict[str, float]) -> None:
    """First paint, readiness, a filter and a cell's page, the median of three."""
    from playwright.sync_api import sync_playwright

    runs: dict[str, list[float]] = {}
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser)
        for _ in range(3):
            tab = chromium.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri())
            tab.wait_for_selector("body[data-ready]")
            paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            runs.setdefault("first paint, s", []).append(tab.evaluate(paint) / 1e3)
            runs.setdefault("matrix drawn, s", []).append(tab.evaluate(DRAWN) / 1e3)
            runs.setdefault("a filter, s", []).append(tab.evaluate(FILTER) / 1e3)
            runs.setdefault("a cell's page, s", []).append(tab.evaluate(OPEN) / 1e3)
            tab.close()
        chromium.close()
    figures |= {name: statistics.median(found) for name, found in runs.items()}


DRAWN = "performance.getEntriesByName('drawn')[0].startTime"
FILTER = """() => new Promise((done) => {
  const start = performance.now(), field = document.querySelector('select[data-filter="mediapipe"]');
  field.value = "1.2.2"; field.dispatchEvent(new Event("change"));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""
OPEN = """() => new Promise((done) => {
  const start = performance.now();
  new MutationObserver(() => {
    if (!document.querySelector("article.cell")) return;
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  }).observe(document.getElementById("main"), {childList: true});
  document.querySelector(".place").click();
})"""


def main() -> int:
    """Measure, print each figure with its bar; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), ""))
    parser.add_argument("--keep", type=Path, help="keep the page in this file")
    asked = parser.parse_args()
    figures: dict[str, float] = {}
    entries, dossiers, changes = made(asked.cells, asked.nights)
    figures["memory of what is rendered, MB"] = memory_mb()
    text = rendered(entries, dossiers, changes, figures)
    figures["peak memory, MB"] = memory_mb()
    with tempfile.TemporaryDirectory() as folder:
        page = asked.keep or Path(folder) / "report.html"
        page.write_text(text, encoding="utf-8")
        if asked.browser:
            browsed(page.resolve(), asked.browser, figures)
    print(f"{asked.cells} cells, {len(entries)} entries")
    for name, value in figures.items():
        bar = f"  (bar {BARS[name]:g}{'' if value <= BARS[name] else ', MISSED'})" if name in BARS else ""
        print(f"{name:34} {value:9.3f}{bar}")
        if name in BARS:
            met = value <= BARS[name]
            note(f"report of {asked.cells:,} cells: {name}", value, "", f"at most {BARS[name]:g}", met=met)
    return int(any(figures[name] > bar for name, bar in BARS.items() if name in figures))


if __name__ == "__main__":
    raise SystemExit(main())
