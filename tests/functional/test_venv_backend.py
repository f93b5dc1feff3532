"""The venv backend on real wheels, a real uv and real interpreters."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from envcheck import process
from envcheck.cache import sweep
from envcheck.environments import Prepared, prepare
from envcheck.executor import Tools, find_uv
from envcheck.model import Axes, Cell, cell_id
from tests.children import child
from tests.conftest import unable
from tests.waiting import alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NEWEST = "1.2.2"
OLD = "0.10.21"
NEVER_PUBLISHED = "0.10.22"
DEADLINE_S = 600

BUILD = f"""
import os, sys
from pathlib import Path
from envcheck.environments import prepare
from envcheck.executor import Tools, find_uv
from envcheck.model import Axes, Cell
cell = Cell(id="x", axes=Axes(backend="venv", python="3.11", mediapipe="{NEWEST}"))
tools = Tools(uv=lambda: sys.argv[2] if len(sys.argv) > 2 else find_uv())
made = prepare(cell, cache=Path(sys.argv[1]), env=dict(os.environ), tools=tools)
print(made.build.outcome, made.build.because, *made.python, sep="|")
"""


def make(cache: Path, env: Mapping[str, str] | None = None, tools: Tools | None = None, **axes: str) -> Prepared:
    point = Axes(backend="venv", **{"python": "3.11", "mediapipe": NEWEST, **axes})
    return prepare(Cell(id=cell_id(point), axes=point), cache=cache, env={**os.environ, **(env or {})}, tools=tools)


def need_python(made: Prepared) -> Prepared:
    """Skip where the interpreter a test needs is not installed."""
    if made.build.outcome == "no-interpreter":
        unable(f"{made.build.because}; enable with: uv python install")
    return made


def inside(made: Prepared, code: str) -> str:
    """What a line of Python prints in an environment, which is left as it is."""
    done = process.run([*made.python, "-I", "-B", "-c", code], deadline_s=DEADLINE_S)
    assert done.succeeded, done.stderr.decode()
    return done.stdout.decode().strip()


def folder_of(made: Prepared) -> Path:
    return Path(made.python[0]).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for the tests that only need an environment."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A cache for the tests that look at how an environment comes to be."""
    return tmp_path / "cache"


# --- built, and reused ---------------------------------------------------------------------------------------------


@pytest.mark.network
def test_mediapipe_is_built_and_then_reused_without_starting_anything(own: Path) -> None:
    first = need_python(make(own))
    forbidden = Tools(run=lambda *args, **kwargs: pytest.fail("a process was started"))

    second = make(own, tools=forbidden)

    assert (first.build.outcome, second.build.outcome) == ("built", "reused")
    assert (second.python, second.build.key, second.build.lock) == (first.python, first.build.key, first.build.lock)
    assert inside(second, "from importlib.metadata import version; print(version('mediapipe'))") == NEWEST
    assert first.build.lock is not None
    assert f"mediapipe=={NEWEST} \\\n    --hash=sha256:" in first.build.lock
    assert list((own / "staging").iterdir()) == []
    assert list(folder_of(first).rglob("*.pyc")) == [], "compiled files would be written into uv's own copies"


def lose(site: Path) -> None:
    """A library goes."""
    next(site.rglob("libmediapipe.so")).unlink()


def replace_by_one_of_the_same_size(site: Path) -> None:
    """Code of MediaPipe's is another, as long as it was. The file is a new one: the old one is uv's own copy."""
    code = site / "mediapipe" / "__init__.py"
    text = code.read_bytes()
    code.unlink()
    code.write_bytes(text.replace(b"import", b"IMPORT"))


def put_a_hook_beside(site: Path) -> None:
    """Something is installed that was in no lock."""
    (site / "sitecustomize.py").write_text("import os\n", encoding="utf-8")


def compile_something(site: Path) -> None:
    """A run of Python writes what it compiled."""
    (site / "mediapipe" / "__pycache__").mkdir()
    (site / "mediapipe" / "__pycache__" / "new.pyc").write_bytes(b"")


@pytest.mark.network
@pytest.mark.parametrize(
    ("happened", "outcome"),
    [
        (lose, "built"),
        (replace_by_one_of_the_same_size, "built"),
        (put_a_hook_beside, "built"),
        (compile_something, "reused"),
    ],
)
def test_an_environment_that_was_changed_is_built_anew(
    happened: Callable[[Path], None], outcome: str, own: Path
) -> None:
    made = need_python(make(own))
    site = next(folder_of(made).rglob("site-packages"))
    happened(site)

    assert make(own).build.outcome == outcome
    assert next(site.rglob("libmediapipe.so")).exists()
    assert b"IMPORT" not in (site / "mediapipe" / "__init__.py").read_bytes()
    assert not (site / "sitecustomize.py").exists()


