"""What an ELF file says of itself: machine, libraries needed, versions of symbols, and where its data lies."""

from __future__ import annotations

import io
import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envcheck.errors import UsageError
from envcheck.record import Unread

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

    from envcheck.wheel.trees import Bytes

MAGIC = b"\x7fELF"
_MOST = 4096
"""Entries of one table that are followed: a crafted file could make any of them endless."""
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_386": "i686", "EM_ARM": "armv7l"}
_CODE = ".text"
_UNREAD_PARTS = (".symtab", ".strtab", ".rela", ".eh_frame", ".gcc_except_table", ".hash", ".gnu.hash", ".debug")
"""Parts without texts that the program itself uses; half of the file, so they are not searched."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a file, from its first byte to the byte after its last."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Elf:
    """One library. `versions` are the newest version of each family that it needs ("GLIBC": ("2.27", "powf"))."""

    machine: str
    needed: tuple[str, ...] | Unread
    versions: dict[str, tuple[str, str]] | Unread
    texts: tuple[Region, ...] = ()
    symbols: tuple[Region, ...] = field(default=())


def read_elf(data: Bytes, label: str) -> Elf:
    """Read an ELF file. Raises UsageError where it is cut off or damaged: then nothing in it can be believed."""
    try:
        return _read(data)
    except Exception as error:  # a crafted file makes pyelftools raise anything: KeyError, RecursionError, MemoryError
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise UsageError(f"{label}: the ELF file is cut off or damaged ({detail})") from error


def _read(data: Bytes) -> Elf:
    from elftools.elf.elffile import ELFFile

    stream: Any = io.BytesIO(data) if isinstance(data, bytes) else data
    stream.seek(0)
    file = ELFFile(stream)
    machine = file["e_machine"]
    regions = list(_regions(file, len(data)))
    return Elf(
        machine=_MACHINES.get(machine, str(machine)),
        needed=_needed(file),
        versions=_versions(file),
        texts=tuple(region for region in regions if not region.name.startswith((*_UNREAD_PARTS, _CODE))),
        symbols=tuple(region for region in regions if region.name == ".strtab"),
    )


def _regions(file: ELFFile, length: int) -> Iterator[Region]:
    """The sections with bytes in the file. One that ends behind the file's end means that the file was cut."""
    for section in file.iter_sections():
        if section["sh_type"] in {"SHT_NOBITS", "SHT_NULL"} or not section["sh_size"]:
            continue
        end = section["sh_offset"] + section["sh_size"]
        if end > length:
            raise ValueError(f"section {section.name} ends at byte {end} of {length}")
        yield Region(section.name, section["sh_offset"], end)


def _needed(file: ELFFile) -> tuple[str, ...] | Unread:
    segment: Any
    for segment in itertools.islice(file.iter_segments(), _MOST):
        if segment["p_type"] == "PT_DYNAMIC":
            tags = itertools.islice(segment.iter_tags(), _MOST)
            return tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED")
    return Unread(reason="no dynamic segment: this is no shared library")


def _versions(file: ELFFile) -> dict[str, tuple[str, str]] | Unread:
    section: Any = file.get_section_by_name(".gnu.version_r")
    if section is None:
        return Unread(reason="no section .gnu.version_r says which versions of symbols are needed")
    newest: dict[str, tuple[tuple[int, ...], str, int]] = {}
    for _, entries in itertools.islice(section.iter_versions(), _MOST):
        for entry in itertools.islice(entries, _MOST):
            family, _, version = entry.name.partition("_")
            number = tuple(int(part) for part in version.split(".") if part.isdigit())
            if number and (family not in newest or number > newest[family][0]):
                newest[family] = (number, version, entry["vna_other"])
    return {family: (version, _symbol(file, index)) for family, (_, version, index) in newest.items()}


def _symbol(file: ELFFile, index: int) -> str:
    """The first symbol that wants the version of that index."""
    section: Any = file.get_section_by_name(".gnu.version")
    symbols: Any = file.get_section_by_name(".dynsym")
    if section is None or symbols is None:
        return ""
    wanted = array("H", section.data())
    if not file.little_endian:
        wanted.byteswap()
    found = next((at for at, value in enumerate(wanted) if value & 0x7FFF == index), None)
    return "" if found is None else str(symbols.get_symbol(found).name)
