"""The matrix: a file of axes, exclusions, tiers and expectations; the cells it means; what is foreseen for each.

`load` or `parse` a Matrix; `select` the cells to run, `expand` all points; `classify` and `render_plan` show what is
foreseen. Everything streams: a matrix of a million cells is counted, selected from and planned without building them.
"""

from envcheck.matrix.loading import default, load, text_of
from envcheck.matrix.parser import parse
from envcheck.matrix.plan import (
    STATES,
    Plan,
    PlanGroup,
    PlannedCell,
    classify,
    plan_groups,
    planned_cells,
    summary,
)
from envcheck.matrix.problems import MatrixError, Problem
from envcheck.matrix.query import SELECT_GRAMMAR
from envcheck.matrix.records import Backends, Conda, Docker, Exclude, Expect, Matrix
from envcheck.matrix.rendering import PLAN_FORMATS, render_plan
from envcheck.matrix.rules import PlanRule
from envcheck.matrix.selection import count_selected, expand, select, why_nothing

__all__ = [
    "PLAN_FORMATS",
    "SELECT_GRAMMAR",
    "STATES",
    "Backends",
    "Conda",
    "Docker",
    "Exclude",
    "Expect",
    "Matrix",
    "MatrixError",
    "Plan",
    "PlanGroup",
    "PlanRule",
    "PlannedCell",
    "Problem",
    "classify",
    "count_selected",
    "default",
    "expand",
    "load",
    "parse",
    "plan_groups",
    "planned_cells",
    "render_plan",
    "select",
    "summary",
    "text_of",
    "why_nothing",
]
