"""The workflow files that people copy: of the form that GitHub and GitLab take, and of commands that envcheck has."""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from envcheck.cli import envcheck

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "nightly"
SCHEMAS = {"github.yml": "github-workflows.json", "gitlab-ci.yml": "gitlab-ci.json"}
COMMAND = re.compile(r"(?<![\w/.-])(?:\.venv/bin/)?envcheck ((?:nightly|report|doctor|merge|history)\b[^#|>\n]*)")


def read(name: str) -> Any:
    """The file as YAML 1.2, in which `on` is a word."""
    return YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_workflow_has_the_form_that_its_service_takes(name: str) -> None:
    vendored = f"check_jsonschema/builtin_schemas/vendor/{SCHEMAS[name]}"  # a file; the package itself opens sockets
    path = Path(str(distribution("check-jsonschema").locate_file(vendored)))
    schema = json.loads(path.read_text(encoding="utf-8"))
    errors = [error.message for error in Draft7Validator(schema).iter_errors(read(name))]
    assert errors == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_workflow_calls_commands_that_envcheck_has(name: str) -> None:
    lines = COMMAND.findall((EXAMPLES / name).read_text(encoding="utf-8"))
    assert {line.split()[0] for line in lines} >= {"nightly", "report"}
    for line in lines:
        command, *arguments = [word.replace("$BUDGET", "240") for word in shlex.split(line)]
        context = click.Context(envcheck, info_name="envcheck", **envcheck.context_settings)
        found = envcheck.get_command(context, command)
        assert found is not None
        found.make_context(command, arguments, parent=context)


@pytest.mark.parametrize("name", SCHEMAS)
def test_history_lies_where_a_clean_working_copy_does_not_remove_it(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert "HISTORY: /var/lib/" in text
    assert "ENVCHECK_CACHE: /var/lib/" in text
