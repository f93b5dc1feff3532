"""Cells -> what an engine that exists places on its machines: a matrix of jobs, a child pipeline, manifests."""

from envcheck.pipelines.jobs import Fleet, FleetCell, Job, fleet_of
from envcheck.pipelines.runners import Runners

__all__ = ["Fleet", "FleetCell", "Job", "Runners", "fleet_of"]
