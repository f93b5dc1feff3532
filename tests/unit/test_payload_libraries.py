"""The dynamic loader's way to a library, glvnd's way to a vendor, and the note of a cuda-compat package."""

from __future__ import annotations

import importlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

libraries: Any = importlib.import_module("envcheck.payload.libraries")

PATIENT = settings(max_examples=60)

X86_64, I386 = 0x0303, 0x0003
DRIVER = "570.124.06"
PARTS = ("eglcore", "glcore", "glsi", "tls", "gpucomp")


def cache_of(*entries: tuple[int, str, str], old_format: bool = False) -> bytes:
    """A cache as ldconfig writes it: a header, entries sorted by name, and their strings."""
    before = b"ld.so-1.7.0\0" + struct.pack("=I", 0) if old_format else b""
    strings, rows, start = b"", b"", 48 + 24 * len(entries)
    for flags, name, path in entries:
        offsets = []
        for text in (name, path):
            offsets.append(start + len(strings))
            strings += text.encode() + b"\0"
        rows += struct.pack("=iIIIQ", flags, *offsets, 0, 0)
    header = b"glibc-ld.so.cache1.1" + struct.pack("=IIB3xI12x", len(entries), len(strings), 2, 0)
    return before + header + rows + strings


CUDA = (X86_64, "libcuda.so.1", "/lib/x86_64-linux-gnu/libcuda.so.1")
CUDA_32 = (I386, "libcuda.so.1", "/lib/i386-linux-gnu/libcuda.so.1")


@pytest.mark.parametrize("old_format", [False, True])
def test_the_loaders_cache_is_read_for_our_machine_only(old_format: bool) -> None:
    cache = cache_of(CUDA_32, CUDA, old_format=old_format)

    assert libraries.cache_entries(cache, 0x0300) == {"libcuda.so.1": [CUDA[2]]}
    assert libraries.cache_entries(cache, None) == {"libcuda.so.1": [CUDA_32[2], CUDA[2]]}


def test_a_cache_that_is_none_or_cut_short_is_not_understood() -> None:
    assert libraries.cache_entries(b"", 0x0300) is None
    assert libraries.cache_entries(b"garbage" * 20, 0x0300) is None
    assert libraries.cache_entries(cache_of(CUDA)[:60], 0x0300) is None


@PATIENT
@given(st.binary(), st.binary())
def test_any_bytes_are_some_cache(start: bytes, rest: bytes) -> None:
    libraries.cache_entries(start, 0x0300)
    libraries.cache_entries(b"glibc-ld.so.cache1.1" + rest, None)


