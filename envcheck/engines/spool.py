"""Evidence set aside on disk, so that a run of ten thousand cells takes hardly more memory than one of a hundred."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

from envcheck.model import Evidence

IN_MEMORY = 16 << 20
"""Bytes up to which nothing is written to disk: some hundred cells."""


class Spool:
    """Keeps evidence by cell in a file that is gone with this process."""

    def __init__(self) -> None:
        self.file = tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="envcheck-")  # noqa: SIM115 - as long as we live
        weakref.finalize(self, self.file.close)
        self.places: dict[str, tuple[int, int]] = {}

    def put(self, evidence: Evidence) -> None:
        """Set the evidence of a cell aside."""
        data = msgspec.json.encode(evidence)
        at = self.file.seek(0, 2)
        self.file.write(data)
        self.places[evidence.cell.id] = (at, len(data))

    def get(self, cell: str) -> Evidence:
        """The evidence of a cell, read anew each time."""
        at, length = self.places[cell]
        self.file.seek(at)
        return msgspec.json.decode(self.file.read(length), type=Evidence)

    def __contains__(self, cell: str) -> bool:
        return cell in self.places

    def __len__(self) -> int:
        return len(self.places)


class Spooled(Sequence[Evidence]):
    """The evidence of some cells, in their order; each is read when it is looked at."""

    def __init__(self, spool: Spool, cells: Sequence[str]) -> None:
        self.spool, self.cells = spool, cells

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Evidence]:
        return (self.spool.get(cell) for cell in self.cells)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...

    @overload
    def __getitem__(self, index: slice) -> Spooled: ...

    def __getitem__(self, index: int | slice) -> Evidence | Spooled:
        if isinstance(index, slice):
            return Spooled(self.spool, self.cells[index])
        return self.spool.get(self.cells[index])
