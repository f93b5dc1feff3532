"""The shipped tables: their form, their sources, their readers, and other tables in their place."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envcheck.compat import (
    FOLDER_VARIABLE,
    CudaKind,
    Tables,
    cuda_support,
    driver_branch,
    foresee,
    gpu_prediction,
    load_tables,
    missing_library,
    wheel_facts,
    wheel_reason,
)
from envcheck.compat.tables import SHIPPED, Block, CudaTable, LibraryTable, MediapipeTable, Row, read_tables
from envcheck.compat.versions import known_components
from envcheck.errors import PlaceError, UsageError
from envcheck.model import Axes, Gpu, Host, Nvml

TABLES = load_tables()
FILES = ("cuda.toml", "libraries.toml", "mediapipe.toml", "sources.toml")


def blocks() -> Iterator[tuple[str, Block]]:
    """Every block of every table, by its name."""
    for table in (TABLES.cuda, TABLES.mediapipe, TABLES.libraries):
        for field in table.__struct_fields__:
            yield f"{type(table).__name__}.{field}", getattr(table, field)


BLOCKS = dict(blocks())


def toml(value: object) -> str:
    """A value as the shipped files write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(item)}' for key, item in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def canonical(record: Row) -> dict[str, Any]:
    """The fields that are not their defaults, in the order of the class."""
    kept = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.encode_name)
        empty = field.default_factory is not msgspec.NODEFAULT and not value
        if not empty and value != field.default:
            kept[field.encode_name] = value
    return kept


def written(name: str, block: Row) -> str:
    """A block as the shipped files write it: single values first, then one row per line."""
    fields = canonical(block)
    rows = fields.pop("rows", None)
    lines = [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in fields.items())]
    if rows is not None:
        lines += ["rows = [", *(f"  {toml(canonical(row))}," for row in rows), "]"]
    return "\n".join(lines)


def file_without_comments(name: str) -> str:
    lines = (SHIPPED / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cuda.toml", TABLES.cuda),
        ("mediapipe.toml", TABLES.mediapipe),
        ("libraries.toml", TABLES.libraries),
        ("sources.toml", TABLES.sources),
    ],
    ids=["cuda", "mediapipe", "libraries", "sources"],
)
def test_each_file_is_in_canonical_form(name: str, content: Row | dict[str, Row]) -> None:
    parts = content if isinstance(content, dict) else {key: getattr(content, key) for key in content.__struct_fields__}
    assert file_without_comments(name) == "\n".join(written(key, block) for key, block in parts.items())


@pytest.mark.parametrize("name", FILES)
def test_no_line_ends_in_blanks_and_the_file_ends_in_a_newline(name: str) -> None:
    text = (SHIPPED / name).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_each_block_has_a_source_that_exists_and_a_date(block: Block) -> None:
    assert block.source in TABLES.sources
    assert isinstance(block.date, dt.date)
    assert block.date <= dt.date(2100, 1, 1)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_the_source_of_each_row_exists(block: Block) -> None:
    rows = getattr(block, "rows", ())
    named = {row.source for row in rows if getattr(row, "source", "")}
    assert named <= set(TABLES.sources)


def test_each_source_is_used() -> None:
    used = {block.source for block in BLOCKS.values()}
    used |= {getattr(row, "source", "") for block in BLOCKS.values() for row in getattr(block, "rows", ())}
    assert set(TABLES.sources) == used - {""}


@pytest.mark.parametrize("source", TABLES.sources.values(), ids=TABLES.sources)
def test_each_source_can_be_found_and_weighed(source: Any) -> None:
    assert source.title
    assert source.url.startswith("https://")
    assert source.confidence in {"primary", "measured", "secondary", "conflict"}


ORDERS: dict[str, Callable[[Any], object]] = {
    "CudaTable.toolkits": lambda row: known_components(row.cuda),
    "CudaTable.never_released": lambda row: known_components(row.version),
    "CudaTable.floors": lambda row: row.major,
    "CudaTable.forward": lambda row: known_components(row.cuda),
    "CudaTable.architectures": lambda row: [known_components(item) for item in row.capabilities],
    "CudaTable.branches": lambda row: row.branch,
    "MediapipeTable.releases": lambda row: known_components(row.version),
    "MediapipeTable.wheels": lambda row: (row.platform, known_components(row.version)),
    "MediapipeTable.never_released": lambda row: known_components(row.version),
    "LibraryTable.libraries": lambda row: row.library,
}


