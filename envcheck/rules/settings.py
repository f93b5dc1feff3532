"""MPP420: variables that are thought to choose MediaPipe's device."""

from __future__ import annotations

from envcheck.invented import GPU_SUPPORT, INVENTED, WHY_INVENTED
from envcheck.model import Status
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import facts_of


def invented(case: Case) -> str | None:
    """Those that are set where MediaPipe runs."""
    facts = facts_of(case)
    variables = facts.gl.variables if facts else {}
    return ", ".join(f"{name}={value}" for name, value in variables.items() if INVENTED.fullmatch(name)) or None


RULES = (
    Rule(
        code="MPP420",
        title="a setting that MediaPipe does not have",
        see=invented,
        because=WHY_INVENTED,
        remedy="BaseOptions(..., delegate=BaseOptions.Delegate.GPU)    # in the code; the variable may go",
        url=GPU_SUPPORT,
        status=Status.UNKNOWN,
    ),
)
