"""Fleet -> manifests of Kubernetes: the matrix as a ConfigMap, and an indexed Job per driver and backend.

A pod has no container engine, so cells of the docker backend stay out; which, the heading says. No shell is involved:
the index reaches envcheck as a variable, which `--shard env` reads. Field by field for 1.29 and later: the limit of
retries per index is on by default from there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from envcheck.errors import UsageError
from envcheck.model import ANY_DRIVER
from envcheck.pipelines.affinity import affinity_of
from envcheck.pipelines.jobs import Fleet, Job
from envcheck.pipelines.yamltext import render as render_yaml
from envcheck.shards import INDEXED_OF

Manifest = dict[str, Any]

MOST = 10_000
"""Completions of all Jobs together; far below what a Job may have, far above what a cluster has GPUs for."""
SERVED = ("venv", "conda")
"""Backends that make an environment in a pod."""
USER = 65532
DIGEST = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}", re.ASCII)
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
HOW_TO_PIN = "What a tag means today: docker buildx imagetools inspect IMAGE --format '{{.Manifest.Digest}}'"
FINAL = (1, 2, 3, 4)
"""Exit codes that a retry does not mend; 75 and a death by signal may be another node's luck."""
WORK = "/work"
"""In the pod: where it may write. No path of a host."""
MOUNTS = {"/etc/envcheck": "matrix", WORK: "work", "/tmp": "tmp", "/results": "results"}  # noqa: S108 - of the pod
CONTAINER = "envcheck"
EMPTY: Manifest = {"emptyDir": {}}
KEY_FOLDER, KEY_FILE = "/etc/envcheck-key", "key"


@dataclass(frozen=True)
class Cluster:
    """What the manifests are for. `images` by backend, under "" for the rest; `claim` takes the results of all pods,
    which without one leave by their logs.

    `key_secret` names a Secret whose entry `key` signs the evidence; `runtime_class` is for clusters where NVIDIA's
    runtime is not the default one.
    """

    images: Mapping[str, str]
    claim: str | None = None
    namespace: str = "envcheck"
    name: str = "envcheck"
    runtime_class: str | None = None
    key_secret: str | None = None
    arguments: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        for image in self.images.values():
            check_image(image)
        named = {"--namespace": self.namespace, "--name": self.name}
        optional = {
            "--claim": self.claim,
            "--runtime-class": self.runtime_class,
            "--key-secret": self.key_secret,
        }
        for option, value in (named | {key: text for key, text in optional.items() if text is not None}).items():
            if not NAME.fullmatch(value or ""):
                raise UsageError(f"{option} {value!r} is no name: small letters, digits and -, at most 40")

    def image(self, backend: str) -> str:
        """The image for cells of a backend. Raises UsageError where none was named."""
        image = self.images.get(backend) or self.images.get("")
        if image is None:
            raise UsageError(f"no image is named for cells of backend {backend}", remedy="--image IMAGE@sha256:DIGEST")
        return image


@dataclass(frozen=True)
class Kind:
    """What one Job is for: a driver, a backend, so many shards, and the ConfigMap that they are worked out from."""

    driver: str
    backend: str
    count: int
    config: str

    @property
    def labels(self) -> dict[str, str]:
        """For selectors and for people."""
        return labels_of(driver=self.driver, backend=self.backend)


def check_image(image: str) -> None:
    """Raise UsageError for an image that is not named by digest: a tag is another image tomorrow."""
    if not DIGEST.fullmatch(image):
        raise UsageError(
            f"--image {image!r} names no digest: IMAGE@sha256: and 64 digits are needed", remedy=HOW_TO_PIN
        )


def render(fleet: Fleet, cluster: Cluster, files: Mapping[str, str], left_out: Sequence[str] = ()) -> str:
    """The manifests. `files` are matrix.yaml and durations.json; `left_out` are ids of cells that no pod can serve."""
    config = config_of(cluster, files)
    jobs = [
        job_of(cluster, list(jobs), config["metadata"]["name"])
        for _, jobs in groupby(fleet.jobs, key=lambda job: (job.driver, job.backend))
    ]
    return render_yaml([config, *jobs], heading(left_out))


def heading(left_out: Sequence[str]) -> Iterable[str]:
    """What a reader should know."""
    yield "Made by `envcheck plan --format kubernetes`; docs/fleet.md#kubernetes."
    if left_out:
        yield f"Left out, because a pod has no container engine: {len(left_out)} cells of the docker backend."
        yield from (f"  {cell}" for cell in left_out)


def config_of(cluster: Cluster, files: Mapping[str, str]) -> Manifest:
    """The matrix and the times by which it is divided, under a name that changes with them: pods must not mix two."""
    name = f"{cluster.name}-{digest(files)}"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": cluster.namespace, "labels": labels_of()},
        "immutable": True,
        "data": dict(files),
    }


