"""The GL probe on software GL: devices, vendor libraries, EGL's own log, and drivers that crash or hang within it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envcheck.cell.glprobe import observe_gl
from envcheck.model import GlContext, Unread
from tests.conftest import unable
from tests.functional.conftest import environment

pytestmark = pytest.mark.software_gl

DEADLINE_S = 240.0


def probed(**env: str) -> GlContext:
    seen = observe_gl([sys.executable], environment({"EGL_PLATFORM": "surfaceless", **env}), DEADLINE_S)
    assert isinstance(seen, GlContext), seen
    return seen


def vendor_file(folder: Path, name: str, library: str) -> Path:
    file = folder / f"{name}.json"
    content = {"file_format_version": "1.0.0", "ICD": {"library_path": library}}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_devices_vendors_and_the_default_display_are_seen() -> None:
    seen = probed()

    assert (seen.path, seen.devices) == ("default", 1)
    assert not isinstance(seen.egl_devices, Unread)
    assert not isinstance(seen.vendors, Unread)
    (device,) = seen.egl_devices
    assert (device.renderer, device.version, device.error) == (seen.renderer, seen.version, "")
    assert [(vendor.library, vendor.error) for vendor in seen.vendors] == [("libEGL_mesa.so.0", "")]
    assert any("surfaceless" in line for line in seen.log)


def test_without_a_usable_default_display_the_device_is_seen_all_the_same() -> None:
    seen = observe_gl([sys.executable], environment({}), DEADLINE_S)

    assert isinstance(seen, GlContext)
    assert seen.path == "device"
    assert "default display failed" in seen.error


def test_a_vendor_library_that_does_not_load_is_named_with_the_loaders_message(tmp_path: Path) -> None:
    """In the order in which glvnd reads the files; files that are no use are passed over."""
    missing = vendor_file(tmp_path, "10_nvidia", "libEGL_nvidia.so.0")
    broken = tmp_path / "20_broken.json"
    broken.write_bytes(b"\xff{[")
    mesa = vendor_file(tmp_path, "50_mesa", "libEGL_mesa.so.0")
    seen = probed(__EGL_VENDOR_LIBRARY_FILENAMES=f"{missing}:{broken}:{mesa}")

    assert not isinstance(seen.vendors, Unread)
    assert [vendor.library for vendor in seen.vendors] == ["libEGL_nvidia.so.0", "libEGL_mesa.so.0"]
    assert "cannot open shared object file" in seen.vendors[0].error
    assert seen.vendors[1].error == ""


def test_folders_of_vendor_files_are_read_by_name(tmp_path: Path) -> None:
    vendor_file(tmp_path, "50_mesa", "libEGL_mesa.so.0")
    vendor_file(tmp_path, "10_other", str(tmp_path / "libEGL_other.so.0"))
    seen = probed(__EGL_VENDOR_LIBRARY_DIRS=str(tmp_path))

    assert not isinstance(seen.vendors, Unread)
    assert [vendor.library.rsplit("/", 1)[-1] for vendor in seen.vendors] == ["libEGL_other.so.0", "libEGL_mesa.so.0"]


@pytest.mark.parametrize(("fault", "signal"), [("segfault", "SIGSEGV"), ("hang", "SIGALRM")])
def test_a_driver_that_crashes_or_hangs_on_its_device_costs_its_own_row_and_no_other(
    tmp_path: Path, fault: str, signal: str
) -> None:
    if shutil.which("gcc") is None:
        unable("needs gcc; enable with: apt-get install gcc")
    library = tmp_path / "libEGL_impostor.so.0"
    source = Path(__file__).with_name("impostor.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    file = vendor_file(tmp_path, "10_impostor", str(library))
    started = time.monotonic()
    seen = probed(__EGL_VENDOR_LIBRARY_FILENAMES=str(file), IMPOSTOR_FAULT=fault)

    assert (seen.path, "llvmpipe" in seen.renderer) == ("default", True)
    assert not isinstance(seen.egl_devices, Unread)
    assert seen.egl_devices[0].error == "the probe ended here, inside this driver"
    assert seen.log[-1] == f"the probe ended early: killed by {signal}"
    assert time.monotonic() - started < DEADLINE_S / 2


def test_the_payload_says_nothing_of_secrets_in_eglss_log() -> None:
    seen = observe_gl(
        [sys.executable], {**os.environ, "EGL_PLATFORM": "surfaceless", "MY_TOKEN": "surfaceless"}, DEADLINE_S
    )

    assert isinstance(seen, GlContext)
    assert not any("surfaceless" in line for line in seen.log)
