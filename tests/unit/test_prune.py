"""What `envcheck prune` takes for ours, what it says of it, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from envcheck.boxes import Engine, run_label, stock
from envcheck.boxes.options import LABEL
from envcheck.cache import hold, workspace
from envcheck.environments import IN_USE, MANIFEST, Manifest
from envcheck.errors import UsageError
from envcheck.outcomes import Completed
from envcheck.prune import Asked, prune
from envcheck.pruned import Item, Survey
from envcheck.report.prune import render, size

KEY = "0123456789abcdef" * 2
MEGABYTE = b"x" * 1_000_000


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    make(folder, KEY)
    (folder / "locks").mkdir()
    (folder / "locks" / f"{KEY}.txt").write_text("mediapipe==1.2.2\n")
    return folder


def make(cache: Path, key: str, marker: str = "venv/lib/file") -> Path:
    folder = cache / "environments" / key
    (folder / marker).parent.mkdir(parents=True)
    (folder / marker).write_bytes(MEGABYTE)
    (folder / "lock.txt").write_text("mediapipe==1.2.2 \\\n")
    (folder / MANIFEST).write_bytes(msgspec.json.encode(Manifest(key=key, files={marker: len(MEGABYTE)})))
    return folder


def pruned(cache: Path, **asked: object) -> Survey:
    return prune(cache, Asked(**asked), {"HOME": "/home/me", "PATH": ""})  # type: ignore[arg-type]


def of(survey: Survey, kind: str) -> Item:
    return next(item for item in survey.items if item.kind == kind)


def test_without_yes_nothing_is_removed(cache: Path) -> None:
    survey = pruned(cache)

    assert (of(survey, "venv").kept, of(survey, "venv").removed) == ("", False)
    assert (cache / "environments" / KEY / MANIFEST).exists()
    assert "Nothing was removed; --yes removes it." in render(survey, yes=False)


def test_with_yes_environments_go_and_what_is_fetched_stays(cache: Path) -> None:
    survey = pruned(cache, yes=True)

    assert of(survey, "venv").removed
    assert "--all" in of(survey, "lock").kept
    assert not any((cache / "environments").iterdir())
    assert not any((cache / "staging").iterdir())


def test_all_takes_locks_too(cache: Path) -> None:
    assert all(item.removed for item in pruned(cache, yes=True, every=True).items)
    assert pruned(cache).items == ()
    assert "nothing to remove" in render(pruned(cache), yes=False)


def test_hard_links_count_once_and_free_nothing_while_others_have_them(cache: Path, tmp_path: Path) -> None:
    venv = cache / "environments" / KEY / "venv"
    os.link(venv / "lib/file", venv / "again")
    alone = of(pruned(cache), "venv")
    os.link(venv / "lib/file", tmp_path / "elsewhere")
    shared = of(pruned(cache), "venv")

    assert alone.bytes is not None
    assert alone.frees == alone.bytes == shared.bytes
    assert 1_000_000 <= alone.bytes < 1_200_000
    assert shared.frees is not None
    assert shared.frees < 100_000


def test_files_that_two_environments_share_are_freed_when_both_go(cache: Path) -> None:
    other = make(cache, KEY[::-1])
    (other / "venv/lib/file").unlink()
    os.link(cache / "environments" / KEY / "venv/lib/file", other / "venv/lib/file")

    assert 1_000_000 <= pruned(cache).frees < 1_200_000


def test_nothing_that_a_run_may_use_is_removed(cache: Path) -> None:
    with hold(cache / IN_USE, lambda: None, shared=True):
        survey = pruned(cache, yes=True, every=True)

    assert {item.kept for item in survey.items} == {"a run goes on that may use it"}
    assert (cache / "environments" / KEY / MANIFEST).exists()
    assert "Nothing to remove." in render(survey, yes=True)


def test_what_is_being_made_stays_and_what_a_dead_process_left_goes(cache: Path) -> None:
    left = cache / "staging" / KEY[:16]
    left.mkdir(parents=True)
    left.with_suffix(".lock").touch()
    with workspace(cache / "other"), hold(cache / "staging" / "fedcba9876543210.lock", lambda: None):
        (cache / "staging" / "fedcba9876543210").mkdir()
        (cache / "other").rename(cache / "staging" / "moved")
        survey = pruned(cache, yes=True)
        (cache / "staging" / "moved").rename(cache / "other")

    named = {item.name: item for item in survey.items if item.kind == "staging"}
    assert named[f"staging/{KEY[:16]}"].removed
    assert named["staging/fedcba9876543210"].kept
    assert (cache / "staging" / "fedcba9876543210").is_dir()


def test_older_than_counts_from_the_last_use(cache: Path) -> None:
    manifest = cache / "environments" / KEY / MANIFEST
    os.utime(manifest, (manifest.stat().st_mtime - 10 * 86400,) * 2)

    assert of(pruned(cache, older_than=20), "venv").kept == "used within 20 days"
    assert of(pruned(cache, older_than=5), "venv").kept == ""
    assert "10 days ago" in render(pruned(cache), yes=False)


def test_a_backend_names_its_own_environments_only(cache: Path) -> None:
    make(cache, KEY[::-1], "prefix/file")

    assert [item.kind for item in pruned(cache, backend="conda").items] == ["conda"]
    assert [item.kind for item in pruned(cache, backend="venv").items] == ["venv"]


def test_links_are_never_followed(cache: Path, tmp_path: Path) -> None:
    mine = make(tmp_path / "mine", KEY)
    (cache / "environments" / KEY[::-1]).symlink_to(mine)
    (cache / "environments" / KEY / "venv" / "out").symlink_to(mine)

    survey = pruned(cache, yes=True)

    assert sum(item.kind == "venv" for item in survey.items) == 1
    assert (mine / "venv/lib/file").exists()


def test_a_folder_of_somebody_elses_is_refused(cache: Path, tmp_path: Path) -> None:
    (cache / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        pruned(cache, yes=True)
    (cache / "thesis.tex").unlink()
    (cache / "wheels").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is a link"):
        pruned(cache)
    with pytest.raises(UsageError, match="home"):
        prune(tmp_path, Asked(), {"HOME": str(cache)})


def test_a_cache_that_is_not_there_holds_nothing_and_is_not_made(tmp_path: Path) -> None:
    assert pruned(tmp_path / "none", yes=True).items == ()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("asked", [Asked(backend="vagrant"), Asked(older_than=-1), Asked(older_than=float("nan"))])
def test_what_cannot_be_meant_is_a_usage_error(tmp_path: Path, asked: Asked) -> None:
    with pytest.raises(UsageError):
        prune(tmp_path / "none", asked, {"PATH": ""})


def test_an_engine_that_is_not_there_is_not_an_engine_without_images(cache: Path) -> None:
    assert "no docker and no podman" in pruned(cache).unread[0]
    assert "Could not look: images" in render(pruned(cache), yes=False)


# --- what engines hold ---------------------------------------------------------------------------------------------

ENGINE = Engine(("docker",), "docker", "28")
GONE = run_label().rpartition("-")[0] + "-1"


@pytest.mark.parametrize(
    ("names", "labels", "container", "kept"),
    [
        (("localhost/envcheck/cell:1",), {stock.CELL: "a"}, None, ""),
        ((), {stock.CELL: "a"}, None, ""),
        (("localhost/envcheck/cell:1",), {stock.CELL: "a"}, "app", "container app uses it"),
        (("localhost/envcheck/cell:1", "mine:1"), {stock.CELL: "a"}, None, "it has a name of yours: mine:1"),
        (("mine:1",), {stock.CELL: "a"}, None, "it has a name of yours: mine:1"),
        (("scratch:1",), {stock.SCRATCH: GONE}, None, ""),
        (("scratch:1",), {stock.SCRATCH: run_label()}, None, "its run goes on, or is another machine's"),
    ],
)
def test_an_image_goes_only_if_it_is_ours_alone(
    names: tuple[str, ...], labels: dict[str, str], container: str | None, kept: str
) -> None:
    assert stock.why_image_stays(names, labels, container) == kept


@pytest.mark.parametrize(
    ("label", "kept"),
    [(GONE, False), (run_label(), True), ("other-1-2-3", True), ("", True)],
    ids=["over", "goes on", "elsewhere", "none"],  # a label differs between processes that share the tests
)
def test_a_container_goes_only_if_its_run_is_over(label: str, kept: bool) -> None:
    told = {"Id": "c0", "Name": "/envcheck-1", "Created": "x", "Config": {"Labels": {LABEL: label}}}

    assert bool(stock.container_of(told).kept) is kept


def test_images_are_never_forced() -> None:
    started: list[list[str]] = []

    def run(argv: list[str], **_: object) -> Completed:
        started.append(argv)
        return Completed(argv=tuple(argv), returncode=0)

    held = stock.Held("image", "f00", ("localhost/envcheck/cell:1",), 1, None, {})
    assert stock.remove(ENGINE, held, {}, run) == ""
    assert started == [["docker", "image", "rm", "localhost/envcheck/cell:1"]]


@pytest.mark.parametrize(("count", "words"), [(None, "unknown"), (12, "12 B"), (1500, "1.5 kB"), (2e9, "2.00 GB")])
def test_sizes_are_told_in_words(count: int | None, words: str) -> None:
    assert size(count) == words
