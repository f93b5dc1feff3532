"""Rows of envcheck/data/mediapipe.toml against wheels, read by other means than those that wrote the table.

The ELF reader here is a few lines of struct, the wheels are unpacked by uv. test_wheel_table.py writes rows anew.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import uv
from packaging.version import Version

from envcheck.compat import WheelFacts, wheel_facts, wheel_reason
from envcheck.compat.codes import NO_WHEEL_FOR_PLATFORM
from envcheck.invented import INVENTED
from envcheck.model import Axes
from tests.conftest import unable

pytestmark = pytest.mark.network

LINUX = "linux-x86_64"
CASES = [
    *((version, LINUX) for version in ("0.10.9", "0.10.21", "0.10.31", "0.10.33", "1.0.0", "1.2.2")),
    ("0.10.18", "linux-aarch64"),
    ("1.2.2", "windows-x86_64"),
    ("0.10.31", "macos-arm64"),
]
UV_PLATFORM = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "windows-x86_64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
}
PYTHON = "3.11"
DEADLINE_S = 600
UNFETCHABLE = ("error sending request", "Failed to fetch", "dns error", "operation timed out")
NATIVE = re.compile(r"(_framework_bindings\.\S+|libmediapipe)\.(so|pyd|dll|dylib)")

DISABLED = b"GPU processing is disabled in build flags"
BUILT = {"gl": b"Unable to initialize EGL", "metal": b"Created TensorFlow Lite delegate for Metal"}


@dataclass(frozen=True)
class Unpacked:
    """A wheel's files, without what it depends on."""

    root: Path

    def python(self, path: str) -> str:
        """A Python file of MediaPipe's tasks; "" where the wheel has none."""
        file = self.root / "mediapipe" / "tasks" / "python" / path
        return file.read_text(encoding="utf-8") if file.exists() else ""

    @cached_property
    def native(self) -> Path:
        """The native library that holds the calculators."""
        return next(path for path in self.root.rglob("*") if NATIVE.fullmatch(path.name))

    @cached_property
    def bytes(self) -> bytes:
        """The native library's bytes."""
        return self.native.read_bytes()

    @cached_property
    def bundled(self) -> list[str]:
        """GL libraries in the wheel."""
        return sorted(path.name.split("-")[0] for path in self.root.glob("mediapipe.libs/lib*GL*"))


def install(version: str, python: str, platform: str, *into: str) -> subprocess.CompletedProcess[str]:
    """`uv pip install` for another Python and platform, through uv's cache; skips where the index does not answer."""
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", *into]
    command += ["--python-version", python, "--python-platform", platform, f"mediapipe=={version}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if any(words in ended.stderr for words in UNFETCHABLE):
        unable(f"the package index does not answer: {ended.stderr.strip()}")
    return ended


def fits(version: str, python: str, platform: str, folder: Path) -> bool:
    """Whether the index has a wheel of this version for this Python and platform. Nothing is installed."""
    ended = install(version, python, platform, "--dry-run", "--target", str(folder))
    assert ended.returncode == 0 or "No solution found" in ended.stderr, ended.stderr
    return ended.returncode == 0


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Unpacked]]:
    """Wheels by version and platform, each fetched once; their gigabyte is not left behind."""
    known: dict[tuple[str, str], Unpacked] = {}

    def fetch(version: str, platform: str) -> Unpacked:
        if (version, platform) not in known:
            root = tmp_path_factory.mktemp(f"{version}-{platform}")
            ended = install(version, PYTHON, UV_PLATFORM[platform], "--target", str(root))
            assert ended.returncode == 0, ended.stderr
            known[version, platform] = Unpacked(root)
        return known[version, platform]

    yield fetch
    for wheel in known.values():
        shutil.rmtree(wheel.root)


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, wheels: Callable[[str, str], Unpacked]) -> tuple[Unpacked, WheelFacts]:
    version, platform = request.param
    facts = wheel_facts(version, platform)
    assert facts is not None
    return wheels(version, platform), facts


Case = tuple[Unpacked, WheelFacts]


def test_the_oldest_python_is_the_one_that_the_wheel_names(case: Case) -> None:
    wheel, facts = case
    (record,) = importlib.metadata.distributions(path=[str(wheel.root)])
    named = [line.rpartition(" ")[2] for line in record.metadata.get_all("Classifier", ()) if ":: Python :: 3." in line]
    assert facts.oldest_python in (None, min(named, key=Version))
    assert (facts.oldest_python is None) == (facts.pythons != ("py3",))


def test_gpu_code_is_in_the_wheel_or_it_is_not(case: Case) -> None:
    wheel, facts = case
    assert (DISABLED in wheel.bytes) == (facts.gpu == "none")
    assert {kind for kind, text in BUILT.items() if text in wheel.bytes} == {facts.gpu} - {"none"}


def test_the_delegate_reaches_the_native_library_or_it_does_not(case: Case) -> None:
    wheel, facts = case
    structure = wheel.python("core/base_options_c.py")
    passed = "delegate" in structure if structure else "acceleration" in wheel.python("core/base_options.py")
    assert passed == facts.delegate_passed


def test_the_delegate_is_numbered_as_the_table_says(case: Case) -> None:
    wheel, facts = case
    assert members(wheel.python("core/base_options.py")) == facts.members


