"""The native library: what its bytes say about GPU, GL, CUDA, OpenCL and telemetry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envcheck.errors import UsageError
from envcheck.record import Unread
from envcheck.wheel.elf import MAGIC, Elf, Region, read_elf
from envcheck.wheel.headers import is_mach_o, is_pe, read_mach_o, read_pe
from envcheck.wheel.record import Native, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envcheck.wheel.trees import Bytes

NAMES = re.compile(r"(?:_framework_bindings(?:\.[\w-]+)*|libmediapipe)\.(?:so|pyd|dll|dylib)")
"""The library of the calculators: a Python extension up to 0.10.21, a C library from 0.10.30 on."""
C_LIBRARY = re.compile(r"libmediapipe\.")

DISABLED = b"GPU processing is disabled in build flags"
BUILT = {"gl": b"Unable to initialize EGL", "metal": b"Created TensorFlow Lite delegate for Metal"}
EMULATION = b"GPU emulation detected"
GL_PATHS = (b"InferenceCalculatorGlAdvanced", b"InferenceCalculatorGl\0", b"InferenceCalculatorMetal")
TELEMETRY = (b"clearcut", b"play.googleapis.com")
NO_OPENCL = b"OpenCL is not supported"
OPENCL = b"libOpenCL.so"
VMODULE, CALLBACK = b"GLOG_vmodule", b"MpSetLoggingCallback"
MEDIAPIPE = b"mediapipe"

_CUDA = re.compile(
    rb"(?:lib(?:cuda|cudart|cudnn|cublas|nvrtc|nvcuvid)|nvcuda|cudart64|cudnn64)[\w-]*\.(?:so|dll)[\w.]*"
)
_PLUGINS = re.compile(rb"libLiteRt\w+\.(?:so|dylib|dll)")
_GL_FAMILY = re.compile(r"lib(?:EGL|GLESv2|GLdispatch|OpenGL|GL)\b[.\w-]*")
_CUDA_FAMILY = re.compile(r"lib(?:cu|nv)")
_MANGLED = re.compile(r"-[0-9a-f]{8}\.")
"""auditwheel's mark in the name of a library that the wheel brings."""

_KERNELS = ("sse2", "ssse3", "sse41", "avx", "f16c", "fma3", "avx2", "avxvnni", "avx512f", "avx512skx", "avx512vnni",
            "avx512vnnigfni", "avx512amx", "avx256skx", "avx256vnni", "neon", "neonfma", "neondot", "neoni8mm",
            "neonfp16arith", "sve", "sme", "sme2", "aarch64")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    """The bytes in which texts are looked for, and what to call them."""

    data: Bytes
    member: str
    regions: tuple[Region, ...]

    def find(self, text: bytes) -> int:
        """The offset in the file of the first occurrence; -1 where there is none."""
        for region in self.regions:
            at = self.data.find(text, region.start, region.end)
            if at >= 0:
                return at
        return -1

    def present(self, text: bytes) -> Seen[bool]:
        """Whether a text is there."""
        at = self.find(text)
        return Seen(at >= 0, self.found(text, at) if at >= 0 else self.absent(text))

    def found(self, text: bytes, at: int) -> str:
        """The witness of a text that is there."""
        return f"{self.member}, byte {at:#x}: {_shown(text)}"

    def absent(self, *texts: bytes) -> str:
        """The witness of texts that are not there."""
        where = "in the whole file" if self.regions[0].name == "" else f"in its {len(self.regions)} sections with data"
        return f"{self.member}: no {' and no '.join(map(_shown, texts))} {where}"

    def matches(self, pattern: re.Pattern[bytes], nothing: str) -> Seen[tuple[str, ...]]:
        """All different texts of a form, with the place of the first."""
        found: dict[str, int] = {}
        for region in self.regions:
            for match in pattern.finditer(self.data, region.start, region.end):
                found.setdefault(match[0].decode("ascii"), match.start())
        places = "; ".join(f"byte {at:#x}: {text}" for text, at in list(found.items())[:3])
        return Seen(tuple(sorted(found)), f"{self.member}, {places}" if found else f"{self.member}: {nothing}")


def _shown(text: bytes) -> str:
    words = text.rstrip(b"\0").decode()
    return f"'{words}'"


def read_native(data: Bytes, member: str, bundled: Sequence[str]) -> Native:
    """Read a library. `bundled` are the libraries that lie in the wheel beside it.

    Raises UsageError where the file is damaged, or is not MediaPipe's.
    """
    container, machine, needed, elf = _head(data, member)
    whole = (Region("", 0, len(data)),)
    search = Search(data, member, (elf.texts if elf else ()) or whole)
    if not any(search.find(text) >= 0 for text in (DISABLED, *BUILT.values(), MEDIAPIPE)):
        raise UsageError(f"{member}: a library, but none of MediaPipe: {search.absent(MEDIAPIPE)}")
    gpu = gpu_code(search)
    gl, gl_needs = gl_libraries(gpu, needed, bundled)
    return Native(
        member=member,
        size=len(data),
        container=container,
        machine=machine,
        interface="c-library" if C_LIBRARY.match(PurePosixPath(member).name) else "bindings",
        gpu=gpu,
        gl_path=_gl_path(search),
        needed=needed,
        gl=gl,
        gl_needs=gl_needs,
        software_gl=_software_gl(search, gpu),
        vmodule=search.present(VMODULE),
        log_callback=search.present(CALLBACK),
        telemetry=_those_present(search, TELEMETRY),
        cuda=_cuda(search, needed),
        opencl=_opencl(search),
        plugins=search.matches(_PLUGINS, "names no plug-in of LiteRT"),
        glibc=_version(elf, "GLIBC", member),
        glibcxx=_version(elf, "GLIBCXX", member),
        kernels=_kernels(data, elf, member),
    )


