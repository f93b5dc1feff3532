"""An API server that is a script: the real client talks to it over HTTP, and what becomes of pods is data.

It knows ConfigMaps, Jobs, pods and logs of one namespace, lists by label, pages, watches that tell what is new since a
version, and what the Job controller does with indexes. One step of each pod is played whenever somebody watches.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]

PENDING: Object = {"phase": "Pending"}
RUNNING: Object = {"phase": "Running"}
OK: Object = {"phase": "Succeeded"}
CREATED = "2026-11-29T12:00:00Z"
INDEX = "batch.kubernetes.io/job-completion-index"
KEPT_EVENTS = 1000


def unscheduled(message: str) -> Object:
    """A pod that the scheduler has no node for."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def waiting(reason: str, message: str = "") -> Object:
    """A pod on a node whose container cannot be started."""
    return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason, "message": message}}}]}


def failed(code: int, reason: str = "Error") -> Object:
    """A container that ended badly."""
    return {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": code, "reason": reason}}}]}


def evicted(reason: str = "EvictionByEvictionAPI") -> Object:
    """A pod that its node, or somebody, took away."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "made room"}
    return {"phase": "Failed", "conditions": [condition]}


OVERDUE: Object = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active longer"}
DELETED = "deleted"
"""In a script: the pod is gone without a word."""

Script = Callable[[int, int], Sequence[Object | str]]
"""Of an index and the number of the try, from 0: what becomes of that pod, step by step."""


@dataclass
class Server:
    """The state of the cluster. `script` is asked for each pod; `log` for what one has printed."""

    script: Script
    log: Callable[[str], bytes | None] = lambda _plan: b""
    objects: dict[str, dict[str, Object]] = field(
        default_factory=lambda: {kind: {} for kind in ("configmaps", "jobs", "pods", "nodes")}
    )
    steps: dict[str, list[Object | str]] = field(default_factory=dict)
    events: list[tuple[int, Object]] = field(default_factory=list)
    version: int = 100
    page: int = 500
    trouble: list[tuple[str, Any]] = field(default_factory=list)
    """Of a request whose line matches, once each: a status, or what is sent in place of a watch."""
    calls: list[str] = field(default_factory=list)
    paused: bool = False
    """Nothing goes on."""
    refuse: bool = False
    """The server is down."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    port: int = 0

    def count(self, pattern: str) -> int:
        """How many requests there were of a kind."""
        return sum(bool(re.search(pattern, call)) for call in self.calls)

    # --- what the cluster does --------------------------------------------------------------------------------------

    def tell(self, kind: str, pod: Object) -> None:
        """A new version of a pod."""
        self.version += 1
        pod["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, {"type": kind, "object": json.loads(json.dumps(pod))}))

    def started(self, job: Object, index: int, attempt: int) -> None:
        """A pod for an index."""
        name = f"{job['metadata']['name']}-{index}-{attempt}"
        template = job["spec"]["template"]
        about = {
            "name": name, "uid": f"uid-{name}", "labels": template["metadata"]["labels"],
            "annotations": {INDEX: str(index)}, "ownerReferences": [{"uid": job["metadata"]["uid"]}],
        }  # fmt: skip
        pod = {"metadata": about, "spec": {"nodeName": "n1"}, "status": dict(PENDING), "x-attempt": attempt}
        self.objects["pods"][name] = pod
        self.steps[name] = list(self.script(index, attempt))
        self.tell("ADDED", pod)

    def step(self) -> None:
        """Every pod takes its next step, and Jobs see to what has ended."""
        for name, steps in list(self.steps.items()):
            if not steps:
                continue
            status, pod = steps.pop(0), self.objects["pods"][name]
            if isinstance(status, str):
                del self.objects["pods"][name], self.steps[name]
                self.tell("DELETED", pod)
                self.ended(pod, evicted())
            else:
                pod["status"] = status
                self.tell("MODIFIED", pod)
                if status["phase"] in ("Succeeded", "Failed"):
                    self.ended(pod, status)

    def ended(self, pod: Object, status: Object) -> None:
        """What the controller of Jobs does about a pod that has ended."""
        uid = pod["metadata"]["ownerReferences"][0]["uid"]
        job = next((one for one in self.objects["jobs"].values() if one["metadata"]["uid"] == uid), None)
        if job is None:
            return
        index = int(pod["metadata"]["annotations"][INDEX])
        codes = [one["state"].get("terminated", {}).get("exitCode") for one in status.get("containerStatuses", [])]
        disrupted = any(one["type"] == "DisruptionTarget" for one in status.get("conditions", []))
        if status["phase"] == "Succeeded":
            self.note(job, "completedIndexes", index)
        elif disrupted:
            self.started(job, index, pod["x-attempt"] + 1)
        elif set(codes) & {1, 2, 3, 4} or pod["x-attempt"] >= job["spec"]["backoffLimitPerIndex"]:
            self.note(job, "failedIndexes", index)
        else:
            self.started(job, index, pod["x-attempt"] + 1)

    def note(self, job: Object, key: str, index: int) -> None:
        """An index has ended."""
        status = job.setdefault("status", {})
        known = [int(one) for one in status.get(key, "").split(",") if one]
        status[key] = ",".join(map(str, sorted({*known, index})))

    # --- what it answers --------------------------------------------------------------------------------------------

    def plan_of(self, pod: Object) -> str:
        """The plan of a pod's cell, as the ConfigMap of its Job has it."""
        uid = pod["metadata"]["ownerReferences"][0]["uid"]
        job = next(one for one in self.objects["jobs"].values() if one["metadata"]["uid"] == uid)
        volumes = job["spec"]["template"]["spec"]["volumes"]
        name = next(one["configMap"]["name"] for one in volumes if "configMap" in one)
        return str(self.objects["configmaps"][name]["data"][f"{pod['metadata']['annotations'][INDEX]}.json"])

    def create(self, kind: str, manifest: Object) -> tuple[int, Object]:
        """A new object; 409 where there is one of its name."""
        name = manifest["metadata"]["name"]
        if name in self.objects[kind]:
            return 409, {"kind": "Status", "code": 409, "message": f"{name} already exists"}
        uid = f"{kind}-{len(self.calls)}"
        manifest["metadata"] |= {"uid": uid, "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self.objects[kind][name] = manifest
        if kind == "jobs":
            for index in range(manifest["spec"]["completions"]):
                self.started(manifest, index, 0)
        return 201, manifest

    def listed(self, kind: str, query: Mapping[str, str]) -> Object:
        """A page of objects by one label."""
        found = [one for one in self.objects[kind].values() if matches(one, query)]
        start = int(query.get("continue", "0"))
        size = min(self.page, int(query.get("limit", "500")))
        more = {"continue": str(start + size)} if start + size < len(found) else {}
        return {"metadata": {"resourceVersion": str(self.version), **more}, "items": found[start : start + size]}

    def remove(self, kind: str, query: Mapping[str, str]) -> Object:
        """Delete by label, and with Jobs their pods."""
        for name, one in list(self.objects[kind].items()):
            if matches(one, query):
                del self.objects[kind][name]
                if kind == "jobs":
                    uid = one["metadata"]["uid"]
                    for pod, its in list(self.objects["pods"].items()):
                        if its["metadata"]["ownerReferences"][0]["uid"] == uid:
                            del self.objects["pods"][pod]
                            self.steps.pop(pod, None)
        return {"kind": "Status", "status": "Success"}


def matches(one: Object, query: Mapping[str, str]) -> bool:
    """True for an object with the labels that are asked for."""
    asked = [part.partition("=") for part in query.get("labelSelector", "").split(",") if part]
    return all(one["metadata"].get("labels", {}).get(key) == value for key, _, value in asked)


class Handler(BaseHTTPRequestHandler):
    """Requests to a server."""

    cluster: Server
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.handled()

    def do_POST(self) -> None:
        self.handled()

    def do_DELETE(self) -> None:
        self.handled()

    def handled(self) -> None:
        """Answer, or be in trouble."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        cluster, line = self.cluster, f"{self.command} {self.path}"
        with cluster.lock:
            cluster.calls.append(line)
            found = next((one for one in cluster.trouble if re.search(one[0], line)), None)
            if found:
                cluster.trouble.remove(found)
        if cluster.refuse or (found and found[1] == "drop"):
            self.close_connection = True
            self.connection.close()
        elif found and isinstance(found[1], int):
            self.answer(found[1], {"kind": "Status", "code": found[1], "message": f"scripted {found[1]}"})
        elif found:
            self.stream([found[1]])
        else:
            self.served(body)

    def served(self, body: bytes) -> None:
        """Answer as a server does."""
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        within = url.path.partition("/namespaces/")[2].partition("/")[2] or url.path.rpartition("/")[2]
        kind, _, rest = within.partition("/")
        cluster = self.cluster
        if query.get("watch", "").lower() == "true":
            self.watched(query)
        elif rest.endswith("/log"):
            self.logged(rest.partition("/")[0])
        else:
            with cluster.lock:
                if rest:
                    one = cluster.objects[kind].get(rest)
                    self.answer(200, one) if one else self.answer(404, {"code": 404, "message": "not found"})
                elif self.command == "POST":
                    self.answer(*cluster.create(kind, json.loads(body)))
                elif self.command == "DELETE":
                    self.answer(200, cluster.remove(kind, query))
                else:
                    self.answer(200, cluster.listed(kind, query))

    def watched(self, query: Mapping[str, str]) -> None:
        """One step, and what is new since a version."""
        cluster, since = self.cluster, int(query.get("resourceVersion", "0"))
        with cluster.lock:
            if not cluster.paused:
                cluster.step()
            new = [event for version, event in cluster.events if version > since and matches(event["object"], query)]
        if not new:
            time.sleep(0.02)
        self.stream([json.dumps(event).encode() + b"\n" for event in new])

    def logged(self, name: str) -> None:
        """What a pod has printed."""
        cluster = self.cluster
        with cluster.lock:
            pod = cluster.objects["pods"].get(name)
            data = cluster.log(cluster.plan_of(pod)) if pod else None
        if data is None:
            self.answer(404, {"code": 404, "message": "no such pod"})
        else:
            self.send(200, "text/plain", data)

    def stream(self, parts: Sequence[bytes]) -> None:
        """A watch that ends when it has told what there is."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def answer(self, status: int, document: Object) -> None:
        """JSON."""
        self.send(status, "application/json", json.dumps(document).encode())

    def send(self, status: int, kind: str, data: bytes) -> None:
        """A whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """A server on a port of its own."""
    handler = type("Bound", (Handler,), {"cluster": server})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def kubeconfig(folder: Path, port: int) -> Path:
    """How the client finds it."""
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "current-context": "x",
        "users": [{"name": "u", "user": {}}],
    }  # fmt: skip
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def tries(server: Server) -> Counter[str]:
    """How many pods there were for each index, by Job and index."""
    added = [event["object"]["metadata"]["name"] for _, event in server.events if event["type"] == "ADDED"]
    return Counter(name.rpartition("-")[0] for name in added)
