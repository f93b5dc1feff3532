"""The questions that the API server is asked, through the official client.

Answers are read as data, and only so far as an honest one goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from envcheck.engines.engine import SilentEngineError
from envcheck.engines.kubernetes.objects import Base, Event, Failure, Job, Node, Pod
from envcheck.engines.kubernetes.options import Options
from envcheck.engines.packing import LOG_LIMIT
from envcheck.engines.plans import printable
from envcheck.errors import EnvcheckError, UsageError
from envcheck.pipelines.kubernetes import CONTAINER, Manifest

EXTRA = "pip install 'envcheck[kubernetes]'"
ANSWER_S = 60.0
SHORTEST_S, LONGEST_S = 0.5, 20.0
"""Between two questions after one that was not answered."""
PAGE = 500
ANSWER_LIMIT = 256 << 20
"""Bytes of a page of objects."""
LINE_LIMIT = 4 << 20
"""Bytes of one line of a watch; an object has at most 1.5 MiB."""
NOT_ENDED = "status.phase!=Succeeded,status.phase!=Failed"
NO, GONE, TAKEN, ABSENT = (401, 403), 410, 409, 404
BUSY = (408, 429)

Object = TypeVar("Object", Job, Pod, Node)
Answer = TypeVar("Answer")


class GoneError(Exception):
    """The watch is too old: everything has to be listed anew."""


class UnansweredError(Exception):
    """The server did not answer, or not now; asking again may help."""


class DeniedError(EnvcheckError):
    """The server said no."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"Kubernetes refused: {said} ({code})")
        self.code = code


class ListMeta(Base, frozen=True):
    """Where a list goes on, and from when it is."""

    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")


class Listed(Base, frozen=True):
    """A page of objects."""

    metadata: ListMeta = ListMeta()
    items: tuple[msgspec.Raw, ...] | None = None


