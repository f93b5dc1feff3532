"""The conda backend on a channel made here: a real solver, a real interpreter packed as a package, real wheels."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from envcheck import backends, process
from envcheck.cache import sweep
from envcheck.environments import Prepared, prepare
from envcheck.errors import UsageError
from envcheck.executor import Tools
from envcheck.matrix import Backends, Conda
from envcheck.model import Axes, Cell, Host, Unread, cell_id
from tests import condachannel
from tests.children import child
from tests.conftest import unable
from tests.waiting import PATIENCE_S, alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.functional.conftest import Command

NEWEST = "1.2.2"
OLD = "0.10.21"
HERE = Host(platform="linux", machine="x86_64", nvml=Unread(reason="not asked"), glibc="2.36")
PROGRAM = Path(__file__).with_name("conda_program.py")

BUILD = """
import os, sys
from pathlib import Path
from tests.functional.test_conda_backend import NEWEST, made
print(made(Path(sys.argv[1]), sys.argv[2]).build.outcome)
"""

EGL_OF_MEDIAPIPE = """
import ctypes, pathlib, sys
ctypes.CDLL(str(next(pathlib.Path(sys.prefix).rglob("libmediapipe.so"))))
print(next(line.split()[-1] for line in open("/proc/self/maps") if "/libEGL.so" in line))
"""

pytestmark = [pytest.mark.network, pytest.mark.skipif(sys.platform != "linux", reason="packs a Linux interpreter")]


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The channel's address."""
    if importlib.util.find_spec("rattler") is None:
        unable("no py-rattler here; enable with: pip install 'envcheck[conda]'")
    if shutil.which("gcc") is None:
        unable("no gcc here; enable with: apt-get install gcc")
    if not (interpreter := condachannel.find_python("3.11")):
        unable("no Python 3.11 here; enable with: uv python install 3.11")
    folder = tmp_path_factory.mktemp("channel")
    condachannel.make(folder, interpreter, tmp_path_factory.mktemp("work"))
    return folder.as_uri()


@pytest.fixture(scope="module", autouse=True)
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A package cache of our own, so that no other channel's python-3.11.7 is mistaken for ours."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATTLER_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of environments."""
    return tmp_path_factory.mktemp("store")


def made(
    cache: Path,
    channel: str,
    tools: Tools | None = None,
    program: str | None = None,
    wanted: tuple[str, ...] = (),
    **axes: str,
) -> Prepared:
    point = Axes(backend="conda", **{"python": "3.11", "mediapipe": NEWEST, **axes})
    asked = Backends(conda=Conda(channels=(channel,), packages=wanted, program=program))
    known = {"conda": backends.conda_backend(asked, HERE, os.environ)}
    cell = Cell(id=cell_id(point), axes=point)
    return prepare(cell, cache=cache, env=dict(os.environ), tools=tools, backends=known)


def folder_of(prepared: Prepared) -> Path:
    return Path(prepared.python[0]).parents[2]


def inside(prepared: Prepared, code: str) -> str:
    done = process.run([*prepared.python, "-I", "-B", "-c", code], deadline_s=PATIENCE_S)
    assert done.succeeded, done.stderr.decode()
    return done.stdout.decode().strip()


# --- built, and reused ---------------------------------------------------------------------------------------------


def test_an_environment_is_built_and_then_reused_without_starting_anything(channel: str, store: Path) -> None:
    first = made(store, channel)
    forbidden = Tools(run=lambda *args, **kwargs: pytest.fail("a process was started"))

    second = made(store, channel, tools=forbidden)

    assert (first.build.outcome, second.build.outcome) == ("built", "reused"), first.build
    assert (second.python, second.build.key) == (first.python, first.build.key)
    said = inside(second, "import sys; from importlib.metadata import version; print(sys.prefix, version('mediapipe'))")
    assert said == f"{folder_of(first)}/prefix {NEWEST}"
    assert list((store / "staging").iterdir()) == []


