"""A hook of MkDocs: links that lead out of docs/ into the repository become the path as text."""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """`[words](../path)` as words and path."""
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)
