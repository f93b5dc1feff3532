"""What holds for every payload: it is old Python, it imports nothing of envcheck, and it answers on any system."""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import envcheck.payload
from envcheck.facts import Container, Facts
from envcheck.probes.host import parse_facts
from envcheck.record import Unread

FILES = sorted(path for path in Path(envcheck.payload.__file__).parent.glob("*.py") if path.name != "__init__.py")
MODULES: dict[str, Any] = {
    name: importlib.import_module(f"envcheck.payload.{name}") for name in ("host", "container", "libraries")
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_payload_is_python_3_8_and_stands_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {getattr(node, "module", None) or node.names[0].name for node in imports}

    assert not [module for module in modules if module.startswith("envcheck")]


@pytest.mark.parametrize(
    ("message", "absent"),
    [
        ("libcuda.so.1: cannot open shared object file: No such file or directory", True),
        ("libcuda.so.1: cannot open shared object file: Permission denied", False),
        ("libnvidia-tls.so.570.1: cannot open shared object file: No such file or directory", False),
        ("/opt/libcuda.so.1: invalid ELF header", False),
    ],
)
def test_a_libcuda_is_absent_only_where_the_loader_says_so_of_itself(message: str, absent: bool) -> None:
    assert importlib.import_module("envcheck.payload.cudadriver").absent(message) is absent


def facts_here() -> Facts:
    """What the three payloads say, called in this process."""
    answers = [module.observe(dict(os.environ)) for module in MODULES.values()]
    facts = parse_facts(b"\n".join(json.dumps(answer).encode() for answer in answers))
    assert isinstance(facts, Facts), facts
    return facts


def test_the_payloads_answers_are_facts() -> None:
    assert facts_here().system.platform == sys.platform


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_on_another_system_nobody_could_look_for_linux_files(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for module in MODULES.values():
        monkeypatch.setattr(module, "LINUX", False)
        if hasattr(module, "NOT_LINUX"):
            monkeypatch.setattr(module, "NOT_LINUX", {"unread": f"looked at on Linux only; this is {platform}"})
    if platform == "win32":
        for name in ("uname", "geteuid", "getloadavg", "sched_getaffinity"):
            monkeypatch.delattr(os, name)
    monkeypatch.setenv("PROCESSOR_ARCHITECTURE", "AMD64")
    monkeypatch.setenv("USERNAME", "user")
    facts = facts_here()

    assert facts.system.platform == {"win32": "windows"}.get(platform, platform)
    assert all(isinstance(one, Unread) for one in (facts.driver.module, facts.driver.libraries, facts.devices))
    assert all(isinstance(one, Unread) for one in (facts.gl.vendors, facts.cuda.runtime, facts.resources.governor))
    assert facts.container == Container(runtime="")
    if platform == "win32":
        assert (facts.system.machine, facts.system.user) == ("AMD64", "user")
        assert isinstance(facts.resources.load, Unread)
