"""A wheel by its version or its path, opened and audited."""

from __future__ import annotations

import platform as machine
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envcheck.compat import wheel_platform
from envcheck.errors import InfrastructureError, UsageError
from envcheck.executor import find_uv
from envcheck.index.choose import as_version, choose
from envcheck.index.fetch import open_local, opened
from envcheck.index.http import Client, Tick
from envcheck.index.listing import Offered
from envcheck.index.places import Places, places_of, wheels_at
from envcheck.process import run
from envcheck.record import Unread
from envcheck.sources import read_settings
from envcheck.wheel import PLATFORMS, Audited, Origin, audit
from envcheck.wheel.audit import wanted
from envcheck.wheel.trees import Folder, Single, read_archive

_LIBRARY_SUFFIXES = (".so", ".dylib", ".dll", ".pyd")
_MAGICS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")
_SHOWN = 200
_UV_S = 30.0
_PACKAGES = ("lib/python3.*/site-packages", "lib/python3.*/dist-packages", "Lib/site-packages")


@dataclass(frozen=True, slots=True)
class Shop:
    """Where wheels come from for one user: the places, the way to them, and the cache of what was fetched."""

    places: Places
    client: Client
    cache: Path

    def wheels(self) -> tuple[Offered, ...]:
        """Every wheel of MediaPipe that is offered."""
        return wheels_at(self.places, self.client)

    def audit(self, wheel: Offered, tick: Tick = lambda _came, _all: None) -> Audited:
        """One of them, fetched and read."""
        with opened(wheel, self.client, wanted, self.cache, tick) as found:
            return audit(read_archive(found.file, wheel.name), found.origin)


def shop_of(env: Mapping[str, str], cache: Path) -> Shop:
    """The shop that a user's settings for uv and pip name. Raises PlaceError for a broken configuration file."""
    sources = read_settings(env, Path.cwd())
    places = places_of(sources.env, closed="no-index" in sources.config, public=lambda: public_index(sources.env))
    return Shop(places, Client(sources.env), cache)


def public_index(env: Mapping[str, str]) -> str:
    """The index that uv asks where nobody names one, as uv says it; nothing is fetched for that."""
    asked = [find_uv(), "pip", "compile", "-", "--emit-index-url", "--no-header", "--offline", "--no-config"]
    done = run([*asked, "--python", sys.executable], stdin=b"\n", env=env, deadline_s=_UV_S)
    named = re.search(rb"^--index-url (\S+)", done.stdout, re.MULTILINE)
    if not named:
        raise InfrastructureError(
            f"uv does not say which package index is the public one: {done.describe()}",
            remedy="Name an index with UV_DEFAULT_INDEX.",
        )
    return named[1].decode()


def audit_version(shop: Shop, version: str, platform: str | None, python: str | None, tick: Tick) -> Audited:
    """A version of MediaPipe for a platform (None: this machine's) and a Python (None: any that has a wheel).

    Raises UsageError where there is no such wheel, InfrastructureError where the index does not answer.
    """
    wanted_platform = platform or wheel_platform(machine.system(), machine.machine())
    fallback = ".".join(machine.python_version_tuple()[:2])
    return shop.audit(choose(shop.wheels(), version, wanted_platform, python, fallback), tick)


def audit_path(path: Path) -> Audited:
    """A wheel, an installed package, or a native library. Raises UsageError where it is none of these."""
    if path.is_dir():
        return _audit_folder(path)
    if not path.is_file():
        raise UsageError(f"{path}: is no file and no folder")
    if path.name.endswith(_LIBRARY_SUFFIXES) or _begins_as_library(path):
        return audit(Single(path), Origin(path.name, "library", path.stat().st_size, _NOT_A_WHEEL))
    with open_local(path) as found:
        return audit(read_archive(found.file, str(path)), found.origin)


_NOT_A_WHEEL = Unread(reason="only a wheel's hash can be compared with the package index")


def _begins_as_library(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_MAGICS)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def _audit_folder(path: Path) -> Audited:
    root = _packages(path)
    try:
        tree = Folder(root)
    except OSError as error:
        raise UsageError(f"{root}: cannot be read: {error.strerror or error}") from error
    return audit(tree, Origin(str(root), "folder", Unread(reason="a folder has no one size"), _NOT_A_WHEEL))


def _packages(path: Path) -> Path:
    """The folder that holds `mediapipe`: the one given, its parent, or an environment's site-packages."""
    path = path.absolute()
    if path.name == "mediapipe" and not (path / "mediapipe").is_dir():
        return path.parent
    if (path / "mediapipe").is_dir():
        return path
    found = [
        folder for pattern in _PACKAGES for folder in sorted(path.glob(pattern)) if (folder / "mediapipe").is_dir()
    ]
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise UsageError(f"{path}: MediaPipe is in several folders: {names}", remedy="Name one of them.")
    return found[0] if found else path


def meant(text: str) -> Path | str:
    """What an argument means: a path that exists, else a version. Raises UsageError where it is neither."""
    path = Path(text)
    try:
        exists = bool(text) and path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        exists = False
    if exists:
        return path
    version = as_version(text)
    if version is None:
        raise UsageError(
            f"{text[:_SHOWN]!r} is no file, and no version",
            remedy='Give a version such as 1.2.2 or "latest", a .whl, a folder that holds mediapipe, or its library.',
        )
    return version


def known_platform(name: str | None) -> str | None:
    """`name` where wheels of MediaPipe can have it."""
    if name is None or name in PLATFORMS:
        return name
    raise UsageError(f"--platform {name!r} is not one of {', '.join(PLATFORMS)}")


def known_python(version: str | None) -> str | None:
    """`version` where it is one of Python 3, such as 3.11 or 3.11.7."""
    if version is None or re.fullmatch(r"3\.\d{1,3}(\.\d{1,3})?", version):
        return version
    raise UsageError(f"--python {version!r} is not a version such as 3.11")