def _head(data: Bytes, member: str) -> tuple[str, tuple[str, ...], Seen[tuple[str, ...]] | Unread, Elf | None]:
    if bytes(data[:4]) == MAGIC:
        elf = read_elf(data, member)
        needed = elf.needed
        if not isinstance(needed, Unread):
            return "elf", (elf.machine,), Seen(needed, f"{member}, dynamic section: {len(needed)} NEEDED entries"), elf
        return "elf", (elf.machine,), needed, elf
    if is_mach_o(data):
        machines, loaded = read_mach_o(data, member)
        return "mach-o", machines, Seen(loaded, f"{member}, load commands of its {machines[0]} part"), None
    if is_pe(data):
        return "pe", (read_pe(data, member),), Unread(reason="the imports of a DLL are not read"), None
    raise UsageError(f"{member}: is no ELF, Mach-O or PE file, so it is no native library")


def gpu_code(search: Search) -> Seen[str] | Unread:
    """gl, metal or none, by the text that a build without GPU carries and those that a build with GPU does."""
    disabled = search.find(DISABLED)
    built = {kind: at for kind, text in BUILT.items() if (at := search.find(text)) >= 0}
    if disabled >= 0 and built:
        both = ", ".join(_shown(BUILT[kind]) for kind in built)
        return Unread(reason=f"{search.member} holds {_shown(DISABLED)} and {both}, which exclude each other")
    if disabled >= 0:
        return Seen("none", search.found(DISABLED, disabled))
    if not built:
        return Unread(reason=search.absent(DISABLED, *BUILT.values()))
    kind = "gl" if "gl" in built else "metal"
    return Seen(kind, f"{search.found(BUILT[kind], built[kind])}; no {_shown(DISABLED)}")


def gl_libraries(
    gpu: Seen[str] | Unread, needed: Seen[tuple[str, ...]] | Unread, bundled: Sequence[str]
) -> tuple[Seen[str] | Unread, tuple[str, ...] | Unread]:
    """Where GL comes from, and the system's GL libraries that the loader will ask for, in its order."""
    if isinstance(needed, Unread):
        none = not isinstance(gpu, Unread) and gpu.value == "none"
        return (Seen("none", gpu.witness), ()) if none and isinstance(gpu, Seen) else (needed, needed)
    wanted = [name for name in needed.value if _GL_FAMILY.fullmatch(name)]
    system = tuple(name for name in wanted if not _MANGLED.search(name))
    own = [name for name in bundled if _GL_FAMILY.fullmatch(PurePosixPath(name).name)]
    if system:
        return Seen("system", f"{needed.witness}, of them {', '.join(system)}"), system
    if own:
        return Seen("bundled", ", ".join(own)), ()
    if wanted:
        return Unread(reason=f"{', '.join(wanted)} are needed under names that a wheel would bring; none is here"), ()
    return Seen("none", f"{needed.witness}, none of them of GL or EGL"), ()


def _gl_path(search: Search) -> Seen[tuple[str, ...]]:
    return _those_present(search, GL_PATHS)


def _those_present(search: Search, texts: Sequence[bytes]) -> Seen[tuple[str, ...]]:
    found = {text: at for text in texts if (at := search.find(text)) >= 0}
    if not found:
        return Seen((), search.absent(*texts))
    places = "; ".join(f"byte {at:#x}: {_shown(text)}" for text, at in found.items())
    return Seen(tuple(text.rstrip(b"\0").decode() for text in found), f"{search.member}, {places}")


def _software_gl(search: Search, gpu: Seen[str] | Unread) -> Seen[str] | Unread:
    if isinstance(gpu, Unread) or gpu.value != "gl":
        return Unread(reason="there is no OpenGL code that could refuse or accept it")
    refused = search.present(EMULATION)
    return Seen("refused" if refused.value else "accepted", refused.witness)


def _cuda(search: Search, needed: Seen[tuple[str, ...]] | Unread) -> Seen[tuple[str, ...]]:
    texts = search.matches(_CUDA, "no name of a CUDA, cuDNN or NVIDIA library in its data")
    if isinstance(needed, Unread):
        return texts
    linked = [name for name in needed.value if _CUDA_FAMILY.match(name)]
    none = "none of the libraries it needs is NVIDIA's"
    return Seen(tuple(dict.fromkeys((*linked, *texts.value))), f"{texts.witness}; {', '.join(linked) or none}")


def _opencl(search: Search) -> Seen[str]:
    refusal, loader = search.present(NO_OPENCL), search.present(OPENCL)
    if refusal.value:
        return Seen("compiled-out", refusal.witness)
    return Seen("loader" if loader.value else "none", loader.witness)


def _version(elf: Elf | None, family: str, member: str) -> Seen[str] | Unread:
    if elf is None:
        return Unread(reason=f"{family} is of Linux")
    if isinstance(elf.versions, Unread):
        return elf.versions
    if family not in elf.versions:
        return Seen("", f"{member} needs no symbol of {family} with a version")
    version, symbol = elf.versions[family]
    return Seen(version, f"{member}: {symbol or 'a symbol'}@{family}_{version}")


def _kernels(data: Bytes, elf: Elf | None, member: str) -> Seen[tuple[str, ...]] | Unread:
    """The processor features that XNNPACK has kernels for, by the names of its functions."""
    if elf is None or not elf.symbols:
        return Unread(reason="the names of its inner functions were stripped")
    table = elf.symbols[0]
    marks = {name: f"__{name}_".encode() for name in _KERNELS}
    found = tuple(name for name, mark in marks.items() if data.find(mark, table.start, table.end) >= 0)
    return Seen(found, f"{member}, {table.name}: names of XNNPACK's kernels, chosen from while it runs")
