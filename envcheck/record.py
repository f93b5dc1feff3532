"""The base of every record, and the one that says why nobody could look."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base of every record that is written as JSON."""


class Unread(Record, frozen=True, tag_field="kind", tag="unread"):
    """Could not look, and why. Never the same as "looked, and there was none"."""

    reason: str
