from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from envcheck import cache, process
from envcheck.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def not_stopped() -> Iterator[None]:
    yield
    process.resume()


def silent() -> None:
    """Nobody is told."""


def test_a_lock_is_held_by_one_at_a_time_and_the_other_is_told(tmp_path: Path) -> None:
    inside, told = [], threading.Event()

    def other() -> None:
        with cache.hold(tmp_path / "lock", told.set):
            inside.append("other")

    with ThreadPoolExecutor(1) as pool, cache.hold(tmp_path / "lock", silent):
        pool.submit(other)
        assert told.wait(5)
        inside.append("first")

    assert inside == ["first", "other"]


def test_a_stopped_run_does_not_wait_for_a_lock(tmp_path: Path) -> None:
    def other() -> None:
        with cache.hold(tmp_path / "lock", process.kill_all):
            pytest.fail("it was not free")

    with cache.hold(tmp_path / "lock", silent), ThreadPoolExecutor(1) as pool, pytest.raises(InterruptedRunError):
        pool.submit(other).result(5)


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), cache.hold(tmp_path / "lock", silent):
        raise RuntimeError

    with cache.hold(tmp_path / "lock", lambda: pytest.fail("it is held")):
        pass


def test_a_workspace_is_gone_at_the_end_even_after_an_error(tmp_path: Path) -> None:
    def fail_at_work() -> None:
        with cache.workspace(tmp_path / "staging") as work:
            (work / "a").mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_at_work()

    assert list((tmp_path / "staging").iterdir()) == []


def test_a_workspace_that_an_orphan_made_again_is_swept(tmp_path: Path) -> None:
    """An installer whose envcheck was killed makes its folders anew, after they and their lock were removed."""
    (tmp_path / "0123456789abcdef" / "bin").mkdir(parents=True)
    (tmp_path / "a-users-folder").mkdir()

    with cache.workspace(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["a-users-folder"]


def test_many_workspaces_at_once_do_not_sweep_each_other(tmp_path: Path) -> None:
    def use(number: int) -> bool:
        with cache.workspace(tmp_path) as work:
            (work / "mine").write_text(str(number))
            cache.sweep(tmp_path)
            return (work / "mine").read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(200)))
    assert list(tmp_path.iterdir()) == []


def test_publishing_replaces_what_was_there(tmp_path: Path) -> None:
    for name in ("new", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    cache.publish(tmp_path / "new", tmp_path / "there", trash=tmp_path / "trash")

    assert (tmp_path / "there/file").read_text() == "new"
    assert (tmp_path / "trash/file").read_text() == "there"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    cache.write_text(tmp_path / "file", "old")

    with pytest.raises(UnicodeEncodeError):
        cache.write_text(tmp_path / "file", "new\ud800")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert cache.read_text(tmp_path / "file") == "old"


def test_what_is_no_text_reads_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    assert [cache.read_text(tmp_path / name) for name in ("binary", "missing", "")] == [None, None, None]
