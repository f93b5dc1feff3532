"""Rows of mediapipe.toml, written anew from real wheels on the package index and compared byte by byte.

About 200 MB are fetched: of wheels whose parts are enough, only these.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.audits import Shop, shop_of
from envcheck.compat import load_tables, rows
from envcheck.compat.tables import SHIPPED, MediapipeTable
from envcheck.errors import InfrastructureError
from envcheck.index.choose import preferred
from envcheck.index.listing import Offered
from envcheck.wheel import Audited
from envcheck.wheeltable import OLDEST, PREFERRED_PYTHON, missing, offers_of, regenerated
from tests.conftest import unable

pytestmark = pytest.mark.network

LINES = (SHIPPED / "mediapipe.toml").read_text(encoding="utf-8").splitlines()
TABLE = load_tables(SHIPPED).mediapipe
TODAY = dt.date(2030, 1, 1)


@pytest.fixture(scope="module")
def shop(cache: Path) -> Shop:
    return shop_of(os.environ, cache)


@pytest.fixture(scope="module")
def offers(shop: Shop) -> dict[str, tuple[Offered, ...]]:
    try:
        return offers_of(shop.wheels())
    except InfrastructureError as error:
        unable(f"the package index does not answer: {error}")
        raise


@pytest.fixture(scope="module")
def audited(shop: Shop, offers: dict[str, tuple[Offered, ...]]) -> Callable[[str, str], Audited]:
    def read(version: str, platform: str) -> Audited:
        fits = [wheel for wheel in offers[version] if platform in wheel.platforms]
        return shop.audit(preferred(fits, PREFERRED_PYTHON, platform))

    return read


@pytest.mark.parametrize("version", ["0.10.9", "0.10.31"])
def test_all_rows_of_a_version_are_written_anew_from_its_wheels(
    version: str, shop: Shop, offers: dict[str, Sequence[Offered]]
) -> None:
    bare = MediapipeTable()
    found = regenerated(shop, bare, {version: offers[version]}, TODAY, lambda _line: None)
    new = [f"  {rows.render_row(row)}," for row in (*found.releases.rows, *found.wheels.rows)]
    assert new == [line for line in LINES if f'version = "{version}", p' in line]


@pytest.mark.parametrize(
    ("version", "platform"),
    [
        ("0.10.21", "linux-x86_64"),
        ("0.10.33", "linux-x86_64"),
        ("0.10.32", "windows-x86_64"),
        ("1.0.1", "linux-aarch64"),
        ("1.2.2", "linux-x86_64"),
    ],
)
def test_a_row_is_written_anew_from_its_wheel(
    version: str, platform: str, audited: Callable[[str, str], Audited]
) -> None:
    row = rows.wheel_row(version, platform, audited(version, platform))
    assert f"  {rows.render_row(row)}," in LINES


def test_the_table_lacks_no_version_and_platform_of_the_index(offers: dict[str, tuple[Offered, ...]]) -> None:
    """What came out after the table's last version is news, and breaks nothing that is tested here."""
    newest = max(Version(row.version) for row in TABLE.releases.rows)
    lacking = missing(offers, TABLE)
    news = {version for version in lacking if Version(version) > newest}
    assert not lacking - news
    if news:
        command = "python -m envcheck.wheeltable --missing envcheck/data/mediapipe.toml"
        pytest.xfail(f"MediaPipe {', '.join(sorted(news))} came out: {command}")


def test_the_table_has_no_version_and_platform_that_the_index_lacks(offers: dict[str, tuple[Offered, ...]]) -> None:
    there = {(version, name) for version, wheels in offers.items() for wheel in wheels for name in wheel.platforms}
    assert {(row.version, row.platform) for row in TABLE.wheels.rows} <= there
    assert min(offers, key=lambda version: [int(part) for part in version.split(".")]) == OLDEST


def test_pythons_of_the_table_are_those_of_the_index(offers: dict[str, tuple[Offered, ...]]) -> None:
    for row in TABLE.releases.rows:
        assert {tag for wheel in offers[row.version] for tag in wheel.pythons} == set(row.pythons)


def test_parts_of_a_wheel_say_the_same_as_all_of_it(
    shop: Shop, offers: dict[str, tuple[Offered, ...]], tmp_path: Path
) -> None:
    """The smallest legacy wheel, in parts and whole."""
    from envcheck.audits import audit_path

    (wheel,) = [one for one in offers["0.10.13"] if one.platforms == ("windows-x86_64",) and "cp311" in one.pythons]
    parts = shop.audit(wheel)
    with shop.client.open(wheel.url, {}) as answer, (tmp_path / wheel.name).open("wb") as target:
        shop.client.copy(answer, target, None, 1 << 30, lambda _came, _all: None)
    whole = audit_path(tmp_path / wheel.name)
    assert (parts.native, parts.code, parts.metadata, parts.contents) == (
        whole.native,
        whole.code,
        whole.metadata,
        whole.contents,
    )
    assert (whole.origin.sha256, whole.origin.checked) == (wheel.sha256, True)
    if not parts.origin.checked:  # an index that gives parts
        assert isinstance(parts.origin.size, int)
        assert parts.origin.fetched is not None
        assert parts.origin.fetched < parts.origin.size / 2