class World:
    """Folders on disk, and a loader that searches those it is told to."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str, *files: str, links: dict[str, str] | None = None) -> str:
        """A folder with empty files, and links to them."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / file).touch()
        for link, target in (links or {}).items():
            (folder / link).symlink_to(target)
        return str(folder)

    def loader(self, *searched: str, known: tuple[str, ...] = ()) -> Any:
        """A loader that searches these folders and no others."""
        made = libraries.Loader({"LD_LIBRARY_PATH": ":".join(searched)}, "x86_64")
        made.first = list(searched)
        made.cache, made.last, self.known = {}, [], known
        return made

    def found(self, *searched: str, known: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """The driver's libraries in these folders, those that are searched first."""
        loader = self.loader(*searched)
        folders = [(folder, libraries.listed(folder)) for folder in (*searched, *known)]
        seen: list[dict[str, Any]] = libraries.libraries(loader, folders)[libraries.DRIVER]
        return seen


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def whole_driver(version: str = DRIVER) -> tuple[list[str], dict[str, str]]:
    """The files and links of both halves of a driver."""
    links = {"libcuda.so.1": "libcuda", "libnvidia-ml.so.1": "libnvidia-ml", "libEGL_nvidia.so.0": "libEGL_nvidia"}
    files = [f"{stem}.so.{version}" for stem in links.values()] + [f"libnvidia-{part}.so.{version}" for part in PARTS]
    return files, {link: f"{stem}.so.{version}" for link, stem in links.items()}


def test_a_whole_driver_is_listed_by_what_the_loader_asks_for(world: World) -> None:
    files, links = whole_driver()
    found = world.found(world.folder("lib", *files, links=links))

    assert {one["name"] for one in found} == {*links, *(f"libnvidia-{part}.so.{DRIVER}" for part in PARTS)}
    assert {one["version"] for one in found} == {DRIVER}
    assert all(one["loadable"] for one in found)


def test_a_folder_that_nobody_searches_is_seen_and_not_loadable(world: World) -> None:
    files, links = whole_driver()
    found = world.found(world.folder("lib"), known=(world.folder("nvidia", *files, links=links),))

    assert len(found) == len(links) + len(PARTS)
    assert not any(one["loadable"] for one in found)


def test_of_two_drivers_the_first_searched_is_loadable(world: World) -> None:
    old, links = whole_driver("535.183.01")
    first = world.folder("first", f"libcuda.so.{DRIVER}", links={"libcuda.so.1": f"libcuda.so.{DRIVER}"})
    found = world.found(first, world.folder("second", *old, links=links))
    cuda = [(one["version"], one["loadable"]) for one in found if one["name"] == "libcuda.so.1"]

    assert cuda == [(DRIVER, True), ("535.183.01", False)]


def test_a_library_whose_link_is_missing_keeps_its_whole_name(world: World) -> None:
    found = world.found(world.folder("lib", f"libEGL_nvidia.so.{DRIVER}"))

    assert [one["name"] for one in found] == [f"libEGL_nvidia.so.{DRIVER}"]


def test_a_link_that_leads_nowhere_is_listed_and_not_loadable(world: World) -> None:
    (found,) = world.found(world.folder("lib", links={"libEGL_nvidia.so.0": f"libEGL_nvidia.so.{DRIVER}"}))

    assert (found["loadable"], found["version"]) == (False, DRIVER)


def test_wsl_and_jetson_libraries_have_no_driver_version(world: World) -> None:
    folder = world.folder("lib", "libcuda.so.1.1", links={"libcuda.so.1": "libcuda.so.1.1"})

    assert [one["version"] for one in world.found(folder)] == [""]


def test_the_loader_passes_over_libraries_of_another_machine(world: World) -> None:
    other = Path(world.folder("other")) / "libcuda.so.1"
    ours = Path(world.folder("ours")) / "libcuda.so.1"
    other.write_bytes(b"\x7fELF\x01\x01" + bytes(12) + struct.pack("<H", 3))
    ours.write_bytes(b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 62))
    loader = world.loader(str(other.parent), str(ours.parent))
    loader.ours = b"\x02\x01" + struct.pack("<H", 62)

    folders = [(str(file.parent), [file.name]) for file in (other, ours)]
    seen = libraries.libraries(loader, folders)[libraries.DRIVER]

    assert loader.find("libcuda.so.1") == str(ours)
    assert [one["path"] for one in seen] == [str(ours)]  # the 32-bit half of a driver is nobody's second driver


def test_an_empty_entry_of_the_search_path_is_the_current_folder() -> None:
    assert libraries.path_folders("/a::/b;/c") == ["/a", ".", "/b", "/c"]
    assert libraries.path_folders("") == []


def test_folders_of_the_configuration_are_followed(world: World) -> None:
    world.folder("conf.d")
    (world.root / "conf.d/b.conf").write_text("/opt/b # comment\n")
    (world.root / "conf.d/a.conf").write_text("\n/opt/a\n")
    main = world.root / "ld.so.conf"
    main.write_text(f"include conf.d/*.conf\ninclude {main}\n/last\n")

    assert list(libraries.conf_folders(str(main))) == ["/opt/a", "/opt/b", "/last"]


# --- vendor files -------------------------------------------------------------------------------------------------


def test_vendor_folders_are_read_one_by_one_and_sorted_by_bytes(world: World) -> None:
    first = world.folder("etc", "50_mesa.json", "notes.txt")
    second = world.folder("usr", "b.json", "10_nvidia.json", "B.json", "link.json.bak")
    env = {"__EGL_VENDOR_LIBRARY_DIRS": f"{first}:{second}"}

    names = [path.removeprefix(str(world.root)) for path in libraries.vendor_files(env)]
    assert names == ["/etc/50_mesa.json", "/usr/10_nvidia.json", "/usr/B.json", "/usr/b.json"]


def test_named_files_replace_all_folders_and_an_empty_name_leaves_none() -> None:
    folders = {"__EGL_VENDOR_LIBRARY_DIRS": "/somewhere"}

    assert libraries.vendor_files({"__EGL_VENDOR_LIBRARY_FILENAMES": "/a.json::/b.json", **folders}) == [
        "/a.json",
        "/b.json",
    ]
    assert libraries.vendor_files({"__EGL_VENDOR_LIBRARY_FILENAMES": ""}) == []


