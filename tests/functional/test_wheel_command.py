"""`envcheck wheel` as a user runs it: on files, folders and libraries, and on indexes that behave and misbehave."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import unable
from tests.inprocess import ended
from tests.waiting import PATIENCE_S
from tests.wheels import GL_BUILD, LIBRARY, NAME, archive, members

Ended = subprocess.CompletedProcess[str]

WHEEL = archive(members() | {"mediapipe/modules/model.tflite": bytes(range(256)) * 20000})
LARGE = archive({**members(), "mediapipe/big.bin": hashlib.shake_256(b"seed").digest(3_000_000)})
SHA256 = hashlib.sha256(LARGE).hexdigest()


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one wheel; `manner` says how it behaves."""

    manner = ""
    asked: list[str] = []  # noqa: RUF012 - one list for all requests of a server

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        if self.manner == "login" and self.headers.get("Authorization") != "Basic bWU6c2VjcmV0":
            self.answer(401, b"who are you?")
        elif self.manner == "broken":
            self.answer(503, b"")
        elif self.manner == "silent":
            time.sleep(300)
        elif self.path == "/simple/mediapipe/":
            self.page()
        elif self.path.endswith(".whl"):
            self.file()
        else:
            self.answer(404, b"")

    def page(self) -> None:
        promised = "0" * 64 if self.manner == "other-hash" else SHA256
        if self.manner == "json":
            file = {"filename": NAME, "url": f"/files/{NAME}", "hashes": {"sha256": promised}}
            self.answer(200, json.dumps({"files": [file]}).encode(), "application/vnd.pypi.simple.v1+json")
        elif self.manner == "no-json":
            self.answer(200, b"{", "application/vnd.pypi.simple.v1+json")
        else:
            self.answer(200, f'<a href="/files/{NAME}#sha256={promised}">{NAME}</a>'.encode(), "text/html")

    def file(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if self.manner == "no-file":
            self.answer(404, b"")
        elif wanted and self.manner == "no-parts":
            self.answer(416, b"")
        elif wanted is None or self.manner in {"whole", "other-hash", "cut"}:
            self.answer(200, LARGE, cut=self.manner == "cut")
        else:
            first, last = wanted.groups()
            start = int(first) if first else max(0, len(LARGE) - int(last))
            end = int(last) + 1 if first and last else len(LARGE)
            place = f"bytes {start}-{end - 1}/{len(LARGE)}"
            self.answer(206, LARGE[start:end], extra={"Content-Range": place})

    def answer(
        self, code: int, body: bytes, kind: str = "text/html", *, extra: dict[str, str] | None = None, cut: bool = False
    ) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of clients that go away early."""

    def handle_error(self, *_: object) -> None:
        """Nothing is written."""


@contextmanager
def index(how: str) -> Iterator[tuple[str, list[str]]]:
    """An index that behaves like that: its address, and what it was asked."""
    asked: list[str] = []
    server = Server(("127.0.0.1", 0), type("H", (Index,), {"manner": how, "asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def at(tmp_path: Path) -> Callable[..., Ended]:
    """Run the command against an index at an address and nothing else."""

    def run(url: str, *arguments: str, **env: str) -> Ended:
        alone = {"UV_DEFAULT_INDEX": url, "PIP_CONFIG_FILE": "/dev/null", "UV_NO_CONFIG": "1", "PIP_FIND_LINKS": ""}
        alone |= {"ENVCHECK_CACHE": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1", **env}
        return ended("wheel", *(arguments or ("9.9.9", "--platform", "linux-x86_64")), cwd=tmp_path, env=alone)

    return run


def calm(ran: Ended) -> str:
    """The error text, without a traceback and without a fault of our own."""
    assert "Traceback" not in ran.stderr
    assert "fault in envcheck" not in ran.stderr
    return ran.stderr


def test_only_parts_are_fetched_where_the_server_gives_parts(at: Callable[..., Ended]) -> None:
    with index("") as (url, asked):
        ran = at(url, "9.9.9", "--platform", "linux-x86_64", "--json")
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["gpu"]) == (0, "yes")
    assert found["origin"]["fetched"] < len(LARGE) / 10
    assert found["origin"]["sha256"] == SHA256
    assert not found["origin"].get("checked")
    assert all("bytes=" in line for line in asked if ".whl" in line)


@pytest.mark.parametrize("manner", ["whole", "no-parts", "json"])
def test_the_whole_wheel_is_checked_and_kept(manner: str, at: Callable[..., Ended], tmp_path: Path) -> None:
    with index(manner) as (url, asked):
        first = at(url)
        again = at(url, "latest", "--platform", "linux-x86_64", "--json")
    assert (first.returncode, again.returncode) == (0, 0)
    if manner != "json":
        assert json.loads(again.stdout)["origin"] == {
            "name": NAME,
            "form": "wheel",
            "size": len(LARGE),
            "sha256": SHA256,
            "checked": True,
            "fetched": 0,
        }
        assert sum(line == f"/files/{NAME}" for line in asked) == 1
        assert (tmp_path / "cache" / "wheels" / SHA256 / NAME).read_bytes() == LARGE


@pytest.mark.parametrize(
    ("manner", "code", "words"),
    [
        ("other-hash", 75, "the index promised 0000"),
        ("no-file", 75, "not there"),
        ("broken", 75, "503"),
        ("no-json", 75, "no page of a package index"),
        ("login", 75, "401"),
        ("cut", 75, r"sent \d+ of \d+ bytes"),
    ],
)
def test_an_index_that_misbehaves_is_told_apart(manner: str, code: int, words: str, at: Callable[..., Ended]) -> None:
    with index(manner) as (url, _):
        ran = at(url)
    assert ran.returncode == code, ran.stderr
    assert re.search(words, calm(ran))


def test_a_silent_index_ends_with_its_timeout(at: Callable[..., Ended]) -> None:
    with index("silent") as (url, _):
        ran = at(url, UV_HTTP_TIMEOUT="1")
    assert ran.returncode == 75
    assert "timed out" in calm(ran)


def test_a_login_in_the_address_is_used_for_the_files_too_and_never_shown(at: Callable[..., Ended]) -> None:
    with index("login") as (url, _):
        right = at(url.replace("//", "//me:secret@"))
        wrong = at(url.replace("//", "//me:wrong-secret@"))
    assert (right.returncode, wrong.returncode) == (0, 75)
    assert "secret" not in right.stdout + right.stderr + wrong.stdout + calm(wrong)


def test_nobody_at_the_address_is_infrastructure(at: Callable[..., Ended]) -> None:
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        ran = at(f"http://127.0.0.1:{taken.getsockname()[1]}/simple")
    assert (ran.returncode, "cannot be read" in calm(ran)) == (75, True)


def test_offline_asks_nobody(at: Callable[..., Ended]) -> None:
    with index("") as (url, asked):
        ran = at(url, UV_OFFLINE="1")
    assert (ran.returncode, asked) == (75, [])
    assert "UV_OFFLINE" in calm(ran)


def test_a_folder_of_wheels_is_a_place_too(at: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL)
    ran = at("", "9.9.9", "--platform", "linux-x86_64", UV_FIND_LINKS=str(tmp_path), PIP_NO_INDEX="1")
    assert ran.returncode == 0, ran.stderr
    assert "through OpenGL ES over EGL" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("1.2.3",), "not on the package index"),
        (("9.9.9", "--platform", "linux-aarch64"), "has no wheel for linux-aarch64"),
        (("9.9.9", "--platform", "amiga"), "is not one of"),
        (("9.9.9", "--python", "x"), "is not a version"),
        (("nonsense",), "is no file, and no version"),
        (("",), "is no file, and no version"),
    ],
)
def test_what_is_asked_wrongly_is_a_usage_error(
    arguments: tuple[str, ...], words: str, at: Callable[..., Ended]
) -> None:
    with index("") as (url, _):
        ran = at(url, *arguments)
    assert ran.returncode == 2
    assert words in calm(ran)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("a.whl", b"", id="empty"),
        pytest.param("a.whl", b"hello", id="text"),
        pytest.param("a.whl", WHEEL[:-200], id="truncated"),
        pytest.param("a.whl", archive({"numpy/__init__.py": b""}), id="another-project"),
        pytest.param("mediapipe-1.0.tar.gz", b"\x1f\x8b" + bytes(50), id="source"),
        pytest.param("a.whl", archive(members() | {"../../evil": b"x"}), id="traversal"),
        pytest.param("a.so", b"\x7fELF" + bytes(100), id="crafted-library"),
        pytest.param("a.so", b"", id="empty-library"),
        pytest.param("a.whl", archive(members() | {LIBRARY: b"\x7fELF" + b"\xff" * 5000}), id="crafted-member"),
    ],
)
def test_a_bad_file_is_an_error_that_names_it(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    ran = ended("wheel", str(tmp_path / name), cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert name in calm(ran) or "mediapipe" in ran.stderr
    assert not (tmp_path.parent / "evil").exists()


def test_a_wheel_a_folder_and_a_library_say_the_same(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL)
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    shutil.unpack_archive(tmp_path / NAME, packages, "zip")
    places = [tmp_path / NAME, packages, packages / "mediapipe", tmp_path / "venv", packages / LIBRARY]
    found = [json.loads(ended("wheel", str(place), "--json", cwd=tmp_path).stdout) for place in places]
    assert [one["gpu"] for one in found] == ["yes"] * 5
    assert [one["native"]["gl_needs"] for one in found] == [["libEGL.so.1", "libGLESv2.so.2"]] * 5
    assert [one["origin"]["form"] for one in found] == ["wheel", "folder", "folder", "folder", "library"]
    assert [one["code"]["kind"] for one in found] == ["code"] * 4 + ["unread"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real library that a compiler and a linker made."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("gcc")
    texts = GL_BUILD.decode().replace("\0", "\\0")
    (folder / "a.c").write_text(
        f'#include <math.h>\nconst char texts[] = "{texts}";\ndouble f(double x) {{ return exp(x); }}'
    )
    command = ["gcc", "-shared", "-fPIC", "-o", str(folder / "a.so"), str(folder / "a.c"), "-lm"]
    subprocess.run(command, check=True, timeout=PATIENCE_S)
    return (folder / "a.so").read_bytes()


def test_a_compiled_library_is_read(compiled: bytes) -> None:
    from envcheck.wheel.native import read_native
    from envcheck.wheel.record import Seen

    found = read_native(compiled, "a.so", ())
    assert isinstance(found.gpu, Seen)
    assert isinstance(found.glibc, Seen)
    assert found.gpu.value == "gl"
    assert re.fullmatch(r"2\.\d+", found.glibc.value)
    assert "exp@GLIBC_2" in found.glibc.witness


def test_a_compiled_library_with_any_byte_changed_is_read_or_refused(compiled: bytes) -> None:
    import random

    from envcheck.errors import UsageError
    from envcheck.wheel.native import read_native

    dice, refused = random.Random(7), 0
    for _ in range(150):
        data = bytearray(compiled)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data) if dice.random() < 0.5 else 2048)] = dice.choice(
                (0, 0xFF, dice.randrange(256))
            )
        try:
            read_native(bytes(data), "a.so", ())
        except UsageError:
            refused += 1
    assert refused


def test_memory_does_not_follow_the_size_of_the_library(tmp_path: Path) -> None:
    """A library of 127 MB, as large as that of 1.2.2, costs no more than its own size beside the interpreter's."""
    big = members() | {LIBRARY: members()[LIBRARY] + bytes(127_000_000)}
    (tmp_path / NAME).write_bytes(archive(big))
    script = "import re, sys; from envcheck.__main__ import main; code = main(); "
    script += "peak = re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read()); "
    script += "print(int(peak[1]) // 1024, file=sys.stderr); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", script, "wheel", str(tmp_path / NAME)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert int(done.stderr.split()[-1]) < 300
