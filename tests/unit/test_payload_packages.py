"""Installed packages as files show them, in site-packages laid out on disk."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

packages: Any = importlib.import_module("envcheck.payload.packages")

PATIENT = settings(max_examples=60)


def install(site: Path, name: str, version: str, *requires: str, files: tuple[str, ...] = ()) -> None:
    """A distribution's metadata, and files that are there and in its RECORD."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    (folder / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n\nRequires-Dist: of-the-text\n")
    (folder / "RECORD").write_text("".join(f"{file},sha256=,1\n" for file in files))
    for file in files:
        path = site / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_only_what_matters_is_listed_and_what_mediapipe_requires(tmp_path: Path) -> None:
    install(tmp_path, "mediapipe", "0.10.21", "numpy<2", "Some.Thing>=1", 'jax; extra == "gpu"')
    install(tmp_path, "some-thing", "2.0")
    install(tmp_path, "requests", "2.32.0")
    install(tmp_path, "numpy", "1.26.4")

    found = {one["name"]: one for one in packages.distributions([str(tmp_path)])}
    assert list(found) == ["mediapipe", "numpy", "some-thing"]
    assert found["mediapipe"]["requires"] == ["numpy<2", "Some.Thing>=1"]


def test_the_first_of_two_of_one_name_counts(tmp_path: Path) -> None:
    install(tmp_path / "first", "numpy", "1.26.4")
    install(tmp_path / "second", "NumPy", "2.0.0")

    found = packages.distributions([str(tmp_path / "first"), str(tmp_path / "second"), "/nonexistent"])
    assert [one["version"] for one in found] == ["1.26.4"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("opencv_python_headless-4.11.0.86.dist-info", ("opencv-python-headless", "4.11.0.86")),
        ("numpy-1.24.2.egg-info", ("numpy", "1.24.2")),
        ("protobuf-3.20.3-py3.11.egg-info", ("protobuf", "3.20.3")),
        ("ai_edge_litert-1.0.1.dist-info", ("ai-edge-litert", "1.0.1")),
        ("~umpy-1.26.4.dist-info", None),
        ("numpy", None),
        ("numpy.dist-info", None),
    ],
)
def test_names_of_metadata_folders(folder: str, name: tuple[str, str] | None) -> None:
    assert packages.named(folder) == name


@pytest.mark.parametrize(
    ("requirement", "applies"),
    [
        ("numpy<2", "numpy<2"),
        ('numpy>=2; python_version >= "3.9"', "numpy>=2"),
        ('numpy<2; python_version < "3.9"', None),
        ('jax; extra == "gpu"', None),
        ('jax; python_version >= "3.8" and extra == "gpu"', None),
        ("jax; (sys_platform == 'other') and python_version >= '3.8'", None),
        ('a; platform_python_implementation == "PyPy"', 'a; platform_python_implementation == "PyPy"'),
        ('a; python_version >= "3.8" or os_name == "nt"', 'a; python_version >= "3.8" or os_name == "nt"'),
        ('a; python_full_version < "3.11.3"', 'a; python_full_version < "3.11.3"'),
    ],
)
def test_requirements_that_do_not_apply_here_are_left_out(requirement: str, applies: str | None) -> None:
    assert packages.applying(requirement) == applies


def test_two_distributions_that_share_cv2_are_both_its_owners(tmp_path: Path) -> None:
    for name in ("opencv-python", "opencv-contrib-python"):
        install(tmp_path, name, "4.11.0.86", files=("cv2/__init__.py", "cv2/cv2.abi3.so"))
    install(tmp_path, "opencv-stubs", "1.0", files=("stubs/cv2.pyi",))

    found = packages.opencv([str(tmp_path)])
    assert found["owners"] == ["opencv-contrib-python", "opencv-python"]
    assert found["path"] == str(tmp_path / "cv2/cv2.abi3.so")
    assert (found["error"], "unread" in found["cuda"]) == ("", True)


