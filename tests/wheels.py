"""Small wheels that are composed, not downloaded: a zip archive around an ELF file of a few hundred bytes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

GL_BUILD = b"Unable to initialize EGL\0InferenceCalculatorGlAdvanced\0InferenceCalculatorGl\0mediapipe\0"
CPU_BUILD = b"GPU processing is disabled in build flags\0mediapipe\0"
NEEDED = ("libEGL.so.1", "libGLESv2.so.2", "libc.so.6")
LIBRARY = "mediapipe/tasks/c/libmediapipe.so"
NAME = "mediapipe-9.9.9-py3-none-manylinux_2_28_x86_64.whl"

OPTIONS = """
import enum
import certifi

class BaseOptions:
  class Delegate(enum.IntEnum):
    CPU = 0
    GPU = 1

  def to_ctypes(self):
    options.delegate = self.delegate.value if self.delegate else 0

  def __eq__(self, other):
    return self.delegate == other.delegate
"""
STRUCTURE = """
class BaseOptionsC(ctypes.Structure):
  _fields_ = [("model_asset_path", ctypes.c_char_p), ("delegate", ctypes.c_int)]
"""
METADATA = (
    "Metadata-Version: 2.1\nName: mediapipe\nVersion: 9.9.9\nRequires-Dist: numpy<2\nRequires-Dist: absl-py\n"
    "Classifier: Programming Language :: Python :: 3.10\nClassifier: Programming Language :: Python :: 3.9\n"
    "Classifier: Programming Language :: Python :: 3 :: Only\n\ntext\n"
)
WHEEL = "Wheel-Version: 1.0\nTag: py3-none-manylinux_2_28_x86_64\n"


def members(texts: bytes = GL_BUILD, needed: Sequence[str] = NEEDED) -> dict[str, bytes]:
    """The members of a wheel that passes the delegate on."""
    return {
        LIBRARY: elf(texts, needed),
        "mediapipe/__init__.py": b"",
        "mediapipe/tasks/python/core/base_options.py": OPTIONS.encode(),
        "mediapipe/tasks/python/core/base_options_c.py": STRUCTURE.encode(),
        "mediapipe-9.9.9.dist-info/METADATA": METADATA.encode(),
        "mediapipe-9.9.9.dist-info/WHEEL": WHEEL.encode(),
    }


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return target.getvalue()


class Strings:
    """A table of zero-terminated strings."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        """The offset of a string."""
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def elf(texts: bytes, needed: Sequence[str] = (), versions: Sequence[str] = ("GLIBC_2.17", "GLIBC_2.2.5")) -> bytes:
    """A 64-bit x86 library: texts in .rodata, its needs in .dynamic, versions of libc's symbols in .gnu.version_r."""
    names, dynamic_names = Strings(), Strings()
    tags = [(1, dynamic_names.add(name)) for name in needed]
    aux = b""
    for index, version in enumerate(versions):
        after = 16 if index + 1 < len(versions) else 0
        aux += struct.pack("<IHHII", 0, 0, index + 2, dynamic_names.add(version), after)
    need = struct.pack("<HHIII", 1, len(versions), dynamic_names.add("libc.so.6"), 16, 0) + aux if versions else b""
    symbols = b"\0" * 24 + b"".join(
        struct.pack("<IBBHQQ", dynamic_names.add(f"symbol_{index}"), 0x12, 0, 0, 0, 0) for index in range(len(versions))
    )
    picks = struct.pack(f"<{len(versions) + 1}H", 0, *range(2, 2 + len(versions)))
    # name, type, flags, data, link (to section 1, .dynstr), info, entry size
    parts = [
        (".dynstr", 3, 2, dynamic_names.data, 0, 0, 0),
        (".dynamic", 6, 2, b"", 1, 0, 16),
        (".rodata", 1, 2, texts, 0, 0, 0),
        (".gnu.version_r", 0x6FFFFFFE, 2, need, 1, 1, 0),
        (".gnu.version", 0x6FFFFFFF, 2, picks, 6, 0, 2),
        (".dynsym", 11, 2, symbols, 1, 1, 24),
        (".strtab", 3, 0, b"\0xnn_f32_gemm_ukernel_1x8__avx2_broadcast\0", 0, 0, 0),
    ]
    start = 64 + 56 * 2
    tags += [(5, start), (10, len(dynamic_names.data)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    parts[1] = (".dynamic", 6, 2, dynamic, 1, 0, 16)
    parts = [part for part in parts if part[3]]
    headers, body = [bytes(64)], b""
    for name, kind, flags, data, link, info, size in parts:
        at = start + len(body)
        headers.append(struct.pack("<IIQQQQIIQQ", names.add(name), kind, flags, at, at, len(data), link, info, 1, size))
        body += data
    headers.append(
        struct.pack("<IIQQQQIIQQ", names.add(".shstrtab"), 3, 0, 0, start + len(body), len(names.data), 0, 0, 1, 0)
    )
    body += names.data
    where = start + len(dynamic_names.data)
    end = start + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, end, 0, 64, 56, 2, 64, len(headers), len(headers) - 1)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, end, end, 1)
    dynamics = struct.pack("<IIQQQQQQ", 2, 4, where, where, where, len(dynamic), len(dynamic), 8)
    return head + load + dynamics + body + b"".join(headers)
