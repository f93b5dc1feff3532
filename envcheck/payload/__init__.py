"""What runs inside the environment under test: one file each, standard library only, sent over standard input.

A payload imports nothing of envcheck, writes nothing, and reports whatever happens as JSON lines on the descriptor it
was started with as standard output; anything else that native code prints goes to standard error.
"""

from __future__ import annotations

from importlib import resources

BOOTSTRAP = "import sys;b=sys.stdin.buffer;exec(compile(b.read(int(b.readline())),'<envcheck payload>','exec'))"
"""The program given to `python -c`: reads the payload's length and source from standard input, then runs it."""


def preamble(name: str) -> bytes:
    """The bytes that start payload `name` (facemesh, gl, nvml, cuda) when sent to an interpreter running BOOTSTRAP."""
    source = resources.files(__name__).joinpath(f"{name}.py").read_bytes()
    return b"%d\n%s" % (len(source), source)
