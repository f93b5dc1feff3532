"""docs/matrix.md, matrix.yaml and the schema say what the code does."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from envcheck.matrix import Matrix, MatrixError, count_selected, load, parse, select
from envcheck.matrix.structure import schema
from envcheck.model import AXES, GATE, Gate, Verdict, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "matrix.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(yaml|text)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
WHOLE = BLOCKS[0][1]
REFUSED = [(first, then) for (_, first), (kind, then) in itertools.pairwise(BLOCKS) if kind == "text"]
FRAGMENTS = [text for kind, text in BLOCKS if kind == "yaml" and "version:" not in text]
SELECTIONS = re.findall(r"^\| `([^`]+)` \| (\d+) \|$", PAGE, re.MULTILINE)


def data_of(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def objects(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the schema that describes a value a user writes."""
    if isinstance(node, dict):
        for key, inner in node.get("properties", {}).items():
            yield f"{path}.{key}", inner
            yield from objects(inner, f"{path}.{key}")
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                yield from objects(node[key], f"{path}[]")


def test_the_page_has_examples_of_each_kind() -> None:
    assert (len(REFUSED), len(FRAGMENTS), len(SELECTIONS)) == (2, 3, 7)


def test_the_whole_example_is_a_matrix_of_as_many_cells_as_the_page_says() -> None:
    matrix = parse(WHOLE, "matrix.yaml")

    assert "2 × 2 × 5 × 2 × 3 = 120 points" in PAGE
    assert [len(values) for values in matrix.axes.values()] == [2, 2, 5, 2, 3]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda text: text.split(":")[0])
def test_a_fragment_fits_into_the_whole_example(fragment: str) -> None:
    matrix = parse(json.dumps({**data_of(WHOLE), **data_of(fragment)}), "matrix.yaml")

    assert count_selected(matrix) > 0


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=["shape", "reach"])
def test_a_wrong_example_is_refused_in_the_words_of_the_page(text: str, said: str) -> None:
    with pytest.raises(MatrixError) as caught:
        parse(text, "matrix.yaml")

    assert str(caught.value) == said.rstrip("\n")


@pytest.mark.parametrize(("expression", "cells"), SELECTIONS, ids=lambda text: text)
def test_a_selection_of_the_page_selects_as_many_cells_as_it_says(expression: str, cells: str) -> None:
    assert count_selected(parse(WHOLE, "matrix.yaml"), expr=expression.replace("\\|", "|")) == int(cells)


def test_the_page_names_every_key_and_verdict() -> None:
    keys = {path.rpartition(".")[2] for path, _ in objects(schema())}

    assert {name for name in (*keys, *(verdict.value for verdict in Verdict)) if name not in PAGE} == set()


def test_the_projects_own_matrix_is_sound_and_smoke_is_one_quick_cell() -> None:
    matrix = load(ROOT / "matrix.yaml")

    assert [cell.id for cell in select(matrix, tier="smoke")] == ["venv-py3.11-mp1.2.3"]
    assert set(matrix.tiers) == {"smoke", "pr", "nightly", "release"}
    assert matrix.expect == ()


def test_the_schema_is_one_and_describes_every_value() -> None:
    Draft202012Validator.check_schema(schema())

    assert [path for path, inner in objects(schema()) if "description" not in inner] == []


def test_the_schema_names_what_the_model_knows() -> None:
    properties = schema()["properties"]

    assert tuple(properties["axes"]["properties"]) == AXES
    assert tuple(schema()["$defs"]["when"]["properties"]) == AXES
    assert schema()["$defs"]["axis"]["enum"] == list(AXES)
    assert properties["expect"]["items"]["properties"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]


def test_the_defaults_of_the_schema_are_those_of_the_model() -> None:
    properties = schema()["properties"]
    workload = {key: inner["default"] for key, inner in properties["workload"]["properties"].items()}
    gate = {key: inner["default"] for key, inner in properties["gate"]["properties"].items()}

    assert Workload(**workload) == Workload()
    assert Gate(**gate) == GATE
    assert set(workload) == set(Workload.__struct_fields__)
    assert set(gate) == set(Gate.__struct_fields__)
    channels = properties["backends"]["properties"]["conda"]["properties"]["channels"]["default"]
    assert tuple(channels) == Matrix(name="", axes={}).backends.conda.channels
