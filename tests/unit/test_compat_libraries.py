"""Missing shared libraries, recognised in the words of the loader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.compat import load_tables, missing_library


@pytest.mark.parametrize(
    ("text", "name", "symbol"),
    [
        pytest.param(
            "OSError: libGLESv2.so.2: cannot open shared object file: No such file or directory",
            "libGLESv2.so.2",
            "",
            id="mediapipe-0.10.33",
        ),
        pytest.param(
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "libGL.so.1",
            "",
            id="opencv",
        ),
        pytest.param(
            "/opt/x/libfoo_bar-1.2.so.3.4: cannot open shared object file",
            "libfoo_bar-1.2.so.3.4",
            "",
            id="with-a-path",
        ),
        pytest.param(
            "/opt/conda/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /lib/libLLVM-15.so.1)",
            "libstdc++.so.6",
            "GLIBCXX_3.4.30",
            id="old-libstdc++",
        ),
        pytest.param(
            "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found (required by libmediapipe.so)",
            "libc.so.6",
            "GLIBC_2.28",
            id="old-glibc",
        ),
        pytest.param("version GLIBCXX_3.4.30 not found", "libstdc++.so.6", "GLIBCXX_3.4.30", id="symbol-only"),
        pytest.param("CXXABI_1.3.13' not found", "libstdc++.so.6", "CXXABI_1.3.13", id="abi-only"),
        pytest.param("GLIBC_2.34 not found", "libc.so.6", "GLIBC_2.34", id="glibc-only"),
        pytest.param(
            "Error loading shared library libEGL.so.1: No such file or directory (needed by libmediapipe.so)",
            "libEGL.so.1",
            "",
            id="musl",
        ),
        pytest.param("OSError: PortAudio library not found", "libportaudio.so.2", "", id="sounddevice"),
        pytest.param(
            "libEGL.so.1: cannot open shared object file\nlibGL.so.1: cannot open shared object file",
            "libEGL.so.1",
            "",
            id="the-first-counts",
        ),
        pytest.param(
            "libGL.so.1: cannot open shared object file\n/x/libstdc++.so.6: version `GLIBCXX_3.4.30' not found",
            "libGL.so.1",
            "",
            id="the-first-counts-whatever-its-form",
        ),
    ],
)
def test_the_library_is_named(text: str, name: str, symbol: str) -> None:
    found = missing_library(text)
    assert found is not None
    assert (found.name, found.symbol) == (name, symbol)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ModuleNotFoundError: No module named 'cv2'",
        "FileNotFoundError: face_landmarker.task not found",
        "libEGL warning: failed to open /dev/dri/renderD128: Permission denied",
        "RuntimeError: Service kGpuService was not provided and cannot be created",
    ],
)
def test_other_errors_name_none(text: str) -> None:
    assert missing_library(text) is None


@pytest.mark.parametrize(
    ("library", "commands"),
    [
        (
            "libEGL.so.1",
            {
                "Debian, Ubuntu": "apt-get install -y libegl1",
                "Fedora, RHEL": "dnf install -y libglvnd-egl",
                "Alpine": "apk add mesa-egl",
                "conda-forge": "conda install -c conda-forge libegl",
            },
        ),
        (
            "libEGL_mesa.so.0",
            {"Debian, Ubuntu": "apt-get install -y libegl-mesa0", "Fedora, RHEL": "dnf install -y mesa-libEGL"},
        ),
        ("libcuda.so.1", {}),
    ],
    ids=["everywhere", "in-two-places", "no-package"],
)
def test_each_distribution_that_has_the_package_gets_its_command(library: str, commands: dict[str, str]) -> None:
    found = missing_library(f"{library}: cannot open shared object file")
    assert found is not None
    assert found.known
    assert found.purpose
    assert dict(found.install) == commands
    assert found.source.endswith(")") or "https://" in found.source


def test_what_no_package_mends_has_advice() -> None:
    found = missing_library("libEGL_nvidia.so.0: cannot open shared object file")
    assert found is not None
    assert "NVIDIA_DRIVER_CAPABILITIES" in found.advice


def test_an_unknown_library_is_named_with_the_way_to_search() -> None:
    found = missing_library("libunheard.so.7: cannot open shared object file")
    assert found is not None
    assert not found.known
    assert found.name == "libunheard.so.7"
    assert found.install == (
        ("find its package on Debian, Ubuntu", "apt-file search libunheard.so.7"),
        ("find its package on Fedora, RHEL", "dnf provides '*/libunheard.so.7'"),
        ("find its package on Alpine", "apk search so:libunheard.so.7"),
    )


@pytest.mark.parametrize("library", [row.library for row in load_tables().libraries.libraries.rows])
def test_each_library_of_the_table_is_recognised(library: str) -> None:
    found = missing_library(f"OSError: {library}: cannot open shared object file: No such file or directory")
    assert found is not None
    assert (found.name, found.known) == (library, True)


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    found = missing_library(text)
    assert found is None or found.name
