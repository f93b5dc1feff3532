"""Properties of the matrix on arbitrary input: no accident in the parser, and the same cells as by brute force."""

from __future__ import annotations

import copy
import itertools
import json
import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envcheck.errors import EnvcheckError, UsageError
from envcheck.matrix import (
    Exclude,
    Expect,
    Matrix,
    MatrixError,
    PlanRule,
    classify,
    count_selected,
    expand,
    load,
    parse,
    plan_groups,
    planned_cells,
    render_plan,
    select,
    why_nothing,
)
from envcheck.matrix.structure import schema
from envcheck.model import AXES, Axes, Foresight, Verdict, cell_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOUND: dict[str, Any] = {
    "version": 1,
    "axes": {
        "backend": ["venv", "docker"],
        "python": ["3.11", "3.12"],
        "mediapipe": ["0.10.7", "0.10.21", "1.2.2"],
        "cuda": ["12.8", "13.0"],
        "driver": ["570", "any"],
    },
    "zip": [["cuda", "driver"]],
    "exclude": [{"when": {"mediapipe": "<0.10.8"}, "because": "no GPU code"}],
    "include": [{"python": "3.13", "opencv": "4.10"}],
    "tiers": {"smoke": {"mediapipe": "latest", "driver": ["any", ">=570"]}, "all": {}},
    "expect": [{"when": {"cuda": ["13.0", "<12"]}, "verdict": "refused", "because": "no display"}],
    "workload": {"input": "portrait", "resolution": "640x480", "faces": 1, "mode": "video"},
    "gate": {"min_speedup": 1.0, "confidence": 0.95, "max_seconds": 60},
    "backends": {"docker": {"images": {"12.8": "cuda"}, "mirror": None}, "conda": {"channels": ["conda-forge"]}},
}
# Text without what YAML itself refuses (control characters, lone surrogates), which is tested elsewhere.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], max_codepoint=0xFFFF), max_size=12)
WORDS = st.sampled_from(
    [
        "venv",
        "conda",
        "3.11",
        "1.2.2",
        "any",
        "570",
        "latest",
        "<1",
        ">=0.10.8,<2",
        "=>1",
        "cuda",
        "driver",
        "python",
        "mediapipe",
        "refused",
        "640x480",
        "x",
        "",
        "1",
        "0.10.21",
        "when",
        "because",
        "version",
        "9999x1",
        "3.11\n",
    ]
)
NUMBERS = st.one_of(st.integers(-10, 10**20), st.floats(allow_nan=False, allow_infinity=False))
LEAVES = st.one_of(WORDS, TEXTS, NUMBERS, st.booleans(), st.none())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, TEXTS), inner, max_size=3)),
    max_leaves=6,
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(data, dict | list):
        for key, inner in data.items() if isinstance(data, dict) else enumerate(data):
            yield from places(inner, (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A sound matrix with one to three values replaced, removed or added."""
    data = copy.deepcopy(SOUND)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from([path for path in places(data) if path] or [("version",)]))
        container: Any = data
        for step in parents:
            container = container[step]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove" if last in container if isinstance(container, dict) else True:
                del container[last]
            case "add" if isinstance(container, list):
                container.append(draw(VALUES))
            case "add":
                container[draw(st.one_of(WORDS, TEXTS))] = draw(VALUES)
            case _:
                container[last] = draw(VALUES)
    return data


def problems_of(text: str) -> tuple[str, ...] | None:
    """The kinds of problem a text has; None where it is a matrix. Anything but a MatrixError fails the test."""
    try:
        parse(text, "matrix.yaml")
    except MatrixError as caught:
        error = caught
    else:
        return None
    assert str(error).startswith("matrix.yaml")
    assert error.problems or "\n" not in str(error)
    return tuple(problem.kind for problem in error.problems)


@given(st.one_of(st.text(max_size=200), st.text(alphabet="[]{}:,-?*&!|>'\"#%@` \n\tab1.~", max_size=200)))
def test_any_text_is_a_matrix_or_a_matrix_error(text: str) -> None:
    problems_of(text)


@given(
    st.lists(
        st.tuples(st.integers(0, 700), st.sampled_from(list("[]{}:,-&*!'\"\n\t #x1")), st.integers(0, 3)), max_size=6
    )
)
def test_a_damaged_file_is_a_matrix_or_a_matrix_error(damage: list[tuple[int, str, int]]) -> None:
    text = (Path(__file__).parents[2] / "matrix.yaml").read_text(encoding="utf-8")[-1200:]
    for at, what, removed in damage:
        text = text[:at] + what + text[at + removed :]

    problems_of("version: 1\n" + text)


@given(data=st.binary(max_size=100))
def test_any_bytes_are_a_matrix_or_an_envcheck_error(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)

    with pytest.raises(EnvcheckError):
        load(path)


@settings(max_examples=300)
@given(mutated())
def test_schema_and_parser_agree(data: Any) -> None:
    """What the schema refuses is refused; what it accepts is refused for its meaning only."""
    sound = Draft202012Validator(schema()).is_valid(data)

    kinds = problems_of(json.dumps(data))

    if sound:
        assert kinds is None or set(kinds) == {"meaning"}
    else:
        assert kinds is not None
        assert "structure" in kinds


def test_the_document_that_is_mutated_is_sound() -> None:
    assert problems_of(json.dumps(SOUND)) is None


# --- brute force ------------------------------------------------------------------------------------------------

POOL = {
    "backend": ["venv", "docker", "conda"],
    "python": ["3.9", "3.10", "3.11"],
    "mediapipe": ["0.10.9", "0.10.21", "1.0.0", "1.2.2"],
    "cuda": ["11.8", "12.8", "13.0"],
    "driver": ["any", "470", "570", "570.124.06"],
    "opencv": ["4.9", "4.10"],
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
VERSIONED = ("python", "mediapipe", "cuda")


@st.composite
def conditions(draw: st.DrawFn, axis: str) -> str:
    value = draw(st.sampled_from(POOL[axis]))
    if axis in VERSIONED:
        return draw(st.sampled_from(["", *OPERATORS])) + value
    if axis == "driver" and value.isdecimal():
        return draw(st.sampled_from(["", *OPERATORS])) + value
    return value


@st.composite
def whens(draw: st.DrawFn, axes: list[str]) -> dict[str, tuple[str, ...]]:
    chosen = draw(st.lists(st.sampled_from(axes), unique=True, max_size=3))
    return {axis: tuple(draw(st.lists(conditions(axis), min_size=1, max_size=2))) for axis in chosen}


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Small matrices, zipped ones too, with entries that need not match anything."""
    axes = ["backend", *draw(st.lists(st.sampled_from(AXES[1:]), unique=True, max_size=3))]
    values = {axis: draw(st.lists(st.sampled_from(POOL[axis]), unique=True, min_size=1, max_size=3)) for axis in axes}
    zipped: tuple[tuple[str, ...], ...] = ()
    if len(axes) > 2 and draw(st.booleans()):
        zipped = (tuple(draw(st.permutations(axes[1:]))[:2]),)
        shortest = min(len(values[axis]) for axis in zipped[0])
        values |= {axis: values[axis][:shortest] for axis in zipped[0]}
    entries = draw(st.lists(whens(axes), max_size=3))
    return Matrix(
        name="matrix.yaml",
        axes={axis: tuple(values[axis]) for axis in AXES if axis in values},
        zip=zipped,
        exclude=tuple(Exclude(when, f"reason {number}") for number, when in enumerate(entries)),
        include=tuple(draw(st.lists(st.builds(Axes, backend=st.just("remote"), cuda=st.sampled_from(POOL["cuda"]))))),
        expect=tuple(Expect(when, Verdict.REFUSED, f"{n}") for n, when in enumerate(draw(st.lists(whens(axes))))),
        tiers={"t": draw(whens(axes))},
    )


def meets(axis: str, condition: str, value: str | None) -> bool:
    """The plain meaning of a condition."""
    if value is None:
        return False
    name = next((name for name in sorted(OPERATORS, key=len, reverse=True) if condition.startswith(name)), "")
    operand = condition[len(name) :]
    if axis in VERSIONED:
        return SpecifierSet(condition if name else f"=={condition}").contains(Version(value), prereleases=True)
    if axis == "driver" and name:
        return value != "any" and OPERATORS[name](int(value.split(".")[0]), int(operand))
    return value == condition


def holds(when: Any, axes: Axes) -> bool:
    return all(any(meets(axis, each, getattr(axes, axis)) for each in given) for axis, given in when.items())


def points(matrix: Matrix) -> list[tuple[Axes, str | None]]:
    """Every point by brute force, in no particular order."""
    found = []
    for row in itertools.product(*matrix.axes.values()):
        values = dict(zip(matrix.axes, row, strict=True))
        if all(len({matrix.axes[axis].index(values[axis]) for axis in group}) == 1 for group in matrix.zip):
            axes = Axes(**values)
            found.append((axes, next((e.because for e in matrix.exclude if holds(e.when, axes)), None)))
    return [*found, *((axes, None) for axes in matrix.include)]


def by_text(items: Any) -> list[Any]:
    return sorted(items, key=str)


@given(matrices())
def test_expand_agrees_with_brute_force(matrix: Matrix) -> None:
    assert by_text(expand(matrix)) == by_text(points(matrix))


@given(matrices())
def test_select_and_its_count_agree_with_brute_force(matrix: Matrix) -> None:
    kept = [axes for axes, because in points(matrix) if because is None]

    cells = list(select(matrix))

    assert by_text(cell.axes for cell in cells) == by_text(kept)
    assert count_selected(matrix) == len(kept)
    assert all(cell.id == cell_id(cell.axes) for cell in cells)
    for cell in cells:
        matching = [entry.because for entry in matrix.expect if holds(entry.when, cell.axes)]
        assert cell.expected.because == (matching[-1] if matching else "")


@given(matrices(), st.data())
def test_selecting_is_filtering(matrix: Matrix, data: st.DataObject) -> None:
    branches = data.draw(st.lists(whens(list(matrix.axes)).filter(bool), min_size=1, max_size=3))
    # An expression has one condition per axis and alternative.
    branches = [{axis: given[:1] for axis, given in when.items()} for when in branches]
    expr = ";".join(
        ",".join(f"{axis}{'' if given[0][0] in '<>=!' else '=='}{given[0]}" for axis, given in when.items())
        for when in branches
    )
    plain = [
        {
            axis: tuple(f"=={each}" if axis == "driver" and each.isdecimal() else each for each in given)
            for axis, given in when.items()
        }
        for when in branches
    ]
    expected = [
        cell
        for cell in select(matrix)
        if holds(matrix.tiers["t"], cell.axes) and any(holds(when, cell.axes) for when in plain)
    ]
    if not any("==570.124.06" in part for part in expr.split(",")):
        assert list(select(matrix, tier="t", expr=expr)) == expected
        assert count_selected(matrix, tier="t", expr=expr) == len(expected)
        assert bool(why_nothing(matrix, tier="t", expr=expr)) == (not expected)


@given(matrices())
def test_every_cell_is_selected_by_its_id(matrix: Matrix) -> None:
    for cell in select(matrix):
        if cell.axes.backend != "remote":
            assert list(select(matrix, expr=cell.id)) == [cell]


@given(matrices(), st.text(max_size=30))
def test_any_expression_selects_or_is_a_usage_error(matrix: Matrix, expr: str) -> None:
    try:
        cells = list(select(matrix, expr=expr))
    except UsageError:
        return
    assert bool(why_nothing(matrix, expr=expr)) == (not cells)


def foreseen(axes: tuple[str, ...], refused: frozenset[tuple[str | None, ...]], name: str) -> PlanRule:
    """A rule that speaks of some combinations of its axes."""

    def judge(point: Axes) -> Foresight | None:
        key = tuple(getattr(point, axis) for axis in axes)
        return Foresight(state="impossible", because=f"{name} {key}") if key in refused else None

    return PlanRule(axes, judge)


@st.composite
def rules(draw: st.DrawFn) -> list[PlanRule]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        axes = tuple(draw(st.lists(st.sampled_from(AXES), unique=True, max_size=3)))
        combinations = [tuple(row) for row in itertools.product(*([*POOL[axis], None] for axis in axes))]
        made.append(foreseen(axes, frozenset(draw(st.lists(st.sampled_from(combinations), max_size=8))), f"{number}"))
    return made


@given(matrices(), rules())
def test_a_plan_agrees_with_judging_every_cell(matrix: Matrix, knowledge: list[PlanRule]) -> None:
    expected = {}
    for axes, because in points(matrix):
        answers = (rule.judge(axes) for rule in knowledge)
        answer = next((found for found in answers if found is not None), Foresight(state="reachable"))
        expected[axes] = ("excluded", because) if because else (answer.state, answer.because)
    plan = classify(matrix, knowledge)

    cells = list(planned_cells(plan))

    assert {cell.axes: (cell.state, cell.because) for cell in cells} == expected
    assert [cell.id for cell in cells] == [cell_id(cell.axes) for cell in cells]
    assert sum(group.count for group in plan_groups(plan)) == len(cells) == len(points(matrix))
    document = json.loads("".join(render_plan(plan, "json")))
    assert [each["id"] for each in document["cells"]] == [cell.id for cell in cells]
    assert sum(document["summary"].values()) == len(cells)
