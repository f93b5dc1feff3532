"""Pages of an index, and which wheel on them is meant."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.audits import known_platform, known_python, meant
from envcheck.errors import UsageError
from envcheck.index.choose import as_version, choose
from envcheck.index.fetch import spans_of
from envcheck.index.http import without_login
from envcheck.index.listing import Offered, read_listing, versions
from envcheck.index.places import Places, places_of
from tests.wheels import LIBRARY, archive, members

URL = "https://index.example/simple/mediapipe/"
HASH = "a" * 64
LINUX, ARM = "linux-x86_64", "linux-aarch64"
NEWEST = "mediapipe-1.2.2-py3-none-manylinux_2_28_x86_64.whl"

PAGE = f"""<!DOCTYPE html><html><body>
<a href="../../files/{NEWEST}#sha256={HASH}">{NEWEST}</a>
<a href="https://files.example/mediapipe-1.2.2.tar.gz">mediapipe-1.2.2.tar.gz</a>
<a href="mediapipe-1.2.1-py3-none-win_amd64.whl" data-yanked="broken">yanked</a>
<a href="numpy-1.0-py3-none-any.whl">another</a><a>no address</a>
</body></html>"""


def test_a_page_in_html_gives_names_addresses_and_hashes() -> None:
    first, second = read_listing(PAGE, URL, is_json=False)
    assert first == Offered(NEWEST, f"https://index.example/files/{NEWEST}", "1.2.2", ("py3",), (LINUX,), HASH)
    assert (second.yanked, second.sha256, second.platforms) == (True, "", ("windows-x86_64",))


def test_a_page_in_json_gives_sizes_too() -> None:
    file = {"filename": NEWEST, "url": f"/files/{NEWEST}", "hashes": {"sha256": HASH}, "size": 7, "yanked": False}
    (found,) = read_listing(json.dumps({"files": [file, {"url": "x.tar.gz"}]}), URL, is_json=True)
    assert (found.url, found.size, found.sha256) == (f"https://index.example/files/{NEWEST}", 7, HASH)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}', '{"files": [1]}', '{"files": [{}]}', "<html>"])
def test_what_is_no_page_in_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words, or ours
        read_listing(text, URL, is_json=True)


@given(st.text(max_size=300))
def test_any_text_is_a_page_in_html(text: str) -> None:
    assert read_listing(text, URL, is_json=False) == ()


def offer(name: str) -> Offered:
    (found,) = read_listing(f'<a href="{name}">', URL, is_json=False)
    return found


SHELF = [
    offer("mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"),
    offer("mediapipe-0.10.21-cp312-cp312-manylinux_2_28_x86_64.whl"),
    offer("mediapipe-0.10.21-cp39-cp39-manylinux_2_28_x86_64.whl"),
    offer("mediapipe-0.10.21-cp311-cp311-macosx_11_0_universal2.whl"),
    offer("mediapipe-0.10.21-cp311-cp311-macosx_11_0_x86_64.whl"),
    offer(NEWEST),
    offer("mediapipe-2.0rc1-py3-none-manylinux_2_28_x86_64.whl"),
]


@pytest.mark.parametrize(
    ("version", "platform", "python", "name"),
    [
        ("1.2.2", LINUX, "3.14", NEWEST),
        ("latest", LINUX, None, NEWEST),
        ("0.10.21", LINUX, "3.9", "mediapipe-0.10.21-cp39-cp39-manylinux_2_28_x86_64.whl"),
        ("0.10.21", LINUX, "3.11.7", "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"),
        ("0.10.21", LINUX, None, "mediapipe-0.10.21-cp312-cp312-manylinux_2_28_x86_64.whl"),
        ("0.10.21", "macos-x86_64", None, "mediapipe-0.10.21-cp311-cp311-macosx_11_0_x86_64.whl"),
        ("0.10.21", "macos-arm64", None, "mediapipe-0.10.21-cp311-cp311-macosx_11_0_universal2.whl"),
    ],
)
def test_a_wheel_is_chosen_by_version_platform_and_python(
    version: str, platform: str, python: str | None, name: str
) -> None:
    assert choose(SHELF, version, platform, python, fallback="3.13").name == name


@pytest.mark.parametrize(
    ("version", "platform", "python", "words", "remedy"),
    [
        ("1.2.1", LINUX, None, "is not on the package index", "1.2.2"),
        ("0.10.21", ARM, None, "no wheel for linux-aarch64", "linux-x86_64, macos-arm64, macos-x86_64"),
        ("0.10.21", LINUX, "3.13", "no wheel for Python 3.13", "3.9, 3.11, 3.12"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_what_is(
    version: str, platform: str, python: str | None, words: str, remedy: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        choose(SHELF, version, platform, python, fallback="3.11")
    assert remedy in caught.value.remedy


def test_an_empty_index_is_an_error() -> None:
    with pytest.raises(UsageError, match="no wheel of MediaPipe"):
        choose([], "latest", LINUX, None, fallback="3.11")


def test_versions_are_ordered_as_numbers() -> None:
    assert versions(SHELF) == ("0.10.21", "1.2.2", "2.0rc1")


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.2.2", "1.2.2"), ("mediapipe==1.2.2", "1.2.2"), (" LATEST ", "latest"), ("v1.2.2", "1.2.2"), ("nope", None)],
)
def test_a_version_is_known_when_it_is_seen(text: str, version: str | None) -> None:
    assert as_version(text) == version


def test_an_argument_is_a_path_where_one_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1.2.2").write_text("")
    assert meant("1.2.2") == Path("1.2.2")
    assert meant("1.2.0") == "1.2.0"


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 5000, "mediapipe.whl"])
def test_an_argument_that_is_neither_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no file, and no version"):
        meant(text)


def test_options_are_checked_before_anything_is_fetched() -> None:
    assert (known_platform(LINUX), known_python("3.11.7")) == (LINUX, "3.11.7")
    with pytest.raises(UsageError, match="is not one of"):
        known_platform("beos")
    with pytest.raises(UsageError, match="is not a version"):
        known_python("three")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, Places(("https://public/simple",))),
        ({"UV_INDEX_URL": "https://a/simple"}, Places(("https://a/simple",))),
        (
            {"UV_DEFAULT_INDEX": "mine=https://a/simple", "UV_INDEX": "https://b/simple other=https://c/simple"},
            Places(("https://b/simple", "https://c/simple", "https://a/simple")),
        ),
        ({"UV_DEFAULT_INDEX": "https://a/simple?x=y"}, Places(("https://a/simple?x=y",))),
        ({"UV_FIND_LINKS": "/a,/b"}, Places(("https://public/simple",), ("/a", "/b"))),
        ({"UV_INDEX_STRATEGY": "unsafe-best-match"}, Places(("https://public/simple",), every=True)),
    ],
)
def test_places_are_those_of_the_settings(env: dict[str, str], expected: Places) -> None:
    assert places_of(env, closed=False, public=lambda: "https://public/simple") == expected


def test_a_closed_shop_asks_no_index() -> None:
    assert places_of({"UV_FIND_LINKS": "/a"}, closed=True, public=lambda: "https://public/simple") == Places(
        (), ("/a",)
    )


def test_a_login_is_taken_out_of_an_address() -> None:
    assert without_login("https://me:p%40ss@host:8/x?y=a@b") == ("https://host:8/x?y=a@b", ("me", "p@ss"))
    assert without_login("https://host/x@y") == ("https://host/x@y", None)


def test_the_parts_that_are_fetched_hold_the_wanted_members_and_little_else() -> None:
    data = archive({"a": b"x" * 10, LIBRARY: bytes(range(256)) * 400, "big": bytes(1), **members()})
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        entries = file.infolist()
        spans = spans_of(entries, lambda names: [name for name in names if name == LIBRARY], len(data))
        assert len(spans) == 1
        holes = bytearray(len(data))
        for start, end in spans:
            holes[start:end] = data[start:end]
        entry = file.getinfo(LIBRARY)
        holes[file.start_dir :] = data[file.start_dir :]
    with zipfile.ZipFile(io.BytesIO(bytes(holes))) as file:
        assert len(file.read(LIBRARY)) == entry.file_size
        with pytest.raises(zipfile.BadZipFile):
            file.read("a")


def test_nothing_wanted_is_nothing_fetched() -> None:
    with zipfile.ZipFile(io.BytesIO(archive(members()))) as file:
        assert spans_of(file.infolist(), lambda _names: (), 10**6) == ()