@pytest.mark.network
def test_two_processes_that_want_the_same_cell_do_not_disturb_each_other(own: Path) -> None:
    need_python(make(own, mediapipe=NEVER_PUBLISHED))
    command = [sys.executable, "-c", BUILD, str(own)]
    with (
        child(command, stdout=subprocess.PIPE, text=True) as one,
        child(command, stdout=subprocess.PIPE, text=True) as two,
    ):
        said = [both.communicate(timeout=DEADLINE_S)[0].strip().split("|") for both in (one, two)]

    assert sorted(outcome for outcome, *_ in said) == ["built", "reused"], said
    assert said[0][2] == said[1][2]
    assert list((own / "staging").iterdir()) == []


@pytest.mark.network
def test_a_build_that_was_killed_leaves_nothing_that_looks_finished(own: Path, tmp_path: Path) -> None:
    """Its installer, which has stopped, goes on when it is an orphan, beside the next build."""
    need_python(make(own, mediapipe=NEVER_PUBLISHED))
    halting = tmp_path / "uv"
    halting.write_text(f'#!/bin/sh\n[ "$2" != sync ] || kill -STOP $$\nexec {find_uv()} "$@"\n', encoding="utf-8")
    halting.chmod(0o755)
    with child([sys.executable, "-c", BUILD, str(own), str(halting)], stdout=subprocess.DEVNULL) as building:
        orphan = halted_installer_of(building)
        building.send_signal(signal.SIGKILL)

    assert list(own.glob("environments/*")) == []
    assert len(list((own / "staging").glob("*.lock"))) == 1
    orphan.resume()
    assert make(own).build.outcome == "built"
    assert alive([orphan]) == []
    sweep(own / "staging")
    assert list((own / "staging").iterdir()) == []


