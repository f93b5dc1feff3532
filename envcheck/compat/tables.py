"""The compatibility tables: their shape, and how they are read.

Four TOML files in envcheck/data. Every block of rows names its source (a key of sources.toml) and the day the facts
were read; a row that comes from elsewhere names its own. A fact that is not in a table is unknown.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from envcheck.errors import PlaceError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER_VARIABLE = "ENVCHECK_TABLES"
"""Environment variable: a folder whose TOML files replace the shipped tables. A file that is not there is empty."""

SHIPPED = Path(__file__).resolve().parent.parent / "data"

Dotted = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})*$")]
"""A version of digits and dots."""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fact."""


class Source(Row, frozen=True):
    """Where facts come from. `confidence`: primary (the maker's own page), measured (read from the files themselves),
    secondary (another project's text) or conflict (two primary texts disagree).
    """

    title: str
    url: str
    read: dt.date
    confidence: str


class Block(Row, frozen=True):
    """Rows that share a source (a key of sources.toml) and the day they were read."""

    source: str = ""
    date: dt.date | None = None


# --- cuda.toml: Linux drivers -----------------------------------------------------------------------------------


class Toolkit(Row, frozen=True):
    """One CUDA release: the driver it was paired with, or only that driver's branch where no page names the number."""

    cuda: Dotted
    driver: Dotted | None = None
    branch: int | None = None
    source: str = ""


class Toolkits(Block, frozen=True):
    """CUDA releases, oldest first."""

    rows: tuple[Toolkit, ...] = ()


class NeverReleased(Row, frozen=True):
    """A version number that was skipped."""

    version: Dotted


class NeverReleasedVersions(Block, frozen=True):
    """Version numbers that were skipped."""

    rows: tuple[NeverReleased, ...] = ()


class Floor(Row, frozen=True):
    """The oldest driver that starts programs built with any toolkit of a CUDA major version."""

    major: int
    driver: Dotted


class Floors(Block, frozen=True):
    """Minor-version compatibility."""

    rows: tuple[Floor, ...] = ()


class Forward(Row, frozen=True):
    """The driver branches for which cuda-compat-X-Y exists."""

    cuda: Dotted
    branches: tuple[int, ...]


class ForwardCompat(Block, frozen=True):
    """Forward compatibility. `eligible`: GPUs, in words; `ineligible`: parts of GPU names it fails on (error 804)."""

    eligible: str = ""
    ineligible: tuple[str, ...] = ()
    rows: tuple[Forward, ...] = ()


class Architecture(Row, frozen=True):
    """Compute capabilities, and the first and last CUDA and driver branch that serve them. None: none known."""

    name: str
    capabilities: tuple[Dotted, ...]
    first_cuda: Dotted | None = None
    last_cuda: Dotted | None = None
    first_branch: int | None = None
    last_branch: int | None = None
    source: str = ""


class Architectures(Block, frozen=True):
    """GPU architectures, oldest first."""

    rows: tuple[Architecture, ...] = ()


class Branch(Row, frozen=True):
    """A driver branch. `kind`: long-term, production, new-feature or unknown; `ends`: YYYY-MM, or "past"."""

    branch: int
    kind: str = "unknown"
    ends: str | None = None
    source: str = ""


class Branches(Block, frozen=True):
    """Driver branches, oldest first."""

    rows: tuple[Branch, ...] = ()


class Mig(Block, frozen=True):
    """MIG mode: whether a slice serves graphics APIs, and parts of the names of GPUs with profiles that do."""

    graphics: bool | None = None
    exceptions: tuple[str, ...] = ()


class CudaTable(Row, frozen=True):
    """cuda.toml."""

    toolkits: Toolkits = Toolkits()
    never_released: NeverReleasedVersions = NeverReleasedVersions()
    floors: Floors = Floors()
    forward: ForwardCompat = ForwardCompat()
    architectures: Architectures = Architectures()
    branches: Branches = Branches()
    mig: Mig = Mig()


# --- mediapipe.toml ---------------------------------------------------------------------------------------------


ANY_PYTHON = "py3"
"""The interpreter tag of a wheel that installs on every Python 3."""


