"""An exception that means no memory, no address for it, no thread or no disk: what is short, and what mends that."""

from __future__ import annotations

import errno
import re
import sys

from envcheck.errors import EnvcheckError

NO_ROOM = re.compile(r"failed to map segment|cannot allocate memory|can't start new thread", re.IGNORECASE)
"""What the loader, the system and Python say where there is no room."""
NO_THREAD = "can't start new thread"
OF_TASKS = "ulimit -u; cat /sys/fs/cgroup/pids.max    # how many processes and threads there may be"
OF_MEMORY = """\
ulimit -v unlimited    # where the limit may be lifted
free -h"""


def shortage(error: BaseException) -> EnvcheckError | None:
    """The error to show in place of one that tells of a shortage; None for any other."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvcheckError(f"the disk is full: {error.filename or error.strerror}", remedy="df -h")
    out_of = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    found = NO_ROOM.search(str(error))
    if not (out_of or found):
        return None
    what, limit = "out of memory" if out_of or found is None else found[0].lower(), address_space()
    for_a_thread = what == NO_THREAD and limit is None
    return EnvcheckError(f"{what}{limit_in_words(limit)}", remedy=OF_TASKS if for_a_thread else OF_MEMORY)


def limit_in_words(limit: int | None) -> str:
    """The limit of the address space as half a sentence; nothing where there is none."""
    return "" if limit is None else f": this process may have {limit >> 20} MiB of addresses (ulimit -v {limit >> 10})"


def address_space() -> int | None:
    """Bytes of addresses that this process may have; None where there is no limit, or no such thing."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
