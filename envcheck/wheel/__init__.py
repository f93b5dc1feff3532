"""A MediaPipe wheel read, not run: archive, native library and Python files, each fact with what it was read from.

Nothing is installed, imported, unpacked to a path of the archive's choosing, or executed.
"""

from __future__ import annotations

from envcheck.wheel.audit import audit
from envcheck.wheel.record import (
    PLATFORMS,
    SCHEMA,
    Audited,
    Code,
    Contents,
    Metadata,
    Native,
    Origin,
    Seen,
)

__all__ = ["PLATFORMS", "SCHEMA", "Audited", "Code", "Contents", "Metadata", "Native", "Origin", "Seen", "audit"]