def test_a_cv2_that_lost_its_library_does_not_load(tmp_path: Path) -> None:
    """What is left when one of two distributions that share cv2 is uninstalled."""
    install(tmp_path, "opencv-python", "4.11.0.86", files=("cv2/__init__.py",))

    assert "no native library" in packages.opencv([str(tmp_path)])["error"]


def test_without_cv2_there_is_none(tmp_path: Path) -> None:
    assert packages.opencv([str(tmp_path)]) is None


@pytest.mark.parametrize(
    "file",
    ["cv2/python-3.11/cv2.cpython-311-x86_64-linux-gnu.so", "cv2.cpython-311-x86_64-linux-gnu.so", "cv2/cv2.abi3.so"],
)
def test_the_native_library_is_found_where_builds_put_it(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    assert packages.native_library([str(tmp_path)])[1] == str(path)


@pytest.mark.parametrize(
    "source",
    [
        'build_info = collections.OrderedDict([("cpu", "c"), ("cuda_version", "12.5.1"), ("cudnn_version", "9")])',
        'build_info = {"cuda_version": "12.5.1", "cudnn_version": "9", "is_cuda_build": True}',
    ],
)
def test_tensorflows_build_is_read_without_importing_it(source: str) -> None:
    found = packages.build_info(ast, source)

    assert (found["cuda_version"], found["cudnn_version"]) == ("12.5.1", "9")


def test_tensorflow_is_found_with_its_version(tmp_path: Path) -> None:
    path = tmp_path / "tensorflow/python/platform/build_info.py"
    path.parent.mkdir(parents=True)
    path.write_text('import collections\nbuild_info = collections.OrderedDict([("is_cuda_build", False)])\n')
    known = [{"name": "tensorflow-estimator", "version": "2.15"}, {"name": "tensorflow-cpu", "version": "2.19.0"}]

    found = packages.tensorflow([str(tmp_path)], known)
    assert (found["version"], found["cuda"], found["cudnn"]) == ("2.19.0", "", "")
    path.write_text("build_info = {")
    assert "SyntaxError" in packages.part(lambda: packages.tensorflow([str(tmp_path)], known))["unread"]


def test_the_newest_glibcxx_is_by_number() -> None:
    assert packages.newest_glibcxx(b"\0GLIBCXX_3.4.9\0GLIBCXX_3.4.30\0GLIBCXX_3.4\0GLIBCXX_DEBUG") == "GLIBCXX_3.4.30"
    assert packages.newest_glibcxx(b"nothing") == ""


def test_a_file_named_like_a_module_hides_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, here = tmp_path / "site", tmp_path / "here"
    install(site, "mediapipe", "1.2.2", files=("mediapipe/__init__.py",))
    (here / "mediapipe").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(site)])

    assert packages.shadowed([str(here), str(site)]) == ""  # a folder without __init__.py hides nothing
    (here / "mediapipe.py").touch()
    assert packages.shadowed([str(here)]) == str(here / "mediapipe.py")


def test_what_is_installed_elsewhere_hides_only_what_is_installed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "other", "mediapipe", "1.2.2", files=("mediapipe/__init__.py",))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    assert packages.shadowed([str(tmp_path / "other")]) == ""

    install(tmp_path / "site", "mediapipe", "0.10.21", files=("mediapipe/__init__.py",))
    assert packages.shadowed([str(tmp_path / "other")]) == str(tmp_path / "other/mediapipe/__init__.py")


@PATIENT
@given(st.text())
def test_any_text_is_some_requirement(text: str) -> None:
    assert packages.applying(text) is None or isinstance(packages.applying(text), str)
    packages.named(text)


@PATIENT
@given(st.binary(max_size=400))
def test_any_metadata_is_some_distribution(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "any.egg-info"
    place.write_bytes(content)
    assert packages.distribution("any", str(place), "1")["name"]
