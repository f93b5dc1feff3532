"""Cells of a matrix: expanded, counted and selected, lazily."""

from __future__ import annotations

from itertools import islice

import pytest

from envcheck.errors import UsageError
from envcheck.matrix import Matrix, count_selected, expand, parse, select, why_nothing
from envcheck.model import Axes, Expectation, Verdict, cell_id

TEXT = """\
version: 1
axes:
  backend:   [venv, docker]
  mediapipe: ["0.10.7", "0.10.21", "1.2.2"]
  cuda:      ["12.8", "13.0"]
  driver:    ["570", any]
exclude:
  - {when: {mediapipe: "<0.10.8"}, because: no GPU code}
  - {when: {cuda: ">=13", driver: "<580"}, because: driver too old}
  - {when: {backend: docker, mediapipe: ["0.10.7", "0.10.21"]}, because: no image}
include:
  - {python: "3.13", mediapipe: "1.3.0"}
tiers:
  smoke: {backend: venv, mediapipe: latest, cuda: latest, driver: any}
  old: {mediapipe: [oldest, "0.10.21"]}
expect:
  - {when: {}, verdict: refused, because: general}
  - {when: {mediapipe: "1.2.2", driver: any}, verdict: emulated, because: special}
"""
MATRIX = parse(TEXT, "matrix.yaml")


def ids(**asked: str) -> list[str]:
    cells = list(select(MATRIX, **{"tier": None, "expr": None, "backend": None, **asked}))
    assert count_selected(MATRIX, **{"tier": None, "expr": None, "backend": None, **asked}) == len(cells)
    assert all(cell.id == cell_id(cell.axes) for cell in cells)
    return [cell.id for cell in cells]


def test_expand_yields_every_point_with_the_reason_of_the_first_exclude_that_matches() -> None:
    points = list(expand(MATRIX))

    assert len(points) == 2 * 3 * 2 * 2 + 1
    assert points[0] == (Axes("venv", None, "0.10.7", "12.8", "570"), "no GPU code")
    assert dict(points)[Axes("docker", None, "0.10.7", "13.0", "570")] == "no GPU code"
    assert dict(points)[Axes("docker", None, "0.10.21", "13.0", "570")] == "driver too old"
    assert dict(points)[Axes("docker", None, "0.10.21", "13.0", "any")] == "no image"
    assert points[-1] == (Axes("venv", "3.13", "1.3.0"), None)


def test_select_without_demands_yields_what_is_not_excluded() -> None:
    assert ids() == [
        "venv-mp0.10.21-cu12.8-r570",
        "venv-mp0.10.21-cu12.8-rany",
        "venv-mp0.10.21-cu13.0-rany",
        "venv-mp1.2.2-cu12.8-r570",
        "venv-mp1.2.2-cu12.8-rany",
        "venv-mp1.2.2-cu13.0-rany",
        "docker-mp1.2.2-cu12.8-r570",
        "docker-mp1.2.2-cu12.8-rany",
        "docker-mp1.2.2-cu13.0-rany",
        "venv-py3.13-mp1.3.0",
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"tier": "smoke"}, ["venv-mp1.2.2-cu13.0-rany"], id="latest-is-of-the-axis"),
        pytest.param({"tier": "old", "backend": "docker"}, [], id="excluded"),
        pytest.param({"tier": "old", "expr": "cuda==13.0"}, ["venv-mp0.10.21-cu13.0-rany"], id="tier-and-select"),
        pytest.param({"expr": "venv-mp1.2.2-cu12.8-r570"}, ["venv-mp1.2.2-cu12.8-r570"], id="cell-id"),
        pytest.param({"expr": "venv-py3.13-mp1.3.0"}, ["venv-py3.13-mp1.3.0"], id="id-of-a-single-cell"),
        pytest.param({"expr": "venv-mp1.3.0"}, [], id="an-id-names-every-axis"),
        pytest.param({"expr": "python>=3.10"}, ["venv-py3.13-mp1.3.0"], id="axis-of-a-single-cell"),
        pytest.param({"expr": "mediapipe==1.3.0"}, ["venv-py3.13-mp1.3.0"], id="value-of-a-single-cell"),
        pytest.param(
            {"expr": " mediapipe == latest , driver == 570 "},
            ["venv-mp1.2.2-cu12.8-r570", "docker-mp1.2.2-cu12.8-r570"],
            id="blanks",
        ),
        pytest.param(
            {"expr": "mediapipe>0.10.7,<1,driver==any"},
            ["venv-mp0.10.21-cu12.8-rany", "venv-mp0.10.21-cu13.0-rany"],
            id="further-bound",
        ),
        pytest.param(
            {"expr": "python==3.13|backend!=venv,driver!=any;venv-mp1.2.2-cu13.0-rany"},
            ["venv-mp1.2.2-cu13.0-rany", "docker-mp1.2.2-cu12.8-r570", "venv-py3.13-mp1.3.0"],
            id="alternatives-in-the-order-of-the-matrix",
        ),
        pytest.param(
            {"expr": "cuda==13.0;driver==any,cuda==13.0", "backend": "docker"},
            ["docker-mp1.2.2-cu13.0-rany"],
            id="no-cell-twice",
        ),
    ],
)
def test_demands_narrow_the_cells(asked: dict[str, str], expected: list[str]) -> None:
    assert ids(**asked) == expected


