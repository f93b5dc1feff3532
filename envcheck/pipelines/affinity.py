"""A driver -> the nodes that have it, by the labels of NVIDIA's GPU Feature Discovery.

Since 2024 it writes nvidia.com/cuda.driver-version.{major,minor,revision} (NVIDIA/k8s-device-plugin, pull request 620);
before, and to this day beside them, nvidia.com/cuda.driver.{major,minor,rev} (docs/gpu-feature-discovery there). A node
that has either is meant. Values are texts as the driver writes them: of 570.124.06 the revision is "06".
"""

from __future__ import annotations

from typing import Any

from envcheck.errors import UsageError

NEW = tuple(f"nvidia.com/cuda.driver-version.{part}" for part in ("major", "minor", "revision"))
OLD = tuple(f"nvidia.com/cuda.driver.{part}" for part in ("major", "minor", "rev"))


def affinity_of(driver: str) -> dict[str, Any]:
    """Node affinity for a branch or a version, component by component, as envcheck itself matches a driver."""
    terms = [{"matchExpressions": expressions(keys, driver)} for keys in (NEW, OLD)]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def expressions(keys: tuple[str, ...], driver: str) -> list[dict[str, Any]]:
    """One demand for each component that the driver names. Raises UsageError for more than there are labels."""
    parts = driver.split(".")
    if len(parts) > len(keys):
        raise UsageError(f"driver {driver}: no label of a node tells more than three components of a driver")
    return [{"key": key, "operator": "In", "values": [part]} for key, part in zip(keys, parts, strict=False)]