def test_the_locks_lie_beside_the_environment_and_in_the_evidence(channel: str, store: Path) -> None:
    from rattler import LockFile
    from rattler.explicit_environment import ExplicitEnvironmentSpec

    prepared = made(store, channel)
    folder = folder_of(prepared)

    explicit = ExplicitEnvironmentSpec.from_path(folder / "conda-linux-64.txt")
    locked = LockFile.from_path(folder / "pixi.lock").default_environment()

    assert locked is not None
    assert [package.url.partition("#")[0].rsplit("/")[-1].split("-")[0] for package in explicit.packages] == [
        "libstdcxx",
        "python",
    ]
    assert sorted(package.name for package in locked.packages(locked.platforms()[0]) or ()) == ["libstdcxx", "python"]
    assert f"mediapipe=={NEWEST} \\\n    --hash=sha256:" in (folder / "requirements.txt").read_text()
    for name in ("conda-linux-64.txt", "pixi.lock", "requirements.txt"):
        assert (folder / name).read_text().strip() in str(prepared.build.lock)


def test_the_final_path_stands_in_binaries_and_scripts(channel: str, store: Path) -> None:
    prepared = made(store, channel)
    prefix = folder_of(prepared) / "prefix"

    assert (prefix / "bin/f2py").read_text().startswith(f"#!{prefix}/bin/python")
    assert f"{prefix}/share/made-by-tests\0".encode() in (prefix / "bin/python3.11").read_bytes()
    assert files_with(prefix, b"until-it-is-published") == []


def files_with(folder: Path, text: bytes) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if text in path.read_bytes()]