def test_the_last_expectation_that_matches_holds() -> None:
    expected = {cell.id: cell.expected for cell in select(MATRIX)}

    assert expected["venv-mp1.2.2-cu12.8-rany"] == Expectation(Verdict.EMULATED, "special")
    assert expected["venv-mp1.2.2-cu12.8-r570"] == Expectation(Verdict.REFUSED, "general")
    assert expected["venv-py3.13-mp1.3.0"] == Expectation(Verdict.REFUSED, "general")


def test_without_expectations_every_cell_is_to_be_accelerated() -> None:
    matrix = parse('version: 1\naxes: {mediapipe: ["1.2.2"]}', "matrix.yaml")

    assert [cell.expected for cell in select(matrix)] == [Expectation()]


def test_zipped_axes_move_together_and_ids_keep_the_order_of_the_axes() -> None:
    matrix = parse(
        'version: 1\naxes: {python: ["3.11"], cuda: ["12.8", "13.0"], driver: ["570", "580"], mediapipe: ["1", "2"]}\n'
        "zip: [[driver, mediapipe]]\n",
        "matrix.yaml",
    )

    assert [cell.id for cell in select(matrix)] == [
        "venv-py3.11-mp1-cu12.8-r570",
        "venv-py3.11-mp1-cu13.0-r570",
        "venv-py3.11-mp2-cu12.8-r580",
        "venv-py3.11-mp2-cu13.0-r580",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"tier": "smok"}, "no tier 'smok' in matrix.yaml; did you mean smoke?", id="tier"),
        pytest.param({"tier": "x"}, "no tier 'x' in matrix.yaml; known are: smoke, old", id="tier-list"),
        pytest.param({"backend": "podman"}, "no backend 'podman'; known are: venv, docker, conda", id="backend"),
        pytest.param({"expr": ""}, "there is nothing to match", id="empty"),
        pytest.param({"expr": "cuda==13.0;"}, "one of the alternatives is empty", id="empty-alternative"),
        pytest.param({"expr": "cuda=13.0"}, "'cuda=13.0' is not AXIS OPERATOR VALUE; write == for equality", id="="),
        pytest.param({"expr": "cuda=="}, "'cuda==' is not AXIS OPERATOR VALUE", id="no-value"),
        pytest.param({"expr": "cuda==13.0,mediapipe"}, "'mediapipe' is not AXIS OPERATOR VALUE", id="no-operator"),
        pytest.param({"expr": "mediapip==1"}, "'mediapip' is no axis; did you mean mediapipe?", id="axis"),
        pytest.param({"expr": "==1"}, "'==1' is no axis", id="no-axis"),
        pytest.param({"expr": "opencv==4.9"}, "this matrix has no opencv axis", id="undeclared-axis"),
        pytest.param({"expr": "mediapipe==one"}, '"==one" is neither a version', id="version"),
        pytest.param({"expr": "mediapipe>=latest"}, '">=latest" is neither a version', id="order-of-latest"),
        pytest.param({"expr": "backend>=venv"}, "backend values have no order", id="order"),
        pytest.param({"expr": "driver<any"}, "drivers are compared by branch", id="driver"),
        pytest.param({"expr": "vnev-mp1.2.2"}, "'vnev-mp1.2.2' is neither a cell id nor a condition", id="id"),
        pytest.param({"expr": "venv-mp1.2.2-py3.11"}, "is neither a cell id nor a condition", id="id-order"),
        pytest.param({"expr": "venv-"}, "'venv-' is neither a cell id nor a condition", id="id-piece"),
    ],
)
def test_a_bad_demand_is_a_usage_error_at_once(asked: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(MATRIX, **asked)  # not iterated

    assert said in str(caught.value)
    assert caught.value.remedy
    if "expr" in asked:
        assert "mediapipe==1.2.2,backend==venv" in caught.value.remedy
        assert "mediapipe: 0.10.7, 0.10.21, 1.2.2" in caught.value.remedy


def test_a_matrix_without_tiers_says_so() -> None:
    with pytest.raises(UsageError) as caught:
        select(parse('version: 1\naxes: {cuda: ["1"]}', "matrix.yaml"), tier="smoke")

    assert "it has no tiers" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(
            {"expr": "mediapipe==9.9"},
            "--select asks for mediapipe ==9.9; the matrix has 0.10.7, 0.10.21, 1.2.2, 1.3.0",
            id="value",
        ),
        pytest.param(
            {"backend": "conda"}, "--backend asks for backend conda; the matrix has venv, docker", id="backend"
        ),
        pytest.param(
            {"tier": "smoke", "expr": "mediapipe<1"},
            "no mediapipe is left: tier smoke asks for mediapipe latest, and --select asks for mediapipe <1",
            id="two-demands-on-an-axis",
        ),
        pytest.param(
            {"expr": "mediapipe==0.10.21", "backend": "docker"},
            "every cell left is excluded: driver too old; no image",
            id="excluded",
        ),
        pytest.param(
            {"expr": "python==3.13,cuda==12.8"}, "no cell has all of python ==3.13, cuda ==12.8", id="single-cell"
        ),
        pytest.param(
            {"expr": "venv-mp9-cu12.8-r570"}, "--select asks for mediapipe 9; the matrix has 0.10.7", id="id-value"
        ),
        pytest.param(
            {"expr": "venv-mp1.2.2-cu12.8-r570-cv4.9"},
            "--select asks for opencv 4.9; the matrix has no opencv axis",
            id="id-axis",
        ),
        pytest.param(
            {"expr": "mediapipe==9.9;cuda==1"},
            "--select asks for mediapipe ==9.9; the matrix has 0.10.7, 0.10.21, 1.2.2, 1.3.0; "
            "--select asks for cuda ==1; the matrix has 12.8, 13.0",
            id="alternatives",
        ),
        pytest.param({"tier": "smoke"}, "", id="something"),
    ],
)
def test_why_nothing_names_the_demand_that_left_no_cell(asked: dict[str, str], said: str) -> None:
    assert why_nothing(MATRIX, **asked).startswith(said)
    assert bool(why_nothing(MATRIX, **asked)) == (count_selected(MATRIX, **asked) == 0)


def test_a_zip_that_rules_everything_out_is_named() -> None:
    matrix = parse(
        'version: 1\naxes: {cuda: ["12.8", "13.0"], driver: ["570", "580"]}\nzip: [[cuda, driver]]', "matrix.yaml"
    )

    assert (
        why_nothing(matrix, expr="cuda==13.0,driver==570") == "zip never brings together cuda ==13.0 and driver ==570"
    )


def test_a_matrix_of_a_trillion_cells_is_counted_and_selected_from_without_building_them() -> None:
    values = tuple(str(value) for value in range(100))
    matrix = Matrix(
        name="huge",
        axes=dict.fromkeys(("backend", "python", "mediapipe", "cuda", "driver", "opencv"), values),
        tiers={"one": {"python": ("latest",), "mediapipe": ("latest",), "cuda": ("latest",), "driver": ("latest",)}},
    )

    assert count_selected(matrix) == 100**6
    assert count_selected(matrix, expr="mediapipe==50,driver>=90;cuda==1") == 10**10 + 10**9 - 10**7
    assert len(list(islice(expand(matrix), 5))) == 5
    assert sum(1 for _ in select(matrix, tier="one")) == 10_000