GOOD = {"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}


@pytest.mark.parametrize("version", ["1.0.0", "1.0", "1", "1.0.1"])
def test_versions_that_libegl_accepts(version: str) -> None:
    assert libraries.vendor_library(json.dumps(GOOD | {"file_format_version": version})) == ("libEGL_nvidia.so.0", "")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "not JSON"),
        ('{"file_format_version": "1.0.0", }', "not JSON"),
        ("[]", "file_format_version"),
        (json.dumps(GOOD | {"file_format_version": "2.0.0"}), "file_format_version"),
        (json.dumps(GOOD | {"file_format_version": "1.1.0"}), "file_format_version"),
        (json.dumps(GOOD | {"file_format_version": 1.0}), "file_format_version"),
        (json.dumps(GOOD | {"ICD": {}}), "library_path"),
        (json.dumps(GOOD | {"ICD": "libEGL_nvidia.so.0"}), "library_path"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_vendor_file_of_no_use_says_why(text: str, error: str) -> None:
    library, why = libraries.vendor_library(text)

    assert library == ""
    assert error in why


def test_a_vendor_file_that_is_not_there_says_so(world: World) -> None:
    found = libraries.vendor(world.loader(), str(world.root / "missing.json"))

    assert (found["library"], found["found"]) == ("", "")
    assert "No such file" in found["error"]


@PATIENT
@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_any_text_is_some_vendor_file(text: str) -> None:
    library, error = libraries.vendor_library(text)
    assert bool(library) != bool(error)


# --- forward compatibility ----------------------------------------------------------------------------------------


def note_of(content: object, owner: bytes = b"NVIDIA Corporation\0") -> bytes:
    """An ELF note as a cuda-compat libcuda has it."""
    text = json.dumps(content).encode() + b"\0"
    return struct.pack("=III", len(owner), len(text), 1) + owner.ljust(-(-len(owner) // 4) * 4, b"\0") + text


def elf_of(name: bytes, content: bytes) -> bytes:
    """The smallest 64-bit ELF file with one section of this name."""
    texts = b"\0" + name + b"\0.shstrtab\0"
    table = 64 + len(content) + len(texts)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2
    )

    def row(at: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", at, 7, 0, 0, offset, size, 0, 0, 4, 0)

    rows = bytes(64) + row(1, 64, len(content)) + row(2 + len(name), 64 + len(content), len(texts))
    return header + content + texts + rows


NOTE = {"Format": 1, "CUDA Version": "13.1", "Driver": [535, 550, 570, 575, 580, 590], "Device": [1, 2, 7]}


def test_the_drivers_that_a_compat_library_serves_are_in_its_note(tmp_path: Path) -> None:
    file = tmp_path / "libcuda.so.590.44.01"
    file.write_bytes(elf_of(b".note.cuda.fwd_compatibility", note_of(NOTE)))

    found = libraries.compat_branches([{"target": str(file), "version": "590.44.01"}])
    assert found == [535, 550, 570, 575, 580, 590]


def test_the_newest_of_several_compat_libraries_is_asked(tmp_path: Path) -> None:
    files = []
    for version, branch in (("535.54.03", 450), ("590.44.01", 535)):
        file = tmp_path / version
        file.write_bytes(elf_of(b".note.cuda.fwd_compatibility", note_of(NOTE | {"Driver": [branch]})))
        files.append({"target": str(file), "version": version})

    assert libraries.compat_branches(files) == [535]


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", elf_of(b".note.other", note_of(NOTE)), elf_of(b".note.cuda.fwd_compatibility", b""),
     elf_of(b".note.cuda.fwd_compatibility", note_of(NOTE, owner=b"GNU\0")),
     elf_of(b".note.cuda.fwd_compatibility", note_of({"Driver": "535"})),
     elf_of(b".note.cuda.fwd_compatibility", note_of([1]))],
)  # fmt: skip
def test_a_library_without_a_note_that_we_understand_is_unread(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "libcuda.so.590.44.01"
    file.write_bytes(content)

    assert "unread" in libraries.compat_branches([{"target": str(file), "version": ""}])


@PATIENT
@given(st.binary())
def test_any_bytes_are_some_note(data: bytes) -> None:
    found = libraries.compat_note(data)
    assert found is None or all(isinstance(one, int) for one in found)


@PATIENT
@given(data=st.binary(max_size=300))
def test_any_bytes_are_some_elf_file(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.elf"
    for content in (data, b"\x7fELF\x02\x01" + data):
        file.write_bytes(content)
        assert "unread" in libraries.compat_branches([{"target": str(file), "version": ""}])
        libraries.own_folders(str(file))
