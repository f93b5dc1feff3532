"""The GL probe: started with EGL's own log switched on; its last whole answer counts, however it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from envcheck.cell.inside import ask
from envcheck.model import GlContext, Unread
from envcheck.probes.answers import parse_last
from envcheck.process import Completed
from envcheck.redact import redact

LOG_LINES, LOG_WIDTH = 40, 300
"""Lines of EGL's log that are kept, and characters of each."""
CHATTER = re.compile(r"found extension|did not find optional|0x[0-9a-f]{3} |-----|Configurations:|: (cho|sen) +\w\w ")
"""Lines in which Mesa lists what it has; none of them tells why something failed."""


def observe_gl(python: Sequence[str], env: Mapping[str, str], deadline_s: float) -> GlContext | Unread:
    """The GL context that MediaPipe's EGL request gives in the environment of `python`, and what else EGL has."""
    talkative = {**env, "EGL_LOG_LEVEL": "debug"}
    return answer_of(ask("gl", python, talkative, deadline_s), env, deadline_s)


def answer_of(done: Completed, env: Mapping[str, str], deadline_s: float) -> GlContext | Unread:
    """What a probe that ended, or had to be ended, leaves."""
    if not done.started:
        return Unread(reason=done.reason)
    if done.stdout.strip():
        seen = parse_last(done.stdout, GlContext)
        return seen if isinstance(seen, Unread) else replace(seen, log=log_of(done, env))
    if done.timed_out:
        return Unread(reason=f"the gl probe did not answer within {deadline_s:g} s")
    return Unread(reason=f"the gl probe ended without an answer ({done.describe()})")


def log_of(done: Completed, env: Mapping[str, str]) -> tuple[str, ...]:
    """What EGL and its drivers printed, without secrets and lists, each line once; and how the probe ended if badly."""
    text = redact(done.stderr.decode("utf-8", "replace"), env)
    kept = tuple(dict.fromkeys(telling(text.splitlines())))[:LOG_LINES]
    return kept if done.succeeded else (*kept, f"the probe ended early: {done.describe()}")


def telling(lines: Sequence[str]) -> Iterator[str]:
    """Lines that say something, shortened."""
    return (line.rstrip()[:LOG_WIDTH] for line in lines if line.strip() and not CHATTER.search(line))