@dataclass(frozen=True)
class Api:
    """One namespace of a cluster. `core` and `batch` are the client's; `sleep` is a seam of tests."""

    core: Any
    batch: Any
    namespace: str
    patience_s: float
    sleep: Callable[[float], None] = time.sleep

    def jobs(self, selector: str) -> list[Job]:
        """The Jobs of a run."""
        return self.listed(self.batch.list_namespaced_job, selector, Job)[0]

    def pods(self, selector: str) -> tuple[list[Pod], str]:
        """The pods of a run, and from when on a watch tells more."""
        return self.listed(self.core.list_namespaced_pod, selector, Pod)

    def nodes(self) -> list[Node]:
        """The nodes of the cluster, which are in no namespace."""
        return self.listed(lambda namespace, **more: self.core.list_node(**more), "", Node)[0]  # noqa: ARG005

    def pods_of_everybody(self) -> list[Pod]:
        """The pods of all namespaces that have not ended."""
        call = self.core.list_pod_for_all_namespaces
        return self.listed(lambda namespace, **more: call(field_selector=NOT_ENDED, **more), "", Pod)[0]  # noqa: ARG005

    def listed(self, call: Callable[..., Any], selector: str, kind: type[Object]) -> tuple[list[Object], str]:
        """All objects, page by page; from the start where a page has become too old."""
        found: list[Object] = []
        more: dict[str, str] = {}
        while True:
            try:
                page = self.insist(call, parse=a_page, most=ANSWER_LIMIT, label_selector=selector, limit=PAGE, **more)
            except DeniedError as error:
                if error.code != GONE or not more:
                    raise
                found, more = [], {}
                continue
            found += [object_of(item, kind) for item in page.items or ()]
            if not page.metadata.continue_:
                return found, page.metadata.resource_version
            more = {"_continue": page.metadata.continue_}

    def create(self, config: Manifest, job: Manifest) -> None:
        """Make a ConfigMap and its Job. Those that an earlier process, or an unanswered question, has made will do."""
        self.made(self.core.create_namespaced_config_map, self.core.read_namespaced_config_map, config)
        self.made(self.batch.create_namespaced_job, self.batch.read_namespaced_job, job)

    def made(self, create: Callable[..., Any], look: Callable[..., Any], manifest: Manifest) -> None:
        """Make one object; one of its name that is being deleted is waited for."""
        while not self.taken(create, manifest):
            if self.stays(look, manifest["metadata"]["name"]):
                return

    def taken(self, create: Callable[..., Any], manifest: Manifest) -> bool:
        """Make one object; False where there is one of its name."""
        try:
            self.insist(create, parse=bytes, most=ANSWER_LIMIT, body=manifest)
        except DeniedError as error:
            if error.code != TAKEN:
                raise
            return False
        return True

    def stays(self, look: Callable[..., Any], name: str) -> bool:
        """True for an object that nobody deletes; False once it is deleted."""
        try:
            self.insist(look, name, parse=not_deleted, most=ANSWER_LIMIT)
        except DeniedError as error:
            if error.code != ABSENT:
                raise
            return False
        return True

    def delete(self, selector: str) -> None:
        """Remove Jobs with their pods, and ConfigMaps."""
        jobs, configs = self.batch.delete_collection_namespaced_job, self.core.delete_collection_namespaced_config_map
        for call in (jobs, configs):
            self.insist(call, parse=bytes, most=ANSWER_LIMIT, label_selector=selector, propagation_policy="Background")

    def log(self, pod: str) -> bytes | None:
        """What a pod has printed, a byte more than the limit at most; None where the pod is gone."""
        try:
            return self.insist(
                self.core.read_namespaced_pod_log, pod, parse=bytes, most=LOG_LIMIT + 1, container=CONTAINER,
                limit_bytes=LOG_LIMIT + 1,
            )  # fmt: skip
        except DeniedError as error:
            if error.code in NO:
                raise
            return None

    # --- questions --------------------------------------------------------------------------------------------------

    def insist(
        self, call: Callable[..., Any], *names: str, parse: Callable[[bytes], Answer], most: int, **more: Any
    ) -> Answer:
        """The answer, asked for until there is one. Raises DeniedError, SilentEngineError."""
        until, pause = time.monotonic() + self.patience_s, SHORTEST_S
        while True:
            try:
                return parse(self.ask(call, *names, most=most, **more))
            except UnansweredError as error:
                if time.monotonic() >= until:
                    raise silent(self.patience_s, str(error)) from None
            self.sleep(pause)
            pause = min(LONGEST_S, pause * 2)

    def ask(self, call: Callable[..., Any], *names: str, most: int, **more: Any) -> bytes:
        """One question. Raises DeniedError, UnansweredError."""
        response = self.opened(call, *names, _request_timeout=ANSWER_S, **more)
        try:
            data = bytes(response.read(most))
        except Exception as error:
            response.close()
            raise unanswered(error) from error
        if len(data) == most:  # there may be more, which nobody reads
            response.close()
        response.release_conn()
        return data

    def opened(self, call: Callable[..., Any], *names: str, **more: Any) -> Any:
        """The response to a question, of which nothing was read yet."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = call(*names, namespace=self.namespace, _preload_content=False, **more)
        except ApiException as error:
            raise refusal(error.status or 0, error.body or b"", error.reason or "") from None
        except (OSError, HTTPError) as error:
            raise unanswered(error) from error
        if not 200 <= response.status <= 299:
            raise refusal(response.status, response.read(LINE_LIMIT), response.reason or "")
        return response

    def watch(self, selector: str, version: str, seconds: float) -> Generator[tuple[str, Pod], None, None]:
        """What becomes of pods, for so long at most. Raises GoneError, UnansweredError, DeniedError."""
        response = self.opened_since(version, selector, seconds)
        try:
            for line in lines_of(response):
                event = read(line, Event)
                if event.type == "ERROR":
                    raise error_of(read(bytes(event.object), Failure))
                if event.type in ("ADDED", "MODIFIED", "DELETED"):
                    yield event.type, read(bytes(event.object), Pod)
        finally:
            response.close()
            response.release_conn()

    def opened_since(self, version: str, selector: str, seconds: float) -> Any:
        """A watch of pods. Raises GoneError, UnansweredError, DeniedError."""
        try:
            return self.opened(
                self.core.list_namespaced_pod, label_selector=selector, resource_version=version, watch=True,
                timeout_seconds=max(1, round(seconds)), _request_timeout=(ANSWER_S, seconds + LONGEST_S),
            )  # fmt: skip
        except DeniedError as error:
            if error.code != GONE:
                raise
            raise GoneError from error


def lines_of(response: Any) -> Iterator[bytes]:
    """The whole lines of a stream. Raises UnansweredError where it breaks off, or has a line without an end."""
    held = b""
    chunks = response.stream(65536, decode_content=True)
    while True:
        try:
            chunk = next(chunks, b"")
        except Exception as error:
            raise unanswered(error) from error
        if not chunk:
            return
        *whole, held = (held + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
        if len(held) > LINE_LIMIT:
            raise UnansweredError("a watch sent a line without an end")


def not_deleted(data: bytes) -> None:
    """Raise UnansweredError for an object that is being deleted."""
    found: Job = read(data, Job)
    if found.metadata.deletion_timestamp:
        raise UnansweredError(f"{printable(found.metadata.name)} is still being deleted")


def object_of(data: bytes | msgspec.Raw, kind: type[Object]) -> Object:
    """One object of a list. Raises EnvcheckError where it has another form than its kind."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise EnvcheckError(f"Kubernetes tells of a {kind.__name__} of another form: {error}") from None