class Release(Row, frozen=True):
    """What is the same in all wheels of a MediaPipe version.

    `pythons`: interpreter tags, or ("py3",) for any; `oldest_python`: of a wheel that installs on any, the oldest that
    its classifiers name; `api`: solutions (beside tasks) or tasks; `native`: bindings
    (a Python extension) or c-library (libmediapipe, through ctypes); `delegate`: passed or ignored; `members`: the
    numbers of BaseOptions.Delegate.
    """

    version: Dotted
    pythons: tuple[str, ...]
    api: str
    native: str
    delegate: str
    members: dict[str, int]
    oldest_python: Dotted | None = None
    source: str = ""


class Releases(Block, frozen=True):
    """MediaPipe versions, oldest first."""

    rows: tuple[Release, ...] = ()


class Wheel(Row, frozen=True):
    """What one platform's wheels of a MediaPipe version are.

    `gpu`: gl, metal or none; `glibc`: the oldest C library the tag allows; `gl`: bundled, system or none; `needs`: the
    system's GL libraries in the order the loader asks for them; `software_gl`: accepted or refused; `vmodule`: whether
    GLOG_vmodule is honoured; `log_callback`: whether MpSetLoggingCallback is exported.
    """

    version: Dotted
    platform: str
    gpu: str
    glibc: Dotted | None = None
    gl: str = "none"
    needs: tuple[str, ...] = ()
    software_gl: str | None = None
    vmodule: bool = False
    log_callback: bool = False
    source: str = ""


class Wheels(Block, frozen=True):
    """MediaPipe wheels by platform, oldest first. A platform that is named here is known completely."""

    rows: tuple[Wheel, ...] = ()


class MediapipeTable(Row, frozen=True):
    """mediapipe.toml."""

    releases: Releases = Releases()
    wheels: Wheels = Wheels()
    never_released: NeverReleasedVersions = NeverReleasedVersions()


# --- libraries.toml ---------------------------------------------------------------------------------------------


class Distribution(Row, frozen=True):
    """How a family of systems installs `{package}`, and finds the package that brings `{library}`."""

    key: str
    system: str
    install: str
    search: str = ""
    source: str = ""


class Distributions(Block, frozen=True):
    """Families of systems."""

    rows: tuple[Distribution, ...] = ()


class Library(Row, frozen=True):
    """A shared library: what it is for, and its package by distribution key. `advice`: what no package mends."""

    library: str
    purpose: str
    packages: dict[str, str] = {}
    advice: str = ""
    source: str = ""


class Libraries(Block, frozen=True):
    """Shared libraries, in the order of their names."""

    rows: tuple[Library, ...] = ()


class LibraryTable(Row, frozen=True):
    """libraries.toml."""

    distributions: Distributions = Distributions()
    libraries: Libraries = Libraries()


# --- reading ----------------------------------------------------------------------------------------------------


class Tables(Row, frozen=True):
    """All that is known beforehand. Empty tables are valid: then everything is unknown."""

    cuda: CudaTable = CudaTable()
    mediapipe: MediapipeTable = MediapipeTable()
    libraries: LibraryTable = LibraryTable()
    sources: dict[str, Source] = {}

    def cite(self, key: str) -> str:
        """A source in words: its title and address."""
        source = self.sources.get(key)
        return f"{source.title}, {source.url}" if source else key


def load_tables(folder: Path | None = None) -> Tables:
    """The tables of `folder`, else of the folder that ENVCHECK_TABLES names, else the shipped ones; read once.

    Raises UsageError where there is no such folder, PlaceError where a file in it is no such table.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    return read_tables(folder or (Path(named) if named else SHIPPED))


@lru_cache(maxsize=8)
def read_tables(folder: Path) -> Tables:
    """The tables in a folder."""
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: no such folder of compatibility tables",
            remedy=f"unset {FOLDER_VARIABLE} to use the shipped tables",
        )
    return Tables(
        cuda=_read(folder / "cuda.toml", CudaTable),
        mediapipe=_read(folder / "mediapipe.toml", MediapipeTable),
        libraries=_read(folder / "libraries.toml", LibraryTable),
        sources=_read(folder / "sources.toml", dict[str, Source]),
    )


T = TypeVar("T")


def _read(path: Path, shape: type[T]) -> T:
    try:
        return msgspec.convert(_parse(path), shape)
    except msgspec.ValidationError as error:
        raise PlaceError(str(path), str(error), remedy="docs/compatibility.md shows the form of the tables") from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(str(path), f"cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise PlaceError(_place(path, str(error)), f"is no TOML: {error}") from error


def _place(path: Path, message: str) -> str:
    at = re.search(r"at line (\d+), column (\d+)", message)
    return f"{path}:{at[1]}:{at[2]}" if at else str(path)
