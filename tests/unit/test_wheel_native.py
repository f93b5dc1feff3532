"""What the bytes of a native library say, and what becomes of damaged ones."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envcheck.errors import UsageError
from envcheck.record import Unread
from envcheck.wheel import Native, Seen
from envcheck.wheel.elf import read_elf
from envcheck.wheel.native import NAMES, read_native
from tests.wheels import CPU_BUILD, GL_BUILD, LIBRARY, NEEDED, elf

METAL_BUILD = b"Created TensorFlow Lite delegate for Metal\0mediapipe\0"


def native(texts: bytes, needed: tuple[str, ...] = NEEDED, bundled: tuple[str, ...] = ()) -> Native:
    return read_native(elf(texts, needed), LIBRARY, bundled)


def value(fact: object) -> object:
    assert isinstance(fact, Seen), fact
    return fact.value


def test_a_gl_build_needs_the_systems_libraries_in_the_loaders_order() -> None:
    found = native(GL_BUILD)
    assert (value(found.gpu), value(found.gl), found.gl_needs) == ("gl", "system", ("libEGL.so.1", "libGLESv2.so.2"))
    assert value(found.needed) == NEEDED
    assert value(found.gl_path) == ("InferenceCalculatorGlAdvanced", "InferenceCalculatorGl")


def test_libraries_that_the_wheel_brings_are_not_needed_from_the_system() -> None:
    found = native(GL_BUILD, ("libEGL-29b68110.so.1.1.0", "libc.so.6"), ("mediapipe.libs/libEGL-29b68110.so.1.1.0",))
    assert (value(found.gl), found.gl_needs) == ("bundled", ())


def test_a_library_of_a_wheel_seen_alone_does_not_know_where_its_gl_is() -> None:
    found = native(GL_BUILD, ("libEGL-29b68110.so.1.1.0",))
    assert isinstance(found.gl, Unread)
    assert "none is here" in found.gl.reason


def test_the_text_of_a_build_without_gpu_counts() -> None:
    found = native(CPU_BUILD, ("libc.so.6",))
    assert (value(found.gpu), value(found.gl), found.gl_needs) == ("none", "none", ())
    assert isinstance(found.software_gl, Unread)


def test_texts_that_exclude_each_other_are_not_weighed() -> None:
    found = native(CPU_BUILD + GL_BUILD)
    assert isinstance(found.gpu, Unread)
    assert "exclude each other" in found.gpu.reason


def test_neither_text_is_not_a_build_without_gpu() -> None:
    assert isinstance(native(b"mediapipe\0").gpu, Unread)


@pytest.mark.parametrize(("extra", "word"), [(b"GPU emulation detected, but\0", "refused"), (b"", "accepted")])
def test_software_gl_is_refused_where_the_text_is(extra: bytes, word: str) -> None:
    assert value(native(GL_BUILD + extra).software_gl) == word


@pytest.mark.parametrize(
    ("extra", "needed", "expected"),
    [
        pytest.param(b"libcudart.so.12\0", NEEDED, ("libcudart.so.12",), id="by-name"),
        pytest.param(b"", (*NEEDED, "libcuda.so.1"), ("libcuda.so.1",), id="linked"),
        pytest.param(b"cudart in a sentence\0", NEEDED, (), id="a-word-is-no-library"),
    ],
)
def test_cuda_is_what_is_linked_or_could_be_loaded(extra: bytes, needed: tuple[str, ...], expected: object) -> None:
    assert value(native(GL_BUILD + extra, needed).cuda) == expected


@pytest.mark.parametrize(
    ("extra", "word"),
    [(b"OpenCL is not supported.\0libOpenCL.so\0", "compiled-out"), (b"libOpenCL.so\0", "loader"), (b"", "none")],
)
def test_opencl_is_compiled_out_or_could_be_loaded(extra: bytes, word: str) -> None:
    assert value(native(GL_BUILD + extra).opencl) == word


def test_the_newest_version_of_a_symbol_is_named_with_the_symbol() -> None:
    found = read_native(elf(GL_BUILD, NEEDED, ("GLIBC_2.9", "GLIBC_2.27", "GLIBCXX_3.4.22")), LIBRARY, ())
    assert isinstance(found.glibc, Seen)
    assert found.glibc.value == "2.27"
    assert "symbol_1@GLIBC_2.27" in found.glibc.witness
    assert value(found.glibcxx) == "3.4.22"


def test_a_family_that_is_not_needed_was_looked_for() -> None:
    assert value(native(GL_BUILD).glibcxx) == ""


def test_kernels_are_known_by_the_names_of_functions() -> None:
    assert value(native(GL_BUILD).kernels) == ("avx2",)


def test_a_witness_names_the_byte() -> None:
    data = elf(GL_BUILD, NEEDED)
    found = read_native(data, LIBRARY, ())
    assert isinstance(found.gpu, Seen)
    assert f"byte {data.index(b'Unable'):#x}" in found.gpu.witness


def test_texts_in_names_of_functions_do_not_count() -> None:
    """A symbol may be called like a text; only data counts."""
    data = elf(CPU_BUILD, NEEDED).replace(b"xnn_f32_gemm_ukernel_1x8__avx2", b"Unable to initialize EGL\0\0\0\0\0\0")
    assert value(read_native(data, LIBRARY, ()).gpu) == "none"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(elf(b"nothing\0"), "none of MediaPipe", id="another-library"),
        pytest.param(b"", "is no ELF", id="empty"),
        pytest.param(b"hello", "is no ELF", id="text"),
        pytest.param(b"\x7fELF", "cut off or damaged", id="four-bytes"),
        pytest.param(elf(GL_BUILD, NEEDED)[:-70], "cut off or damaged", id="cut"),
        pytest.param(b"\xca\xfe\xba\xbe\0\0\0\x05", "cut off or damaged", id="java-class-or-cut-mach-o"),
        pytest.param(b"\xcf\xfa\xed\xfe" + b"\xff" * 60, "cut off or damaged", id="endless-load-commands"),
        pytest.param(b"MZ" + b"\0" * 100, "cut off or damaged", id="dos"),
    ],
)
def test_what_is_no_whole_library_is_an_error(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_native(data, LIBRARY, ())


def mach_o(texts: bytes, cpu: int, library: bytes = b"/usr/lib/libSystem.B.dylib\0") -> bytes:
    command = struct.pack("<IIIIII", 0xC, 24 + len(library), 24, 0, 0, 0) + library
    return b"\xcf\xfa\xed\xfe" + struct.pack("<IIIIIII", cpu, 0, 6, 1, len(command), 0, 0) + command + texts


def test_a_mach_o_file_says_its_processor_and_what_it_loads() -> None:
    found = read_native(mach_o(METAL_BUILD, 0x0100000C), "libmediapipe.dylib", ())
    assert (found.container, found.machine, value(found.gpu)) == ("mach-o", ("arm64",), "metal")
    assert value(found.needed) == ("/usr/lib/libSystem.B.dylib",)


def test_a_universal_mach_o_file_has_several_processors() -> None:
    slices = mach_o(METAL_BUILD, 0x01000007), mach_o(METAL_BUILD, 0x0100000C)
    head = b"\xca\xfe\xba\xbe" + struct.pack(">I", 2)
    at = len(head) + 40
    for part in slices:
        head += struct.pack(">IIIII", 0, 0, at, len(part), 0)
        at += len(part)
    assert read_native(head + b"".join(slices), "libmediapipe.dylib", ()).machine == ("x86_64", "arm64")


def pe(texts: bytes, machine: int = 0x8664) -> bytes:
    return (
        b"MZ"
        + bytes(58)
        + struct.pack("<I", 64)
        + b"PE\0\0"
        + struct.pack("<HHIIIHH", machine, 0, 0, 0, 0, 0, 0)
        + texts
    )


def test_a_dll_says_its_processor_and_its_imports_are_not_read() -> None:
    found = read_native(pe(CPU_BUILD), "libmediapipe.dll", ())
    assert (found.container, found.machine, value(found.gpu)) == ("pe", ("x86_64",), "none")
    assert isinstance(found.needed, Unread)
    assert (value(found.gl), found.gl_needs) == ("none", ())


@pytest.mark.parametrize("name", ["libmediapipe.so", "libmediapipe.dylib", "_framework_bindings.cpython-311-darwin.so",
                                  "_framework_bindings.cp311-win_amd64.pyd"])  # fmt: skip
def test_names_of_the_library_are_known(name: str) -> None:
    assert NAMES.fullmatch(name)


WHOLE = elf(GL_BUILD, NEEDED)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(WHOLE)))
def test_a_mutated_library_is_read_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    for part in (bytes(data), bytes(data[:length])):
        with suppress(UsageError):
            read_native(part, LIBRARY, ())


@settings(max_examples=100)
@given(st.binary(max_size=400), st.sampled_from([b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ", b"PE"]))
def test_arbitrary_bytes_behind_a_magic_number_are_read_or_refused(data: bytes, magic: bytes) -> None:
    with suppress(UsageError):
        read_native(magic + data, LIBRARY, ())


def test_a_cut_library_never_says_that_gpu_code_is_missing() -> None:
    for length in range(0, len(WHOLE), 7):
        with pytest.raises(UsageError):
            read_native(WHOLE[:length], LIBRARY, ())


def test_a_library_without_sections_is_searched_whole() -> None:
    data = bytearray(WHOLE)
    data[40:48] = bytes(8)  # e_shoff
    data[60:64] = bytes(4)  # e_shnum, e_shstrndx
    found = read_native(bytes(data), LIBRARY, ())
    assert value(found.gpu) == "gl"
    assert isinstance(found.glibc, Unread)


def test_a_dynamic_section_without_an_end_is_not_followed_for_ever() -> None:
    data = elf(GL_BUILD, tuple(f"lib{number}.so" for number in range(3000)))
    assert read_elf(data, LIBRARY).needed