def a_page(data: bytes) -> Listed:
    """A page of objects, which are read later. Raises UnansweredError."""
    page: Listed = read(data, Listed)
    return page


def read(data: bytes, kind: type[Any]) -> Any:
    """An answer as data. What is none is taken for silence: a proxy in between says such things."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnansweredError(f"not what Kubernetes answers: {printable(str(error))}") from None


def refusal(code: int, body: bytes | str, reason: str) -> Exception:
    """What a status other than good means."""
    try:
        said = msgspec.json.decode(body, type=Failure).message or reason
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = reason
    if code >= 500 or code in BUSY or code == 0:
        return UnansweredError(printable(f"{said} ({code})"))
    return DeniedError(code, printable(said))


def error_of(failure: Failure) -> Exception:
    """What a watch means that ends with an error."""
    if failure.code == GONE:
        return GoneError()
    return refusal(failure.code or 500, b"", failure.message or failure.reason or "")


def unanswered(error: Exception) -> UnansweredError:
    """A connection that failed."""
    return UnansweredError(printable(f"{type(error).__name__}: {error}"))


def silent(patience_s: float, said: str) -> SilentEngineError:
    """The server has not answered for too long."""
    return SilentEngineError(
        f"Kubernetes has not answered for {patience_s / 60:g} min: {said}",
        remedy="Its pods may go on; the same command again goes on with them.",
    )


def connected(options: Options) -> Api:
    """The cluster that the options name, or the one that kubectl uses, or the one that this runs in."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise UsageError(f"the kubernetes engine needs the official client: {error}", remedy=EXTRA) from None
    settings = client.Configuration()
    file = None if options.kubeconfig is None else str(options.kubeconfig)
    try:
        find(config, settings, file, options.context)
    except Exception as error:
        raise UsageError(
            f"no cluster is known here: {printable(str(error))}",
            remedy="Name one: --engine-option kubeconfig=FILE, --engine-option context=NAME",
        ) from error
    settings.retries = False
    shared = client.ApiClient(settings)
    return Api(client.CoreV1Api(shared), client.BatchV1Api(shared), options.cluster.namespace, options.patience * 60)


def find(config: Any, settings: Any, file: str | None, context: str | None) -> None:
    """Fill the settings. The client's own way to look in both places prints to standard output, which is ours.

    Raises what the client raises.
    """
    try:
        config.load_kube_config(config_file=file, context=context, client_configuration=settings)
    except config.ConfigException as missing:
        if file is not None or context is not None:
            raise
        try:
            config.load_incluster_config(client_configuration=settings)
        except config.ConfigException:
            raise missing from None