@pytest.mark.software_gl
def test_verdicts_are_those_of_a_venv(envcheck: Command, channel: str, tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(
        f'version: 1\naxes:\n  backend: [venv, conda]\n  python: ["3.11"]\n  mediapipe: ["{OLD}", "{NEWEST}"]\n'
        f"backends:\n  conda: {{channels: ['{channel}']}}\n"
    )

    ran = envcheck("validate", "--matrix", str(matrix), env={"EGL_PLATFORM": "surfaceless"})

    verdicts = {row["id"]: row["verdict"] for row in ran.results["cells"]}
    assert set(verdicts) == {f"{backend}-py3.11-mp{one}" for backend in ("venv", "conda") for one in (OLD, NEWEST)}
    for one in (OLD, NEWEST):
        assert verdicts[f"conda-py3.11-mp{one}"] == verdicts[f"venv-py3.11-mp{one}"]
        assert verdicts[f"conda-py3.11-mp{one}"] in {"emulated", "refused"}


@pytest.mark.software_gl
def test_libraries_that_the_matrix_asks_for_come_before_the_systems(channel: str, store: Path) -> None:
    with_it, without = made(store, channel, wanted=("libegl",)), made(store, channel)

    assert inside(with_it, EGL_OF_MEDIAPIPE) == str(folder_of(with_it) / "prefix/lib/libEGL.so.1")
    assert not inside(without, EGL_OF_MEDIAPIPE).startswith(str(folder_of(without)))


# --- the driver of the cell ----------------------------------------------------------------------------------------


def test_a_cuda_that_the_driver_of_the_cell_does_not_serve_is_unsolvable(channel: str, store: Path) -> None:
    build, python = made(store, channel, cuda="12.8", driver="470")

    assert (build.outcome, python) == ("unsolvable", ())
    assert "cuda-cudart 12.8.90 would require __cuda >=12" in build.because
    assert build.because.endswith("the driver of this cell serves CUDA 11.4")


def test_its_twin_with_a_driver_that_serves_it_is_solved(channel: str, store: Path) -> None:
    prepared = made(store, channel, cuda="12.8", driver="570")

    assert prepared.build.outcome == "built", prepared.build
    assert "cuda-cudart-12.8.90" in str(prepared.build.lock)
    assert "nvidia" not in (folder_of(prepared) / "requirements.txt").read_text()


def test_an_older_cuda_is_solved_for_an_older_driver(channel: str, store: Path) -> None:
    assert "cudatoolkit-11.8.0" in str(made(store, channel, cuda="11.8", driver="520").build.lock)


def test_what_cannot_be_solved_is_impossible_in_the_solvers_words(
    envcheck: Command, channel: str, tmp_path: Path
) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(
        f'version: 1\naxes: {{backend: [conda], python: ["3.11"], mediapipe: ["{NEWEST}"]}}\n'
        f"backends: {{conda: {{channels: ['{channel}'], packages: [libnothing]}}}}\n"
    )

    ran = envcheck("validate", "--matrix", str(matrix), "--backend", "conda")

    assert ran.code == 1
    assert ran.cell(NEWEST)["verdict"] == "impossible"
    assert "No candidates were found for libnothing" in ran.cell(NEWEST)["because"]
    assert ran.codes(NEWEST)[0] == "MPP417"


# --- channels that fail --------------------------------------------------------------------------------------------


def test_a_channel_that_does_not_answer_is_75(envcheck: Command, tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(
        f'version: 1\naxes: {{backend: [conda], python: ["3.11"], mediapipe: ["{NEWEST}"]}}\n'
        "backends: {conda: {channels: ['http://127.0.0.1:9/channel']}}\n"
    )

    ran = envcheck("validate", "--matrix", str(matrix))

    assert ran.code == 75
    assert ran.cell(NEWEST)["verdict"] == "unknown"
    assert "http://127.0.0.1:9/channel" in ran.cell(NEWEST)["because"]


def test_a_channel_without_a_folder_is_unavailable(store: Path, tmp_path: Path) -> None:
    build = made(store, (tmp_path / "nowhere").as_uri()).build

    assert build.outcome == "unavailable"
    assert "could not find subdir" in build.because


def test_a_channel_that_answers_something_else_is_unavailable(store: Path, tmp_path: Path) -> None:
    """As a captive portal or a proxy does, or a disk that was full when the channel was written."""
    for subdir in ("linux-64", "noarch"):
        (tmp_path / subdir).mkdir()
        (tmp_path / subdir / "repodata.json").write_text("<html>Please log in</html>")

    build = made(store, tmp_path.as_uri()).build

    assert build.outcome == "unavailable"
    assert "repodata.json" in build.because
    assert tmp_path.as_uri() in build.because


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_package_that_differs_from_the_lock_is_not_installed(
    scheme: str, channel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "channel"
    shutil.copytree(channel.removeprefix("file://"), copy)
    with served(copy, scheme) as address:
        assert_only_what_is_locked_is_installed(copy, address, tmp_path, monkeypatch)


@contextmanager
def served(folder: Path, scheme: str) -> Iterator[str]:
    """The address of a channel: the folder itself, or a web server that shows it."""
    if scheme == "file":
        yield folder.as_uri()
        return
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def assert_only_what_is_locked_is_installed(
    copy: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(tmp_path / "cache", address).build
    assert first.outcome == "built", first
    condachannel.Package("libstdcxx", "14.2.0", files={"lib/evil.so": b"changed\n"}).write(copy)
    shutil.rmtree(tmp_path / "cache/environments")
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "packages"))

    build = made(tmp_path / "cache", address).build

    assert build.outcome == "failed"
    assert "hash" in build.because
    assert not list((tmp_path / "cache").glob("environments/*"))


# --- interrupted ---------------------------------------------------------------------------------------------------


def test_an_install_that_was_killed_leaves_nothing_that_looks_finished(channel: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert made(cache, channel).build.outcome == "built"
    shutil.rmtree(cache / "environments")
    root = Path(__file__).parents[2]
    with child([sys.executable, "-c", BUILD, str(cache), channel], cwd=root) as building:
        orphan = halted(building, "install")
        building.send_signal(signal.SIGKILL)

    assert list((cache / "environments").glob("*")) == []
    orphan.resume()
    assert made(cache, channel).build.outcome == "built"
    assert alive([orphan]) == []
    sweep(cache / "staging")
    assert list((cache / "staging").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_half_done(number: signal.Signals, channel: str, tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(
        f'version: 1\naxes: {{backend: [conda], python: ["3.11"], mediapipe: ["{NEWEST}"]}}\n'
        f"backends: {{conda: {{channels: ['{channel}']}}}}\n"
    )
    cache = tmp_path / "cache"
    command = [sys.executable, "-m", "envcheck", "validate", "--quiet", "--matrix", str(matrix)]
    env = {**os.environ, "ENVCHECK_CACHE": str(cache)}
    with child(command, cwd=tmp_path, env=env) as running:
        installer = halted(running, "install")
        running.send_signal(number)
        code = running.wait(PATIENCE_S)

    assert code == 130
    assert alive([installer]) == []
    assert list(cache.glob("environments/*")) == []
    assert list((cache / "staging").iterdir()) == []


def halted(building: subprocess.Popen[bytes], verb: str) -> psutil.Process:
    """The child that does `verb`, as soon as there is one, stopped in the middle of it."""
    until = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < until and building.poll() is None:
        for one in psutil.Process(building.pid).children():
            if verb in words_of(one):
                one.suspend()
                return one
        time.sleep(0.001)
    pytest.fail(f"it never came to {verb}")


def words_of(one: psutil.Process) -> list[str]:
    try:
        return one.cmdline()
    except psutil.Error:
        return []


# --- a program in place of py-rattler ------------------------------------------------------------------------------


@pytest.fixture
def micromamba(tmp_path: Path) -> str:
    """A program of that name; the real one is in no package index."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "micromamba").write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{PROGRAM}" "$@"\n')
    (folder / "micromamba").chmod(0o755)
    return str(folder / "micromamba")


def test_a_program_solves_and_installs(channel: str, store: Path, micromamba: str) -> None:
    prepared = made(store, channel, program=micromamba, cuda="12.8", driver="570")

    assert prepared.build.outcome == "built", prepared.build
    prefix = folder_of(prepared) / "prefix"
    assert inside(prepared, "import sys; print(sys.prefix)") == str(prefix)
    assert f"{prefix}/share/made-by-tests\0".encode() in (prefix / "bin/python3.11").read_bytes()
    assert files_with(prefix, b"until-it-is-published") == []
    assert "cuda-cudart-12.8.90" in str(prepared.build.lock)


def test_a_program_is_told_the_driver_of_the_cell(channel: str, store: Path, micromamba: str) -> None:
    build = made(store, channel, program=micromamba, cuda="12.8", driver="470").build

    assert build.outcome == "unsolvable"
    assert "__cuda >=12" in build.because


def test_a_program_that_is_not_here_is_named(channel: str, store: Path) -> None:
    with pytest.raises(UsageError, match="/nowhere/mamba is not installed here"):
        made(store, channel, program="/nowhere/mamba")


# --- without py-rattler --------------------------------------------------------------------------------------------


def test_without_py_rattler_validate_says_how_to_get_it(
    run_without: Callable[[str, str], subprocess.CompletedProcess[str]], channel: str
) -> None:
    done = run_without("rattler", channel)

    assert done.returncode == 2
    assert "pip install 'envcheck[conda]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def run_without(tmp_path: Path) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """The command in an interpreter where one package seems not to be installed."""

    def run(package: str, channel: str) -> subprocess.CompletedProcess[str]:
        matrix = tmp_path / "matrix.yaml"
        matrix.write_text(
            f'version: 1\naxes: {{backend: [conda], mediapipe: ["{NEWEST}"]}}\n'
            f"backends: {{conda: {{channels: ['{channel}']}}}}\n"
        )
        code = (
            "import importlib.util, sys; find = importlib.util.find_spec\n"
            f"importlib.util.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)\n"
            f"sys.argv = ['envcheck', 'validate', '--matrix', {str(matrix)!r}]\n"
            "from envcheck.__main__ import main; sys.exit(main())"
        )
        env = {**os.environ, "ENVCHECK_CACHE": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    return run
