from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envcheck import environments, process
from envcheck.environments import Prepared, age, cache_folder, is_whole, prepare, sizes
from envcheck.errors import InterruptedRunError, PlaceError, UsageError
from envcheck.executor import Tools
from envcheck.model import Axes, Cell, cell_id
from envcheck.process import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

UV = "/fake/uv"
UNSOLVED = b"error: No solution found when resolving dependencies\n  cause: Because there is no version of x"


class FakeUv:
    """A world with one interpreter, where uv resolves and installs by writing small files.

    `answers` replaces the outcome of the commands whose words contain a key.
    """

    def __init__(self, folder: Path) -> None:
        self.python = folder / "python3.11"
        self.python.write_text("an interpreter")
        self.own = "/own/python3"
        """The interpreter that runs envcheck, which does not work unless a test says so."""
        self.commands: list[str] = []
        self.environments: list[Mapping[str, str]] = []
        self.answers: dict[str, Completed | OSError] = {}
        self.time = 1_000_000.0
        self.installed = b"library"

    @property
    def tools(self) -> Tools:
        return Tools(run=self.run, now=lambda: self.time, uv=lambda: UV, python=lambda: self.own)

    def run(
        self, argv: Sequence[str], *, deadline_s: float, env: Mapping[str, str] | None, cwd: Path | None
    ) -> Completed:
        words = " ".join(argv)
        self.commands.append(words)
        self.environments.append(env or {})
        for part, answer in self.answers.items():
            if part in words:
                if isinstance(answer, OSError):
                    raise answer
                return answer
        assert cwd is not None
        return done(self.act(words, cwd))

    def act(self, words: str, cwd: Path) -> bytes:
        if "python find" in words:
            return str(self.python).encode()
        if words.startswith(str(self.python)):
            return self.identity()
        if "pip compile" in words:
            requirements = (cwd / "requirements.in").read_text()
            (cwd / "lock.txt").write_text(f"{requirements.strip()} --hash=sha256:00\n")
        if " venv " in words:
            (cwd / "venv/bin").mkdir(parents=True)
            (cwd / "venv/bin/python").symlink_to(self.python)
        if "pip sync" in words:
            (cwd / "venv/lib").mkdir()
            (cwd / "venv/lib/library.so").write_bytes(self.installed)
        return b""

    def identity(self, version: str = "3.11.7", implementation: str = "cpython") -> bytes:
        seen = self.python.stat()
        said = {"path": str(self.python), "version": version, "implementation": implementation, "build": "main"}
        said |= {"platform": "linux-x86_64", "libc": "glibc-2.36"}
        return json.dumps(said | {"size": seen.st_size, "modified_ns": seen.st_mtime_ns}).encode()

    def count(self, part: str) -> int:
        return sum(part in command for command in self.commands)


def done(stdout: bytes = b"", returncode: int = 0, stderr: bytes = b"") -> Completed:
    return Completed(argv=(), returncode=returncode, stdout=stdout, stderr=stderr)


def a_cell(**axes: str | None) -> Cell:
    point = Axes(**{"backend": "venv", "python": "3.11", "mediapipe": "1.2.2", **axes})  # type: ignore[arg-type]
    return Cell(id=cell_id(point), axes=point)


