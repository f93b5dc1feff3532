"""RES6xx: what a measurement has to share. Remarks beside its result."""

from __future__ import annotations

from envcheck.facts import Resources
from envcheck.model import Status
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import facts_of, measured

BUSY_LOAD = 0.8
"""One-minute load per core from which on the machine counts as busy."""
BUSY_PRESSURE = 10.0
"""Percent of time in which some task waited for CPU or memory."""
SMALL_MEMORY = 2 << 30
"""MediaPipe, OpenCV and a GL driver take several hundred MiB; below this a second one will not fit."""
HOT = 90.0
SLOW_GOVERNORS = frozenset({"powersave", "conservative"})
THREADS = "https://github.com/google-ai-edge/mediapipe/issues/6151"
KERNEL_GOVERNORS = "https://docs.kernel.org/admin-guide/pm/cpufreq.html"


def resources_of(case: Case) -> Resources | None:
    """What the interpreter may use."""
    facts = facts_of(case)
    return facts.resources if facts else None


def number(value: object) -> float | None:
    """A measured value; None where nobody could look."""
    return float(value) if isinstance(value, (int, float)) else None


def allowed_cores(case: Case) -> float | None:
    """The cores that may be used, by affinity and quota."""
    resources = resources_of(case)
    if resources is None:
        return None
    known = [number(one) for one in (resources.cores, resources.quota_cores, case.evidence.host.cores)]
    return min((one for one in known if one is not None), default=None)


def few_cores(case: Case) -> str | None:
    """Fewer cores than the machine has."""
    resources, allowed = resources_of(case), allowed_cores(case)
    if resources is None or allowed is None:
        return None
    known = [number(one) for one in (resources.cores, resources.machine_cores, case.evidence.host.cores)]
    total = max((one for one in known if one is not None), default=allowed)
    if allowed >= total:
        return None
    quota = resources.quota_cores is not None and resources.quota_cores <= allowed
    return f"{allowed:g} of {total:g}, by {'a quota of the control group' if quota else 'affinity'}"


def busy(case: Case) -> str | None:
    """Load or pressure of other programs."""
    resources = resources_of(case)
    if resources is None:
        return None
    load, cores = number(resources.load), allowed_cores(case)
    seen = [f"load {load:.1f} on {cores:g} cores"] if load is not None and cores and load >= BUSY_LOAD * cores else []
    for name, value in (("CPU", number(resources.cpu_pressure)), ("memory", number(resources.memory_pressure))):
        seen += [f"{name} pressure {value:.0f}%"] if value is not None and value >= BUSY_PRESSURE else []
    return ", ".join(seen) or None


def little_memory(case: Case) -> str | None:
    """A small limit, or little left."""
    resources = resources_of(case)
    if resources is None:
        return None
    limit, left = resources.memory_limit, number(resources.memory_available)
    seen = [f"limit {limit / 2**30:.1f} GiB"] if limit is not None and limit < SMALL_MEMORY else []
    seen += [f"{left / 2**30:.1f} GiB available"] if left is not None and left < SMALL_MEMORY / 2 else []
    return ", ".join(seen) or None


def held_down(case: Case) -> str | None:
    """The CPU's governor or heat."""
    resources = resources_of(case)
    if resources is None:
        return None
    heat = number(resources.temperature)
    seen = [f"governor {resources.governor}"] if resources.governor in SLOW_GOVERNORS else []
    seen += [f"{heat:.0f} °C"] if heat is not None and heat >= HOT else []
    return ", ".join(seen) or None


RULES = (
    Rule(
        code="RES604",
        title="fewer cores than the machine has",
        see=few_cores,
        scope=measured,
        because="MediaPipe starts a thread per core that it sees; with fewer to run them on they wait for each other, and the "
        "CPU's times are not the machine's.",
        remedy="taskset -cp $$; cat /sys/fs/cgroup/cpu.max    # docker run --cpus, a pod's limits.cpu",
        url=THREADS,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="RES605",
        title="the machine is busy",
        see=busy,
        scope=measured,
        because="Other programs take turns with what is measured; the CPU's times suffer more than the GPU's.",
        remedy="top -o %CPU    # who it is; measure when it is done",
        url=THREADS,
        status=Status.UNKNOWN,
    ),
    Rule(
        code="RES606",
        title="memory is short",
        see=little_memory,
        scope=measured,
        because="A process that passes its limit is killed without a word of its own: the worker dies by SIGKILL.",
        remedy="free -h; cat /sys/fs/cgroup/memory.max    # docker run --memory, a pod's limits.memory",
        url="https://github.com/google-ai-edge/mediapipe/issues/6152",
        status=Status.UNKNOWN,
    ),
    Rule(
        code="RES607",
        title="the CPU is held down",
        see=held_down,
        scope=measured,
        because="Under this governor clocks follow the load, and heat lowers them: CPU times depend on what ran before.",
        remedy="sudo cpupower frequency-set -g performance    # while you measure",
        url=KERNEL_GOVERNORS,
        status=Status.UNKNOWN,
    ),
)


def disturbances(case: Case) -> tuple[str, ...]:
    """What may have spoilt times that were taken, in a few words each; of any verdict."""
    seen = ((rule, rule.see(case)) for rule in RULES)
    return tuple(f"{rule.code} {rule.title}: {what}" for rule, what in seen if isinstance(what, str))
