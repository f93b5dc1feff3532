"""What a command line means, before anything is done."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from envcheck import cli
from envcheck.cli import COMMANDS, app, envcheck, run

SHARED = {"app", "asking"}
"""Modules of the package that are no commands."""
CONTEXT = click.Context(envcheck, info_name="envcheck", **envcheck.context_settings)


def command(name: str) -> click.Command:
    found = envcheck.get_command(CONTEXT, name)
    assert found is not None
    return found


def help_of(name: str) -> str:
    context = click.Context(command(name), info_name=name, parent=CONTEXT)
    return " ".join(context.get_help().split())


def test_each_module_is_a_command_and_each_command_a_module() -> None:
    beside = {file.stem for file in Path(cli.__file__).parent.glob("*.py")} - {"__init__", *SHARED}

    assert set(COMMANDS) == beside
    assert list(COMMANDS) == sorted(COMMANDS)
    assert all(command(name).name == name for name in COMMANDS)


def test_the_list_of_commands_says_of_each_a_whole_sentence() -> None:
    listed = " ".join(CONTEXT.get_help().split())

    for name in COMMANDS:
        assert f" {name} {command(name).get_short_help_str()} " in f"{listed} "
    assert "..." not in listed.replace("[ARGS]...", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_argument_and_option_with_its_words(name: str) -> None:
    text = help_of(name)

    for parameter in command(name).params:
        words = parameter.about if isinstance(parameter, app.Argument) else getattr(parameter, "help", None)
        assert words, parameter.name
        assert words in text
        assert all(option in text for option in parameter.opts if option.startswith("-"))
    assert "-h, --help" in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("validate", ("--out DIR", "[default: .envcheck]", "[default: 120.0]", "[default: 0; x>=0]", "-q, --quiet")),
        ("bench", ("[default: cpu,gpu]", "--plots / --no-plots Pictures. Default: where matplotlib is installed.")),
        ("doctor", ("[default: 20.0]", "1 one does")),
        ("watch", ("watch [OPTIONS] [-- COMMAND...]", "127 no such command")),
        ("explain", ("explain [OPTIONS] [CODE]", "[CODE] A finding's code")),
        ("lint", ("lint [OPTIONS] FILE...", "FILE... Python files")),
    ],
)
def test_help_shows_what_is_the_default_and_how_arguments_are_written(name: str, words: tuple[str, ...]) -> None:
    text = help_of(name)

    assert not [word for word in words if word not in text]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_switch_has_no_default_to_show(name: str) -> None:
    assert "[default: False]" not in help_of(name)
    assert "[default: None]" not in help_of(name)


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (["--", "python", "app.py"], ("python", "app.py")),
        (["python", "app.py"], ("python", "app.py")),
        (["--native-log", "--", "a", "--pid", "3", "-h", "--", "--json"], ("a", "--pid", "3", "-h", "--", "--json")),
        (["a", "--help", "--", "-x"], ("a", "--help", "--", "-x")),
        (["--", "--", "a"], ("--", "a")),
        (["--", "a", "", "\udcff"], ("a", "", "\udcff")),
        (["--pid", "7"], ()),
    ],
)
def test_watch_passes_on_everything_behind_its_own_options(arguments: list[str], program: tuple[str, ...]) -> None:
    with command("watch").make_context("watch", arguments, parent=CONTEXT) as context:
        assert context.params["program"] == program


def test_options_that_may_be_repeated_are_all_kept() -> None:
    arguments = ["--env", "A=1", "--env", "B=2", "--suite", "x", "--suite", "y", "--run-option=--memory=512m"]
    with command("check").make_context("check", arguments, parent=CONTEXT) as context:
        kept = {name: context.params[name] for name in ("variables", "suite", "run_options", "build_options")}

    assert kept == {
        "variables": ("A=1", "B=2"),
        "suite": (Path("x"), Path("y")),
        "run_options": ("--memory=512m",),
        "build_options": (),
    }


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["lint", "-h"]])
def test_what_is_asked_of_the_command_itself_is_answered_with_0(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Commands:"),
        (["nope"], "No such command 'nope'"),
        (["--nope"], "No such option"),
        (["app"], "No such command 'app'"),
        (["doctor", "--deadline", "soon"], "Invalid value for '--deadline'"),
        (["doctor", "--deadline"], "'--deadline' requires an argument"),
        (["doctor", "x"], "Got unexpected extra argument"),
        (["validate", "--jobs", "-1"], "-1 is not in the range x>=0"),
        (["lint"], "Missing argument 'FILE...'"),
        (["wheel"], "Missing argument 'VERSION|FILE'"),
        (["replay"], "Missing argument 'FOLDER'"),
        (["watch", "--pid", "x"], "Invalid value for '--pid'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told_on_standard_error_with_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.startswith(("Usage: envcheck", "Error: Option"))
