"""`envcheck bench` on real wheels and software GL: what it measures, and what it survives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from envcheck.report import plots
from envcheck.swept import BenchReport
from tests.children import child
from tests.functional.conftest import Command, PythonWith, Ran, environment
from tests.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.software_gl, pytest.mark.network]

GL = {"EGL_PLATFORM": "surfaceless"}
QUICK = ("--seconds", "0.4", "--no-plots")


def bench_json(out: Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    return whole


@pytest.fixture(scope="module")
def python(python_with: PythonWith) -> str:
    return python_with("0.10.35")[0]


@pytest.fixture(scope="module")
def swept(envcheck: Command, python: str) -> Ran:
    """Two points on both delegates, with leaks looked for on the CPU's frames and cycles."""
    return envcheck("bench", "--python", python, "--seconds", "0.4", "--streams", "1,2", "--plots", env=GL)


def test_both_delegates_are_measured_at_every_point(swept: Ran) -> None:
    assert swept.code == 0, swept.stderr
    report = bench_json(swept.out)

    assert [row["point"]["streams"] for row in report["rows"]] == [1, 2]
    for row in report["rows"]:
        assert set(row["figures"]) == {"CPU", "GPU"}
        for figures in row["figures"].values():
            assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
            assert figures["cpu_ms"] > 0
            assert figures["memory"] > 10_000_000
        streams = row["point"]["streams"]
        assert all(len(one["times_ms"]) == streams for side in row["sides"] for one in side["rounds"])
        assert 0 < row["ratio"]["ci95"][0] <= row["ratio"]["ci95"][1]
    # Where other work comes between the few blocks of one point, the other one tells.
    assert min(row["ratio"]["ci95"][1] for row in report["rows"]) < 1, "software GL is not faster than the CPU"


def test_software_gl_is_named_and_never_recommended(swept: Ran) -> None:
    report = bench_json(swept.out)
    (advice,) = report["advice"]

    assert report["subject"]["verdict"] == "emulated"
    assert "llvmpipe" in report["rows"][0]["sides"][1]["renderer"]
    assert advice["choice"] == "cpu"
    assert "so it is not counted" in advice["text"]
    assert swept.stdout.startswith("640x480, 1 face, video: Use delegate=CPU")


def test_meters_that_cannot_be_read_here_say_so_and_give_no_number(swept: Ran) -> None:
    gpu = bench_json(swept.out)["rows"][0]["sides"][1]
    if gpu["gpu_memory"]:  # a machine with an NVIDIA driver
        return
    assert "NVML" in gpu["rounds"][0]["gpu_mj"]["reason"]
    assert "gpu_memory" not in bench_json(swept.out)["rows"][0]["figures"]["GPU"]
    assert "Not measured: energy of the GPU" in swept.stdout


