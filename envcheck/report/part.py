"""What every report of a shard says first, so that nobody takes its table for the whole."""

from __future__ import annotations

from envcheck.model import Shard


def told(shard: Shard) -> str:
    """Which part this is, and where the rest is."""
    return f"Only {shard}. Other shards have the rest; envcheck merge brings them together."
