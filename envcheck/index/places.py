"""Where the user's settings say that packages are: indexes in their order, and folders or pages of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from envcheck.errors import InfrastructureError, UsageError
from envcheck.index.http import REMEDY, Client, MissingError, shown
from envcheck.index.listing import ACCEPT, PROJECT, Offered, offered, read_listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PAGE_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Places:
    """`indexes` in the order in which they are asked; the first that has the project counts, or all with `every`."""

    indexes: tuple[str, ...]
    files: tuple[str, ...] = ()
    every: bool = False


def places_of(env: Mapping[str, str], *, closed: bool, public: Callable[[], str]) -> Places:
    """The places that uv's variables name, `public` where they name no index; `closed`: settings forbid them all."""
    further = (env.get("UV_INDEX") or env.get("UV_EXTRA_INDEX_URL") or "").split()
    default = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or ("" if closed else public())
    files = tuple(part for part in env.get("UV_FIND_LINKS", "").split(",") if part)
    indexes = () if closed else tuple(dict.fromkeys(map(_unnamed, (*further, default))))
    return Places(indexes, files, every=env.get("UV_INDEX_STRATEGY", "").startswith("unsafe"))


def _unnamed(index: str) -> str:
    """An index without the name that uv's setting may begin with: `name=https://…`."""
    head, sign, rest = index.partition("=")
    return rest if sign and head.replace("-", "").replace("_", "").isalnum() else index


def wheels_at(places: Places, client: Client) -> tuple[Offered, ...]:
    """MediaPipe's wheels at all places. Raises InfrastructureError where a place that counts does not answer."""
    found = [wheel for place in places.files for wheel in _of_files(place, client)]
    for index in places.indexes:
        listed = _of_index(index, client)
        found += listed
        if listed and not places.every:
            break
    if not found and not places.indexes:
        raise UsageError("no package index is allowed, and no folder of files has MediaPipe", remedy=REMEDY)
    return tuple({wheel.name: wheel for wheel in reversed(found)}.values())


def _of_index(index: str, client: Client) -> tuple[Offered, ...]:
    page = f"{index.rstrip('/')}/{PROJECT}/"
    if (folder := local_path(page)) is not None:
        return _of_folder(folder) or _page_file(folder / "index.html")
    return _page(page, client)


def _of_files(place: str, client: Client) -> tuple[Offered, ...]:
    folder = local_path(place)
    if folder is None:
        return _page(place, client)
    return _of_folder(folder) if folder.is_dir() else _page_file(folder)


def _page(url: str, client: Client) -> tuple[Offered, ...]:
    try:
        text, kind, final = client.text(url, ACCEPT, _PAGE_BYTES)
    except MissingError:
        return ()
    return _parsed(text, final, is_json=kind.endswith("json"))


def _page_file(page: Path) -> tuple[Offered, ...]:
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    return _parsed(text, page.as_uri(), is_json=False)


def _parsed(text: str, url: str, *, is_json: bool) -> tuple[Offered, ...]:
    try:
        return read_listing(text, url, is_json=is_json)
    except ValueError as error:
        raise InfrastructureError(f"{shown(url)} is no page of a package index: {error}", remedy=REMEDY) from error


def _of_folder(folder: Path) -> tuple[Offered, ...]:
    return tuple(_in_folder(folder))


def _in_folder(folder: Path) -> Iterator[Offered]:
    try:
        paths = sorted(folder.glob(f"{PROJECT}-*.whl"))
    except OSError:
        return
    for path in paths:
        if wheel := offered(path.name, path.resolve().as_uri()):
            yield wheel


def local_path(place: str) -> Path | None:
    """The path of a place on this machine; None for an address elsewhere."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme in {"http", "https"} else Path(place).expanduser()