def digest(data: object) -> str:
    """Eight characters that change with the data; what cannot be changed in place gets another name."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]


def labels_of(**more: str) -> dict[str, str]:
    """Labels, for selectors and for people."""
    return {"app.kubernetes.io/name": "envcheck", **{f"envcheck/{key}": value for key, value in more.items()}}


def job_of(cluster: Cluster, jobs: Sequence[Job], config: str) -> Manifest:
    """The Job of one driver and backend. Its name changes with what it says, because a Job cannot be changed."""
    kind = Kind(jobs[0].driver, jobs[0].backend or "", len(jobs), config)
    start = f"{cluster.name}-{kind.driver.replace('.', '-')}-{kind.backend}"
    name = f"{start}-{digest(spec_of(cluster, kind, start))}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": cluster.namespace, "labels": kind.labels},
        "spec": spec_of(cluster, kind, name),
    }


def spec_of(cluster: Cluster, kind: Kind, name: str) -> Manifest:
    """An index for each shard; one that fails keeps no other from being run."""
    return {
        "completionMode": "Indexed",
        "completions": kind.count,
        "parallelism": kind.count,
        "backoffLimitPerIndex": 2,
        "maxFailedIndexes": kind.count,
        "podFailurePolicy": {"rules": failure_rules()},
        "template": {"metadata": {"labels": kind.labels}, "spec": pod_of(cluster, kind, name)},
    }


def failure_rules() -> list[Manifest]:
    """A node that went away costs no retry; an answer that stays the same is not asked for again."""
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailIndex",
            "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": list(FINAL)},
        },
    ]


def pod_of(cluster: Cluster, kind: Kind, name: str) -> Manifest:
    """The pod: as little as the restricted profile of the Pod Security Standards allows, and a GPU."""
    affinity = {} if kind.driver == ANY_DRIVER else {"affinity": affinity_of(kind.driver)}
    runtime = {"runtimeClassName": cluster.runtime_class} if cluster.runtime_class else {}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        **runtime,
        **affinity,
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container_of(cluster, kind, name)],
        "volumes": volumes_of(cluster, kind.config),
    }


def container_of(cluster: Cluster, kind: Kind, name: str) -> Manifest:
    """The one container. EGL comes with the driver's capability `graphics`, which is not among the usual ones."""
    key = {KEY_FOLDER: "key"} if cluster.key_secret else {}
    return {
        "name": CONTAINER,
        "image": cluster.image(kind.backend),
        "command": ["envcheck"],
        "args": arguments_of(cluster, kind, name),
        "env": [
            {"name": "HOME", "value": WORK},
            {"name": "ENVCHECK_CACHE", "value": f"{WORK}/cache"},
            {"name": INDEXED_OF, "value": str(kind.count)},
            {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "graphics,compute,utility"},
        ],
        "resources": {
            "requests": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"},
            "limits": {"nvidia.com/gpu": "1"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [mount(path, volume) for path, volume in (MOUNTS | key).items()],
    }


def mount(path: str, volume: str) -> Manifest:
    """A volume at its place; what is only read is mounted so."""
    return {"name": volume, "mountPath": path, **({"readOnly": True} if volume in {"matrix", "key"} else {})}


def arguments_of(cluster: Cluster, kind: Kind, name: str) -> list[str]:
    """What envcheck is called with. The kubelet would replace `$(NAME)`, so a dollar sign of the user's is doubled."""
    key = ["--sign-key", f"{KEY_FOLDER}/{KEY_FILE}"] if cluster.key_secret else []
    matrix = ["--matrix", "/etc/envcheck/matrix.yaml", "--durations", "/etc/envcheck/durations.json"]
    which = ["--driver", kind.driver, "--backend", kind.backend, "--shard", "env"]
    out = ["--out", f"/results/{name}/$(JOB_COMPLETION_INDEX)"]
    asked = [one.replace("$", "$$") for one in cluster.arguments]
    log = [] if cluster.claim else ["--parcel"]
    return ["validate", "--quiet", *matrix, *asked, *which, *out, *log, *key]


def volumes_of(cluster: Cluster, config: str) -> list[Manifest]:
    """The matrix, room to work in, the results, and the key."""
    secret = {"secretName": cluster.key_secret, "items": [{"key": KEY_FILE, "path": KEY_FILE}], "defaultMode": 0o440}
    return [
        {"name": "matrix", "configMap": {"name": config}},
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "results", **({"persistentVolumeClaim": {"claimName": cluster.claim}} if cluster.claim else EMPTY)},
        *([{"name": "key", "secret": secret}] if cluster.key_secret else []),
    ]
