"""What the API server tells, as far as it is read here: pods, Jobs and what a watch says of them. Pure."""

from __future__ import annotations

from enum import Enum

import msgspec

from envcheck.engines.plans import printable

INDEX = "batch.kubernetes.io/job-completion-index"
STUCK = frozenset({
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "RegistryUnavailable", "CreateContainerConfigError", "CreateContainerError", "SignatureValidationFailed",
})  # fmt: skip
"""Why a container waits that no further waiting starts: the image or the pod is wrong."""
TAKEN_AWAY = frozenset(
    {"Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "UnexpectedAdmissionError"}
)
DEADLINE = "DeadlineExceeded"


class Base(msgspec.Struct, frozen=True, rename="camel"):
    """A part of an object; what is not named here is passed over."""


class Owner(Base, frozen=True):
    """Whom an object belongs to."""

    uid: str = ""


class Meta(Base, frozen=True):
    """What every object has."""

    name: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    resource_version: str = ""


class Condition(Base, frozen=True):
    """One thing that holds of an object, or not."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None


class Waiting(Base, frozen=True):
    """Why a container does not run yet."""

    reason: str | None = None
    message: str | None = None


class Terminated(Base, frozen=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str | None = None


class ContainerState(Base, frozen=True):
    """One of them, or none: it runs."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Base, frozen=True):
    """The state of a container."""

    state: ContainerState | None = None


class PodStatus(Base, frozen=True):
    """How a pod is."""

    phase: str = ""
    reason: str | None = None
    message: str | None = None
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None


class Resources(Base, frozen=True):
    """What a container asks for; the server fills in requests where only limits are given."""

    requests: dict[str, str] | None = None
    limits: dict[str, str] | None = None


class Container(Base, frozen=True):
    """A container. One of `init_containers` that always restarts runs beside the others."""

    resources: Resources = Resources()
    restart_policy: str | None = None


class PodSpec(Base, frozen=True):
    """Where a pod runs, and on what."""

    node_name: str | None = None
    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None


class Pod(Base, frozen=True):
    """A pod."""

    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def owner(self) -> str:
        """The uid of its Job."""
        return next((one.uid for one in self.metadata.owner_references or ()), "")

    @property
    def index(self) -> int | None:
        """Its place in its Job."""
        text = (self.metadata.annotations or {}).get(INDEX, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None


class JobStatus(Base, frozen=True):
    """How a Job is. Indexes as in "1,3-5"."""

    conditions: tuple[Condition, ...] | None = None
    completed_indexes: str | None = None
    failed_indexes: str | None = None


class Job(Base, frozen=True):
    """A Job."""

    metadata: Meta = Meta()
    status: JobStatus = JobStatus()


class Taint(Base, frozen=True):
    """What keeps pods away from a node that do not bear it."""

    key: str = ""
    effect: str = ""


class NodeSpec(Base, frozen=True):
    """What is asked of a node."""

    unschedulable: bool | None = None
    taints: tuple[Taint, ...] | None = None


class NodeStatus(Base, frozen=True):
    """How a node is."""

    allocatable: dict[str, str] | None = None
    conditions: tuple[Condition, ...] | None = None


class Node(Base, frozen=True):
    """A node."""

    metadata: Meta = Meta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Event(Base, frozen=True):
    """What a watch says."""

    type: str
    object: msgspec.Raw


class Failure(Base, frozen=True):
    """How the API server says no."""

    code: int | None = None
    message: str | None = None
    reason: str | None = None


# --- what they mean ---------------------------------------------------------------------------------------------


class Phase(Enum):
    """What a pod is doing."""

    WAITING = "waiting"
    UNSCHEDULED = "unscheduled"
    STUCK = "stuck"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    OVERDUE = "overdue"
    TAKEN = "taken away"
    """Its node, or somebody, ended it; the cell is not to blame."""
    FAILED = "failed"


def phase_of(pod: Pod) -> tuple[Phase, str]:
    """What a pod is doing, and why, in words that are safe to show."""
    status, where = pod.status, f" on node {printable(pod.spec.node_name)}" if pod.spec.node_name else ""
    if status.phase == "Succeeded":
        return Phase.SUCCEEDED, where.strip()
    if status.phase == "Failed":
        return failure_of(pod, where)
    if status.phase == "Running":
        return Phase.RUNNING, f"running{where}"
    waiting = [one.state.waiting for one in status.container_statuses or () if one.state and one.state.waiting]
    for one in waiting:
        if one.reason in STUCK:
            return Phase.STUCK, words(one.reason, one.message) + where
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return Phase.UNSCHEDULED, words(condition.reason, condition.message)
    return Phase.WAITING, words(*((waiting[0].reason, waiting[0].message) if waiting else ("Pending", None)))


def failure_of(pod: Pod, where: str) -> tuple[Phase, str]:
    """How a pod ended that did not succeed."""
    status = pod.status
    if status.reason == DEADLINE:
        return Phase.OVERDUE, f"it took longer than it may{where}"
    for condition in status.conditions or ():
        if condition.type == "DisruptionTarget" and condition.status == "True":
            return Phase.TAKEN, f"its pod was taken away{where}: {words(condition.reason, condition.message)}"
    if status.reason in TAKEN_AWAY:
        return Phase.TAKEN, f"its pod was taken away{where}: {words(status.reason, status.message)}"
    ended = exit_of(pod)
    said = f": {ended.reason}" if ended and ended.reason not in (None, "Error") else ""
    how = f"the worker ended with exit status {ended.exit_code}" if ended else words(status.reason, status.message)
    return Phase.FAILED, printable(f"{how}{where}{said}")


def exit_of(pod: Pod) -> Terminated | None:
    """How the container of a pod ended; None where that is not told."""
    states = [one.state for one in pod.status.container_statuses or () if one.state]
    return next((state.terminated for state in states if state.terminated), None)


def requested(pod: Pod, resource: str) -> int:
    """How many of a countable resource a pod has on its node, as the scheduler counts them; none once it has ended.

    Containers run together. Those that come first run one by one, beside those of them that stay.
    """
    if pod.status.phase in ("Succeeded", "Failed"):
        return 0
    staying = most = 0
    for one in pod.spec.init_containers or ():
        count = count_of(one, resource)
        most = max(most, staying + count)
        staying += count if one.restart_policy == "Always" else 0
    return max(most, staying + sum(count_of(one, resource) for one in pod.spec.containers or ()))


def count_of(container: Container, resource: str) -> int:
    """How many a container asks for."""
    asked = {**(container.resources.limits or {}), **(container.resources.requests or {})}
    return number_in(asked.get(resource, "0"))


def number_in(text: str) -> int:
    """A whole number as Kubernetes writes it; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def words(reason: str | None, message: str | None) -> str:
    """A reason and what is said of it."""
    return printable(": ".join(part for part in (reason, message) if part)) or "no reason is given"


def indexes_of(text: str | None, count: int) -> set[int]:
    """The indexes in a text such as "1,3-5"; what is no index of so many is left out."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal() and len(part) < 15:
            found |= set(range(min(int(first), count), min(int(last or first) + 1, count)))
    return found


def ended_as(job: Job) -> str:
    """Why a Job goes on no more, or an empty text."""
    for condition in job.status.conditions or ():
        if condition.status == "True" and condition.type in ("Failed", "FailureTarget"):
            return f"its Job failed: {words(condition.reason, condition.message)}"
    return ""


def is_complete(job: Job) -> bool:
    """True where a Job has ended well."""
    return any(one.status == "True" and one.type == "Complete" for one in job.status.conditions or ())


def no_node_matches(because: str) -> bool:
    """True where the scheduler says that every node is ruled out by its labels, and none for want of room."""
    total = because.partition("0/")[2].partition(" nodes are available: ")
    counted = total[2].partition(" node(s) didn't match Pod's node affinity/selector")
    return bool(total[0].isdecimal() and counted[1]) and counted[0] == total[0]