def halted_installer_of(building: subprocess.Popen[bytes]) -> psutil.Process:
    """The child that installs, once it has stopped."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until and building.poll() is None:
        with suppress(psutil.Error):
            for one in psutil.Process(building.pid).children():
                if one.status() == psutil.STATUS_STOPPED:
                    return one
        time.sleep(0.05)
    pytest.fail("it never installed anything")


# --- what cannot be had --------------------------------------------------------------------------------------------


@pytest.mark.network
def test_a_version_without_a_wheel_for_this_python_says_which_there_are(store: Path) -> None:
    build, python = need_python(make(store, python="3.13", mediapipe="0.10.9"))

    assert (build.outcome, python) == ("no-wheel", ())
    assert build.because == (
        "mediapipe==0.10.9 has no wheels with a matching Python ABI tag (e.g., cp313); "
        "there are wheels for cp38, cp39, cp310, cp311"
    )


@pytest.mark.network
def test_a_version_that_was_never_published_says_so(store: Path) -> None:
    build = need_python(make(store, mediapipe=NEVER_PUBLISHED)).build

    assert (build.outcome, build.because) == ("no-wheel", f"there is no version of mediapipe=={NEVER_PUBLISHED}")


def test_an_interpreter_that_is_missing_is_named(store: Path) -> None:
    build, python = make(store, {"UV_PYTHON_DOWNLOADS": "never"}, python="3.99")

    assert (build.outcome, python) == ("no-interpreter", ())
    assert build.because == "Python 3.99 is not installed here"


def test_an_index_that_does_not_answer_is_unavailable(own: Path) -> None:
    env = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1"}

    build = need_python(make(own, env)).build

    assert build.outcome == "unavailable"
    assert "http://127.0.0.1:9/simple" in build.because
    assert "Connection refused" in build.because


@pytest.mark.root
@pytest.mark.network
def test_a_full_disk_is_said_and_staging_is_emptied(own: Path) -> None:
    own.mkdir()
    mounted = process.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(own)], deadline_s=20)
    if not mounted.succeeded:
        unable("mounting is not allowed here; enable with: a container with CAP_SYS_ADMIN")
    try:
        build = need_python(make(own)).build

        assert (build.outcome, build.because) == ("failed", "the disk is full")
        assert list((own / "staging").iterdir()) == []
        assert not (own / "environments").exists()
    finally:
        assert process.run(["umount", str(own)], deadline_s=20).succeeded


# --- axes ----------------------------------------------------------------------------------------------------------


@pytest.mark.network
def test_the_cuda_axis_installs_that_cuda_runtime(store: Path) -> None:
    made = need_python(make(store, cuda="12.8"))
    library = next(folder_of(made).rglob("libcudart.so.12"))

    code = (
        f"import ctypes as c; v = c.c_int(); c.CDLL({str(library)!r}).cudaRuntimeGetVersion(c.byref(v)); print(v.value)"
    )

    assert inside(made, code) == "12080"


@pytest.mark.network
@pytest.mark.parametrize("version", [OLD, NEWEST])
def test_headless_opencv_takes_the_place_of_the_other(version: str, store: Path) -> None:
    made = need_python(make(store, mediapipe=version, opencv="headless"))

    names = inside(made, "from importlib.metadata import distributions as d; print(*{x.metadata['Name'] for x in d()})")
    opencv = [name for name in names.split() if name.startswith("opencv")]
    assert opencv == ["opencv-contrib-python-headless"]
    assert inside(made, "import cv2; print(cv2.__file__)").startswith(str(folder_of(made)))


@pytest.mark.network
def test_an_opencv_version_is_the_one_installed(store: Path) -> None:
    made = need_python(make(store, opencv="4.11"))

    assert made.build.lock is not None
    assert "\nopencv-contrib-python==4.11." in made.build.lock


# --- the user's index settings -------------------------------------------------------------------------------------


def a_wheel(folder: Path, version: str = "9999.0", padding: int = 0) -> Path:
    """A MediaPipe that no index has: tiny, or so many bytes larger."""
    info = f"mediapipe-{version}.dist-info"
    members = {
        "mediapipe.py": f"__version__ = {version!r}\n#{'x' * padding}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: mediapipe\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},{wheel_hash(text)},{len(text)}" for name, text in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"mediapipe-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in members.items():
            wheel.writestr(name, text)
    return path


def wheel_hash(text: str) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "settings",
    [
        {"UV_FIND_LINKS": "wheels"},
        {"PIP_FIND_LINKS": "wheels", "PIP_NO_INDEX": "1"},
        {"PIP_CONFIG_FILE": "pip.conf"},
    ],
    ids=["uv-variable", "pip-variables", "pip-file"],
)
def test_a_folder_of_wheels_is_honoured(
    settings: dict[str, str], own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_wheel(tmp_path / "wheels")
    (tmp_path / "pip.conf").write_text("[global]\nno-index = true\nfind-links =\n    wheels\n    elsewhere\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    offline = {} if "PIP_NO_INDEX" in settings or "PIP_CONFIG_FILE" in settings else {"UV_OFFLINE": "1"}

    made = need_python(make(own, {**settings, **offline, "HOME": str(tmp_path)}, mediapipe="9999.0"))

    assert (made.build.outcome, made.build.because) == ("built", "lock resolved just now")
    assert inside(made, "import mediapipe; print(mediapipe.__version__)") == "9999.0"


@pytest.fixture
def private_index(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """An index with one wheel that wants a password; gives its address with the password given."""
    wheel = a_wheel(tmp_path / "served")
    page = f'<a href="/files/{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}">{wheel.name}</a>'
    wanted = "Basic " + base64.b64encode(b"joe:hunter22").decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 200 if self.headers.get("Authorization") == wanted else 401
            body = b"" if status == 401 else wheel.read_bytes() if "/files/" in self.path else page.encode()
            self.send_response(status)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Type", "application/zip" if "/files/" in self.path else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda password: f"http://joe:{password}@127.0.0.1:{server.server_port}/simple"
        server.shutdown()


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "PIP_INDEX_URL"])
def test_a_private_index_is_used_and_its_password_is_written_nowhere(
    variable: str, own: Path, private_index: Callable[[str], str]
) -> None:
    made = need_python(make(own, {variable: private_index("hunter22"), "UV_NO_CACHE": "1"}, mediapipe="9999.0"))

    assert made.build.outcome == "built", made.build
    assert "hunter22" not in f"{made}"
    assert_written_nowhere(own, "hunter22")


def test_a_wrong_password_is_unavailable_and_written_nowhere(own: Path, private_index: Callable[[str], str]) -> None:
    env = {"UV_DEFAULT_INDEX": private_index("wrong-one"), "UV_NO_CACHE": "1", "UV_INDEX_STRATEGY": "first-index"}

    made = need_python(make(own, env, mediapipe="9999.0"))

    assert made.build.outcome == "unavailable"
    assert "401 Unauthorized" in made.build.because
    assert "wrong-one" not in f"{made}"
    assert_written_nowhere(own, "wrong-one")


def assert_written_nowhere(folder: Path, secret: str) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
