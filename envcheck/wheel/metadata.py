"""METADATA and WHEEL: name, version, pins, Pythons, platforms and the oldest C library."""

from __future__ import annotations

import email.parser
import itertools
import re
from typing import TYPE_CHECKING

from envcheck.errors import UsageError
from envcheck.record import Unread
from envcheck.wheel.record import Metadata, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

    from envcheck.wheel.trees import Tree

_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_WHEEL_NAME = re.compile(r"[^-]+-[^-]+(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl")
_FOR_PYTHON = re.compile(r"Programming Language :: Python :: 3\.(\d{1,3})")
_DIST_INFO = re.compile(r"([^/]+)\.dist-info/METADATA")


def dist_info(tree: Tree) -> str | Unread:
    """The folder of the metadata, with its slash."""
    found = [name for name in tree.names if _DIST_INFO.fullmatch(name)]
    if len(found) == 1:
        return found[0].removesuffix("METADATA")
    return Unread(reason=f"{len(found)} folders of metadata" if found else "no *.dist-info/METADATA")


def read_metadata(tree: Tree, file_name: str = "") -> Metadata | Unread:
    """What the installer reads; Unread where there is no metadata, or more than one.

    Installers go by the tags in the name of a wheel; the WHEEL file inside may say otherwise, as in 0.10.30.
    """
    folder = dist_info(tree)
    if isinstance(folder, Unread):
        return folder
    file = f"{folder}METADATA"
    fields = _fields(tree, file)
    tags = tags_of_name(file_name) or _tags(tree, f"{folder}WHEEL")
    names = tags.value if isinstance(tags, Seen) else ()
    pins = tuple(str(value) for value in fields.get_all("Requires-Dist") or ())
    pythons = str(fields.get("Requires-Python") or "")
    return Metadata(
        name=str(fields.get("Name") or ""),
        version=str(fields.get("Version") or ""),
        requires_python=Seen(pythons, f"{file}: {'Requires-Python' if pythons else 'no Requires-Python'}"),
        oldest_python=_oldest_python(fields, file),
        requires=Seen(pins, f"{file}: {len(pins)} lines Requires-Dist"),
        tags=tags,
        platforms=platforms_of(tag.rsplit("-", 1)[-1] for tag in names),
        glibc=oldest_glibc(tag.rsplit("-", 1)[-1] for tag in names),
    )


def _oldest_python(fields: Message, file: str) -> Seen[str]:
    named = [match for line in fields.get_all("Classifier") or () if (match := _FOR_PYTHON.fullmatch(str(line)))]
    if not named:
        return Seen("", f"{file}: no classifier names a Python 3")
    oldest = min(named, key=lambda match: int(match[1]))
    return Seen(f"3.{oldest[1]}", f"{file}: Classifier: {oldest[0]}")


def tags_of_name(name: str) -> Seen[tuple[str, ...]] | None:
    """The tags that a wheel's file name gives; None where it is no wheel's name."""
    match = _WHEEL_NAME.fullmatch(name)
    if match is None:
        return None
    triples = itertools.product(*(part.split(".") for part in match.groups()))
    return Seen(tuple("-".join(triple) for triple in triples), f"the file name {name}")


def _fields(tree: Tree, name: str) -> Message:
    return email.parser.HeaderParser().parsestr(tree.text(name))


def _tags(tree: Tree, name: str) -> Seen[tuple[str, ...]] | Unread:
    if name not in tree.names:
        return Unread(reason=f"there is no {name}")
    try:
        tags = tuple(str(value) for value in _fields(tree, name).get_all("Tag") or ())
    except UsageError as error:
        return Unread(reason=error.message)
    return Seen(tags, f"{name}: {len(tags)} lines Tag")


def platforms_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The platforms of wheel platform tags, as the tables name them."""
    return tuple(dict.fromkeys(platform for tag in tags for part in tag.split(".") for platform in _platforms(part)))


def _platforms(tag: str) -> tuple[str, ...]:
    windows = {"win_amd64": "windows-x86_64", "win_arm64": "windows-arm64"}
    if "linux" in tag:
        return tuple(f"linux-{chip}" for chip in ("x86_64", "aarch64") if tag.endswith(chip))
    if tag.startswith("macosx"):
        chips = ("arm64", "x86_64")
        return tuple(f"macos-{chip}" for chip in chips if tag.endswith((chip, "universal2")))
    return (windows[tag],) if tag in windows else ()


def oldest_glibc(tags: Iterable[str]) -> str | None:
    """The oldest C library among manylinux tags: the one that lets the wheel in."""
    found = [version for tag in tags for part in tag.split(".") if (version := _glibc(part))]
    return ".".join(map(str, min(found))) if found else None


def _glibc(tag: str) -> tuple[int, int] | None:
    if match := _MANYLINUX.match(tag):
        return int(match[1]), int(match[2])
    return _LEGACY.get(tag.partition("_")[0])
