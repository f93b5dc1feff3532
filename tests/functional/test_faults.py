"""Workers that end badly, by a real EGL vendor library that crashes, hangs or floods inside MediaPipe's own call."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import unable
from tests.functional.conftest import Command

pytestmark = [pytest.mark.software_gl, pytest.mark.network]

IN_VAIN_S, DEADLINE_S = 25, 200
"""For a worker that hangs, and for those that answer: importing MediaPipe takes seconds, and more on a busy machine."""


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vendor file of the misbehaving library, compiled here."""
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    folder = tmp_path_factory.mktemp("vendor")
    library, source = folder / "libEGL_faulty.so.0", Path(__file__).with_name("vendor.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    file = folder / "10_faulty.json"
    file.write_text(
        json.dumps({"file_format_version": "1.0.0", "ICD": {"library_path": str(library)}}), encoding="utf-8"
    )
    return file


@pytest.mark.parametrize(
    ("fault", "code", "word", "beside"),
    [
        ("segfault", "RES601", "SIGSEGV", ["0.10.31"]),
        ("kill", "RES601", "SIGKILL", []),
        ("exit", "RES601", "exit", []),
        ("hang", "RES602", "did not answer", ["0.10.31"]),
        ("stdout", "RES603", "garbage", []),
    ],
)
def test_a_worker_that_ends_badly_is_crashed_and_the_other_cell_is_unharmed(
    envcheck: Command, matrix_of: Callable[..., Path], vendor: Path, fault: str, code: str, word: str, beside: list[str]
) -> None:
    """1.2.2 asks EGL and meets the fault; 0.10.31 never asks EGL."""
    started, deadline_s = time.monotonic(), IN_VAIN_S if fault == "hang" else DEADLINE_S
    ran = envcheck(
        "validate", "--no-preflight", "--deadline", str(deadline_s), "--matrix", str(matrix_of("1.2.2", *beside)),
        env={"__EGL_VENDOR_LIBRARY_FILENAMES": str(vendor), "VENDOR_FAULT": fault},
    )  # fmt: skip
    cell = ran.cell("1.2.2")

    assert (ran.code, cell["verdict"]) == (1, "crashed")
    assert ran.codes("1.2.2")[0] == code
    assert word in cell["because"]
    assert [ran.cell(version)["verdict"] for version in beside] == ["silent-cpu"] * len(beside)
    assert time.monotonic() - started < 3 * DEADLINE_S


def test_the_same_vendor_without_a_fault_is_an_ordinary_refusal(
    envcheck: Command, matrix_of: Callable[..., Path], vendor: Path
) -> None:
    ran = envcheck("validate", "--matrix", str(matrix_of("1.2.2")), env={"__EGL_VENDOR_LIBRARY_FILENAMES": str(vendor)})

    assert ran.cell("1.2.2")["verdict"] == "refused"
    assert "EGL201" in ran.codes("1.2.2")
