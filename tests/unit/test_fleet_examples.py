"""The workflow files and manifests of a fleet that people copy: of the form that each service takes."""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

EXAMPLES = Path(__file__).parents[2] / "examples" / "fleet"
SCHEMAS = {"github.yml": "github-workflows.json", "gitlab-ci.yml": "gitlab-ci.json"}
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def read(name: str) -> list[Any]:
    """The documents of a file as YAML 1.2, in which `on` is a word."""
    return list(YAML(typ="safe", pure=True).load_all((EXAMPLES / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_workflow_has_the_form_that_its_service_takes(name: str) -> None:
    vendored = f"check_jsonschema/builtin_schemas/vendor/{SCHEMAS[name]}"  # a file; the package itself opens sockets
    path = Path(str(distribution("check-jsonschema").locate_file(vendored)))
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert [error.message for error in Draft7Validator(schema).iter_errors(read(name)[0])] == []


def test_nothing_that_varies_is_written_into_a_script() -> None:
    """What a caller or a matrix names reaches a shell through variables alone; so do secrets."""
    (workflow,) = read("github.yml")
    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(scripts) == 7
    assert not [script for script in scripts if EXPRESSION.search(script)]


def test_a_secret_is_in_the_environment_of_the_steps_that_need_it_and_of_no_other() -> None:
    (workflow,) = read("github.yml")
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["name"] for step in steps if "secrets." in json.dumps(step)] == ["Validate", "Merge"]
    assert "secrets." not in json.dumps(workflow["env"])
    assert not [name for name, job in workflow["jobs"].items() if "secrets." in json.dumps(job.get("env", {}))]


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_the_namespace_and_its_volume_have_the_form_that_kubernetes_publishes(version: str) -> None:
    for manifest in read("kubernetes/namespace.yaml"):
        kubernetes_validate.validate(manifest, version, strict=True)
