"""What runs inside the environment under test: one file each, standard library only, sent over standard input.

A payload imports nothing of envcheck, writes nothing, and reports whatever happens as JSON lines on the descriptor it
was started with as standard output; anything else that native code prints goes to standard error.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent  # importlib.resources would load tempfile and zipfile to find it
BOOTSTRAP = "import sys;b=sys.stdin.buffer;exec(compile(b.read(int(b.readline())),'<envcheck payload>','exec'))"
"""The program given to `python -c`: reads the payload's length and source from standard input, then runs it."""


def preamble(*names: str) -> bytes:
    """The bytes that start payloads (facemesh, gl, nvml, …) when sent to an interpreter running BOOTSTRAP.

    Several are run one after the other in one interpreter; that is for those that end by running off their end.
    """
    source = b"\n".join((HERE / f"{name}.py").read_bytes() for name in names)
    return b"%d\n%s" % (len(source), source)
