"""The files of an image that starts nothing: read from the engine as a stream, for the names of interpreters."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from envcheck import process
from envcheck.boxes import Engine, run_label
from envcheck.boxes.options import LABEL
from envcheck.images.look import Config
from envcheck.payload import BOOTSTRAP, preamble
from envcheck.probes.answers import decode_object
from envcheck.record import Record, Unread

DEADLINE_S = 300.0


class Files(Record, frozen=True):
    """Interpreters and shells by path."""

    pythons: tuple[str, ...]
    shells: tuple[str, ...]
    files: int


def scan(config: Config, engine: Engine, env: Mapping[str, str]) -> Files | Unread:
    """The interpreters in an image's file system. A container is created for it, and not started."""
    create = engine.command("create", "--pull", "never", "--label", f"{LABEL}={run_label()}", config.id, "nothing")
    created = process.run(create, env=env, deadline_s=60.0)
    name = created.stdout.decode("ascii", "replace").strip()
    if not created.succeeded or not name:
        return Unread(reason=f"no container could be created: {created.stderr.decode('utf-8', 'replace')[:300]}")
    try:
        request = json.dumps({"argv": engine.command("export", name)}).encode() + b"\n"
        own = [sys.executable, "-I", "-c", BOOTSTRAP]
        done = process.run(own, stdin=preamble("image_files") + request, env=env, deadline_s=DEADLINE_S)
    finally:
        process.run(engine.command("rm", "--force", "--volumes", name), env=env, deadline_s=60.0)
    if done.timed_out:
        return Unread(reason=f"the image's files were not read within {DEADLINE_S:g} s")
    return files_of(done.stdout)


def files_of(output: bytes) -> Files | Unread:
    """The payload's answer."""
    import msgspec

    told = decode_object(output.strip())
    if isinstance(told, Unread):
        return told
    try:
        return msgspec.convert(told, Files)
    except msgspec.ValidationError as error:
        return Unread(reason=f"the image's files could not be read: {error}")
