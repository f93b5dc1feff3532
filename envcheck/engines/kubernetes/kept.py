"""What this machine keeps of a run: its nonce, and deliveries, whose logs go away with their pods."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from envcheck.cache import read_text, write_text
from envcheck.engines.holding import FORGOTTEN_S, alone
from envcheck.errors import UsageError
from envcheck.model import Record

STATE = "run.json"


class Begun(Record, frozen=True, kw_only=True, tag_field="schema", tag="envcheck.kubernetes/1"):
    """A run. Its nonce stands on its objects in the cluster as well."""

    nonce: str
    begun_at: float

    @property
    def fresh(self) -> bool:
        """Not forgotten."""
        return time.time() - self.begun_at < FORGOTTEN_S


class Kept:
    """The folder of one run. A cell is known by its number, its place in the run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else follows this run from here. Raises InfrastructureError where somebody does, and UsageError."""
        try:
            with alone(self.path, "pods"):
                yield
        except OSError as error:
            raise UsageError(f"{self.path} cannot be used: {error.strerror or error}", remedy="--out DIR") from error

    def read(self) -> Begun | None:
        """The run that was begun here; None where there is none."""
        text = read_text(self.path / STATE)
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=Begun)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def begin(self, begun: Begun | None = None) -> Begun:
        """Begin a run, or go on here with one that another machine has begun."""
        self.clear()
        found = begun or Begun(nonce=secrets.token_hex(16), begun_at=time.time())
        write_text(self.path / STATE, msgspec.json.encode(found).decode())
        return found

    def put(self, number: int, delivery: bytes) -> None:
        """Keep what was delivered for a cell."""
        folder = self.path / "deliveries"
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{number}.json", delivery.decode("utf-8", "replace"))

    def delivered(self) -> set[int]:
        """The numbers of cells that something was delivered for."""
        found = (self.path / "deliveries").glob("*.json")
        return {int(one.stem) for one in found if one.stem.isascii() and one.stem.isdecimal()}

    def delivery(self, number: int) -> bytes:
        """What was delivered for a cell."""
        return (self.path / "deliveries" / f"{number}.json").read_bytes()

    def clear(self) -> None:
        """Nothing is left of earlier runs."""
        shutil.rmtree(self.path / "deliveries", ignore_errors=True)
        (self.path / STATE).unlink(missing_ok=True)

    def remove(self) -> None:
        """The run is over."""
        shutil.rmtree(self.path, ignore_errors=True)