def test_the_api_is_of_its_era(case: Case) -> None:
    wheel, facts = case
    assert (wheel.root / "mediapipe" / "python" / "solutions").is_dir() == (facts.api == "solutions")
    assert wheel.native.name.startswith("libmediapipe") == (facts.native == "c-library")


def test_the_native_log_can_be_steered_or_it_cannot(case: Case) -> None:
    wheel, facts = case
    assert (b"GLOG_vmodule" in wheel.bytes) == facts.vmodule
    assert (b"MpSetLoggingCallback" in wheel.bytes) == facts.log_callback


def test_gl_is_bundled_or_wanted_from_the_system(case: Case) -> None:
    wheel, facts = case
    expected = ["libEGL", "libGLESv2", "libGLdispatch"] if facts.gl == "bundled" else []
    assert wheel.bundled == expected
    if facts.platform.startswith("linux"):
        wanted = [name for name in needed(wheel.bytes) if re.match(r"lib(EGL|GL)[^-]*$", name)]
        assert tuple(wanted) == facts.needs


def test_software_gl_is_refused_or_accepted(case: Case) -> None:
    wheel, facts = case
    if facts.gpu == "gl":
        assert (b"GPU emulation detected" in wheel.bytes) == (facts.software_gl == "refused")


def test_no_wheel_knows_a_setting_that_chooses_the_gpu(case: Case) -> None:
    """What `envcheck lint` says of MEDIAPIPE_DISABLE_GPU and its like (SRC821)."""
    wheel, _ = case
    texts = [path.read_bytes() for path in wheel.root.rglob("mediapipe/**/*.py")]
    names = {name.decode() for text in (wheel.bytes, *texts) for name in re.findall(rb"MEDIAPIPE_\w+", text)}
    assert [name for name in names if INVENTED.fullmatch(name)] == []


def test_no_wheel_loads_cuda(case: Case) -> None:
    wheel, facts = case
    if facts.platform.startswith("linux"):
        assert not [name for name in needed(wheel.bytes) if re.match(r"lib(cu|nv)", name)]


@pytest.mark.parametrize(
    ("version", "python"),
    [
        *(("0.10.9", python) for python in ("3.8", "3.11", "3.12")),
        *(("0.10.21", python) for python in ("3.8", "3.9", "3.12", "3.13")),
        *(("1.2.2", python) for python in ("3.8", "3.14")),
    ],
)
def test_a_wheel_fits_the_first_and_last_python_of_the_table_and_none_beyond(
    version: str, python: str, tmp_path: Path
) -> None:
    facts = wheel_facts(version, LINUX)
    assert facts is not None
    known = "py3" in facts.pythons or f"cp{python.replace('.', '')}" in facts.pythons
    assert fits(version, python, UV_PLATFORM[LINUX], tmp_path) == known


@pytest.mark.parametrize("version", ["0.10.9", "0.10.21", "1.2.2"])
def test_a_wheel_fits_the_glibc_of_the_table_and_none_before_2_28(version: str, tmp_path: Path) -> None:
    facts = wheel_facts(version, LINUX)
    assert facts is not None
    assert fits(version, PYTHON, "x86_64-manylinux_2_17", tmp_path) == (facts.glibc == "2.17")
    assert fits(version, PYTHON, "x86_64-manylinux_2_28", tmp_path)


@pytest.mark.parametrize(
    ("version", "platform"),
    [
        pytest.param("1.2.1", LINUX, id="never-published"),
        pytest.param("0.10.34", LINUX, id="never-published-either"),
        pytest.param("0.10.21", "linux-aarch64", id="not-for-arm"),
        pytest.param("0.10.15", "windows-x86_64", id="not-for-windows"),
    ],
)
def test_what_the_table_calls_unpublished_is(version: str, platform: str, tmp_path: Path) -> None:
    reason = wheel_reason(Axes(backend="venv", mediapipe=version), platform)
    assert reason is not None
    assert reason.code == NO_WHEEL_FOR_PLATFORM
    assert not fits(version, PYTHON, UV_PLATFORM[platform], tmp_path)


def members(source: str) -> dict[str, int]:
    """The members of BaseOptions.Delegate in a Python file."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    body = next(node.body for node in classes if node.name == "Delegate")
    return {
        target.id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


# --- the dynamic section of a 64-bit little-endian ELF file (System V gABI, chapter 5) ----------------------------

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5


def needed(elf: bytes) -> list[str]:
    """The libraries that the loader will ask for, in its order."""
    segments = list(program_headers(elf))
    start, size = next((offset, size) for kind, offset, _, size in segments if kind == PT_DYNAMIC)
    entries = list(struct.iter_unpack("<qQ", elf[start : start + size]))
    address = next(value for tag, value in entries if tag == DT_STRTAB)
    strings = next(
        offset + address - virtual
        for kind, offset, virtual, length in segments
        if kind == PT_LOAD and virtual <= address < virtual + length
    )
    return [text_at(elf, strings + value) for tag, value in entries if tag == DT_NEEDED]


def program_headers(elf: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Type, file offset, virtual address and size in the file of every segment."""
    assert elf[:6] == b"\x7fELF\x02\x01"
    (table,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for at in range(table, table + size * count, size):
        kind, _, offset, virtual, _, length = struct.unpack_from("<IIQQQQ", elf, at)
        yield kind, offset, virtual, length


def text_at(elf: bytes, offset: int) -> str:
    """The zero-terminated text at an offset."""
    return elf[offset : elf.index(b"\0", offset)].decode()
