"""`envcheck lint` as a user runs it: files, folders, standard input, formats, exit codes; and as a pre-commit hook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.conftest import environment
from tests.inprocess import ended
from tests.waiting import HANG_S

ROOT = Path(__file__).parents[2]
BAD = "import mediapipe as mp\nmesh = mp.solutions.face_mesh.FaceMesh(model_selection=1)\n"
REMARK = "import mediapipe as mp\nhands = mp.solutions.hands.Hands()\n"
GOOD = "print('hello')\n"

Lint = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return ended("lint", *arguments, cwd=tmp_path, stdin=stdin)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Lint:
    def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "envcheck", "lint", *arguments],
            cwd=tmp_path, env=environment(env or {}), capture_output=True, text=True, check=False, timeout=HANG_S,
        )  # fmt: skip

    return run


def test_findings_end_in_1_with_place_code_and_way_out(process: Lint, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BAD)
    ran = process("app.py")

    assert ran.returncode == 1
    assert "app.py:2:8: SRC801 " in ran.stdout
    assert "app.py:2:40: SRC803 " in ran.stdout
    assert "    fix: from mediapipe.tasks.python import BaseOptions, vision" in ran.stdout
    assert ran.stdout.endswith("1 file, 2 findings, 0 remarks\n")
    assert ran.stderr == ""


def test_clean_files_and_mere_remarks_end_in_0(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "remark.py").write_text(REMARK)

    assert lint("good.py").returncode == 0
    ran = lint("remark.py")
    assert ran.returncode == 0
    assert "remark.py:2:9: SRC802 remark: " in ran.stdout


def test_folders_are_searched_but_not_what_others_put_there(lint: Lint, tmp_path: Path) -> None:
    for place in ("a.py", "sub/b.py", ".git/c.py", "env/lib/d.py", "sub/__pycache__/e.py", "notes.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(BAD)
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    notebook = {"cells": [{"cell_type": "code", "source": "!pip install mediapipe\n" + BAD}], "nbformat": 4}
    (tmp_path / "sub" / "n.ipynb").write_text(json.dumps(notebook))
    ran = lint(".", "a.py", "--select", "SRC801")

    assert [line.split(": ")[0] for line in ran.stdout.splitlines() if "SRC801" in line] == [
        "a.py:2:8", "sub/b.py:2:8", "sub/n.ipynb:cell 1:3:8",
    ]  # fmt: skip


def test_a_named_file_is_read_whatever_it_is_called(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/usr/bin/env python3\n" + BAD)

    assert "script:3:8: SRC801" in lint("script").stdout


def test_standard_input_is_read(lint: Lint) -> None:
    assert "-:2:8: SRC801" in lint("-", stdin=BAD).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("missing.py",), 2, "there is no missing.py"),
        (("",), 2, "there is no file without a name"),
        ((), 2, "Missing argument"),
        (("empty",), 3, "no Python file, notebook, Dockerfile, compose file or script in empty"),
        (("-", "--format", "xml"), 2, "--format 'xml'"),
        (("-", "--select", "SRC804,XYZ"), 2, "'XYZ' is no code of lint"),
        (("-", "--ignore", ""), 2, "is no code of lint"),
        (("-", "--mediapipe", "new"), 2, "is no version"),
        (("-", "--output", "no/such/folder/x"), 2, "No such file"),
    ],
    ids=["missing", "no name", "nothing", "empty folder", "format", "select", "ignore", "version", "output"],
)
def test_wrong_use_is_told_in_one_message(
    lint: Lint, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    ran = lint(*arguments)

    assert ran.returncode == code
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_that_cannot_be_parsed_or_read_hides_no_other(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def (:\n")
    (tmp_path / "b.py").write_text(BAD)
    (tmp_path / "c.py").symlink_to("nowhere.py")
    ran = lint(".")

    assert ran.returncode == 1
    assert "a.py:1:5: SRC800" in ran.stdout
    assert "b.py:2:8: SRC801" in ran.stdout
    assert "c.py:1:1: SRC800 cannot be read: No such file" in ran.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_what_has_no_end_is_not_read_and_pipes_in_folders_are_left_alone(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GOOD)
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / "pipe.yaml")
    ran = lint(".", "/dev/zero")

    assert (ran.returncode, ran.stderr) == (1, "")
    assert "/dev/zero:1:1: SRC800 is larger than 4 MiB: it was not read" in ran.stdout
    assert ran.stdout.endswith("\n2 files, 1 finding, 0 remarks\n")


def test_a_selection_that_leaves_nothing_to_look_for_is_no_success(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BAD)
    ran = lint("app.py", "--select", "SRC80", "--ignore", "SRC8")

    assert ran.returncode == 3
    assert "nothing to look for" in ran.stderr
    assert ran.stdout == ""


def test_codes_can_be_selected_and_ignored(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BAD)

    assert "SRC801" not in lint("app.py", "--select", "src803").stdout
    assert "SRC803" not in lint("app.py", "--ignore", "SRC803").stdout
    assert lint("app.py", "--ignore", "SRC80").returncode == 0


def test_the_version_sharpens_the_words(lint: Lint) -> None:
    assert "is not in MediaPipe 1.2.2: AttributeError" in lint("-", "--mediapipe", "1.2.2", stdin=BAD).stdout


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_json_and_sarif_can_go_to_a_file(lint: Lint, tmp_path: Path, form: str) -> None:
    ran = lint("-", "--format", form, "--output", "out.json", stdin=BAD)

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))


def test_a_terminal_that_speaks_ascii_gets_escapes(process: Lint, tmp_path: Path) -> None:
    (tmp_path / "ünï.py").write_text(BAD)
    ran = process("ünï.py", env={"PYTHONIOENCODING": "ascii"})

    assert ran.returncode == 1
    assert "\\xfcn\\xef.py:2:8: SRC801" in ran.stdout


def test_explain_knows_lint_codes(tmp_path: Path) -> None:
    ran = ended("explain", "src801", cwd=tmp_path)

    assert ran.stdout.startswith("SRC801  mp.solutions FaceMesh never uses the GPU")


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    names = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )


@pytest.mark.network
def test_pre_commit_installs_the_hook_from_this_tree_and_runs_it(tmp_path: Path) -> None:
    """The configuration of docs/lint.md: pre-commit builds envcheck's own environment once, and runs the hook.

    What envcheck depends on is found in this Python's packages, so that pip does not fetch it again.
    """
    hook = tmp_path / "hook"
    user = tmp_path / "user"
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file() and name.startswith(
            ("envcheck/", "pyproject", "README", "LICENSE", ".pre-commit-h")
        ):
            (hook / name).parent.mkdir(parents=True, exist_ok=True)
            told = (
                (ROOT / name)
                .read_bytes()
                .replace(b"FaceMesh never uses the GPU", b"FaceMesh never uses it, says the hook")
            )
            (hook / name).write_bytes(told)
    user.mkdir()
    (user / "bad.py").write_text(BAD)
    (user / "good.py").write_text(GOOD)
    (user / "text.md").write_text(BAD)
    for folder in (hook, user):
        git(folder, "init", "-q")
        git(folder, "add", "-A")
        assert git(folder, "commit", "-q", "-m", "x").returncode == 0
    version = git(hook, "rev-parse", "HEAD").stdout.strip()
    (user / ".pre-commit-config.yaml").write_text(
        f"repos: [{{repo: '{hook}', rev: {version}, hooks: [{{id: envcheck-lint, args: [--mediapipe, 0.10.35]}}]}}]\n"
    )
    git(user, "add", "-A")
    uv_tool = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--python", sys.executable]
    command = [*uv_tool, "pre-commit", "run", "envcheck-lint"]
    env = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "PYTHONPATH": sysconfig.get_path("purelib")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], cwd=user, env=env, capture_output=True, text=True, check=False, timeout=HANG_S
        )

    found = run("--all-files")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "bad.py:2:8: SRC801 mp.solutions FaceMesh never uses it, says the hook" in found.stdout
    assert "is not in MediaPipe 0.10.35" in found.stdout
    assert "text.md" not in found.stdout
    clean = run("--files", "good.py")
    assert clean.returncode == 0, clean.stdout + clean.stderr
