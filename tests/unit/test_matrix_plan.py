"""The plan: what is foreseen for each cell, and how it is shown."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from envcheck.errors import UsageError
from envcheck.matrix import PLAN_FORMATS, Matrix, PlanRule, classify, parse, plan_groups, planned_cells, render_plan
from envcheck.model import Axes, Foresight

MATRIX = parse(
    """\
version: 1
axes:
  python: ["3.11", "3.12"]
  mediapipe: ["1.0.0", "1.2.2"]
  driver: ["570", any]
exclude: [{when: {python: "3.12", driver: any}, because: not here}]
include: [{python: "3.13", mediapipe: "1.0.0"}]
tiers: {smoke: {mediapipe: latest, driver: any}}
expect: [{when: {mediapipe: "1.0.0"}, verdict: impossible, because: no GPU code}]
""",
    "matrix.yaml",
)


def no_gpu_code(axes: Axes) -> Foresight | None:
    if axes.mediapipe != "1.0.0":
        return None
    return Foresight(state="impossible", because="no GPU code", code="MPP401")


def no_driver(axes: Axes) -> Foresight | None:
    if axes.driver in (None, "any"):
        return None
    return Foresight(state="unreachable", because=f"no driver {axes.driver} here")


RULES = [PlanRule(("mediapipe",), no_gpu_code), PlanRule(("driver",), no_driver)]


def shown(
    form: str,
    matrix: Matrix = MATRIX,
    rules: list[PlanRule] = RULES,
    *,
    tier: str | None = None,
    expr: str | None = None,
) -> str:
    return "".join(render_plan(classify(matrix, rules, tier=tier, expr=expr), form))


def many_cells() -> Matrix:
    return Matrix(
        name="m",
        axes={
            "backend": ("venv",),
            "python": tuple(f"3.{minor}" for minor in range(10)),
            "mediapipe": ("1.0.0", *(f"1.2.{patch}" for patch in range(9))),
        },
    )


def many_pythons(count: int = 4001) -> Matrix:
    return Matrix(name="m", axes={"backend": ("venv",), "python": tuple(str(number) for number in range(count))})


def test_excludes_decide_first_then_the_first_rule_that_answers() -> None:
    states = {cell.id: (cell.state, cell.because, cell.code) for cell in planned_cells(classify(MATRIX, RULES))}

    assert states == {
        "venv-py3.11-mp1.0.0-r570": ("impossible", "no GPU code", "MPP401"),
        "venv-py3.11-mp1.0.0-rany": ("impossible", "no GPU code", "MPP401"),
        "venv-py3.11-mp1.2.2-r570": ("unreachable", "no driver 570 here", ""),
        "venv-py3.11-mp1.2.2-rany": ("reachable", "", ""),
        "venv-py3.12-mp1.0.0-r570": ("impossible", "no GPU code", "MPP401"),
        "venv-py3.12-mp1.0.0-rany": ("excluded", "not here", ""),
        "venv-py3.12-mp1.2.2-r570": ("unreachable", "no driver 570 here", ""),
        "venv-py3.12-mp1.2.2-rany": ("excluded", "not here", ""),
        "venv-py3.13-mp1.0.0": ("impossible", "no GPU code", "MPP401"),
    }


def test_the_order_of_the_rules_decides_also_where_a_later_rule_knows_earlier_in_the_walk() -> None:
    last_axis = PlanRule(("driver",), lambda _: Foresight(state="impossible", because="first"))
    first_axis = PlanRule(("python",), lambda _: Foresight(state="impossible", because="second"))

    assert {
        cell.because
        for cell in planned_cells(
            classify(MATRIX, [last_axis, first_axis]),
        )
    } == {
        "first",
        "not here",
    }


def test_a_rule_is_judged_once_per_combination_of_the_values_it_names_and_sees_no_other() -> None:
    asked: list[Axes] = []

    def judge(axes: Axes) -> None:
        asked.append(axes)

    assert shown("text", rules=[PlanRule(("python", "cuda", "driver"), judge)])
    assert Counter(asked) == {
        **{Axes("", python, driver=driver): 1 for python in ("3.11", "3.12") for driver in ("570", "any")},
        Axes("", "3.13"): 1,
    }


def test_a_rule_is_judged_few_times_on_a_large_matrix() -> None:
    asked: list[Axes] = []
    values = tuple(str(value) for value in range(10))
    matrix = Matrix(name="m", axes=dict.fromkeys(("backend", "python", "mediapipe", "cuda", "driver"), values))

    def judge(axes: Axes) -> Foresight | None:
        asked.append(axes)
        return Foresight(state="impossible") if axes.python == axes.driver else None

    groups = plan_groups(classify(matrix, [PlanRule(("driver", "python"), judge)]))

    assert {group.foresight.state: group.count for group in groups} == {"reachable": 90_000, "impossible": 10_000}
    assert len(asked) == 100


def test_a_rule_is_not_asked_about_values_that_are_not_selected() -> None:
    asked: list[str | None] = []

    def judge(axes: Axes) -> None:
        asked.append(axes.mediapipe)

    shown("text", rules=[PlanRule(("mediapipe",), judge)], expr="mediapipe==1.2.2")

    assert asked == ["1.2.2"]


def test_a_group_remembers_three_cells_from_blocks_of_any_size() -> None:
    def judge(axes: Axes) -> Foresight | None:
        return Foresight(state="impossible") if axes.python == "3.0" and axes.mediapipe != "1.0.0" else None

    reachable, impossible = plan_groups(classify(many_cells(), [PlanRule(("python", "mediapipe"), judge)]))

    assert (reachable.count, reachable.examples) == (
        91,
        ("venv-py3.0-mp1.0.0", "venv-py3.1-mp1.0.0", "venv-py3.1-mp1.2.0"),
    )
    assert (impossible.count, len(impossible.examples)) == (9, 3)


def test_a_rule_may_name_the_backend() -> None:
    rule = PlanRule(("backend",), lambda axes: Foresight(state="impossible", because=axes.backend))

    assert shown("text", rules=[rule], tier="smoke").startswith("impossible  venv-py3.11-mp1.2.2-rany  venv\n")


def test_a_plan_is_narrowed_like_a_selection_and_shows_excluded_cells_too() -> None:
    cells = list(planned_cells(classify(MATRIX, RULES, tier="smoke", expr="python>=3.11", backend="venv")))

    assert [(cell.id, cell.state) for cell in cells] == [
        ("venv-py3.11-mp1.2.2-rany", "reachable"),
        ("venv-py3.12-mp1.2.2-rany", "excluded"),
    ]


def test_text_lists_every_cell_with_its_reason_and_ends_in_the_summary() -> None:
    assert shown("text") == (
        "impossible   venv-py3.11-mp1.0.0-r570  no GPU code [MPP401]\n"
        "impossible   venv-py3.11-mp1.0.0-rany  no GPU code [MPP401]\n"
        "unreachable  venv-py3.11-mp1.2.2-r570  no driver 570 here\n"
        "reachable    venv-py3.11-mp1.2.2-rany\n"
        "impossible   venv-py3.12-mp1.0.0-r570  no GPU code [MPP401]\n"
        "excluded     venv-py3.12-mp1.0.0-rany  not here\n"
        "unreachable  venv-py3.12-mp1.2.2-r570  no driver 570 here\n"
        "excluded     venv-py3.12-mp1.2.2-rany  not here\n"
        "impossible   venv-py3.13-mp1.0.0       no GPU code [MPP401]\n"
        "\n"
        "9 cells: 1 reachable, 4 impossible, 2 unreachable, 2 excluded\n"
    )


def test_text_groups_more_than_sixty_cells_by_state_and_reason() -> None:
    assert shown("text", many_cells()) == (
        "reachable    90 cells\n"
        "    venv-py3.0-mp1.2.0\n"
        "    venv-py3.0-mp1.2.1\n"
        "    venv-py3.0-mp1.2.2\n"
        "    ... and 87 more\n"
        "\n"
        "impossible   10 cells  no GPU code [MPP401]\n"
        "    venv-py3.0-mp1.0.0\n"
        "    venv-py3.1-mp1.0.0\n"
        "    venv-py3.2-mp1.0.0\n"
        "    ... and 7 more\n"
        "\n"
        "100 cells: 90 reachable, 10 impossible\n"
    )


def test_text_shows_twenty_reasons_of_a_state_and_counts_the_rest() -> None:
    rule = PlanRule(
        ("python", "mediapipe"), lambda axes: Foresight(state="impossible", because=f"{axes.python} {axes.mediapipe}")
    )

    text = shown("text", many_cells(), [rule])

    assert text.count("impossible   1 cell  ") == 20
    assert "impossible   80 cells  for 80 further reasons; --format json lists every cell\n" in text
    assert text.endswith("100 cells: 100 impossible\n")


def test_text_of_an_empty_plan_is_its_count() -> None:
    assert shown("text", expr="mediapipe==9") == "0 cells\n"


def test_json_has_exactly_the_keys_of_the_contract() -> None:
    plan = json.loads(shown("json"))

    assert set(plan) == {"cells", "summary"}
    assert plan["cells"][0] == {
        "id": "venv-py3.11-mp1.0.0-r570",
        "axes": {"backend": "venv", "python": "3.11", "mediapipe": "1.0.0", "driver": "570"},
        "state": "impossible",
        "because": "no GPU code",
    }
    assert plan["cells"][-1]["axes"] == {"backend": "venv", "python": "3.13", "mediapipe": "1.0.0"}
    assert {frozenset(cell) for cell in plan["cells"]} == {frozenset({"id", "axes", "state", "because"})}
    assert plan["summary"] == {"reachable": 1, "impossible": 4, "unreachable": 2, "excluded": 2}


@pytest.mark.parametrize("count", [0, 1, 1999, 2000, 2001, 4000], ids=str)
def test_json_streamed_in_batches_is_one_document(count: int) -> None:
    plan = json.loads(shown("json", many_pythons(max(count, 1)), expr=None if count else "python==99"))

    assert len(plan["cells"]) == sum(plan["summary"].values()) == count


@pytest.mark.parametrize("form", PLAN_FORMATS)
@pytest.mark.parametrize("matrix", [MATRIX, many_cells(), many_pythons()], ids=["few", "many", "batches"])
def test_every_piece_of_every_format_ends_in_a_line_break(form: str, matrix: Matrix) -> None:
    pieces = list(render_plan(classify(matrix, RULES), form))

    assert all(piece.endswith("\n") for piece in pieces)


def test_formats_are_named_in_the_error_for_another() -> None:
    with pytest.raises(UsageError) as caught:
        shown("yaml")

    assert all(form in caught.value.remedy for form in PLAN_FORMATS)
