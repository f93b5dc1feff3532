"""The page of a project on a package index, in either form that the simple repository API knows (PEP 503, PEP 691)."""

from __future__ import annotations

import html.parser
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from envcheck.wheel.metadata import platforms_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROJECT = "mediapipe"
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"

_SHA256 = re.compile(r"sha256=([0-9a-f]{64})\b")


@dataclass(frozen=True, slots=True)
class Offered:
    """A wheel that an index offers. `version` as the index writes it, `sha256` empty where it gives none."""

    name: str
    url: str
    version: str
    pythons: tuple[str, ...]
    platforms: tuple[str, ...]
    sha256: str = ""
    size: int | None = None
    yanked: bool = False


def read_listing(text: str, url: str, *, is_json: bool) -> tuple[Offered, ...]:
    """MediaPipe's wheels on a page; what has no name of a wheel is left out. Raises ValueError for what is no page."""
    links = _json_links(text) if is_json else _html_links(text)
    found = (offered(name, urljoin(url, link), **rest) for name, link, rest in links)
    return tuple(wheel for wheel in found if wheel)


def offered(name: str, url: str, **rest: Any) -> Offered | None:
    """The wheel of that file name, or None where it is no wheel of MediaPipe's for a platform we know."""
    try:
        project, version, _, tags = parse_wheel_filename(name)
    except (InvalidWheelFilename, InvalidVersion):
        return None
    platforms = platforms_of(sorted(tag.platform for tag in tags))
    if canonicalize_name(project) != PROJECT or not platforms:
        return None
    pythons = tuple(sorted({tag.interpreter for tag in tags}))
    return Offered(name, url, str(version), pythons, tuple(sorted(platforms)), **rest)


Link = tuple[str, str, dict[str, Any]]


def _json_links(text: str) -> Iterator[Link]:
    """Name, address and the rest of each file on a page in JSON."""
    page = json.loads(text)
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(files, list):
        raise ValueError("the page has no list of files")  # noqa: TRY004 - a page of another form is no page
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("url"), str):
            raise ValueError("a file on the page has no address")  # noqa: TRY004 - as above
        hashes, size = file.get("hashes"), file.get("size")
        sha256 = hashes.get("sha256") if isinstance(hashes, dict) else ""
        rest = {
            "sha256": sha256 if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256) else "",
            "size": size if type(size) is int else None,
            "yanked": bool(file.get("yanked")),
        }
        yield str(file.get("filename") or name_in(file["url"])), file["url"], rest


def _html_links(text: str) -> Iterator[Link]:
    """Name, address and the rest of each link on a page in HTML."""
    parser = _Anchors()
    parser.feed(text)
    for attributes in parser.anchors:
        link = attributes.get("href") or ""
        address, _, fragment = link.partition("#")
        digest = _SHA256.search(fragment)
        yield (
            name_in(address),
            urljoin(parser.base, address),
            {
                "sha256": digest[1] if digest else "",
                "yanked": "data-yanked" in attributes,
            },
        )


class _Anchors(html.parser.HTMLParser):
    """The attributes of every link, and the address that relative ones start from."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.anchors.append(dict(attrs))
        elif tag == "base":
            self.base = dict(attrs).get("href") or ""


def name_in(url: str) -> str:
    """The file name in an address."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def versions(wheels: Iterable[Offered]) -> tuple[str, ...]:
    """The versions among wheels, oldest first."""
    from packaging.version import Version

    return tuple(sorted({wheel.version for wheel in wheels}, key=Version))