@pytest.mark.parametrize("name", ORDERS)
def test_rows_are_in_order_and_none_is_twice_there(name: str) -> None:
    rows: tuple[Any, ...] = getattr(BLOCKS[name], "rows")  # noqa: B009 - not every block has rows
    keys: list[Any] = [ORDERS[name](row) for row in rows]
    assert keys == sorted(keys)
    assert all(left != right for left, right in itertools.pairwise(keys))


def test_each_toolkit_names_its_driver_or_its_branch() -> None:
    assert all((row.driver is None) != (row.branch is None) for row in TABLES.cuda.toolkits.rows)


def test_each_toolkit_has_a_floor() -> None:
    assert {known_components(row.cuda)[0] for row in TABLES.cuda.toolkits.rows} == {
        row.major for row in TABLES.cuda.floors.rows
    }


def test_what_was_never_released_has_no_row() -> None:
    assert not {row.version for row in TABLES.cuda.never_released.rows} & {
        row.cuda for row in TABLES.cuda.toolkits.rows
    }
    mediapipe = TABLES.mediapipe
    assert not {row.version for row in mediapipe.never_released.rows} & {row.version for row in mediapipe.releases.rows}


def test_no_capability_belongs_to_two_architectures() -> None:
    capabilities = [item for row in TABLES.cuda.architectures.rows for item in row.capabilities]
    assert len(capabilities) == len(set(capabilities))


def test_each_wheel_has_its_release_and_each_release_a_wheel() -> None:
    mediapipe = TABLES.mediapipe
    assert {row.version for row in mediapipe.wheels.rows} == {row.version for row in mediapipe.releases.rows}


def test_only_wheels_with_gl_say_where_gl_comes_from() -> None:
    for row in TABLES.mediapipe.wheels.rows:
        assert (row.gl != "none") == (row.gpu == "gl") == (row.software_gl is not None), row
        assert bool(row.needs) == (row.gl == "system"), row
        assert (row.glibc is not None) == row.platform.startswith("linux"), row


def test_words_in_the_tables_are_the_known_ones() -> None:
    releases, wheels = TABLES.mediapipe.releases.rows, TABLES.mediapipe.wheels.rows
    assert {row.api for row in releases} == {"solutions", "tasks"}
    assert {row.native for row in releases} == {"bindings", "c-library"}
    assert {row.delegate for row in releases} == {"passed", "ignored"}
    assert {row.gpu for row in wheels} == {"gl", "metal", "none"}
    assert {row.gl for row in wheels} == {"bundled", "system", "none"}
    assert {row.software_gl for row in wheels} == {"accepted", "refused", None}
    assert all({"CPU", "GPU"} <= set(row.members) for row in releases)


def test_packages_are_of_distributions_that_have_a_command() -> None:
    keys = {row.key for row in TABLES.libraries.distributions.rows}
    assert {key for row in TABLES.libraries.libraries.rows for key in row.packages} == keys
    assert all("{package}" in row.install for row in TABLES.libraries.distributions.rows)
    assert all("{library}" in row.search for row in TABLES.libraries.distributions.rows if row.search)


def test_a_library_without_a_package_has_advice() -> None:
    assert all(row.packages or row.advice for row in TABLES.libraries.libraries.rows)


# --- every block has a reader: without its rows an answer changes -------------------------------------------------

MIG_HOST = Host(
    platform="linux",
    machine="x86_64",
    nvml=Nvml(driver="570.124.06", cuda="12.8", gpus=(Gpu(0, "NVIDIA A100", "GPU-0", "8.0", mig=True),)),
)
EGL = "libEGL.so.1: cannot open shared object file"

READERS: dict[str, Callable[[Tables], object]] = {
    "CudaTable.toolkits": lambda tables: cuda_support("12.8", "580", tables=tables),
    "CudaTable.never_released": lambda tables: cuda_support("12.7", "580", tables=tables),
    "CudaTable.floors": lambda tables: cuda_support("12.8", "535", tables=tables),
    "CudaTable.forward": lambda tables: cuda_support("13.0", "570", tables=tables),
    "CudaTable.architectures": lambda tables: cuda_support("13.0", "580", "7.0", tables),
    "CudaTable.branches": lambda tables: driver_branch("580.65.06", tables),
    "CudaTable.mig": lambda tables: gpu_prediction(MIG_HOST, tables),
    "MediapipeTable.releases": lambda tables: wheel_facts("1.2.2", "linux-x86_64", tables),
    "MediapipeTable.wheels": lambda tables: wheel_facts("1.2.2", "linux-x86_64", tables),
    "MediapipeTable.never_released": lambda tables: wheel_reason(
        Axes(backend="venv", mediapipe="1.2.1"), "linux-x86_64", tables=tables
    ),
    "LibraryTable.distributions": lambda tables: missing_library(EGL, tables),
    "LibraryTable.libraries": lambda tables: missing_library(EGL, tables),
}


