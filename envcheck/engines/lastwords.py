"""What engines that know cells by number have in common while they follow: the last word on each, told once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envcheck.engines.engine import Change, State, Work


class LastWords:
    """A cell's number is its place in `works`. Those in `open` have not ended; `changes` is what is to be told."""

    works: Sequence[Work]
    open: set[int]
    changes: list[Change]

    def told(self) -> Iterator[Change]:
        """The changes that nobody was told of yet."""
        changes, self.changes = self.changes, []
        return iter(changes)

    def end(self, cell: int, state: State, because: str = "") -> None:
        """The last word on a cell. A second one changes nothing."""
        if cell in self.open:
            self.open.discard(cell)
            self.changes.append(Change(self.works[cell].plan.cell.id, state, because))
