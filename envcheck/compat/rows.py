"""Audits become rows of mediapipe.toml, and the table becomes text: always the same text for the same wheels."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from envcheck.compat.tables import ANY_PYTHON, MediapipeTable, NeverReleased, Release, Row, Wheel
from envcheck.compat.versions import known_components
from envcheck.errors import EnvcheckError
from envcheck.record import Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envcheck.wheel import Audited, Seen

HEADER = """\
# What each MediaPipe version on PyPI is, read from the wheels themselves: bytes of the native library, its ELF
# entries, the Python files, the tags. Written by `python -m envcheck.wheeltable FILE`;
# tests/functional/test_wheel_table.py writes rows anew, test_wheel_facts.py reads the wheels by other means.
"""
NOTES = {
    "releases": "What is the same on every platform, because it is Python.",
    "wheels": "A platform that has rows is known completely: a version without a row has no wheel for it.",
    "never_released": "Numbers between the versions above that PyPI does not have.",
}

T = TypeVar("T")


def wheel_row(version: str, platform: str, found: Audited) -> Wheel:
    """The row of one platform's wheel. Raises EnvcheckError where a fact of it could not be read."""
    native, place = found.native, f"{version} {platform}"
    glibc = None if isinstance(found.metadata, Unread) else found.metadata.glibc
    gpu = _known(native.gpu, place)
    return Wheel(
        version=version,
        platform=platform,
        gpu=gpu,
        glibc=glibc,
        gl=_known(native.gl, place) if gpu == "gl" else "none",
        needs=native.gl_needs if gpu == "gl" and isinstance(native.gl_needs, tuple) else (),
        software_gl=_known(native.software_gl, place) if gpu == "gl" else None,
        vmodule=native.vmodule.value,
        log_callback=native.log_callback.value,
    )


def release_row(version: str, pythons: Iterable[str], audits: Mapping[str, Audited]) -> Release:
    """The row of a version, from its wheels by platform, which must agree. Raises EnvcheckError where they do not."""
    rows = {platform: _release(version, pythons, found) for platform, found in audits.items()}
    (first, row), *others = rows.items()
    for platform, other in others:
        if other != row:
            raise EnvcheckError(f"the Python of MediaPipe {version} differs: {first} has {row}, {platform} {other}")
    return row


def _release(version: str, pythons: Iterable[str], found: Audited) -> Release:
    code = found.code
    if isinstance(code, Unread):
        raise EnvcheckError(f"MediaPipe {version}: {code.reason}")
    tags = tuple(sorted(set(pythons), key=_python_number))
    oldest = "" if isinstance(found.metadata, Unread) else found.metadata.oldest_python.value
    return Release(
        version=version,
        pythons=tags,
        oldest_python=oldest or None if ANY_PYTHON in tags else None,
        api=code.api.value,
        native=found.native.interface,
        delegate=_known(code.delegate, version),
        members=_known(code.members, version),
    )


def never_released(versions: Iterable[str]) -> tuple[NeverReleased, ...]:
    """The numbers that were skipped between versions of the same series, such as 0.10.6 between 0.10.5 and 0.10.7."""
    known = {known_components(version) for version in versions}
    series: dict[tuple[int, ...], list[int]] = {}
    for *head, last in known:
        series.setdefault(tuple(head), []).append(last)
    gaps = [(*head, at) for head, ends in series.items() for at in range(min(ends), max(ends)) if at not in ends]
    return tuple(NeverReleased(version=".".join(map(str, gap))) for gap in sorted(gaps))


def updated(
    table: MediapipeTable, releases: Iterable[Release], wheels: Iterable[Wheel], today: dt.date
) -> MediapipeTable:
    """The table with these rows in the place of those of the same version and platform.

    A block keeps its source; its date becomes today's where a row of it changed.
    """
    new: dict[str, tuple[Any, ...]] = {
        "releases": _merged(table.releases.rows, releases, lambda row: row.version, _release_order),
        "wheels": _merged(table.wheels.rows, wheels, lambda row: (row.version, row.platform), _wheel_order),
    }
    new["never_released"] = never_released(row.version for row in new["releases"])
    blocks: dict[str, Any] = {}
    for name, rows in new.items():
        block = getattr(table, name)
        date = block.date if rows == block.rows else today
        blocks[name] = msgspec.structs.replace(block, rows=rows, date=date, source=block.source or "wheels")
    return MediapipeTable(**blocks)


def _merged(old: Iterable[T], new: Iterable[T], key: Any, order: Any) -> tuple[T, ...]:
    rows = {key(row): row for row in old} | {key(row): row for row in new}
    return tuple(sorted(rows.values(), key=order))


def _release_order(row: Release) -> Any:
    return known_components(row.version)


def _wheel_order(row: Wheel) -> Any:
    return row.platform, known_components(row.version)


def _python_number(tag: str) -> tuple[int, ...]:
    return tuple(int(part) for part in (tag[2:3], tag[3:]) if part.isdigit())


def _known(fact: Seen[T] | Unread, place: str) -> T:
    if isinstance(fact, Unread):
        raise EnvcheckError(f"MediaPipe {place}: {fact.reason}")
    return fact.value


# --- text ----------------------------------------------------------------------------------------------------------


def render(table: MediapipeTable) -> str:
    """mediapipe.toml."""
    blocks = (f"# {note}\n{_block(name, getattr(table, name))}\n" for name, note in NOTES.items())
    return "\n".join((HEADER, *blocks))


def render_row(row: Row) -> str:
    """One row as a line of the file, without the blanks and the comma around it."""
    return _toml(_fields(row))


def _block(name: str, block: Row) -> str:
    fields = _fields(block)
    rows: tuple[Row, ...] = fields.pop("rows", ())
    values = (f"{key} = {_toml(value)}" for key, value in fields.items())
    return "\n".join((f"[{name}]", *values, "rows = [", *(f"  {render_row(row)}," for row in rows), "]"))


def _fields(record: Row) -> dict[str, Any]:
    """The fields that are not their defaults, in the order of the class."""
    fields = msgspec.structs.fields(record)
    return {f.encode_name: value for f in fields if (value := getattr(record, f.name)) not in (f.default, {})}


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
