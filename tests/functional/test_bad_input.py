"""Bad input: one clear message with place and remedy, the right exit code, stored results intact, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.children import child
from tests.functional.conftest import Command, Ran, environment
from tests.waiting import PATIENCE_S, alive

GOOD = 'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: ["1.2.2"]\n'
NONE_SELECTED = ("validate", "--select", "mediapipe==9.9.9")

MatrixOf = Callable[..., Path]


def write(folder: Path, data: bytes | str) -> Path:
    path = folder / "matrix.yaml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def loop(folder: Path) -> Path:
    path = folder / "matrix.yaml"
    path.symlink_to(path)
    return path


def missing(folder: Path) -> Path:
    return folder / "matrix.yaml"


def a_folder(folder: Path) -> Path:
    return folder


def assert_one_clear_message(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "fault in envcheck" not in ran.stderr
    assert f"\n{ran.stderr}".count("\nenvcheck: ") == 1
    for word in words:
        assert word in ran.stderr


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, ["matrix.yaml"]),
        (a_folder, []),
        (loop, ["matrix.yaml"]),
        (lambda folder: write(folder, b""), ["empty"]),
        (lambda folder: write(folder, b"\x7fELF\x00\x01\xff\xfe"), ["matrix.yaml"]),
        (lambda folder: write(folder, b"a: " + b"x" * 10_000_000), ["matrix.yaml"]),
        (lambda folder: write(folder, "[" * 5000), ["matrix.yaml"]),
        (lambda folder: write(folder, GOOD + "  cuda: [12.8]\n"), ["matrix.yaml:5:10", "axes.cuda[0]", '"12.8"']),
        (lambda folder: write(folder, GOOD + "axles: {}\n"), ["matrix.yaml:5:1", "axles", "axes"]),
        (lambda folder: write(folder, GOOD + "x: !!python/object/apply:os.system ['id']\n"), ["matrix.yaml:5"]),
        (lambda folder: write(folder, GOOD + "tiers: {empty: {python: '3.9'}}\n"), ["tiers.empty"]),
    ],
    ids=["missing", "folder", "loop", "empty", "binary", "10 MB", "deep", "number", "key", "tag", "empty tier"],
)
def test_a_bad_matrix_is_a_usage_error_that_names_the_place(
    envcheck: Command, tmp_path: Path, make: Callable[[Path], Path], words: list[str]
) -> None:
    for command in ("plan", "validate"):
        assert_one_clear_message(envcheck(command, "--matrix", str(make(tmp_path)), cwd=tmp_path), 2, *words)
        for path in tmp_path.iterdir():
            path.unlink()


def test_an_unreadable_matrix_is_a_usage_error(envcheck: Command, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        path = Path("/proc/self/mem")  # root may read every ordinary file; this one fails on reading
    else:
        path = write(tmp_path, GOOD)
        path.chmod(0)
    assert_one_clear_message(envcheck("plan", "--matrix", str(path)), 2)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("validate", "--expect", "fast"), 2, ["'fast'", "accelerated"]),
        (("validate", "--tier", "weekly"), 2, ["weekly"]),
        (("validate", "--select", "mediapipe=1"), 2, ["mediapipe"]),
        (NONE_SELECTED, 3, ["no cell", "9.9.9"]),
        (("validate", "--min-speedup", "-1"), 2, ["--min-speedup"]),
        (("validate", "--min-speedup", "nan"), 2, ["--min-speedup"]),
        (("validate", "--deadline", "nan"), 2, ["--deadline"]),
        (("validate", "--suite", "no/such/tests"), 2, ["no/such/tests"]),
        (("validate", "--suite", "."), 2, ["--suite .", "test_*.py"]),
        (("validate", "--backend", "podman"), 2, ["podman"]),
        (("validate", "--model", "no/such.task"), 2, ["no/such.task"]),
        (("validate", "--input", "no/such.png"), 2, ["no/such.png"]),
        (("plan", "--format", "xml"), 2, ["xml", "json"]),
        (("replay", "no/such/folder"), 2, ["no/such/folder"]),
        (("explain", "EGL2O2"), 2, ["EGL2O2", "EGL202"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_bad_argument_is_one_clear_message(
    envcheck: Command, matrix_of: MatrixOf, arguments: tuple[str, ...], code: int, words: list[str]
) -> None:
    extra = ("--matrix", str(matrix_of("1.2.2"))) if arguments[0] == "validate" else ()

    assert_one_clear_message(envcheck(*arguments, *extra), code, *words)


def test_a_corrupt_model_and_an_empty_image_are_refused_before_anything_is_built(
    envcheck: Command, matrix_of: MatrixOf, tmp_path: Path
) -> None:
    (tmp_path / "model.task").write_bytes(b"PK\x03\x04 not a bundle")
    (tmp_path / "empty.png").write_bytes(b"")
    matrix = str(matrix_of("1.2.2"))

    ran = envcheck("validate", "--matrix", matrix, "--model", str(tmp_path / "model.task"))
    assert_one_clear_message(ran, 2, "model.task")
    ran = envcheck("validate", "--matrix", matrix, "--input", str(tmp_path / "empty.png"))
    assert_one_clear_message(ran, 2, "empty.png")


def test_an_out_that_is_a_file_is_refused_before_anything_is_built(
    envcheck: Command, matrix_of: MatrixOf, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    ran = envcheck("validate", "--matrix", str(matrix_of("1.2.2")), "--out", str(tmp_path / "out"))

    assert_one_clear_message(ran, 2, "out")
    assert (tmp_path / "out").read_text() == "mine"


IMPOSSIBLE = 'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: ["1.0.0"]\n'


@pytest.mark.root
def test_a_full_disk_leaves_earlier_results_intact(envcheck: Command, tmp_path: Path) -> None:
    write(tmp_path, IMPOSSIBLE)
    out = tmp_path / "out"
    out.mkdir()
    before = envcheck("validate", "--out", str(out), cwd=tmp_path)
    assert before.code == 1
    stored = (out / "results.json").read_bytes()
    script = (
        'mount -t tmpfs -o size=512k tmpfs "$0/full" && cp -r "$0/out/." "$0/full/" '
        '&& { head -c 600000 /dev/zero > "$0/full/ballast" 2>/dev/null || true; } && "$@"; code=$?; '
        'cp "$0/full/results.json" "$0/after.json"; ls -A "$0/full" > "$0/listing"; exit $code'
    )
    (tmp_path / "full").mkdir()
    ran = envcheck(
        "validate", "--out", str(tmp_path / "full"),
        cwd=tmp_path, wrapper=("unshare", "-m", "sh", "-c", script, str(tmp_path)),
    )  # fmt: skip

    assert_one_clear_message(ran, 4, "No space left")
    assert (tmp_path / "after.json").read_bytes() == stored
    assert ".tmp" not in (tmp_path / "listing").read_text()


STAGES = ("reading model", "asking EGL", "starting FaceLandmarker on the GPU", "warming up", "timing")


@pytest.mark.parametrize(
    ("stage", "number"),
    [*((stage, signal.SIGINT) for stage in STAGES), ("asking EGL", signal.SIGTERM), ("timing", signal.SIGTERM)],
)
@pytest.mark.network
@pytest.mark.software_gl
def test_an_interrupt_at_any_moment_ends_all_processes_and_leaves_earlier_results(
    cache: Path, tmp_path: Path, number: signal.Signals, stage: str
) -> None:
    write(tmp_path, 'version: 1\naxes:\n  python: ["3.11"]\n  mediapipe: ["0.10.35", "1.2.2"]\n')
    out = tmp_path / ".envcheck"
    out.mkdir()
    (out / "results.json").write_text('{"mine": true}')
    env = environment({"EGL_PLATFORM": "surfaceless", "ENVCHECK_CACHE": str(cache)})
    command = [sys.executable, "-m", "envcheck", "validate"]
    with child(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any(stage in line for line in running.stderr)
        offspring = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(number)
        _, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "untouched" in stderr or stage == "reading model"
    assert json.loads((out / "results.json").read_text()) == {"mine": True}
    assert alive(offspring) == []


def test_an_interrupt_amid_an_import_that_executes_text_ends_with_the_exit_code_too(tmp_path: Path) -> None:
    (tmp_path / "importing.py").write_text(
        "import sys, envcheck.cli, envcheck.__main__\n"
        "envcheck.cli.call = lambda argv: exec('raise KeyboardInterrupt')\n"
        "sys.exit(envcheck.__main__.main())\n"
    )
    ran = subprocess.run([sys.executable, "-m", "importing"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 130
    assert ran.stderr == "envcheck: interrupted\n"


@pytest.mark.network
@pytest.mark.software_gl
@pytest.mark.parametrize("stage", ["starting FaceLandmarker on the GPU", "timing"])
def test_workers_do_not_outlive_an_envcheck_that_was_killed(cache: Path, tmp_path: Path, stage: str) -> None:
    # The second cell, so that it does not end by itself before it is killed.
    write(tmp_path, 'version: 1\naxes: {python: ["3.11"], mediapipe: ["0.10.35", "1.2.2"]}\n')
    env = environment({"EGL_PLATFORM": "surfaceless", "ENVCHECK_CACHE": str(cache)})
    command = [sys.executable, "-m", "envcheck", "validate"]
    with child(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any(stage in line for line in running.stderr)
        offspring = psutil.Process(running.pid).children(recursive=True)
        running.kill()

    assert running.returncode == -signal.SIGKILL
    assert offspring
    assert alive(offspring) == []


@pytest.mark.network
def test_two_runs_at_once_both_end_well(cache: Path, tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    env = environment({"ENVCHECK_CACHE": str(cache)})
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with ExitStack() as stack:
        commands = ([sys.executable, "-m", "envcheck", "validate", "--out", f"out{n}"] for n in range(2))
        runs = [stack.enter_context(child(command, cwd=tmp_path, env=env, **said)) for command in commands]
        texts = [run.communicate(timeout=2 * PATIENCE_S)[0] for run in runs]

    assert [run.returncode for run in runs] == [1, 1], texts
    verdicts = [json.loads((tmp_path / f"out{n}" / "results.json").read_text())["summary"] for n in range(2)]
    assert verdicts[0] == verdicts[1]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    script = f'"{sys.executable}" -m envcheck plan --format json | head -c 1; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )

    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nowhere"])
@pytest.mark.parametrize(
    "command", [("check", "--quiet", "--python", sys.executable), ("bench", "--python", sys.executable)]
)
def test_a_cache_that_cannot_be_used_is_a_usage_error(
    envcheck: Command, tmp_path: Path, command: tuple[str, ...], place: str
) -> None:
    ran = envcheck(*command, cwd=tmp_path, env={"ENVCHECK_CACHE": place})

    assert_one_clear_message(ran, 2, f"the cache folder {place} cannot be used", "ENVCHECK_CACHE")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of the address space")
def test_a_limit_that_envcheck_itself_does_not_fit_into_is_named_and_is_no_fault(tmp_path: Path) -> None:
    limited = ["prlimit", f"--as={60 << 20}", sys.executable, "-m", "envcheck", "doctor"]
    done = subprocess.run(limited, cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=False)

    assert_one_clear_message(
        Ran(done.returncode, done.stdout, done.stderr, tmp_path), 4, "60 MiB of addresses", "ulimit -v"
    )
