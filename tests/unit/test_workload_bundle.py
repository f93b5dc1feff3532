from __future__ import annotations

import errno
import hashlib
import importlib.resources
import os
import re
from pathlib import Path

import pytest

from envcheck.errors import InfrastructureError, UsageError
from envcheck.workload import bundle
from envcheck.workload.download import Remote

DATA = importlib.resources.files("envcheck") / "data"
TINY = Remote("https://models.example.org/tiny.task", 4, hashlib.sha256(b"tiny").hexdigest())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Remote:
    """A published bundle of four bytes, and nobody who has a copy."""
    monkeypatch.setattr(bundle, "OFFICIAL_BUNDLE", TINY)
    monkeypatch.delenv(bundle.OFFICIAL_VARIABLE, raising=False)
    return TINY


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were downloaded; each download gives the four bytes."""
    asked: list[str] = []

    def fetch(remote: Remote, *, remedy: str) -> bytes:
        asked.append(remote.url)
        return b"tiny"

    monkeypatch.setattr(bundle, "fetch", fetch)
    return asked


@pytest.mark.parametrize("name", ["face_mesh.task", "portrait.png"])
def test_shipped_files_have_the_hash_and_size_that_provenance_states(name: str) -> None:
    section = (DATA / "PROVENANCE.md").read_text("utf-8").split(f"## {name}")[1]
    sha256 = re.search(r"\| sha256 \| `([0-9a-f]{64})` \|", section)
    size = re.search(r"\| bytes \| ([0-9,]+) \|", section)
    data = (DATA / name).read_bytes()

    assert sha256
    assert size
    assert hashlib.sha256(data).hexdigest() == sha256[1]
    assert f"{len(data):,}" == size[1]


def test_the_default_model_is_the_shipped_one(tmp_path: Path) -> None:
    data, record = bundle.resolve_model("default", tmp_path)

    assert data == (DATA / "face_mesh.task").read_bytes()
    assert (record.name, record.sha256) == ("default", hashlib.sha256(data).hexdigest())
    assert not list(tmp_path.iterdir())


def test_the_official_bundle_is_downloaded_once(tiny: Remote, served: list[str], tmp_path: Path) -> None:
    first = bundle.resolve_model("official", tmp_path / "new" / "cache")
    second = bundle.resolve_model("official", tmp_path / "new" / "cache")

    assert first == second
    assert (first[0], first[1].name) == (b"tiny", "official")
    assert served == [tiny.url]


def test_a_damaged_copy_in_the_cache_is_fetched_again(tiny: Remote, served: list[str], tmp_path: Path) -> None:
    bundle.resolve_model("official", tmp_path)
    (stored,) = tmp_path.iterdir()
    stored.write_bytes(b"tinz")

    data, _ = bundle.resolve_model("official", tmp_path)

    assert data == stored.read_bytes() == b"tiny"
    assert len(served) == 2


def test_a_failed_download_says_where_to_put_the_file(
    tiny: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fetch(remote: Remote, *, remedy: str) -> bytes:
        raise InfrastructureError("no route", remedy=remedy)

    monkeypatch.setattr(bundle, "fetch", fetch)
    with pytest.raises(InfrastructureError) as caught:
        bundle.resolve_model("official", tmp_path)

    assert str(tmp_path) in caught.value.remedy
    assert "--model PATH" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_behind(
    tiny: Remote, served: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def replace(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(InfrastructureError, match="No space left"):
        bundle.resolve_model("official", tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_copy_that_is_named_needs_no_download(
    tiny: Remote, served: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.task"
    copy.write_bytes(b"tiny")
    monkeypatch.setenv(bundle.OFFICIAL_VARIABLE, str(copy))

    data, record = bundle.resolve_model("official", tmp_path / "cache")

    assert (data, record.name, served) == (b"tiny", "official", [])


def test_a_named_copy_that_is_another_file_is_a_usage_error(
    tiny: Remote, served: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.task"
    copy.write_bytes(b"tinz")
    monkeypatch.setenv(bundle.OFFICIAL_VARIABLE, str(copy))

    with pytest.raises(UsageError, match="not the official bundle"):
        bundle.resolve_model("official", tmp_path)
    assert served == []


def test_the_real_official_bundle_has_the_pinned_hash_and_is_accepted(tmp_path: Path) -> None:
    path = os.environ.get(bundle.OFFICIAL_VARIABLE)
    if not path:
        unable = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        unable(f"{bundle.OFFICIAL_VARIABLE} is not set; set it to a copy of {bundle.OFFICIAL_BUNDLE.url}")
    data, record = bundle.resolve_model("official", tmp_path)

    assert record.sha256 == bundle.OFFICIAL_BUNDLE.sha256
    assert bundle.resolve_model(str(path), tmp_path) == (data, type(record)(Path(str(path)).name, record.sha256))


def test_a_path_to_a_bundle_is_recorded_by_its_file_name(tmp_path: Path) -> None:
    own = tmp_path / "Gesichtsmaße.task"
    own.write_bytes((DATA / "face_mesh.task").read_bytes())

    data, record = bundle.resolve_model(str(own), tmp_path)

    assert data == own.read_bytes()
    assert record.name == "Gesichtsmaße.task"


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_empty(path: Path) -> None:
    path.touch()


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(bundle.MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda path: None, "No such file", id="missing"),
        pytest.param(make_directory, "is a directory", id="directory"),
        pytest.param(make_fifo, "not a regular file", id="fifo"),
        pytest.param(make_loop, "symbolic links", id="loop"),
        pytest.param(make_empty, "is empty", id="empty"),
        pytest.param(make_huge, "at most", id="huge"),
    ],
)
def test_a_path_that_is_no_file_is_a_usage_error(make: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "model.task"
    assert callable(make)
    make(path)

    with pytest.raises(UsageError, match=says) as caught:
        bundle.resolve_model(str(path), tmp_path)
    assert str(path) in caught.value.message
    assert caught.value.remedy


def test_a_path_with_a_null_byte_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"null (byte|character)"):
        bundle.resolve_model("a\0b", tmp_path)
