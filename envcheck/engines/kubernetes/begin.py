"""Which run is gone on with: the one that is known here, or to the cluster, or a new one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from envcheck.engines.engine import Run
from envcheck.engines.kubernetes.api import ABSENT, NO, Api, DeniedError
from envcheck.engines.kubernetes.kept import Begun, Kept
from envcheck.engines.kubernetes.manifests import NONCE, Tag
from envcheck.engines.kubernetes.objects import Job
from envcheck.errors import UsageError

_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


def begun_of(run: Run, api: Api, kept: Kept) -> Begun:
    """The run to go on with, as it is known here or to the cluster, or a new one."""
    here = kept.read()
    if here is not None and (run.resume or here.fresh):
        return here
    tag = Tag(run.name, "")
    with explained(api.namespace):
        jobs = api.jobs(tag.selector)
        there = newest(jobs)
        if there is not None and (run.resume or there.fresh):
            return kept.begin(there)
        if run.resume:
            kept.remove()
            raise UsageError(f"--resume {run.name}: there is no such run here, nor in namespace {api.namespace}")
        if jobs:
            api.delete(tag.selector)
    return kept.begin()


def newest(jobs: Iterable[Job]) -> Begun | None:
    """The run that the newest of these Jobs belongs to."""
    found = [
        Begun(nonce=nonce, begun_at=time_of(job.metadata.creation_timestamp))
        for job in jobs
        if _NONCE.fullmatch(nonce := (job.metadata.labels or {}).get(NONCE, ""))
    ]
    return max(found, key=lambda one: one.begun_at, default=None)


def time_of(text: str | None) -> float:
    """A time as Kubernetes writes it, in seconds; the beginning of all where it is none."""
    with suppress(ValueError):
        return datetime.strptime(text or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    return 0.0


@contextmanager
def explained(namespace: str) -> Iterator[None]:
    """What the server denies from the start, as something the user can mend."""
    try:
        yield
    except DeniedError as error:
        if error.code not in (*NO, ABSENT):
            raise
        remedy = f"Jobs, ConfigMaps, pods and their logs of namespace {namespace} are needed; docs/fleet.md"
        raise UsageError(error.message, remedy=remedy) from error
