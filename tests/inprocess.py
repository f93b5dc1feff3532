"""The command in this process: the arguments, standard input, folder and environment of a user, without a new Python.

A process of its own is what a user has, and each command is also run so at least once; its wrong uses and formats need
none, and starting Python is most of what they take.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock


def ended(*arguments: str, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """What `envcheck ARGUMENTS` ended with and wrote. `env` changes the environment."""
    from envcheck.cli import run

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    read = mock.patch.object(sys, "stdin", given)
    with kept(cwd), mock.patch.dict(os.environ, env or {}), read, redirect_stdout(out), redirect_stderr(err):
        code = run(arguments)
    return CompletedProcess(arguments, code, text_of(out), text_of(err))


def text_of(stream: io.TextIOWrapper) -> str:
    """What was written."""
    stream.seek(0)
    return stream.read()


@contextmanager
def kept(cwd: Path) -> Iterator[None]:
    """Another folder; what a command changes for its whole process is put back."""
    before, handler = Path.cwd(), signal.getsignal(signal.SIGTERM)
    os.chdir(cwd)
    try:
        yield
    finally:
        os.chdir(before)
        signal.signal(signal.SIGTERM, handler)
        gc.enable()
