"""`python -m envcheck.wheeltable [FILE]`: MediaPipe's version table, written anew from the wheels on the package index.

Without FILE the table is printed. `--only 1.2.2,1.0.0` writes the rows of these versions anew and leaves the others;
`--missing` those of versions and platforms that the table lacks. A block's date changes only where a row of it does.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from packaging.version import InvalidVersion, Version

from envcheck import cache as files
from envcheck.audits import Shop, shop_of
from envcheck.compat import load_tables, rows
from envcheck.compat.tables import MediapipeTable
from envcheck.environments import cache_folder
from envcheck.errors import MET, EnvcheckError, UsageError
from envcheck.index.choose import preferred
from envcheck.index.listing import Offered
from envcheck.wheel import Audited

OLDEST = "0.10.5"
"""Older wheels have no GPU code and no Tasks API with FaceLandmarker; the table does not speak of them."""
PREFERRED_PYTHON = "3.11"
"""Every version has a wheel for it; wheels of one version differ in the interpreter's name alone."""

Say = Callable[[str], None]


def main(arguments: Sequence[str]) -> int:
    """Exit code 0, or that of the error, which goes to standard error."""
    options = _options(arguments)
    try:
        text = _written(options)
        if options.file:
            files.write_text(options.file, text)
        else:
            sys.stdout.write(text)
    except EnvcheckError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        return error.exit_code
    return MET


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m envcheck.wheeltable", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="the table to write, such as envcheck/data/mediapipe.toml")
    parser.add_argument("--only", default="", help="versions whose rows are written anew, with commas between them")
    parser.add_argument("--missing", action="store_true", help="only rows that the table lacks")
    return parser.parse_args(arguments)


def _written(options: argparse.Namespace) -> str:
    shop = shop_of(os.environ, cache_folder(os.environ))
    table = load_tables(options.file.absolute().parent if options.file else None).mediapipe
    offers = offers_of(shop.wheels())
    try:
        only = {str(Version(part)) for part in options.only.split(",") if part} or set(offers)
    except InvalidVersion as error:
        raise UsageError(f"--only: {error}", remedy="Write versions such as 1.2.2, with commas between them.") from None
    if unknown := only - set(offers):
        raise UsageError(f"not on the package index: {', '.join(sorted(unknown))}")
    if options.missing:
        only &= missing(offers, table)
    today = dt.datetime.now(dt.timezone.utc).date()
    return rows.render(regenerated(shop, table, {version: offers[version] for version in only}, today, _say))


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def offers_of(wheels: Iterable[Offered]) -> dict[str, tuple[Offered, ...]]:
    """Wheels by version, without prereleases and versions before the table's first."""
    found: dict[str, tuple[Offered, ...]] = {}
    for wheel in wheels:
        version = Version(wheel.version)
        if version >= Version(OLDEST) and not version.is_prerelease and not version.is_postrelease:
            found[wheel.version] = (*found.get(wheel.version, ()), wheel)
    return found


def missing(offers: Mapping[str, Iterable[Offered]], table: MediapipeTable) -> set[str]:
    """Versions of which the table lacks a platform's row."""
    known = {(row.version, row.platform) for row in table.wheels.rows}
    return {
        version
        for version, wheels in offers.items()
        if any((version, platform) not in known for wheel in wheels for platform in wheel.platforms)
    }


def regenerated(
    shop: Shop, table: MediapipeTable, offers: Mapping[str, Sequence[Offered]], today: dt.date, say: Say
) -> MediapipeTable:
    """The table with the rows of these versions written anew."""
    releases, wheels = [], []
    for version in sorted(offers, key=Version):
        audits = audit_all(shop, offers[version], say)
        wheels += [rows.wheel_row(version, platform, found) for platform, found in audits.items()]
        pythons = {tag for wheel in offers[version] for tag in wheel.pythons}
        releases.append(rows.release_row(version, pythons, audits))
    return rows.updated(table, releases, wheels, today)


def audit_all(shop: Shop, wheels: Sequence[Offered], say: Say) -> dict[str, Audited]:
    """One audit for each platform that a version has wheels for; a universal wheel is read once."""
    found: dict[str, Audited] = {}
    read: dict[str, Audited] = {}
    for platform in sorted({name for wheel in wheels for name in wheel.platforms}):
        wheel = preferred((one for one in wheels if platform in one.platforms), PREFERRED_PYTHON, platform)
        if wheel.name not in read:
            read[wheel.name] = shop.audit(wheel)
            say(f"{wheel.name}: {read[wheel.name].says}")
        found[platform] = read[wheel.name]
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
