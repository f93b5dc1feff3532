"""Audits as rows of the table, and the table as text."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import msgspec
import pytest

from envcheck.compat import load_tables, rows
from envcheck.compat.tables import SHIPPED, MediapipeTable, read_tables
from envcheck.errors import EnvcheckError
from envcheck.index.listing import read_listing
from envcheck.report import wheel as report
from envcheck.wheel import Audited, Origin, audit
from envcheck.wheel.trees import read_archive
from envcheck.wheeltable import missing, offers_of
from tests.wheels import CPU_BUILD, GL_BUILD, NAME, archive, members

TABLE = load_tables().mediapipe
DAY = dt.date(2030, 1, 1)


def audited(texts: bytes = GL_BUILD, needed: tuple[str, ...] = ("libEGL.so.1",)) -> Audited:
    data = archive(members(texts, needed))
    return audit(read_archive(io.BytesIO(data), NAME), Origin(NAME, "wheel", len(data), "ab" * 32, checked=True))


def test_the_shipped_table_is_what_the_generator_writes() -> None:
    assert rows.render(TABLE) == (SHIPPED / "mediapipe.toml").read_text(encoding="utf-8")


def test_a_wheel_becomes_a_row() -> None:
    assert rows.render_row(rows.wheel_row("9.9.9", "linux-x86_64", audited())) == (
        '{ version = "9.9.9", platform = "linux-x86_64", gpu = "gl", glibc = "2.28", gl = "system", '
        'needs = ["libEGL.so.1"], software_gl = "accepted" }'
    )


def test_a_wheel_without_gpu_code_says_nothing_of_gl() -> None:
    assert rows.render_row(rows.wheel_row("9.9.9", "linux-x86_64", audited(CPU_BUILD, ()))) == (
        '{ version = "9.9.9", platform = "linux-x86_64", gpu = "none", glibc = "2.28" }'
    )


def test_a_release_is_the_same_on_every_platform() -> None:
    found = rows.release_row("9.9.9", ["py3"], {"linux-x86_64": audited(), "linux-aarch64": audited(CPU_BUILD)})
    assert rows.render_row(found) == (
        '{ version = "9.9.9", pythons = ["py3"], api = "tasks", native = "c-library", delegate = "passed", '
        'members = { CPU = 0, GPU = 1 }, oldest_python = "3.9" }'
    )


def test_pythons_are_ordered_as_numbers() -> None:
    found = rows.release_row("9.9.9", ["cp310", "cp39", "cp311"], {"linux-x86_64": audited()})
    assert found.pythons == ("cp39", "cp310", "cp311")
    assert found.oldest_python is None, "the tags tell"


def test_a_fact_that_was_not_seen_makes_no_row() -> None:
    with pytest.raises(EnvcheckError, match="exclude each other"):
        rows.wheel_row("9.9.9", "linux-x86_64", audited(GL_BUILD + CPU_BUILD))


def test_rows_of_the_same_wheels_change_nothing() -> None:
    again = rows.updated(TABLE, TABLE.releases.rows[3:5], TABLE.wheels.rows[::7], DAY)
    assert again == TABLE


def test_a_new_version_is_put_in_its_place_and_dates_its_blocks() -> None:
    release = msgspec.structs.replace(TABLE.releases.rows[0], version="1.2.10")
    wheel = msgspec.structs.replace(TABLE.wheels.rows[0], version="1.2.10")
    found = rows.updated(TABLE, [release], [wheel], DAY)
    assert found.releases.rows[-1].version == "1.2.10"
    assert (found.releases.date, found.wheels.date, found.never_released.date) == (DAY, DAY, DAY)
    assert [row.version for row in found.never_released.rows[-2:]] == ["1.2.8", "1.2.9"]


def test_a_table_that_was_written_is_read_again(tmp_path: Path) -> None:
    found = rows.updated(MediapipeTable(), TABLE.releases.rows, TABLE.wheels.rows, DAY)
    (tmp_path / "mediapipe.toml").write_text(rows.render(found), encoding="utf-8")
    assert read_tables(tmp_path).mediapipe == found
    assert found.never_released.rows == TABLE.never_released.rows


def test_versions_that_the_table_does_not_speak_of_are_left_out() -> None:
    names = ["0.8.1", "0.10.5", "1.3.0", "1.3.1rc1", "1.3.0.post1"]
    page = "".join(f'<a href="mediapipe-{name}-py3-none-manylinux_2_28_x86_64.whl">' for name in names)
    offers = offers_of(read_listing(page, "https://index.example/", is_json=False))
    assert set(offers) == {"0.10.5", "1.3.0"}
    assert missing(offers, TABLE) == {"1.3.0"}


# --- the report ----------------------------------------------------------------------------------------------------


def test_the_report_begins_with_the_sentence() -> None:
    lines = report.render(audited(), width=200).splitlines()
    assert lines[0] == f"mediapipe 9.9.9  {NAME}"
    assert lines[1] == "GPU: yes, through OpenGL ES over EGL; needs libEGL.so.1 of the system, even on the CPU"


@pytest.mark.parametrize("width", [1, 60, 80, 200])
def test_the_report_fits_its_width(width: int) -> None:
    assert all(len(line) <= max(width, 60) for line in report.render(audited(), width=width).splitlines()[1:])


def test_every_fact_of_the_audit_is_in_the_report() -> None:
    text = report.render(audited(), width=200)
    for name in ("GPU code", "GPU path", "GL libraries", "needed", "software GL", "CUDA", "OpenCL", "telemetry",
                 "needs glibc", "delegate=GPU", "Delegate", "mp.solutions", "FaceMesh graph", "models", "bundled",
                 "tags", "Python", "requires", "size", "sha256", "CPU kernels"):  # fmt: skip
        assert f"\n{name} " in text, name


def test_names_from_a_wheel_do_not_steer_the_terminal() -> None:
    files = members() | {"mediapipe.libs/\x1b[31mlibEGL.so": b""}
    data = archive(files)
    found = audit(read_archive(io.BytesIO(data), NAME), Origin(NAME, "wheel", 1, "0"))
    assert "\x1b" not in report.render(found)


def test_the_audit_survives_json() -> None:
    found = audited()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Audited) == found