def without(name: str) -> Tables:
    """The shipped tables with one block empty."""
    kind, field = name.split(".")
    attribute = {"CudaTable": "cuda", "MediapipeTable": "mediapipe", "LibraryTable": "libraries"}[kind]
    table: CudaTable | MediapipeTable | LibraryTable = getattr(TABLES, attribute)
    empty = msgspec.structs.replace(table, **{field: type(BLOCKS[name])()})
    return msgspec.structs.replace(TABLES, **{attribute: empty})


@pytest.mark.parametrize("name", BLOCKS)
def test_each_block_has_a_reader(name: str) -> None:
    assert READERS[name](TABLES) != READERS[name](without(name))


# --- other tables --------------------------------------------------------------------------------------------------


def test_tables_are_read_once() -> None:
    assert load_tables() is load_tables()


def test_an_empty_folder_makes_everything_unknown(tmp_path: Path) -> None:
    empty = load_tables(tmp_path)
    assert empty == Tables()
    assert cuda_support("12.8", "570.124.06", "9.0", empty).kind is CudaKind.UNKNOWN
    assert wheel_facts("1.0.0", "linux-x86_64", empty) is None
    assert wheel_reason(Axes(backend="venv", python="3.7", mediapipe="1.0.0"), "linux-x86_64", "2.1", empty) is None
    assert gpu_prediction(MIG_HOST, empty) is None
    assert driver_branch("570", empty) is None
    axes = Axes(backend="venv", python="3.7", mediapipe="1.0.0", cuda="99.9", driver="any")
    assert foresee(axes, MIG_HOST, empty).state == "reachable"
    library = missing_library(EGL, empty)
    assert library is not None
    assert (library.name, library.known, library.install) == ("libEGL.so.1", False, ())


def test_empty_files_are_empty_tables(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("", encoding="utf-8")
    assert load_tables(tmp_path) == Tables()


def test_the_environment_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert load_tables() == Tables()
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert load_tables() == TABLES


def test_a_folder_in_hand_counts_more_than_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert load_tables(SHIPPED) == TABLES


def test_a_row_of_ones_own_is_used(tmp_path: Path) -> None:
    (tmp_path / "cuda.toml").write_text(
        '[toolkits]\nsource = "own"\nrows = [{ cuda = "99.1", driver = "900.1" }]\n', encoding="utf-8"
    )
    support = cuda_support("99.1", "900.2", tables=load_tables(tmp_path))
    assert (support.kind, support.source) == (CudaKind.NATIVE, "own")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        load_tables(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param(b"[toolkits\n", "cuda.toml:1:10", "is no TOML", id="no-toml"),
        pytest.param(b"\xff\xfe", "cuda.toml", "cannot be read", id="binary"),
        pytest.param(b"[toolkit]\n", "cuda.toml", "unknown field `toolkit`", id="unknown-block"),
        pytest.param(
            b"[toolkits]\nrows = [{ cuda = 12.8 }]\n", "cuda.toml", r"toolkits\.rows\[0\]\.cuda", id="a-float"
        ),
        pytest.param(b'[toolkits]\nrows = [{ cuda = "12.x" }]\n', "cuda.toml", "regex", id="no-version"),
    ],
)
def test_a_bad_table_is_an_error_that_names_the_place(tmp_path: Path, text: bytes, place: str, message: str) -> None:
    (tmp_path / "cuda.toml").write_bytes(text)
    with pytest.raises(PlaceError, match=message) as caught:
        read_tables(tmp_path)
    assert caught.value.place == str(tmp_path / place)


def test_a_source_is_cited_by_title_and_address() -> None:
    assert TABLES.cite("mig-guide").startswith("NVIDIA Multi-Instance GPU user guide")
    assert "https://docs.nvidia.com/" in TABLES.cite("mig-guide")
    assert Tables().cite("mig-guide") == "mig-guide"
