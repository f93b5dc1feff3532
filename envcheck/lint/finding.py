"""What a check is, and what it finds."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Level(Enum):
    """How much a finding weighs. Remarks do not fail a run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One cause in source code, in the words of a rule: title, why it matters, code to paste, source."""

    code: str
    title: str
    because: str
    remedy: str
    url: str
    level: Level = Level.WARNING
    language: str = "python"
    """That of the remedy."""


class Hit(NamedTuple):
    """A check answers with the node that is at fault, and what is special about it."""

    code: str
    node: ast.AST
    detail: str = ""
    level: Level | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place in one file. Lines and columns count from 1, columns in characters; `cell` is that of a notebook."""

    path: str
    code: str
    level: Level
    message: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    cell: int | None = None

    @property
    def place(self) -> str:
        """`file:line:col`, and for a notebook `file:cell N:line:col`."""
        cell = "" if self.cell is None else f"cell {self.cell}:"
        return f"{self.path}:{cell}{self.line}:{self.column}"