@pytest.fixture
def uv(tmp_path: Path) -> FakeUv:
    return FakeUv(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, and the working folder in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    process.resume()


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/bin", "XDG_CONFIG_DIRS": "/nowhere", "PIP_CONFIG_FILE": "/dev/null"}


def make(
    uv: FakeUv, cache: Path, env: Mapping[str, str], cell: Cell | None = None, *, relock: bool = False
) -> Prepared:
    return prepare(cell or a_cell(), cache=cache, env=env, relock=relock, tools=uv.tools)


def staged(cache: Path) -> list[Path]:
    return list((cache / "staging").iterdir())


# --- built and reused ----------------------------------------------------------------------------------------------


def test_a_cell_is_built_and_recorded(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    build, python = make(uv, cache, env)

    assert (build.outcome, build.python) == ("built", "3.11.7")
    assert build.lock == "mediapipe==1.2.2 --hash=sha256:00\n"
    assert build.key is not None
    assert python == (str(cache / "environments" / build.key[:32] / "venv/bin/python"),)
    assert Path(python[0]).read_text() == "an interpreter"
    assert staged(cache) == []


def test_a_second_time_it_is_reused_and_nothing_is_started(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    first = make(uv, cache, env)
    uv.commands.clear()

    second = make(uv, cache, env)

    assert second.build.outcome == "reused"
    assert (second.build.key, second.python) == (first.build.key, first.python)
    assert uv.commands == []


def test_compiled_python_that_comes_later_is_no_damage(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    made = make(uv, cache, env)
    compiled = Path(made.python[0]).parent.parent / "lib/__pycache__"
    compiled.mkdir()
    (compiled / "x.pyc").write_bytes(b"")

    assert make(uv, cache, env).build.outcome == "reused"


def test_a_driver_makes_no_other_environment(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    first = make(uv, cache, env, a_cell(driver="570"))

    second = make(uv, cache, env, a_cell(driver="580"))

    assert (second.build.outcome, second.python) == ("reused", first.python)


def test_another_version_makes_another_environment(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    first, second = make(uv, cache, env), make(uv, cache, env, a_cell(mediapipe="1.2.1"))

    assert second.build.outcome == "built"
    assert second.python != first.python
    assert is_whole(cache / "environments" / str(first.build.key)[:32], str(first.build.key))


def test_the_running_version_is_meant_where_python_is_left_out(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    make(uv, cache, env, a_cell(python=None))

    (asked,) = (command for command in uv.commands if "python find" in command)
    assert asked.endswith(f" {sys.version_info.major}.{sys.version_info.minor}")


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["library-gone", "library-cut", "manifest-gone", "manifest-garbage", "other-key"])
def test_a_damaged_environment_is_built_anew(damage: str, uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    made = make(uv, cache, env)
    folder = cache / "environments" / str(made.build.key)[:32]
    library, manifest = folder / "venv/lib/library.so", folder / "manifest.json"
    match damage:
        case "library-gone":
            library.unlink()
        case "library-cut":
            library.write_bytes(b"")
        case "manifest-gone":
            manifest.unlink()
        case "manifest-garbage":
            manifest.write_bytes(b"\0\1")
        case _:
            manifest.write_text(manifest.read_text().replace(str(made.build.key), "0" * 64))

    again = make(uv, cache, env)

    assert (again.build.outcome, again.python) == ("built", made.python)
    assert library.read_bytes() == b"library"
    assert staged(cache) == []


def test_an_interpreter_that_changed_in_place_is_asked_anew(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    make(uv, cache, env)
    uv.python.write_text("a newer interpreter")
    uv.commands.clear()

    again = make(uv, cache, env)

    assert uv.count("python find") == 1
    assert again.build.outcome == "built", "the environment's interpreter is not the one it was built with"


def test_an_interpreter_that_is_gone_is_an_outcome(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    make(uv, cache, env)
    uv.python.unlink()
    uv.answers = {
        "python find": done(returncode=2),
        " venv ": done(returncode=2, stderr=b"error: No interpreter found"),
    }

    build, python = make(uv, cache, env)

    assert (build.outcome, build.because, python) == ("no-interpreter", "Python 3.11 is not installed here", ())


# --- locks ---------------------------------------------------------------------------------------------------------


def test_a_lock_is_kept_until_told_otherwise_and_its_age_is_shown(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    made = make(uv, cache, env, a_cell(mediapipe=None))
    for lock in (cache / "locks").iterdir():
        os.utime(lock, (uv.time, uv.time))
    uv.time += 3 * 86400 + 5

    kept = make(uv, cache, env, a_cell(mediapipe=None))
    again = make(uv, cache, env, a_cell(mediapipe=None), relock=True)

    assert (made.build.outcome, kept.build.because) == ("built", "lock resolved 3 days ago")
    assert uv.count("pip compile") == 2
    assert again.build.outcome == "reused", "the same lock came out"


def test_other_index_settings_resolve_anew(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    make(uv, cache, env)

    make(uv, cache, {**env, "UV_FIND_LINKS": "/wheels"})

    assert uv.count("pip compile") == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (-5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (86400 * 40, "40 days ago")],
)
def test_an_age_in_words(seconds: float, words: str) -> None:
    assert age(seconds) == words


# --- what cannot be had --------------------------------------------------------------------------------------------


def test_no_wheel_leaves_nothing_behind_and_may_be_tried_again(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    uv.answers = {"pip compile": done(returncode=1, stderr=UNSOLVED)}

    build, python = make(uv, cache, env)

    assert (build.outcome, build.because, python) == ("no-wheel", "there is no version of x", ())
    assert "No solution found" in build.log
    assert staged(cache) == []
    uv.answers = {}
    assert make(uv, cache, env).build.outcome == "built"


def test_a_failed_installation_leaves_nothing_that_looks_finished(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    uv.answers = {"pip sync": done(returncode=2, stderr=b"error: odd\n")}

    build, python = make(uv, cache, env)

    assert (build.outcome, build.because, build.log, python) == ("failed", "odd", "error: odd\n", ())
    assert staged(cache) == []
    assert not (cache / "environments").exists()


@pytest.mark.parametrize(
    ("ended", "because"),
    [
        (
            Completed(argv=(), timed_out=True, signal="SIGTERM", seconds=1800),
            "installing: ended at its deadline, after 1800 s",
        ),
        (Completed(argv=(), signal="SIGKILL"), "installing: killed by SIGKILL"),
        (Completed(argv=(), started=False, reason="gone"), "installing: could not start: gone"),
    ],
    ids=["deadline", "killed", "not-started"],
)
def test_a_step_that_came_to_no_end_has_failed(
    ended: Completed, because: str, uv: FakeUv, cache: Path, env: dict[str, str]
) -> None:
    uv.answers = {"pip sync": ended}

    build = make(uv, cache, env).build

    assert (build.outcome, build.because) == ("failed", because)


def test_a_full_disk_has_failed_with_its_reason(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    uv.answers = {"pip sync": OSError(errno.ENOSPC, "No space left on device", "/cache/x")}

    build = make(uv, cache, env).build

    assert (build.outcome, build.because) == ("failed", "the disk is full: /cache/x")
    assert staged(cache) == []


def test_a_cache_that_is_a_file_is_a_usage_error_with_a_way_out(
    uv: FakeUv, tmp_path: Path, env: dict[str, str]
) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot be used") as caught:
        make(uv, tmp_path / "file", env)

    assert "ENVCHECK_CACHE" in caught.value.remedy


def test_an_unknown_backend_is_a_usage_error(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="'flatpak' is none of venv"):
        make(uv, cache, env, a_cell(backend="flatpak"))


def test_a_stopped_run_is_no_failed_build(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    def stop(*args: object, **kwargs: object) -> Completed:
        process.kill_all()
        return Completed(argv=(), signal="SIGKILL")

    with pytest.raises(InterruptedRunError):
        prepare(a_cell(), cache=cache, env=env, tools=Tools(run=stop, now=lambda: 0.0, uv=lambda: UV))


def test_an_interpreter_that_is_missing_is_not_looked_for_again_at_once(
    uv: FakeUv, cache: Path, env: dict[str, str]
) -> None:
    uv.answers = {
        "python find": done(returncode=2),
        " venv ": done(
            returncode=2, stderr=b"error: Request failed\n  cause: Failed to download `x`\n  cause: dns error\n"
        ),
    }
    expected = "Python 3.14 is not installed here, and uv could not download it (dns error)"

    assert make(uv, cache, env, a_cell(python="3.14")).build.because == expected
    asked = len(uv.commands)
    assert make(uv, cache, env, a_cell(python="3.14")).build.because == expected
    assert len(uv.commands) == asked
    uv.time += 61
    make(uv, cache, env, a_cell(python="3.14"))
    assert len(uv.commands) > asked


@pytest.mark.parametrize("wanted", ["3.11", "3.11.7"])
def test_where_uv_finds_none_the_one_that_runs_envcheck_serves(
    uv: FakeUv, cache: Path, env: dict[str, str], wanted: str
) -> None:
    """Such as one in /opt, whose folder is not on PATH."""
    uv.own = str(uv.python)
    uv.answers = {"python find": done(returncode=2)}
    build = make(uv, cache, env, a_cell(python=wanted)).build

    assert (build.outcome, build.python) == ("built", "3.11.7")
    assert uv.count(" venv --no-project --color never --python") == 0, "nothing was downloaded"


def test_the_one_that_runs_envcheck_does_not_serve_for_another_version(
    uv: FakeUv, cache: Path, env: dict[str, str]
) -> None:
    uv.own = str(uv.python)
    uv.answers = {"python find": done(returncode=2), " venv ": done(returncode=2, stderr=b"error: none")}

    assert make(uv, cache, env, a_cell(python="3.1")).build.outcome == "no-interpreter"


def test_where_the_matrix_leaves_python_out_the_one_that_runs_envcheck_comes_first(
    uv: FakeUv, cache: Path, env: dict[str, str]
) -> None:
    uv.own, version = str(uv.python), f"{sys.version_info.major}.{sys.version_info.minor}.7"
    uv.answers = {"-I -c": done(uv.identity(version))}
    build = make(uv, cache, env, a_cell(python=None)).build

    assert build.python == version
    assert uv.count("python find") == 0


def test_one_of_another_kind_does_not_serve(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    """MediaPipe has wheels for CPython alone."""
    uv.own = str(uv.python)
    uv.answers = {"-I -c": done(uv.identity(implementation="pypy"))}
    make(uv, cache, env, a_cell(python=None))

    assert uv.count("python find") == 1


def test_something_that_is_no_interpreter_is_said_so(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    uv.answers = {"-I -c": Completed(argv=(), signal="SIGSEGV")}

    build = make(uv, cache, env).build

    assert build.outcome == "no-interpreter"
    assert build.because == f"{uv.python} is no working interpreter (killed by SIGSEGV)"


# --- side by side --------------------------------------------------------------------------------------------------


def test_many_threads_that_want_the_same_cell_build_it_once(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    made: list[Prepared] = []
    threads = [threading.Thread(target=lambda: made.append(make(uv, cache, env))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.build.outcome for one in made) == ["built"] + ["reused"] * 7
    assert (uv.count("python find"), uv.count("pip compile"), uv.count("pip sync")) == (1, 1, 1)


def test_what_a_dead_process_left_in_staging_is_swept_and_what_a_live_one_has_is_not(
    uv: FakeUv, cache: Path, env: dict[str, str]
) -> None:
    from envcheck.cache import workspace

    dead = cache / "staging/dead"
    (dead / "new").mkdir(parents=True)
    (cache / "staging/dead.lock").write_text("")
    with workspace(cache / "staging") as alive:
        make(uv, cache, env)

        assert alive.exists()
        assert not dead.exists()
        assert not (cache / "staging/dead.lock").exists()
    assert staged(cache) == []


# --- settings and secrets ------------------------------------------------------------------------------------------


def test_uv_is_told_where_pip_looks(uv: FakeUv, cache: Path, env: dict[str, str], home: Path) -> None:
    del env["PIP_CONFIG_FILE"]
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://mirror/simple\n")

    make(uv, cache, env)

    assert {seen["UV_DEFAULT_INDEX"] for seen in uv.environments} == {"https://mirror/simple"}


def test_uv_is_told_the_projects_indexes(uv: FakeUv, cache: Path, env: dict[str, str], home: Path) -> None:
    (home / "pyproject.toml").write_text('[tool.uv]\nindex-url = "https://mirror/simple"\n')

    make(uv, cache, env)

    assert uv.environments[-1]["UV_DEFAULT_INDEX"] == "https://mirror/simple"


@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
def test_a_broken_uv_configuration_is_an_error_at_its_place(
    name: str, uv: FakeUv, cache: Path, env: dict[str, str], home: Path
) -> None:
    (home / name).write_text("[tool.uv]\nindex-url = \n")

    with pytest.raises(PlaceError, match="is no TOML") as caught:
        make(uv, cache, env)

    assert caught.value.place == str(home / name)


def test_no_secret_is_recorded(uv: FakeUv, cache: Path, env: dict[str, str]) -> None:
    env["UV_DEFAULT_INDEX"] = "https://joe:hunter22@mirror/simple"
    complaint = b"error: Failed to fetch: https://joe:hunter22@mirror/simple/x\n  cause: hunter22 was refused\n"
    uv.answers = {"pip compile": done(returncode=2, stderr=complaint)}

    build = make(uv, cache, env).build

    assert build.outcome == "unavailable"
    assert "hunter22" not in f"{build}"
    assert "mirror/simple/x" in build.because
    assert all(b"hunter22" not in path.read_bytes() for path in cache.rglob("*") if path.is_file())


# --- places --------------------------------------------------------------------------------------------------------


def test_the_cache_is_where_the_variable_says(home: Path) -> None:
    assert cache_folder({"ENVCHECK_CACHE": "here"}) == home / "here"


def test_a_relative_cache_is_relative_to_the_users_folder(uv: FakeUv, env: dict[str, str], home: Path) -> None:
    made = make(uv, Path("here"), env)

    assert made.python[0].startswith(f"{home}/here/environments/")
    assert all("here/" not in command or f"{home}/here/" in command for command in uv.commands)


def test_the_cache_is_the_users_otherwise() -> None:
    assert cache_folder({}).name == "envcheck"


def test_sizes_leave_out_compiled_python(tmp_path: Path) -> None:
    (tmp_path / "a/__pycache__").mkdir(parents=True)
    (tmp_path / "a/__pycache__/x.pyc").write_bytes(b"1")
    (tmp_path / "a/x.py").write_bytes(b"12")
    (tmp_path / "b").write_bytes(b"123")

    assert sizes(tmp_path) == {"a/x.py": 2, "b": 3}


def test_every_backend_answers_to_its_name() -> None:
    assert all(backend.name == name for name, backend in environments.BACKENDS.items())
