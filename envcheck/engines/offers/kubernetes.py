"""What the nodes of a Kubernetes cluster offer, by the labels that pods ask for.

How many of their GPUs are taken is what the pods of all namespaces request on them, where these may be listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from envcheck.compat.versions import components
from envcheck.engines.engine import Needs
from envcheck.engines.kubernetes.api import NO, Api, DeniedError, connected
from envcheck.engines.kubernetes.objects import Node, Pod, number_in, requested
from envcheck.engines.kubernetes.options import parse
from envcheck.engines.offers.offer import Asked, Site, host_with
from envcheck.errors import UsageError
from envcheck.offered import Group
from envcheck.pipelines.affinity import NEW, OLD, affinity_of
from envcheck.pipelines.kubernetes import SERVED

GPU = "nvidia.com/gpu"
"""What pods request, and the taint that they bear."""
PATIENCE_S = 30.0
"""For an answer, where the user names no other time: somebody is waiting."""


@dataclass(frozen=True)
class Cluster:
    """The nodes, those that are alike together."""

    members: Sequence[tuple[Site, Sequence[Node]]]

    @property
    def sites(self) -> Sequence[Site]:
        """By driver and number of GPUs."""
        return tuple(site for site, _ in self.members)

    def serving(self, needs: Needs, backend: str) -> Sequence[Site] | str:
        """The nodes that the affinity of a pod admits."""
        if backend not in SERVED:
            return f"a pod has no container engine for backend {backend}"
        if needs.driver is None:
            return self.sites or "this cluster has no node"
        try:
            terms = terms_of(needs.driver)
        except UsageError as error:
            return error.message
        found = [site for site, nodes in self.members if any(admits(terms, node) for node in nodes)]
        return found or f"needs driver {needs.driver}, and no node has a label that says so"


def terms_of(driver: str) -> Sequence[Mapping[str, Any]]:
    """What a pod demands of the labels of its node, in the very words of the manifests."""
    required = affinity_of(driver)["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    terms: Sequence[Mapping[str, Any]] = required["nodeSelectorTerms"]
    return terms


def admits(terms: Sequence[Mapping[str, Any]], node: Node) -> bool:
    """True where the labels of a node meet all demands of one of the terms."""
    labels = node.metadata.labels or {}
    return any(all(labels.get(one["key"]) in one["values"] for one in term["matchExpressions"]) for term in terms)


def look(asked: Asked) -> Cluster:
    """What the API server tells. Raises UsageError, SilentEngineError."""
    given = asked.options if "patience" in asked.options else {**asked.options, "patience": str(PATIENCE_S / 60)}
    try:
        api = connected(parse(given, placing=False))
        return cluster_of(api.nodes(), taken_by(api))
    except DeniedError as error:
        if error.code not in NO:
            raise
        raise UsageError(error.message, remedy="To list nodes a ClusterRole is needed that may.") from error


def taken_by(api: Api) -> Counter[str] | str:
    """How many GPUs of each node are taken, or why nobody tells. Raises SilentEngineError."""
    try:
        pods = api.pods_of_everybody()
    except DeniedError as error:
        return f"which GPUs are taken is not known: {error.message}"
    return taken_in(pods)


def taken_in(pods: Iterable[Pod]) -> Counter[str]:
    """How many GPUs of each node pods have requested."""
    taken: Counter[str] = Counter()
    for pod in pods:
        if pod.spec.node_name:
            taken[pod.spec.node_name] += requested(pod, GPU)
    return taken


def cluster_of(nodes: Sequence[Node], taken: Counter[str] | str) -> Cluster:
    """The nodes, by what they have. `taken` are GPUs by node, or why that is not known."""
    groups: dict[tuple[str | None, int], list[Node]] = {}
    for node in nodes:
        groups.setdefault((told_driver(node), gpus_of(node)), []).append(node)
    ordered = sorted(groups.items(), key=lambda one: (components(one[0][0] or "") or (), one[0][1]))
    return Cluster([(site_of(driver, gpus, members, taken), members) for (driver, gpus), members in ordered])


def site_of(driver: str | None, gpus: int, nodes: Sequence[Node], taken: Counter[str] | str) -> Site:
    """Nodes that are alike. One is busy where each of its GPUs is taken, so that no pod with a GPU fits."""
    up = [node for node in nodes if takes_pods(node)]
    busy = None if isinstance(taken, str) else sum(0 < gpus <= taken[node.metadata.name] for node in up)
    group = Group(
        where="nodes",
        driver=driver,
        gpus=gpus,
        names=tuple(node.metadata.name for node in nodes),
        free=None if busy is None else len(up) - busy,
        busy=busy,
        down=len(nodes) - len(up),
        note=taken if isinstance(taken, str) else "",
    )
    return Site(group, host_with(driver))


def told_driver(node: Node) -> str | None:
    """The driver that the labels of a node tell, by the generation that says more."""
    labels = node.metadata.labels or {}
    told = [".".join(takewhile(bool, (labels.get(key, "") for key in keys))) for keys in (NEW, OLD)]
    return max((one for one in told if components(one)), key=lambda one: one.count("."), default=None)


def gpus_of(node: Node) -> int:
    """How many GPUs pods may request there; no device plugin is none for a pod."""
    return number_in((node.status.allocatable or {}).get(GPU, "0"))


def takes_pods(node: Node) -> bool:
    """True where the node is ready, not cordoned, and has no taint that our pods do not bear."""
    ready = any(one.type == "Ready" and one.status == "True" for one in node.status.conditions or ())
    barred = [one for one in node.spec.taints or () if one.effect in ("NoSchedule", "NoExecute")]
    borne = [one for one in barred if one.key == GPU and one.effect == "NoSchedule"]
    return ready and not node.spec.unschedulable and len(borne) == len(barred)