def test_pictures_are_written_and_the_same_report_gives_the_same_ones(swept: Ran) -> None:
    """Not a unit test: matplotlib starts a process to look for fonts."""
    report = msgspec.json.decode((swept.out / "bench.json").read_bytes(), type=BenchReport)
    svg = (swept.out / "bench.svg").read_bytes()

    assert (swept.out / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert b"640x480, 1 face, video" in svg
    assert plots.pictures(report)["svg"] == svg


def test_a_delegate_that_is_refused_leaves_the_other(envcheck: Command, python_with: PythonWith) -> None:
    """1.2.2 refuses software GL; blendshapes need the official model."""
    arguments = ("--model", "official", "--blendshapes", "on", "--modes", "image", "--streams", "1")
    ran = envcheck("bench", "--python", python_with("1.2.2")[0], *QUICK, *arguments, env=GL)

    assert ran.code == 0, ran.stderr
    (row,) = bench_json(ran.out)["rows"]
    assert set(row["figures"]) == {"CPU"}
    assert row["sides"][1]["outcome"] == "refused"
    assert "GPU: refused" in ran.stdout
    assert row["point"]["work"] == {"resolution": "640x480", "faces": 1, "mode": "image", "blendshapes": True}


def test_memory_is_watched_over_frames_and_cycles(envcheck: Command, python: str) -> None:
    ran = envcheck("bench", "--python", python, *QUICK, "--delegates", "cpu", "--streams", "1", "--leaks", "--json")

    assert ran.code == 0, ran.stderr
    leaks = json.loads(ran.stdout)["leaks"]
    assert [(leak["delegate"], leak["kind"], leak["outcome"]) for leak in leaks] == [
        ("CPU", "frames", "ran"), ("CPU", "cycles", "ran"),
    ]  # fmt: skip
    assert all(len(leak["samples"]) == 24 and leak["ci95"][0] <= leak["growth"] <= leak["ci95"][1] for leak in leaks)


@contextmanager
def started(python: str, folder: Path, cache: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A sweep that goes on while the test does something to it."""
    with child(
        [sys.executable, "-m", "envcheck", "bench", "--python", python, *QUICK, *arguments],
        cwd=folder, env=environment({"ENVCHECK_CACHE": str(cache), **GL}), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        yield running


def until_said(running: subprocess.Popen[str], words: str) -> None:
    """Read its progress until it says something."""
    assert running.stderr is not None
    for line in running.stderr:
        if words in line:
            return
    pytest.fail(f"it never said {words!r}")


def test_ctrl_c_keeps_what_was_measured(python: str, cache: Path, tmp_path: Path) -> None:
    with started(python, tmp_path, cache, "--delegates", "cpu", "--streams", "1,2,3,4") as running:
        until_said(running, "point 2 of 4")
        running.send_signal(signal.SIGINT)
        shown, said = running.communicate(timeout=PATIENCE_S)

    report = bench_json(tmp_path / ".envcheck")
    assert running.returncode == 130
    assert "Traceback" not in said
    assert report["interrupted"]
    assert len(report["rows"]) >= 1
    assert report["missing"] == 4 - len(report["rows"]) >= 1
    assert f"Interrupted: {report['missing']} point{'s' * (report['missing'] > 1)} not measured" in shown


def test_a_worker_that_is_killed_is_a_datum_and_the_sweep_goes_on(python: str, cache: Path, tmp_path: Path) -> None:
    """As the kernel does to one that passes its memory limit."""
    with started(python, tmp_path, cache, "--delegates", "cpu", "--streams", "2,1", "--seconds", "8") as running:
        until_said(running, "point 1 of 2, 640x480, 1 face, video, 2 streams: round 2")
        for worker in workers_of(running.pid):
            worker.kill()
        _, said = running.communicate(timeout=2 * PATIENCE_S)

    first, second = bench_json(tmp_path / ".envcheck")["rows"]
    assert running.returncode == 0, said
    assert first["sides"][0]["outcome"] == "died"
    assert "SIGKILL" in first["sides"][0]["error"]
    assert second["sides"][0]["outcome"] == "ran"


def workers_of(pid: int) -> list[psutil.Process]:
    """The processes that hold MediaPipe."""
    found: list[psutil.Process] = []

    def looked() -> bool:
        for worker in psutil.Process(pid).children():
            with suppress(psutil.Error):  # it has just ended
                found.extend([worker] * any("libmediapipe" in one.path for one in worker.memory_maps()))
        return bool(found)

    wait_until(looked, "a worker")
    return found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--python", "/nowhere/python"), "/nowhere/python"),
        (("--resolutions", "640*480"), "WIDTHxHEIGHT"),
        (("--blendshapes", "on"), "--model official"),
        (("--out", "/dev/null/x"), "/dev/null"),
        (("--seconds", "0"), "above 0"),
    ],
)
def test_bad_input_is_told_before_anything_is_measured(
    envcheck: Command, python: str, arguments: tuple[str, ...], words: str
) -> None:
    ran = envcheck("bench", *(() if "--python" in arguments else ("--python", python)), *arguments)

    assert ran.code == 2, ran.stderr
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (ran.out / "bench.json").exists()


def test_nothing_measured_is_no_success(envcheck: Command, python_with: PythonWith) -> None:
    ran = envcheck("bench", "--python", python_with("1.2.2")[0], *QUICK, "--delegates", "gpu", "--streams", "1", env=GL)

    assert ran.code == 3, ran.stdout
    assert "Nothing could be timed" in ran.stdout
