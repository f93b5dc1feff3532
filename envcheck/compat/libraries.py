"""Which package brings a shared library that the loader could not find."""

from __future__ import annotations

import re

from envcheck.compat.tables import Distribution, Library, Tables, load_tables
from envcheck.model import Record

_NAME = r"(?P<library>lib[A-Za-z0-9_+.-]*?\.so(?:\.[0-9]+)*)"
_MESSAGES = (
    re.compile(_NAME + r": version [`'\"](?P<symbol>[A-Za-z_]+_[0-9.]+)['\"] not found"),
    re.compile(_NAME + r": cannot open shared object file"),
    re.compile(r"Error loading shared library " + _NAME),
    re.compile(r"(?P<symbol>(?:GLIBCXX|CXXABI|GLIBC|GCC)_[0-9.]+)['\"]? not found"),
)
"""The loader's words, glibc's and musl's; the last is glibc's, torn from its library's name."""

_LIBRARY_OF_SYMBOL = {
    "GLIBCXX": "libstdc++.so.6",
    "CXXABI": "libstdc++.so.6",
    "GLIBC": "libc.so.6",
    "GCC": "libgcc_s.so.1",
}
_PORTAUDIO = "PortAudio library not found"
"""What sounddevice says instead of the loader."""


class MissingLibrary(Record, frozen=True):
    """A library the loader did not find, or only in an older version.

    `install`: (system, command) pairs; for a library no table knows (`known` False) the commands search for its
    package instead. `symbol`: the version that is missing ("GLIBCXX_3.4.30"), or "". `advice`: what no package mends.
    """

    name: str
    purpose: str
    install: tuple[tuple[str, str], ...]
    known: bool = True
    symbol: str = ""
    advice: str = ""
    source: str = ""


def missing_library(text: str, tables: Tables | None = None) -> MissingLibrary | None:
    """The library that an error text complains of, with the way to get it; None where it complains of none."""
    found = _complaint(text)
    if found is None:
        return None
    name, symbol = found
    known = tables or load_tables()
    row = next((row for row in known.libraries.libraries.rows if row.library == name), None)
    return _unknown(name, symbol, known) if row is None else _known(row, symbol, known)


def _complaint(text: str) -> tuple[str, str] | None:
    """The library and the symbol version an error text names; the first complaint counts."""
    matches = [match for pattern in _MESSAGES if (match := pattern.search(text))]
    if not matches:
        return ("libportaudio.so.2", "") if _PORTAUDIO in text else None
    groups = min(matches, key=lambda match: match.start()).groupdict()
    symbol = groups.get("symbol") or ""
    return groups.get("library") or _LIBRARY_OF_SYMBOL[symbol.split("_")[0]], symbol


def _known(row: Library, symbol: str, tables: Tables) -> MissingLibrary:
    block = tables.libraries
    install = tuple(
        (distribution.system, distribution.install.format(package=row.packages[distribution.key]))
        for distribution in block.distributions.rows
        if distribution.key in row.packages
    )
    source = tables.cite(row.source or block.libraries.source)
    return MissingLibrary(row.library, row.purpose, install, symbol=symbol, advice=row.advice, source=source)


def _unknown(name: str, symbol: str, tables: Tables) -> MissingLibrary:
    distributions = tables.libraries.distributions.rows
    search = tuple(_search(distribution, name) for distribution in distributions if distribution.search)
    return MissingLibrary(name, "its package is in no table", search, known=False, symbol=symbol)


def _search(distribution: Distribution, name: str) -> tuple[str, str]:
    return f"find its package on {distribution.system}", distribution.search.format(library=name)
